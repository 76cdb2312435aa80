"""The terms of use of a machine that bills: amounts of QPU time, what is left of a budget, and waiting for jobs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

BETWEEN = ","  # between the ids of several jobs that serve one request, because a vendor's job takes few circuits
ESCAPES = (("%", "%25"), (BETWEEN, "%2C"))  # in an id, so that it can be told from others


def joined_ids(ids: Iterable[str]) -> str:
    """The ids of the jobs that serve one request, as one id; a comma within an id is written as in an address.

    >>> joined_ids(["c1", "c,2"])
    'c1,c%2C2'
    """
    found = []
    for one in ids:
        for mark, escape in ESCAPES:
            one = one.replace(mark, escape)
        found.append(one)
    return BETWEEN.join(found)


def ids_of(job_ids: Iterable[str]) -> list[str]:
    """The ids of single jobs in ids that may be of several, joined by :func:`joined_ids`.

    >>> ids_of(["a", "c1,c%2C2"])
    ['a', 'c1', 'c,2']
    """
    found = []
    for one in (one for joined in job_ids for one in joined.split(BETWEEN)):
        for mark, escape in reversed(ESCAPES):
            one = one.replace(escape, mark)
        found.append(one)
    return found


@dataclass(frozen=True)
class Amount:
    """An amount of QPU use: seconds, jobs, and shots summed over all circuits.

    >>> Amount(52.0, 1, 1000) + Amount(2.5, 1, 50)
    Amount(seconds=54.5, jobs=2, shots=1050)
    """

    seconds: float = 0.0
    jobs: int = 0
    shots: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.seconds + other.seconds, self.jobs + other.jobs, self.shots + other.shots)

    def times(self, count: int) -> Amount:
        """The amount multiplied by ``count``.

        >>> Amount(2.5, 1, 50).times(2)
        Amount(seconds=5.0, jobs=2, shots=100)
        """
        return Amount(count * self.seconds, count * self.jobs, count * self.shots)

    def beyond(self, other: Amount) -> Amount:
        """The amount minus another one, with each of the three numbers at least 0."""
        return Amount(
            max(0.0, self.seconds - other.seconds), max(0, self.jobs - other.jobs), max(0, self.shots - other.shots)
        )


class Detached(Exception):
    """Jobs were submitted, and the program does not wait for them.

    Attributes:
        job_ids: ids of the jobs that have not ended; empty if none could be submitted, because too many jobs wait.
    """

    def __init__(self, job_ids: Sequence[str]) -> None:
        super().__init__(f"{len(job_ids)} jobs have not ended")
        self.job_ids = tuple(job_ids)


class BudgetExceeded(Exception):
    """Jobs were not submitted, because they could exceed what is left of a budget; the message says of which one."""


@dataclass(frozen=True)
class Remaining:
    """What is left of a budget: QPU seconds, jobs, and shots summed over all circuits; infinite without a limit."""

    seconds: float = math.inf
    jobs: float = math.inf
    shots: float = math.inf


@dataclass(frozen=True)
class Conduct:
    """What this process does with jobs that are billed, whatever the run measures; the user says so at each call.

    Attributes:
        detach: whether the program stops once jobs are submitted, instead of waiting for them.
        retry_self_test: whether a device that failed its self-test is tested once more, although it may fail again.
        resubmit: whether jobs that the service no longer has are measured, and paid for, once more.
    """

    detach: bool = False
    retry_self_test: bool = False
    resubmit: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """What is asked for, as options of the command line.

        >>> Conduct(retry_self_test=True).options
        ('--retry-self-test',)
        """
        return tuple(f"--{name.replace('_', '-')}" for name, is_asked in vars(self).items() if is_asked)


WAITING_FOR_JOBS = Conduct()  # unless the user asks for something else


@dataclass
class Terms:
    """The conditions under which jobs are submitted and waited for; they may change between jobs.

    Attributes:
        left: function that returns what is left of the budget, called whenever jobs are about to be submitted.
        table: table of the configuration that holds the budget, for messages.
        conduct: what the user asked for at this call.
        tell: function that receives a message about what is being waited for.
        other_journals: function that returns the paths of the journals of other runs, which hold their self-tests.
    """

    left: Callable[[], Remaining] = Remaining
    table: str = "train"
    conduct: Conduct = WAITING_FOR_JOBS
    tell: Callable[[str], object] = lambda words: None
    other_journals: Callable[[], Sequence[Path]] = tuple
