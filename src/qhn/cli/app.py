"""The application that all verbs belong to."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="Train circuits whose measured bitstrings are binary neural networks.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from qhn import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_print_version)] = False,
) -> None:
    pass  # main() looks for --debug itself: it must work for errors in parsing too
