"""Configurations from TOML: presets, a user's files, and values set on the command line.

A fault in a configuration is reported in a single sentence that names the key, the value and the remedy.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from qhn.backend.machines import is_ideal
from qhn.config import RunConfig
from qhn.config.ansatz import ANSATZ_SECTIONS
from qhn.config.data import DATA_SECTIONS
from qhn.config.defaults import NAMING
from qhn.config.device import DeviceConfig
from qhn.config.network import NetworkConfig
from qhn.config.problem import PROBLEM_SECTIONS
from qhn.config.python_problem import located
from qhn.config.section import Section
from qhn.config.strategy import (
    AdamConfig,
    AllAnglesConfig,
    LbfgsConfig,
    ParameterShiftConfig,
    SgdConfig,
    SinusoidConfig,
    SparseAnglesConfig,
    SpsaGradientConfig,
    SpsaOptimizerConfig,
)
from qhn.config.train import (
    OBJECTIVE_SECTIONS,
    FromRunConfig,
    NormalConfig,
    ShotScheduleConfig,
    SuperpositionConfig,
    TrainConfig,
    UniformConfig,
)
from qhn.errors import NotFoundError, QhnError
from qhn.problem.cost import Problem
from qhn.text import clipped, did_you_mean, read_text, shown

MAX_INTEGER = 2**63 - 1  # largest integer of numpy's default type
RECORDED = ("instance", "naming")  # keys of recorded configurations, which no file and no setting may give
MAX_DEPTH = 10  # deepest nesting of tables and lists; a configuration needs four


def presets() -> dict[str, str]:
    """The titles of the bundled experiments by name."""
    files = [file for file in resources.files("qhn").joinpath("experiments").iterdir() if file.name.endswith(".toml")]
    titles = {file.name.removesuffix(".toml"): file.read_text("utf-8").splitlines()[0].lstrip("# ") for file in files}
    return dict(sorted(titles.items()))


def _preset(name: str, naming: int | None) -> str:
    """The text of a preset; of an earlier naming that of its time, where it has changed since."""
    folder = resources.files("qhn").joinpath("experiments")
    earlier = folder.joinpath(f"naming-{naming}/{name}.toml")
    return (earlier if earlier.is_file() else folder.joinpath(f"{name}.toml")).read_text("utf-8")


def load_config(source: str | Path, settings: dict[str, Any] | None = None, naming: int | None = None) -> RunConfig:
    """The configuration of a preset or a TOML file, with some values replaced.

    Args:
        source: name of a preset, or path of a ``.toml`` file; a relative ``data.file`` or ``data.directory`` in it is
            relative to it.
        settings: values by dotted key, e.g. ``{"train.shots": 500}``; a relative ``data.file`` or ``data.directory``
            here is relative to the working directory.
        naming: version of the defaults (:mod:`qhn.config.defaults`) of values that are set nowhere; None for the
            newest. Only what was begun under an earlier one goes on with it.

    Raises:
        FileNotFoundError: if there is neither such a preset nor such a file.
        ValueError: if it is not valid TOML, a key or value is wrong, or a data file is missing, in one sentence.

    >>> load_config("figure-1", {"train.shots": 100}).train.shots
    100
    """
    known = presets()
    path = Path(source)
    if str(source) in known:
        text, folder = _preset(str(source), naming), Path(str(resources.files("qhn").joinpath("experiments")))
    elif path.suffix == ".toml":
        if not path.is_file():
            state = "is not a file" if path.exists() else "does not exist"
            raise NotFoundError(f"configuration file {path} {state}")
        text, folder = read_text(path, "configuration file"), path.parent
    else:
        hint = did_you_mean(str(source), known, otherwise=f"presets are {', '.join(known)}")
        raise NotFoundError(
            f"there is no preset {shown(str(source))}; {hint} (a file of your own must end in .toml, a table in .csv)"
        )
    return config_of(text, str(source), folder, path.stem, settings, naming)


def config_of(
    text: str,
    source: str,
    folder: Path,
    name: str,
    settings: Mapping[str, Any] | None = None,
    naming: int | None = None,
) -> RunConfig:
    """The configuration of a TOML text, with some values replaced.

    Args:
        text: the text.
        source: what the text is called, for messages.
        folder: the folder to which files that the text names are relative.
        name: the name of the experiment, if the text gives none.
        settings: values by dotted key, as for :func:`load_config`.
        naming: version of the defaults, as for :func:`load_config`.

    Raises:
        QhnError: if it is not valid TOML, a key or value is wrong, or a data file is missing, in one sentence.
    """
    tree = parse_toml(text, source)
    for table in map(tree.get, ("data", "problem", "ansatz")):
        for place in ("file", "directory"):
            if isinstance(table, dict) and isinstance(table.get(place), str):
                table[place] = str(folder / table[place])
    if isinstance(tree.get("problem"), dict) and "problem.python" not in (settings or {}):
        tree["problem"] = located(tree["problem"], [folder])
    tree.setdefault("experiment", re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "experiment")
    try:
        _refuse_recorded(tree)
        chosen = _with_settings(tree, settings or {})
        _check_replaced(tree, settings or {})
        return parse_config(chosen | {"naming": NAMING if naming is None else naming})
    except QhnError as error:
        raise QhnError(f"{source}: {error}") from None


def _refuse_recorded(keys: Iterable[str]) -> None:
    """Refuse dotted keys that only a recorded configuration has."""
    for key in keys:
        if key.partition(".")[0] in RECORDED:
            raise QhnError(_unknown_key(key.split(".")))


def _check_replaced(tree: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse values of a file that no key takes, although a setting stands in their place this time.

    Args:
        tree: the tables of the file.
        settings: values by dotted key that replace those of the file.

    Raises:
        QhnError: if the file's own value of one of these keys is wrong, whatever the others are.
    """
    if not any(isinstance(tree.get(key.partition(".")[0]), dict) for key in settings):
        return
    try:
        RunConfig.model_validate(tree)
    except ValidationError as error:
        for fault in error.errors():
            place = ".".join(_without_tags([str(part) for part in fault["loc"]], tree))
            if place in settings and fault["type"] not in ("value_error", "missing"):
                raise QhnError(_sentence(fault, tree)) from None
    except QhnError:
        pass  # a data file that another one replaces


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The tables of a TOML text as nested dictionaries.

    Args:
        text: contents of the file.
        source: name of the file, for the message of an error.

    Raises:
        QhnError: if the text is not valid TOML, or :func:`check_values` refuses a value.
    """
    try:
        tree = tomllib.loads(text)
        check_values(tree)
    except RecursionError:
        raise QhnError(f"{source} nests tables or lists too deep; a configuration needs four levels") from None
    except QhnError as error:
        raise QhnError(f"{source}: {error}") from None
    except ValueError as error:  # the parser raises its own, and Python's for an integer of thousands of digits
        raise QhnError(f"{source} is not valid TOML: {error}") from None
    return tree


def check_values(tree: Any, place: str = "", depth: int = 0) -> None:
    """Refuse values that no key takes and that would only fail later, far from the configuration.

    Args:
        tree: a value, or nested dictionaries and lists of values.
        place: dotted key of ``tree``, for the message; empty for the whole configuration.
        depth: number of tables and lists around ``tree``.

    Raises:
        QhnError: if an integer does not fit 64 bits, a text holds characters that no file name may, or tables and lists
            nest more than 10 deep; the message names the key.
    """
    name = place or "the configuration"
    if depth > MAX_DEPTH:
        raise QhnError(f"{shown(name)} nests more than {MAX_DEPTH} tables or lists; a configuration needs four")
    if isinstance(tree, int) and not abs(tree) <= MAX_INTEGER:
        raise QhnError(f"{name} must be at most 2^63 - 1, got an integer of {tree.bit_length():,} bits")
    if isinstance(tree, str) and ("\0" in tree or (not tree.isascii() and _has_surrogates(tree))):
        raise QhnError(f"{name} must be text that a file's name may hold, got {shown(tree)}")
    if isinstance(tree, dict):
        for key, value in tree.items():
            check_values(key, name)
            check_values(value, f"{place}.{key}" if place else str(key), depth + 1)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            check_values(value, place, depth + 1)


def _has_surrogates(text: str) -> bool:
    """Whether a text holds surrogates, by which Python stands for bytes of the command line that are not UTF-8."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def load_problem(source: str | Path) -> Problem:
    """The problem of a preset or a TOML file.

    Raises:
        FileNotFoundError, ValueError: if :func:`load_config` fails, or the data cannot be read.

    >>> load_problem("gaussian-activation").num_qubits
    14
    """
    return load_config(source).problem(trust=True)


