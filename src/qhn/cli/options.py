"""Options shared by the verbs of the command line, and the configurations and runs that they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qhn.cli.terminal import put, tell
from qhn.errors import QhnError
from qhn.text import clipped

if TYPE_CHECKING:
    from qhn.arrays import Floats
    from qhn.config import RunConfig
    from qhn.config.from_table import Draft

DEFAULT_EXPERIMENT = "gaussian-activation"
LEAST_BUSY = "least-busy"
DEFECT, BAD_INPUT, LIMIT, FAILED, INTERRUPTED = 1, 2, 3, 4, 130  # exit codes

ExperimentArgument = Annotated[
    str, typer.Argument(help="Name of a preset (see qhn list), or path of a .toml file or of a table such as data.csv.")
]
LabelOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="The column of classes of a table; label, target or class by default."),
]
RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Path or run id of a run; the latest by default.")
]
BackendOption = Annotated[
    str | None,
    typer.Option(
        help="exact, aer, aer-mps, depolarising, fake_<device>, ibm_<device>, least-busy of the last, twin_<machine> "
        "(the present noise of a machine), a plug-in that is installed (qhn doctor lists them), or module:factory."
    ),
]
ShotsOption = Annotated[
    str | None, typer.Option(help="Measured bitstrings a row of angles: a number, auto, or none where it is possible.")
]
AnsatzOption = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="Kind of circuit, such as real-amplitudes, or a .qasm or .qpy file."),
]
LayersOption = Annotated[int | None, typer.Option(help="Layers of the circuit; of a hypernetwork 0 is a product.")]
OrderOption = Annotated[str | None, typer.Option(help="Order of gates in a hypernetwork's block: eq5 or authors.")]
SeedOption = Annotated[int | None, typer.Option(help="Seed of the initial angles and of the shots.")]
StepsOption = Annotated[int | None, typer.Option(help="Stop after so many steps.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, e.g. train.optimizer=sgd; repeat.")
]
ResultsOption = Annotated[Path | None, typer.Option(help="Directory of runs; $QHN_RESULTS or results by default.")]
OutputOption = Annotated[Path | None, typer.Option(help="Folder for what is written; that of the run by default.")]
TilesOption = Annotated[str | None, typer.Option(help="Chains of a device side by side: a number, or auto.")]
MitigationOption = Annotated[
    str | None, typer.Option(help="Of a device's readout errors in E and its gradient: none, readout or mthree.")
]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Do not wait for a QPU: submit what is next and return; qhn resume goes on.")
]
RetryOption = Annotated[
    bool, typer.Option("--retry-self-test", help="Pay for another self-test of a QPU that has failed one.")
]
ResubmitOption = Annotated[
    bool, typer.Option("--resubmit", help="Measure again, and pay for, jobs that the service no longer has.")
]
TrustOption = Annotated[
    bool, typer.Option("--trust", help="Run the programs that a record or circuit file names; know what they do.")
]
PythonOption = Annotated[
    str | None, typer.Option(metavar="MODULE:FUNCTION", help="The function of your own that the run evaluates.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary, only paths.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a step, then one with the outcome.")]


KEYS = {  # dotted key of the setting that each option gives
    "backend": "train.backend",
    "shots": "train.shots",
    "ansatz": "ansatz",
    "layers": "ansatz.num_layers",
    "order": "ansatz.order",
    "seed": "train.seed",
    "steps": "train.steps",
    "tiles": "device.tiles",
    "mitigation": "device.mitigation",
}
MAX_DIGITS = 18  # most digits of a number on the command line, so that it fits 64 bits


def planned(
    experiment: str, label: str | None, settings: list[str] | None, *, say: bool = True, **options: Any
) -> str | Draft:
    """An experiment as it is named, or, if it is a table, a configuration for it, of which a few lines are told.

    Args:
        experiment: name of a preset, or path of a ``.toml`` file or of a table.
        label: the column of classes; None if it is not given.
        settings: the values of ``--set``, each ``key=value``, which replace what was chosen.
        say: whether to tell what was chosen.
        options: values of the options of the command line, as for :func:`load`.

    Raises:
        NotFoundError: if there is no such table.
        QhnError: if there is a label and no table, the table cannot be learned from, or a setting is wrong.
    """
    from qhn.table.files import is_table

    if is_table(experiment):
        from qhn.config.draft_page import lines_of
        from qhn.config.from_table import draft_of

        changes = list(all_settings(settings, {KEYS[name]: value for name, value in options.items()}))
        draft = draft_of(experiment, label)
        changes = [key for key in changes if key not in ("train.seed", "train.steps")]
        for line in lines_of(draft, changes) if say else ():
            tell(line)
        return draft
    if label is not None:
        raise QhnError(
            f"--label names the column of classes of a table, and {experiment} is none; a .toml file has data.label"
        )
    return experiment


def load(
    experiment: str | Draft, settings: list[str] | None = None, naming: int | None = None, /, **options: Any
) -> RunConfig:
    """The configuration of an experiment with the settings and options that were given.

    Backend ``least-busy`` becomes the device of the account that has enough qubits and the fewest jobs waiting.

    Args:
        experiment: name of a preset, path of a ``.toml`` file, or the configuration for a table (:func:`planned`).
        settings: the values of ``--set``, each ``key=value``.
        naming: version of the defaults (:mod:`qhn.config.defaults`); None for the newest.
        options: values of the options of the command line by their names, the keys of ``KEYS``; None if not given.

    Raises:
        ValueError: if there is no such experiment, or a setting or option is wrong.
        BackendError: if the service cannot be asked for the least busy device.
    """
    from qhn.circuit.circuit_file import ENDINGS

    given = {KEYS[name]: value for name, value in options.items() if value is not None}
    if str(given.get("ansatz", "")).endswith(ENDINGS):
        given["ansatz.file"] = given.pop("ansatz")
    if given.get("train.backend") == LEAST_BUSY:
        from qhn.backend.ibm.account import least_busy

        circuit = {key: value for key, value in given.items() if key.partition(".")[0] == "ansatz"}
        problem = _configured(experiment, all_settings(settings, circuit)).problem(trust=True)
        given["train.backend"] = least_busy(problem.num_qubits)
        tell(f"least busy: {given['train.backend']}")
    return _configured(experiment, all_settings(settings, given), naming)


def _configured(experiment: str | Draft, settings: dict[str, Any], naming: int | None = None) -> RunConfig:
    """The configuration of an experiment with some values replaced."""
    from qhn.config.file import load_config

    if isinstance(experiment, str):
        return load_config(experiment, settings, naming)
    return experiment.config(settings, naming)


def all_settings(settings: list[str] | None, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The settings that the command line gives, by dotted key.

    Args:
        settings: the values of ``--set``, each ``key=value``.
        options: values by dotted key; None if not given.

    Raises:
        QhnError: if a setting is not written ``key=value``, or is given twice; the message names both places.

    >>> all_settings(["train.seed=3"], {"train.shots": 50, "train.steps": None})
    {'train.seed': 3, 'train.shots': 50}
    """
    from qhn.config.file import parse_setting

    option = {key: f"--{name}" for name, key in KEYS.items()}
    chosen: dict[str, Any] = {}
    places: dict[str, str] = {}
    written = [(*parse_setting(text), f"--set {text}") for text in settings or []]
    flags = [
        (key, _number_or_word(value), f"{option.get(key, f'--{key}')} {value}")
        for key, value in (options or {}).items()
        if value is not None
    ]
    for key, value, place in written + flags:
        if key in places:
            raise QhnError(f"{clipped(places[key])} and {clipped(place)} both give {clipped(key)}; leave out one")
        chosen[key], places[key] = value, place
    return chosen


