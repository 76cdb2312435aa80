"""The verb of the command line about a table of one's own: init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qhn.cli.app import app
from qhn.cli.options import LabelOption
from qhn.cli.terminal import put


@app.command()
def init(
    table: Annotated[Path, typer.Argument(help="A file with a table: a header line, a row a sample.")],
    label: LabelOption = None,
    output: Annotated[
        Path | None, typer.Option(help="The .toml file to write; that of the table's name, beside it, by default.")
    ] = None,
) -> None:
    """Look at a table and write a configuration for it."""
    from qhn.config.draft_page import page_of
    from qhn.config.from_table import draft_of, written

    draft = draft_of(table, label)
    path = written(draft, output)
    put(page_of(draft, path))
