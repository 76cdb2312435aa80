"""Checks of values that a user gives: integers, real numbers and truth values, each with its bounds.

A rule is called with the name of a value and the value, and returns the value as Python's own type: numbers of numpy
are taken where Python's are, and an integer may be written ``1e3``. A truth value is no number and no number is a truth
value, text is neither, and nothing is rounded. :func:`settle` applies rules to the fields of a frozen dataclass, and
:class:`qhn.config.section.Section` the same notion of a number to every key of a configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from qhn.errors import QhnError
from qhn.text import shown

Rule = Callable[[str, Any], Any]


def plain(value: Any) -> Any:
    """A scalar of numpy as Python's own; every other value as it is."""
    return (
        value.item() if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.ndim) else value
    )


def is_number(value: object) -> bool:
    """Whether a value is a real number of Python or numpy, which a truth value is not.

    >>> is_number(3), is_number(np.float32(0.5)), is_number(True), is_number("3"), is_number(1j)
    (True, True, False, False, False)
    """
    return isinstance(plain(value), Real) and not isinstance(plain(value), bool)


@dataclass(frozen=True)
class Whole:
    """The rule of an integer.

    Attributes:
        least, most: bounds that the integer may reach; None without a bound.

    >>> Whole(least=1)("shots", np.int64(100)), Whole()("steps", 1e3)
    (100, 1000)
    """

    least: int | None = None
    most: int | None = None

    def __call__(self, name: str, value: Any) -> int:
        """The value as an integer.

        Raises:
            QhnError: if it is none, or out of bounds; the message names both.
        """
        number = plain(value)
        is_whole = isinstance(number, Integral) or (isinstance(number, float) and number.is_integer())
        if isinstance(number, bool) or not is_whole:
            raise QhnError(f"{name} must be an integer{self._bound()}, got {shown(number)}")
        if self.least is not None and number < self.least:
            raise QhnError(f"{name} must be at least {self.least:,}, got {shown(int(number))}")
        if self.most is not None and number > self.most:
            raise QhnError(f"{name} must be at most {self.most:,}, got {shown(int(number))}")
        return int(number)

    def _bound(self) -> str:
        return "" if self.least is None else f" of at least {self.least:,}"


@dataclass(frozen=True)
class Number:
    """The rule of a finite real number.

    Attributes:
        low, high: bounds that the number may reach.
        above, below: bounds that it may not reach.

    >>> Number(low=0, below=1)("momentum", np.float32(0.5))
    0.5
    """

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __call__(self, name: str, value: Any) -> float:
        """The value as a floating-point number.

        Raises:
            QhnError: if it is none, not finite or out of bounds; the message names both.
        """
        if not is_number(value):
            raise QhnError(f"{name} must be a number{self._bounds()}, got {shown(plain(value))}")
        number = plain(value)
        if not (math.isfinite(number) and self.low <= number <= self.high and self.above < number < self.below):
            raise QhnError(f"{name} must be a finite number{self._bounds()}, got {shown(number)}")
        return float(number)

    def _bounds(self) -> str:
        start = ("(", self.above) if math.isfinite(self.above) else ("[", self.low)
        end = (")", self.below) if math.isfinite(self.below) else ("]", self.high)
        if math.isfinite(start[1]) and math.isfinite(end[1]):
            return f" in {start[0]}{start[1]:g}, {end[1]:g}{end[0]}"
        lower = f" {'above' if start[0] == '(' else 'of at least'} {start[1]:g}" if math.isfinite(start[1]) else ""
        upper = f" {'below' if end[0] == ')' else 'of at most'} {end[1]:g}" if math.isfinite(end[1]) else ""
        return lower + upper


def truth(name: str, value: Any) -> bool:
    """The value as a truth value.

    Raises:
        QhnError: if it is neither True nor False.

    >>> truth("guard", np.bool_(True))
    True
    """
    if not isinstance(plain(value), bool):
        raise QhnError(f"{name} must be True or False, got {shown(plain(value))}")
    return bool(value)


def each(rule: Rule) -> Rule:
    """The rule of a sequence whose items obey a rule; it returns a tuple.

    >>> each(Whole(least=0))("exclude", [3, 4])
    (3, 4)
    """

    def check(name: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple, set, frozenset, range, np.ndarray)) or not np.iterable(value):
            raise QhnError(f"{name} must be a list, got {shown(plain(value))}")
        return tuple(rule(name, item) for item in value)

    return check


def optional(rule: Rule) -> Rule:
    """The rule of a value that may be None."""
    return lambda name, value: None if value is None else rule(name, value)


def settle(record: object, **rules: Rule) -> None:
    """Apply rules to fields of a frozen dataclass, in its ``__post_init__``.

    Args:
        record: the dataclass; each field becomes what its rule returns.
        rules: the rule of each field, by the field's name.

    Raises:
        QhnError: if a value breaks its rule.
    """
    for name, rule in rules.items():
        object.__setattr__(record, name, rule(name, getattr(record, name)))
