"""The verb ``predict`` of the command line, which classifies the rows of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhn.cli.app import app
from qhn.cli.options import ResultsOption, find
from qhn.cli.terminal import put
from qhn.errors import QhnError
from qhn.text import in_line

if TYPE_CHECKING:
    from qhn.predict.table_files import Predictor


@app.command()
def predict(
    source: Annotated[
        str, typer.Argument(metavar="RUN|FILE", help="A run, or a network.npz or ensemble.npz that a run wrote.")
    ],
    table: Annotated[Path, typer.Argument(help="The table: .csv, .tsv, either also .gz, .parquet, .xlsx or .npz.")],
    output: Annotated[
        Path | None, typer.Option(help="New file for the predictions; standard output by default.")
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Predict by all networks of the run's last step, not by its best one.")
    ] = False,
    separator: Annotated[
        str | None, typer.Option(help="The mark between two fields of a text file; told from the file by default.")
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="The mark before decimals: a point or a comma.")] = None,
    thousands: Annotated[str | None, typer.Option(help="The mark between thousands; empty for none.")] = None,
    encoding: Annotated[str | None, typer.Option(help="The encoding of a text file, such as latin-1.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of an Excel file, by default the first one.")] = None,
    results: ResultsOption = None,
) -> None:
    """Predict the class of each row of a table, and write row, class and probabilities as CSV."""
    from qhn import durable
    from qhn.predict.table_files import predict_file

    if output is not None and output.exists():
        raise QhnError(f"{output} exists; remove it, or name another file with --output")
    dialect = {"separator": separator, "decimal": decimal, "thousands": thousands, "encoding": encoding, "sheet": sheet}
    given = {key: value for key, value in dialect.items() if value is not None}
    lines = predict_file(_predictor(source, ensemble, results), table, given)
    if output is None:
        for line in lines:
            put(line)
        return
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    durable.replace(output, lambda file: file.write(content))
    put(str(output))


def _predictor(source: str, ensemble: bool, results: Path | None) -> Predictor:
    """The network or ensemble that is named by its file or its run."""
    from qhn.predict.ensemble import Ensemble
    from qhn.predict.table_files import load_predictor
    from qhn.run.record import Record

    if source.endswith(".npz"):
        found = load_predictor(Path(source))
        if ensemble and not isinstance(found, Ensemble):
            raise QhnError(f"{source} holds one network; give its run, or an ensemble.npz, with --ensemble")
        return found
    directory = find(source, results)
    if ensemble:
        return Ensemble.of(Record.load(directory))
    path = directory / "network.npz"
    if not path.is_file():
        Record.load(directory).config.networks()  # which refuses a run of another problem
        raise QhnError(f"run {in_line(directory)} has no network.npz yet; qhn resume continues it")
    return load_predictor(path)
