"""Verbs of the command line about an experiment: circuit, landscape, baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qhn.cli.app import app
from qhn.cli.options import (
    DEFAULT_EXPERIMENT,
    AnsatzOption,
    ExperimentArgument,
    LabelOption,
    LayersOption,
    OrderOption,
    ResultsOption,
    SetOption,
    TrustOption,
    check_range,
    load,
    planned,
    print_paths,
)
from qhn.cli.terminal import put, tell
from qhn.errors import QhnError

MAX_REPEATS = 100_000  # most repeats of a search; more take days
METHOD_HELP = (
    "random, descent, annealing, cross-entropy, product, straight-through, all of these, or one of "
    "autoregressive and born-machine."
)


@app.command()
def circuit(
    experiment: Annotated[
        str | None, typer.Argument(help="A preset, a .toml file or a table; all presets by default.")
    ] = None,
    label: LabelOption = None,
    ansatz: AnsatzOption = None,
    layers: LayersOption = None,
    order: OrderOption = None,
    form: Annotated[str, typer.Option(help="literal (the paper's), pruned or executed.")] = "literal",
    qasm: Annotated[bool, typer.Option(help="Print OpenQASM 3 instead of a drawing.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write .qasm and .txt files into this directory.")] = None,
    settings: SetOption = None,
    trust: TrustOption = False,
) -> None:
    """Print or write the circuit of an experiment."""
    from qhn.circuit.openqasm import FORMS, drawing, openqasm, write_files
    from qhn.config.file import presets
    from qhn.text import did_you_mean, shown

    if form not in FORMS:
        raise QhnError(
            f"unknown form {shown(form)}; {did_you_mean(form, FORMS, otherwise='choose ' + ', '.join(FORMS))}"
        )
    names = list(presets()) if experiment is None and output is not None else [experiment or DEFAULT_EXPERIMENT]
    options: dict[str, Any] = {"ansatz": ansatz, "layers": layers, "order": order}
    for name in names:
        config = load(planned(name, label, settings, **options), settings, **options)
        circuit = config.circuit(config.problem(trust=True), trust=trust)
        if output is not None:
            for path in write_files(circuit, config.experiment, output):
                put(str(path))
        else:
            put(openqasm(circuit, form) if qasm else drawing(circuit, form))


@app.command()
def landscape(
    experiment: ExperimentArgument = DEFAULT_EXPERIMENT,
    label: LabelOption = None,
    settings: SetOption = None,
    results: ResultsOption = None,
) -> None:
    """Enumerate every bitstring: optimum, levels, minima, interactions."""
    from qhn.report.landscape import LandscapeReport
    from qhn.run.directories import results_directory

    place = results_directory(results)
    report = LandscapeReport.of(load(planned(experiment, label, settings), settings), place, lambda words: tell(words))
    put(report.page())
    print_paths(report.write(place))


@app.command()
def baseline(
    experiment: ExperimentArgument = DEFAULT_EXPERIMENT,
    label: LabelOption = None,
    method: Annotated[str, typer.Option(help=METHOD_HELP)] = "all",
    evaluations: Annotated[
        int | None,
        typer.Option(help="Different bitstrings that a search may evaluate; half of them, up to 20,000, by default."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Searches with each method, with seeds from --seed up.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the first repeat.")] = 0,
    settings: SetOption = None,
    results: ResultsOption = None,
) -> None:
    """Search classically, counting different bitstrings evaluated."""
    from qhn.report.baseline import BaselineReport, chosen_methods
    from qhn.run.directories import results_directory

    chosen_methods(method)
    check_range("--repeats", repeats, 1, MAX_REPEATS)
    check_range("--evaluations", evaluations, 1)
    check_range("--seed", seed, 0)
    report = BaselineReport.of(
        load(planned(experiment, label, settings), settings),
        method,
        evaluations=evaluations,
        repeats=repeats,
        seed=seed,
        results=(place := results_directory(results)),
        tell=lambda words: tell(words),
    )
    put(report.page())
    print_paths(report.write(place))