def _number_or_word(value: Any) -> Any:
    """The value of an option that takes a number or a word: an integer where the word is one."""
    is_number = isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= MAX_DIGITS
    return int(value) if is_number else value


def check_range(option: str, value: int | None, least: int, most: int = 10**MAX_DIGITS) -> None:
    """Refuse a number outside the range of an option.

    Args:
        option: name of the option, such as ``--repeats``.
        value: value on the command line; None if the option is not given, which is allowed.
        least: lowest value that is allowed.
        most: highest value that is allowed.

    Raises:
        QhnError: if the value is out of bounds; the message names the option, the bound and the value.
    """
    if value is not None and not least <= value <= most:
        from qhn.text import shown

        bound = f"at least {least:,}" if value < least else f"at most {most:,}"
        raise QhnError(f"{option} must be {bound}, got {shown(value)}")


def say_where(directory: Path, output: Path | None, paths: Sequence[Path]) -> None:
    """Say where the files are that would be in a run's directory, if it could be written."""
    if output is None and paths and directory not in paths[0].parents:
        tell(f"qhn: {directory} is read-only; the files are in {paths[0].parent}")


def print_paths(paths: Sequence[Path]) -> None:
    """Print the paths of written files, one per line after a blank line; nothing if there are none."""
    if paths:
        put("\n" + "\n".join(map(str, paths)))


def find(name: str | None, results: Path | None) -> Path:
    """The directory of a run.

    Args:
        name: path of the run or beginning of its id; None for the run last written.
        results: the directory of results; None for the default.

    Raises:
        FileNotFoundError: if there is no such run.
        ValueError: if several ids begin with ``name``.
    """
    from qhn.run.directories import find_run, results_directory

    return find_run(results_directory(results), name)


def is_experiment(source: str) -> bool:
    """Whether a name is that of a preset or a file, and not of a run."""
    from qhn.config.file import presets

    return source in presets() or source.endswith(".toml")


def source_of(source: str, results: Path | None, settings: dict[str, Any]) -> tuple[RunConfig, Floats | None]:
    """The configuration and last angles θ of a run, or the configuration of an experiment and None.

    Args:
        source: name of a preset, path of a ``.toml`` file, or path or id of a run.
        results: the directory of results; None for the default.
        settings: other values by dotted key.

    Returns:
        The configuration with these settings, and θ ``[num_parameters]`` in radians; None if there are no angles.
    """
    from qhn.backend.machines import named_by_user
    from qhn.config.file import load_config, with_settings
    from qhn.run.record import Record

    if isinstance(backend := settings.get("train.backend"), str):
        named_by_user(backend)
    if is_experiment(source):
        return load_config(source, settings), None
    record = Record.load(find(source, results))
    steps = record.steps()
    return with_settings(record.config, settings), steps[-1].theta if steps else None
