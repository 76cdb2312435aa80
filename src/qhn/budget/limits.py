"""The limits of what a run may take of a machine: QPU seconds, jobs and shots, and what is left of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from qhn.backend.machines import MACHINES, spelled
from qhn.backend.terms import Amount, Remaining
from qhn.errors import QhnError


class Budgets(Protocol):
    """Something that limits a run, such as a table of its configuration; None stands for no limit."""

    @property
    def max_qpu_seconds(self) -> float | None:
        """The largest number of QPU seconds in all."""
        ...

    @property
    def max_jobs(self) -> int | None:
        """The largest number of jobs in all."""
        ...

    @property
    def max_shots(self) -> int | None:
        """The largest number of shots in all, summed over all circuits."""
        ...


@dataclass(frozen=True)
class Limits:
    """The limits of a run by themselves.

    Attributes:
        max_qpu_seconds: largest number of QPU seconds in all; None without a limit, as of the others.
        max_jobs: largest number of jobs in all.
        max_shots: largest number of shots in all, summed over all circuits.

    >>> remaining(Limits(max_jobs=3), Amount(seconds=5.0, jobs=1, shots=100))
    Remaining(seconds=inf, jobs=2, shots=inf)
    """

    max_qpu_seconds: float | None = None
    max_jobs: int | None = None
    max_shots: int | None = None


def is_limited(rules: Budgets) -> bool:
    """Whether anything is limited.

    >>> is_limited(Limits()), is_limited(Limits(max_shots=1000))
    (False, True)
    """
    return any(limit is not None for limit in (rules.max_qpu_seconds, rules.max_jobs, rules.max_shots))


def remaining(rules: Budgets, spent: Amount) -> Remaining:
    """What is left of the limits after some use; infinite without a limit."""
    limits = (rules.max_qpu_seconds, rules.max_jobs, rules.max_shots)
    used = (spent.seconds, spent.jobs, spent.shots)
    return Remaining(*(math.inf if limit is None else limit - use for limit, use in zip(limits, used, strict=True)))


def spent_words(rules: Budgets, spent: Amount) -> str:
    """The QPU seconds spent, and those left of the limit if there is one, in one line.

    >>> spent_words(Limits(max_qpu_seconds=60), Amount(seconds=12.5))
    'QPU 12.5 s, 47.5 left'
    """
    left = max(0.0, remaining(rules, spent).seconds)
    return f"QPU {spent.seconds:,.1f} s" + ("" if rules.max_qpu_seconds is None else f", {left:,.1f} left")


def check_first(rules: Budgets, needed: Amount, backend: str, table: str = "train") -> None:
    """Refuse limits that the first step exceeds, or limits of QPU seconds or jobs for a run that takes none.

    Args:
        rules: the limits.
        needed: the most that the first step can take: QPU seconds, jobs and shots.
        backend: name of the machine.
        table: table of the configuration that holds the limits, for the message.

    Raises:
        QhnError: if the first step exceeds a limit, or a limit is of what the machine does not count; the message names
            the limit and what the step takes.

    >>> check_first(Limits(max_shots=1000), Amount(shots=1500), "aer")
    Traceback (most recent call last):
        ...
    qhn.errors.QhnError: train.max_shots is 1,000, the first step takes 1,500 shots; raise it or lower train.shots
    """
    chips = spelled(machine for machine in MACHINES if machine.has_chip)
    if needed.jobs and not needed.seconds and rules.max_qpu_seconds is not None:
        raise QhnError(
            f"{table}.max_qpu_seconds limits shots on {chips}; those of {backend} have no price that is known; set it "
            f"to none, and {table}.max_shots or {table}.max_jobs instead"
        )
    for name, limit in (("max_qpu_seconds", rules.max_qpu_seconds), ("max_jobs", rules.max_jobs)):
        if limit is not None and not needed.jobs:
            raise QhnError(
                f"{table}.{name} limits shots on {chips}; this run on {backend} takes none there; set it to none"
            )
    if rules.max_qpu_seconds is not None and rules.max_qpu_seconds < needed.seconds:
        advice = "raise it, or see with qhn estimate what makes a step cheaper"
        raise QhnError(
            f"{table}.max_qpu_seconds is {rules.max_qpu_seconds:g}, the first step takes up to {_up(needed.seconds)}; "
            + (advice if table == "train" else f"raise it or lower {table}.shots")
        )
    if rules.max_jobs is not None and rules.max_jobs < needed.jobs:
        raise QhnError(f"{table}.max_jobs is {rules.max_jobs:,}, the first step takes {needed.jobs:,}; raise it")
    if rules.max_shots is not None and rules.max_shots < needed.shots:
        raise QhnError(
            f"{table}.max_shots is {rules.max_shots:,}, the first step takes {needed.shots:,} shots; raise it or lower "
            f"{table}.shots"
        )


def _up(seconds: float) -> str:
    """Seconds in words, rounded up to hundredths, so that a budget of as many suffices."""
    return f"{math.ceil(100 * seconds - 1e-6) / 100:,.2f}"
