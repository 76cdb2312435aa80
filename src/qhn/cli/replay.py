"""The verb ``replay`` of the command line, which recomputes a run from its measured bits."""

from __future__ import annotations

from typing import Annotated

import typer

from qhn.cli.app import app
from qhn.cli.options import (
    OutputOption,
    PythonOption,
    ResultsOption,
    RunArgument,
    SetOption,
    TrustOption,
    all_settings,
    find,
    print_paths,
    say_where,
)
from qhn.cli.terminal import put

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a step instead of a table.")]


@app.command()
def replay(
    name: RunArgument = None,
    settings: SetOption = None,
    results: ResultsOption = None,
    output: OutputOption = None,
    python: PythonOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Recompute a run from its bits: whether it agrees with its record, or what other settings make of it."""
    from qhn.report.replay import ReplayReport, checked_replay
    from qhn.run.record import Record

    record, chosen, found = Record.load(find(name, results)), all_settings(settings), []
    for one in checked_replay(record, chosen, python=python, trust=trust):
        found.append(one)
        if as_json:
            put(one.to_json())
    if as_json:
        return
    report = ReplayReport.of(record, chosen, found)
    put(report.page())
    paths = report.write(output)
    say_where(record.directory, output, paths)
    print_paths(paths)