def parse_config(tree: dict[str, Any]) -> RunConfig:
    """The validated configuration of a nested dictionary.

    Raises:
        ValueError: if a key or value is wrong, or a data file is missing, in one sentence.
    """
    check_values(tree)
    try:
        config = RunConfig.model_validate(tree)
    except ValidationError as error:
        raise QhnError(one_sentence(error, tree)) from None
    given = [table for table in (config.data, config.cost, config.instance) if table is not None]
    if not given:
        names = "'gaussian-mixture', 'mnist-4x4' or 'digits-8x8'"
        raise QhnError(
            f"missing table [data]: give name = {names}, or file = 'your.csv', or a table [problem] with another cost"
        )
    if len(given) > 1 or (config.cost is not None and "network" in config.model_fields_set):
        raise QhnError("[problem] takes the place of [data] and [network]; give the one or the others")
    return config


def parse_setting(text: str) -> tuple[str, Any]:
    """Key and value of ``key=value``; the value is read as TOML, or else as plain text.

    Raises:
        ValueError: if there is no ``=``.

    >>> parse_setting("train.shots=500"), parse_setting("ansatz.order=authors")
    (('train.shots', 500), ('ansatz.order', 'authors'))
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise QhnError(f"a setting must be written key=value, got {shown(text)}")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):  # no TOML, thousands of digits, or a nest without end: for the key to judge
        return key.strip(), value.strip()


def with_settings(config: RunConfig, settings: dict[str, Any]) -> RunConfig:
    """A copy of the configuration with other values by dotted key, e.g. ``{"train.steps": 90}``.

    Raises:
        ValueError: if a key or value is wrong, or a data file is missing, in one sentence.
    """
    return parse_config(_with_settings(config.model_dump(mode="json", exclude_unset=True), settings))


def _with_settings(tree: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a nested dictionary with values replaced by dotted key."""
    _refuse_recorded(settings)
    result: dict[str, Any] = json.loads(json.dumps(tree, default=str))
    for place in ("data", "ansatz"):
        if f"{place}.file" in settings:
            result[place] = {}  # another file inherits nothing from what it replaces
    if settings.keys() & {"problem.python", "problem.file"} and isinstance(result.get("problem"), dict):
        result["problem"] = {key: value for key, value in result["problem"].items() if key not in ("sha256", "source")}
    if "train.backend" in settings and isinstance(result.get("train"), dict):
        train = result["train"]
        if is_ideal(settings["train.backend"]) or train.get("shots") is None:
            train.pop("shots", None)  # exact samples only if shots are asked for with it
    set_dotted(result, settings)
    return result


