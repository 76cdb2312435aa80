"""Files that describe many runs, by qhn and by its users, and their tables ``[set]`` and ``[vary]``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from qhn.config.file import parse_toml
from qhn.config.section import Section
from qhn.errors import NotFoundError, QhnError
from qhn.text import did_you_mean, read_text, shown


def titles(folder: str) -> dict[str, str]:
    """The files of a folder that come with qhn: the line with which each begins by its name."""
    files = sorted(resources.files("qhn").joinpath(folder).iterdir(), key=lambda file: file.name)
    return {f.name.removesuffix(".toml"): f.read_text("utf-8").split("\n", 1)[0].lstrip("# ") for f in files}


def read_tables(
    source: str | Path, folder: str, kind: str, settings: Mapping[str, Any], own: Collection[str]
) -> dict[str, Any]:
    """The tables of a file that comes with qhn or of the user's, with some values replaced.

    Args:
        source: the name of a file that comes with qhn, or the path of a file.
        folder: the folder of those that come with qhn.
        kind: what the file describes, in a word.
        settings: values that take the place of the file's, by dotted key.
        own: the keys of ``settings`` that are the file's own; all others are put into its table ``[set]``.

    Raises:
        NotFoundError: if there is no such file.
        QhnError: if it is not valid TOML.
    """
    known, path = titles(folder), Path(source)
    if str(source) in known:
        content, place = resources.files("qhn").joinpath(f"{folder}/{source}.toml").read_text("utf-8"), Path()
    elif path.suffix == ".toml":
        if not path.is_file():
            raise NotFoundError(f"{kind} file {path} {'is not a file' if path.exists() else 'does not exist'}")
        content, place = read_text(path, f"{kind} file"), path.parent
    else:
        hint = did_you_mean(str(source), known, otherwise=f"there are {', '.join(known)}")
        raise NotFoundError(f"there is no {kind} {shown(str(source))}; {hint} (a file of your own must end in .toml)")
    tree: dict[str, Any] = {"name": path.stem} | parse_toml(content, str(source))
    for key, value in settings.items():
        if key in own:
            tree[key] = value
        elif isinstance(tree.setdefault("set", {}), dict):
            tree["set"] = dict(dotted(tree["set"])) | {key: value}
    if str(tree.get("experiment", "")).endswith(".toml"):
        tree["experiment"] = str(place / tree["experiment"])
    return tree


def refuse_unknown(model: type[Section], kind: str, tree: Mapping[str, Any]) -> None:
    """Refuse keys that a file of many runs does not have.

    Args:
        model: the tables of the file.
        kind: what the file describes, in a word.
        tree: the keys of the file.

    Raises:
        QhnError: if a key is unknown; the message names the nearest one.
    """
    known = [field.alias or name for name, field in model.model_fields.items()]
    for key in tree:
        if key not in known:
            hint = did_you_mean(key, known, otherwise=f"a {kind} has {', '.join(known)}")
            raise QhnError(f"unknown key {key} of a {kind}; {hint}")


def directory_name(name: str) -> str:
    """A name after which a directory is called.

    Raises:
        QhnError: if it is not of letters, digits, dots and hyphens.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise QhnError(f"name must be of letters, digits, dots and hyphens, got {name!r}; write name = 'mine'")
    return name


def refuse_twice(settings: Collection[str], vary: Collection[str]) -> None:
    """Refuse a key that stands in both tables.

    Raises:
        QhnError: if one does.
    """
    both = sorted(set(vary) & set(settings))
    if both:
        raise QhnError(f"{both[0]} stands in both [set] and [vary]; leave one out")


def dotted(tables: Mapping[str, Any], ends: Collection[str] = (), prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested tables by dotted key; a table with a name, such as an optimizer's, is a leaf.

    Args:
        tables: the tables.
        ends: keys that also make a table a leaf.
        prefix: what the keys begin with.

    >>> dict(dotted({"train": {"optimizer": {"name": "adam"}, "steps": 3}}))
    {'train.optimizer': {'name': 'adam'}, 'train.steps': 3}
    """
    for key, value in tables.items():
        is_table = isinstance(value, dict) and not isinstance(value.get("name"), str)
        if is_table and not any(end in value for end in ends):
            yield from dotted(value, ends, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
