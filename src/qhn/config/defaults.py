"""The defaults of every naming, frozen: what a value means that a configuration leaves out, whoever reads it.

A *naming* is a version of the rules by which a configuration gets its run's id: the defaults below, since values equal
to them are not hashed, and the number of the naming, which is. It has nothing to do with the schema of a record, the
version of the files in a run's directory (:mod:`qhn.run.record`): a run keeps its naming for ever, whichever version of
qhn goes on with it and whatever files that version writes.

The file ``defaults-<naming>.json`` holds the defaults of one naming: by table, by the kind of the table (the value of
its key ``name``, where it has none the key by which it is known, or else empty), and by key. A key that is required has
none. Of a table that is a default itself stand its name, if it has one, and the values in which it differs from the
defaults of its kind. Earlier files also know the keys that were added later, with the value that means what was done
before there was such a key. So neither an id nor a missing value depends on what is the default today.

When a default changes, or a key is added, ``scripts/freeze_defaults.py`` writes these files. Once there are runs that
were named by the newest one, a default may change only together with :data:`NAMING`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, get_args

from pydantic_core import to_jsonable_python

from qhn.config.section import Section, types_in

NAMING = 2  # of configurations that are made from now on
FIRST = 1

Defaults = dict[str, dict[str, dict[str, Any]]]


@cache
def defaults_of(naming: int) -> Defaults:
    """The frozen defaults of a naming by table, kind of the table, and key.

    Args:
        naming: the number of the naming, from 1 to :data:`NAMING`.

    >>> defaults_of(1)["train.optimizer"]["adam"]["learning_rate"]
    0.2
    """
    text = resources.files("qhn").joinpath(f"config/defaults-{naming}.json").read_text("utf-8")
    defaults: Defaults = json.loads(text)
    return defaults


def present_defaults(section: type[Section], table: str = "") -> Defaults:
    """The defaults that the classes of a configuration have now, in the form of :func:`defaults_of`.

    Args:
        section: the class of a table, whose own tables are included.
        table: dotted key of the table; empty for the whole configuration.
    """
    own: dict[str, Any] = {}
    found: Defaults = {table: {_kind_of(section): own}}
    for attribute, field in section.model_fields.items():
        key = field.alias or attribute
        inner = [kind for kind in types_in(field.annotation) if issubclass(kind, Section)]
        for kind in inner:
            for name, kinds in present_defaults(kind, _below(table, key)).items():
                found.setdefault(name, {}).update(kinds)
        if not field.is_required():
            default = to_jsonable_python(field.get_default())
            if isinstance(default, dict):
                usual = found[_below(table, key)][default.get("name", "")]
                changed = {name: value for name, value in default.items() if name == "name" or value != usual.get(name)}
                default = changed if "name" in default else {}
            own[key] = default
    return found


def filled(tree: Mapping[str, Any], naming: int, table: str = "") -> dict[str, Any]:
    """A table of a configuration in which the values that it leaves out are the defaults of a naming.

    Args:
        tree: the values of the table by key, as they are written; wrong ones are left for the validation to refuse.
        naming: the number of the naming.
        table: dotted key of the table; empty for the whole configuration.

    >>> filled({"backend": "aer", "optimizer": {"name": "adam", "beta1": 0.5}}, 1, "train")["optimizer"]
    {'name': 'adam', 'beta1': 0.5, 'learning_rate': 0.2, 'beta2': 0.99, 'epsilon': 1e-08, 'decay_steps': None}
    """
    defaults, own = defaults_of(naming), _own(tree, naming, table)
    result = {**tree, **{key: value for key, value in own.items() if key not in tree}}
    for key, value in result.items():
        default = own.get(key)
        if isinstance(default, dict) and default and isinstance(value, str):
            value = {"name": value}
        if isinstance(value, dict) and _below(table, key) in defaults:
            named = {"name": default["name"]} if isinstance(default, dict) and "name" in default else {}
            if value.keys() & defaults[_below(table, key)].keys():
                named = {}  # of a kind that a key of its own says
            result[key] = filled(named | value, naming, _below(table, key))
    return result


def without_defaults(tree: Mapping[str, Any], naming: int, table: str = "") -> dict[str, Any]:
    """A table of a configuration without the values that are the defaults of a naming.

    Args:
        tree: all values of the table by key, as JSON.
        naming: the number of the naming.
        table: dotted key of the table; empty for the whole configuration.

    >>> without_defaults({"shots": 500, "optimizer": {"name": "sgd", "learning_rate": 1.0}, "seed": 7}, 1, "train")
    {'shots': 500, 'optimizer': {'name': 'sgd'}}
    """
    defaults, own = defaults_of(naming), _own(tree, naming, table)
    result: dict[str, Any] = {}
    for key, value in tree.items():
        default, inner = own.get(key), _below(table, key)
        if isinstance(value, dict) and inner in defaults:
            value = without_defaults(value, naming, inner)
            if isinstance(default, dict):
                default = without_defaults(filled(default, naming, inner), naming, inner)
        if key not in own or value != default:
            result[key] = value
    return result


def _own(tree: Mapping[str, Any], naming: int, table: str) -> dict[str, Any]:
    """The defaults of a table of that kind; none if the naming does not know the kind, which is refused elsewhere."""
    kinds = defaults_of(naming)[table]
    name = tree.get("name") or next((key for key in tree if key in kinds), "")
    return kinds.get(name, {}) if isinstance(name, str) else {}


def _kind_of(section: type[Section]) -> str:
    """The value of the key ``name`` that all tables of a class have, or else the key by which they are known."""
    field = section.model_fields.get("name")
    return section.KNOWN_BY if field is None else str(get_args(field.annotation)[0])


def _below(table: str, key: str) -> str:
    """The dotted key of a key of a table."""
    return f"{table}.{key}" if table else key