def set_dotted(tree: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Replace values in nested tables, which are made where there are none.

    Args:
        tree: the tables, which are changed.
        settings: the values by dotted key.

    Raises:
        QhnError: if a key is to be set in what is no table.

    >>> tree = {"train": {"steps": 3}}
    >>> set_dotted(tree, {"train.steps": 4, "train.optimizer.name": "sgd"})
    >>> tree
    {'train': {'steps': 4, 'optimizer': {'name': 'sgd'}}}
    """
    for key, value in sorted(settings.items(), key=lambda item: item[0].count(".")):  # a table before its keys
        *path, last = key.split(".")
        table = tree
        for name in path:
            inner = table.get(name)
            if not (inner is None or isinstance(inner, (dict, str))):
                raise QhnError(f"{clipped(key)} is set in a table, and {clipped(name)} is {shown(inner)}")
            table[name] = inner if isinstance(inner, dict) else {"name": inner} if isinstance(inner, str) else {}
            table = table[name]
        if isinstance(table.get(last), dict) and isinstance(value, str):
            table[last] = {}  # another optimizer, say, does not inherit the settings of the one it replaces
        table[last] = value


def one_sentence(error: ValidationError, tree: dict[str, Any], keys: Mapping[str, list[str]] | None = None) -> str:
    """The first fault as one sentence that names key, value and remedy.

    Args:
        error: what is wrong.
        tree: the tables.
        keys: the keys that each table may have; None for those of the configuration of a run.
    """
    details = error.errors()
    return _sentence(next((d for d in details if d["type"] == "extra_forbidden"), details[0]), tree, keys)


def _sentence(fault: ErrorDetails, tree: dict[str, Any], keys: Mapping[str, list[str]] | None = None) -> str:
    """A fault as one sentence that names key, value and remedy."""
    place = _without_tags([str(part) for part in fault["loc"]], tree)
    key = clipped(".".join(place)).replace("data.file.file", "data.file")  # a kind and a key of that name
    if fault["type"] == "extra_forbidden":
        return _unknown_key(place, keys)
    if fault["type"] == "missing":
        return f"missing key {key}"
    if fault["type"] == "union_tag_not_found":
        return f"missing key {key}.name"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"].startswith("union_tag"):
        expected = fault.get("ctx", {}).get("expected_tags", "")
        name = fault.get("ctx", {}).get("tag", "none")
        return f"{key} must name one of {expected}, got {shown(name)}"
    if fault["type"] == "value_error":
        return message
    message = (message[0].lower() + message[1:]).replace("tuple", "list").replace("dictionary or instance of", "table")
    message = message.replace("a valid dictionary", "a table")
    message = message.replace("input is not a valid path for <class 'pathlib.Path'>", "input should be a path, as text")
    return f"{key}: {message}, got {shown(fault['input'])}"


def _unknown_key(place: list[str], keys: Mapping[str, list[str]] | None = None) -> str:
    keys = KEYS if keys is None else keys
    place = [clipped(part) for part in place]
    table, name = ".".join(place[:-1]), place[-1]
    known = keys.get(table, [])
    if name in known:
        return f"key {table}.{name} does not go with this kind of {table}"
    elsewhere = [other for other, names in keys.items() if name in names]
    if elsewhere:
        return f"unknown key {'.'.join(place)}; it belongs into [{elsewhere[0]}]"
    hint = did_you_mean(name, known, otherwise="known are " + ", ".join(known))
    return f"unknown key {'.'.join(place)}; {hint}"


def _without_tags(place: list[str], tree: Any) -> list[str]:
    """The place of a fault in the user's file: pydantic adds names of union members, which are no keys there."""
    kept = []
    for depth, part in enumerate(place):
        is_last = depth == len(place) - 1
        inner = tree.get(part) if isinstance(tree, dict) else None
        if is_last or not isinstance(tree, dict) or part in tree:
            kept.append(part)
            tree = inner
    return kept


def names_of(*models: type[Section]) -> list[str]:
    """The keys that a table of one of some kinds may have in a file, sorted."""
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    return sorted(keys - {"sha256", "source"})


KEYS = {  # the keys that may stand in a table, over all its kinds
    "": [name for name in names_of(RunConfig) if name not in RECORDED],
    "data": names_of(*DATA_SECTIONS),
    "problem": names_of(*PROBLEM_SECTIONS),
    "network": names_of(NetworkConfig),
    "ansatz": names_of(*ANSATZ_SECTIONS),
    "train": names_of(TrainConfig),
    "train.angles": names_of(AllAnglesConfig, SparseAnglesConfig),
    "train.gradient": names_of(ParameterShiftConfig, SpsaGradientConfig),
    "train.optimizer": names_of(AdamConfig, SgdConfig, SinusoidConfig, SpsaOptimizerConfig, LbfgsConfig),
    "train.objective": names_of(*OBJECTIVE_SECTIONS.values()),
    "train.initial": names_of(UniformConfig, NormalConfig, SuperpositionConfig, FromRunConfig),
    "train.shot_schedule": names_of(ShotScheduleConfig),
    "device": names_of(DeviceConfig),
}
