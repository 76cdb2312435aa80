"""On which terms a machine that bills is used: amounts, what remains of a budget, and how jobs are waited for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Amount:
    """Of a QPU: seconds, jobs, and shots of all circuits.

    >>> Amount(52.0, 1, 1000) + Amount(2.5, 1, 50)
    Amount(seconds=54.5, jobs=2, shots=1050)
    """

    seconds: float = 0.0
    jobs: int = 0
    shots: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.seconds + other.seconds, self.jobs + other.jobs, self.shots + other.shots)

    def times(self, count: int) -> Amount:
        """As much ``count`` times.

        >>> Amount(2.5, 1, 50).times(2)
        Amount(seconds=5.0, jobs=2, shots=100)
        """
        return Amount(count * self.seconds, count * self.jobs, count * self.shots)

    def beyond(self, other: Amount) -> Amount:
        """What is left of it after another, at least 0 of each."""
        return Amount(
            max(0.0, self.seconds - other.seconds), max(0, self.jobs - other.jobs), max(0, self.shots - other.shots)
        )


class Detached(Exception):
    """Jobs were submitted and are not waited for.

    Attributes:
        job_ids: those that have not ended; empty if not even they could be submitted, because too many wait.
    """

    def __init__(self, job_ids: Sequence[str]) -> None:
        super().__init__(f"{len(job_ids)} jobs have not ended")
        self.job_ids = tuple(job_ids)


class BudgetExceeded(Exception):
    """Jobs were not submitted, because they could exceed what is left of a budget; the text says of which."""


@dataclass(frozen=True)
class Remaining:
    """What is left of a budget: QPU seconds, jobs, and shots of all circuits."""

    seconds: float = math.inf
    jobs: float = math.inf
    shots: float = math.inf


@dataclass
class Terms:
    """On which terms jobs are submitted and waited for; they may change between them.

    Attributes:
        left: of the budget, asked whenever jobs are to be submitted.
        detach: do not wait for jobs.
        tell: is told, in words, what is waited for.
    """

    left: Callable[[], Remaining] = Remaining
    detach: bool = False
    tell: Callable[[str], object] = lambda words: None
