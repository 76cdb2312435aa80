"""The base class of all tables of a configuration."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from qhn.fields import is_number, plain


class Section(BaseModel):
    """Table of a configuration file: immutable; unknown keys and infinite numbers are refused.

    A truth value is never taken for a number, a number never for a truth value, and text for neither; numbers of numpy
    are taken as Python's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    KNOWN_BY: ClassVar[str] = ""  # the key that tells tables of a kind without a name, where there are kinds with names

    @property
    def code(self) -> str:
        """The user's program that is run when what the table describes is loaded; empty if there is none."""
        return ""

    @property
    def code_is_run_by(self) -> str:
        """The options of the command line by which a user allows the program of a record to be run."""
        return "--trust"

    @model_validator(mode="before")
    @classmethod
    def _in_their_own_types(cls, tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        tree = {key: _plain(value) for key, value in tree.items()}
        known = _kinds(cls)
        faults = [
            InitErrorDetails(type=fault, loc=(key,), input=value)
            for key, value in tree.items()
            if (fault := _fault(value, known.get(key, frozenset())))
        ]
        if faults:
            raise ValidationError.from_exception_data(cls.__name__, faults)
        return tree


def named(default: str) -> BeforeValidator:
    """A validator that takes a name ``"adam"`` for ``{ name = "adam" }``, and a table without a name for the default.

    Args:
        default: name of the kind of table that has no name.
    """

    def validate(value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        return {"name": default} | value if isinstance(value, dict) else value

    return BeforeValidator(validate)


def _fault(value: Any, kinds: frozenset[type]) -> PydanticCustomError | None:
    """What is wrong with a truth value, a number or a text in a field of other types; None if nothing is.

    Args:
        value: the value, or nested lists of values.
        kinds: types of the scalars that the field takes.
    """
    if not kinds & {bool, int, float}:
        return None  # a text or a table, which is checked as such
    words = "an integer" if int in kinds and float not in kinds else "a number" if float in kinds else "true or false"
    for scalar in _scalars(value):
        is_none = scalar == "none" and type(None) in kinds  # lifts a rule, where a field allows that
        if (
            (isinstance(scalar, bool) and bool not in kinds)
            or (is_number(scalar) and not kinds & {int, float})
            or (isinstance(scalar, str) and not kinds & {str, Path} and not is_none)
        ):
            return PydanticCustomError("type_of_value", "Input should be {words}", {"words": words})
    return None


def _plain(value: Any) -> Any:
    """A value with numpy's scalars and arrays, also those in lists, as Python's own numbers and lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else plain(value)


def _scalars(value: Any) -> Iterator[Any]:
    """The values in nested lists; tables are left to their own sections."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _scalars(item)
    else:
        yield value


@cache
def _kinds(section: type[Section]) -> dict[str, frozenset[type]]:
    """The types of the scalars that each key of a table takes, in lists or alone."""
    fields = section.model_fields.items()
    return {field.alias or name: frozenset(types_in(field.annotation)) for name, field in fields}


def types_in(annotation: Any) -> Iterator[type]:
    """The types of the scalars and tables that an annotation allows, in lists or alone.

    >>> [kind.__name__ for kind in types_in(tuple[int, ...] | None)]
    ['int', 'NoneType']
    """
    origin = get_origin(annotation)
    if origin is Literal:
        yield from map(type, get_args(annotation))
    elif origin is Annotated:
        yield from types_in(get_args(annotation)[0])
    elif origin in (Union, types.UnionType, list, tuple):
        for inner in get_args(annotation):
            yield from types_in(inner)
    elif isinstance(annotation, type):
        yield annotation
