"""What the verbs share: their options, and how a configuration or a run is found from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_EXPERIMENT = "gaussian-activation"
LEAST_BUSY = "least-busy"
DEFECT, BAD_INPUT, FAILED, INTERRUPTED = 1, 2, 4, 130  # exit codes

ExperimentArgument = Annotated[str, typer.Argument(help="Name of a preset (see qhn list) or path of a .toml file.")]
RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Path or run id of a run; the latest by default.")
]
BackendOption = Annotated[
    str | None,
    typer.Option(help="exact, aer, aer-mps, depolarising, fake_<device>, ibm_<device>, or least-busy of the last."),
]
ShotsOption = Annotated[int | None, typer.Option(help="Measured bitstrings a row of angles; exact does without.")]
LayersOption = Annotated[int | None, typer.Option(help="Layers of the circuit; 0 is the product state.")]
OrderOption = Annotated[str | None, typer.Option(help="Order of gates in a block: eq5 or authors.")]
SeedOption = Annotated[int | None, typer.Option(help="Seed of the initial angles and of the shots.")]
StepsOption = Annotated[int | None, typer.Option(help="Stop after so many steps.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, e.g. train.optimizer=sgd; repeat.")
]
ResultsOption = Annotated[Path | None, typer.Option(help="Directory of runs; $QHN_RESULTS or results by default.")]
TilesOption = Annotated[str | None, typer.Option(help="Chains of a device side by side: a number, or auto.")]
MitigationOption = Annotated[
    str | None, typer.Option(help="Of a device's readout errors in E and its gradient: none, readout or mthree.")
]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Do not wait for a QPU: submit what is next and return; qhn resume goes on.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary, only paths.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a step, then one with the outcome.")]


def load(
    experiment: str,
    settings: list[str] | None,
    backend: str | None = None,
    shots: int | None = None,
    layers: int | None = None,
    order: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
    tiles: str | None = None,
    mitigation: str | None = None,
) -> Any:
    """The configuration of an experiment with the settings and options that were given.

    Backend ``least-busy`` becomes the device of the account that has enough qubits and the fewest jobs waiting.
    """
    from qhn.config.file import load_config

    if backend == LEAST_BUSY:
        from qhn.backend.ibm.account import least_busy

        given = all_settings(settings, {"ansatz.num_layers": layers, "ansatz.order": order})
        backend = least_busy(load_config(experiment, given).problem().num_qubits)
        typer.echo(f"least busy: {backend}", err=True)
    options = {
        "train.backend": backend,
        "train.shots": shots,
        "ansatz.num_layers": layers,
        "ansatz.order": order,
        "train.seed": seed,
        "train.steps": steps,
        "device.tiles": int(tiles) if tiles and tiles.isdecimal() else tiles,
        "device.mitigation": mitigation,
    }
    return load_config(experiment, all_settings(settings, options))


def all_settings(settings: list[str] | None, options: dict[str, Any]) -> dict[str, Any]:
    """``--set`` values and then the options that were given."""
    from qhn.config.file import parse_setting

    given = {key: value for key, value in options.items() if value is not None}
    return dict(parse_setting(text) for text in settings or []) | given


def find(name: str | None, results: Path | None) -> Path:
    """The directory of a run."""
    from qhn.run.record import find_run, results_directory

    return find_run(results_directory(results), name)


def source_of(source: str, results: Path | None, settings: dict[str, Any]) -> tuple[Any, Any]:
    """Configuration and last θ of a run, or configuration of an experiment and None."""
    from qhn.config.file import load_config, presets, with_settings
    from qhn.run.record import Record

    if source in presets() or source.endswith(".toml"):
        return load_config(source, settings), None
    record = Record.load(find(source, results))
    steps = record.steps()
    return with_settings(record.config, settings), steps[-1].theta if steps else None
