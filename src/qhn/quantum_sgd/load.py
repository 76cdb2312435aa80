"""Configurations of quantum gradient descents: those that come with qhn, TOML files, and tables of the user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qhn.config.data import DATA_SECTIONS
from qhn.config.device import DeviceConfig
from qhn.config.file import check_values, names_of, one_sentence, parse_toml, set_dotted
from qhn.config.from_table import draft_of
from qhn.errors import NotFoundError, QhnError
from qhn.quantum_sgd.config import (
    DenseConfig,
    DescentConfig,
    LiftConfig,
    MachineConfig,
    ModelConfig,
    PruneConfig,
    QsgdConfig,
    SolverConfig,
)
from qhn.sweep.files import titles
from qhn.table.csv_files import sniffed
from qhn.table.files import is_table, is_text
from qhn.text import did_you_mean, read_text, shown

FOLDER = "descents"  # of the configurations that come with qhn
DEFAULT = "digits"
KEYS = {  # the keys that may stand in a table, over all its kinds
    "": names_of(QsgdConfig),
    "data": names_of(*DATA_SECTIONS),
    "model": names_of(ModelConfig),
    "dense": names_of(DenseConfig),
    "prune": names_of(PruneConfig),
    "descent": names_of(DescentConfig),
    "lift": names_of(LiftConfig),
    "solver": names_of(SolverConfig),
    "machine": names_of(MachineConfig),
    "device": names_of(DeviceConfig),
}


def descents() -> dict[str, str]:
    """The descents that come with qhn: a line on each by its name."""
    return titles(FOLDER)


def load_descent(
    source: str | Path = DEFAULT, settings: Mapping[str, Any] | None = None, label: str | None = None
) -> QsgdConfig:
    """The configuration of a descent that comes with qhn, of a TOML file, or for a table of the user's own.

    Args:
        source: name of a descent that comes with qhn (:func:`descents`), or path of a ``.toml`` file or a table.
        settings: values by dotted key, which replace those of the file.
        label: the column of a table that is predicted; by default the one whose name says so.

    Raises:
        FileNotFoundError: if there is no such descent or file.
        ValueError: if a key or value is wrong; the error says so in one sentence.

    >>> load_descent("digits", {"prune.keep": 6}).prune.keep
    6
    """
    chosen = dict(settings or {})
    if is_table(str(source)):
        return _parsed(_tree_of_table(Path(source), label, chosen), chosen, str(source))
    if label is not None:
        raise QhnError(f"--label names a column of a table, and {source} is none; a .toml file has data.label")
    text, folder = _text(source)
    tree = parse_toml(text, str(source))
    for place in ("file", "directory"):
        if isinstance(tree.get("data"), dict) and isinstance(tree["data"].get(place), str):
            tree["data"][place] = str(folder / tree["data"][place])
    tree.setdefault("name", _name_of(Path(source)))
    return _parsed(tree, chosen, str(source))


def parse_descent(tree: dict[str, Any]) -> QsgdConfig:
    """The validated configuration of nested tables.

    Raises:
        ValueError: if a key or value is wrong; the error says so in one sentence.
    """
    check_values(tree)
    try:
        return QsgdConfig.model_validate(tree)
    except ValidationError as error:
        raise QhnError(one_sentence(error, tree, KEYS)) from None


def _parsed(tree: dict[str, Any], settings: Mapping[str, Any], source: str) -> QsgdConfig:
    if isinstance(tree.get("solver"), str):
        tree["solver"] = {"name": tree["solver"]}
    if "data.file" in settings:
        tree["data"] = {}  # another file inherits nothing from what it replaces
    try:
        set_dotted(tree, settings)
        return parse_descent(tree)
    except QhnError as error:
        raise QhnError(f"{source}: {error}") from None


def _text(source: str | Path) -> tuple[str, Path]:
    """The text of a configuration, and the folder to which files that it names are relative."""
    known, path = descents(), Path(source)
    if str(source) in known:
        return resources.files("qhn").joinpath(f"{FOLDER}/{source}.toml").read_text("utf-8"), Path()
    if path.suffix == ".toml":
        if not path.is_file():
            raise NotFoundError(f"configuration file {path} {'is not a file' if path.exists() else 'does not exist'}")
        return read_text(path, "configuration file"), path.parent
    hint = did_you_mean(str(source), known, otherwise=f"there are {', '.join(known)}")
    raise NotFoundError(
        f"there is no descent {shown(str(source))}; {hint} (a file of your own must end in .toml, a table in .csv)"
    )


def _tree_of_table(path: Path, label: str | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a configuration for a table: of classes as for a run, of numbers as the file is written."""
    name = _name_of(path)
    if settings.get("model.loss") != "mse":
        data = draft_of(path, label).config().data
        assert data is not None
        everything = {"validation_fraction": 0.0}  # a descent shows no validation samples
        return {"name": name, "data": data.model_dump(mode="json", exclude_unset=True) | everything}
    if label is None:
        raise QhnError(f"name the column of {path} whose numbers are predicted, with --label")
    table: dict[str, Any] = {"file": str(path), "label": label}
    if path.is_file() and is_text(path):
        dialect = sniffed(path)
        table |= {key: getattr(dialect, key) for key in ("separator", "decimal", "thousands", "encoding")}
    return {"name": name, "data": table}


def _name_of(path: Path) -> str:
    """A name of an experiment after that of a file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.name.split(".")[0]).strip("-.") or "descent"
