"""A black box: a cost that is the user's own function of bits, each bitstring evaluated once and kept."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.black_box.cache import CostCache, cache_in
from qhn.black_box.call import named, raised, value_of, values_of
from qhn.black_box.function import UserFunction
from qhn.black_box.pool import MOST_AT_ONCE, WorkerPool
from qhn.errors import EvaluationError, QhnError, QhnWarning
from qhn.fields import Whole
from qhn.problem.cost import MAX_COST, check_costs
from qhn.problem.evaluations import ROUNDING, Evaluations
from qhn.text import in_line

MAX_WORKERS = 1024
SECONDS_BETWEEN_LOOKS = 1.0  # at what other processes have evaluated
LEAST_SECONDS = 1.0  # from which on a forecast of the time is of use
SECONDS_BETWEEN_NEWS = 10.0


class BlackBox:
    """A problem whose cost is a function of bits, which may be slow.

    Each bitstring is evaluated once, and at the beginning of a session one of them a second time, so that a function
    that is not deterministic is noticed: a warning names the bits and both values. With ``workers`` the function runs
    in processes of its own; what it prints goes to standard error.

    Args:
        function: the function, or its name ``"module:function"``, which is found in the working directory or among the
            installed modules. It takes one bitstring ``uint8[num_qubits]`` and returns a number; what can become
            negative, such as ``2 * bits - 1``, is to be computed in another type.
        num_qubits: number of bits of a bitstring.
        vectorised: whether the function takes several bitstrings ``uint8[n, num_qubits]`` and returns ``[n]``.
        workers: number of processes that evaluate; 0 to evaluate in this process. A function for workers is defined in
            a module, since they import it.
        time_limit: seconds that one evaluation may take; None for no limit. It takes workers, which can be ended.
        version: a text to be changed when what the function depends on changes, but not its source file.
        cost_range: a lower and an upper bound of all costs, by which intervals of E are known; None if unknown.
        noun: what one bitstring stands for, such as ``"design"``.

    Attributes:
        num_qubits: number of bits of a bitstring.
        noun: what one bitstring stands for.
        function: the place of the function; None if it is in no module that could be imported.
        tell: a function that is called with a line of text while many bitstrings are evaluated; it does nothing until
            it is replaced.
        evaluated: number of bitstrings for which this object has called the function, without comparisons.
        cached: number of costs that came from the cache.

    Raises:
        QhnError: at construction, if an argument is wrong, or the function cannot be found.

    >>> problem = BlackBox(lambda bits: float(bits.sum()), 3)
    >>> problem.cost([[1, 1, 0], [1, 1, 1], [1, 1, 0]])
    array([2., 3., 2.])
    >>> problem.evaluated
    2
    """

    def __init__(
        self,
        function: Callable[[Bits], Any] | UserFunction | str,
        num_qubits: int,
        *,
        vectorised: bool = False,
        workers: int = 0,
        time_limit: float | None = None,
        version: str = "",
        cost_range: Sequence[float] | None = None,
        noun: str = "bitstring",
    ) -> None:
        self.num_qubits, self.noun = Whole(1)("num_qubits", num_qubits), noun
        if isinstance(function, str):
            function = UserFunction.find(function)
        self.function = function if isinstance(function, UserFunction) else UserFunction.of(function)
        self._version, self._vectorised = version, vectorised
        self._pool: WorkerPool | None = None
        if Whole(0, MAX_WORKERS)("workers", workers):
            if self.function is None:
                raise QhnError(
                    "workers import the function: define it by a name of its own in a module, not in a script"
                )
            self._pool = WorkerPool(self.function, vectorised, workers, time_limit)
        elif time_limit is not None:
            raise QhnError("time_limit takes workers, which can be ended; give workers=1 or more")
        if time_limit is not None and not 0 < time_limit < np.inf:
            raise QhnError(f"time_limit must be above 0 seconds, got {time_limit}")
        self._callable = function.load() if isinstance(function, UserFunction) and not workers else function
        self._range = None if cost_range is None else _checked_range(cost_range)
        if self._range is not None:
            self.cost_range = self._range  # an attribute of problems that know their range, and of no others
        self.tell: Callable[[str], object] = lambda words: None
        self.evaluated = self.cached = 0
        self._known = Evaluations(self)
        self._cache: CostCache | None = None
        self._is_compared = False

    @property
    def digest(self) -> str:
        """SHA-256 of the function's source file, its name, the version and the number of qubits, in hexadecimal.

        It is empty if the function is in no module that could be imported.
        """
        if self.function is None:
            return ""
        facts = (self.function.sha256, self.function.name, self._version, self.num_qubits)
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def start(self) -> None:
        """Load the function in the workers, if there are any, so that one that cannot be loaded is refused early.

        Raises:
            QhnError: if it cannot be loaded.
        """
        if self._pool is not None:
            self._pool.start()

    def close(self) -> None:
        """End the workers; the next evaluation starts others."""
        if self._pool is not None:
            self._pool.close()

    def keep_in(self, results: Path) -> None:
        """Keep costs in a directory of results, and take those of earlier runs of the same function from there.

        Nothing is kept of a function without a digest, since nobody could tell it from others.

        Args:
            results: the directory of all runs; the costs are in its folder ``.costs``.
        """
        if self._cache is None and self.digest:
            self._cache = cache_in(results, self.digest[:16], self.num_qubits)
            self._is_compared = False

    def cost(self, bits: ArrayLike) -> Floats:
        """The cost of each bitstring: bits ``[..., num_qubits]`` → ``[...]``.

        Raises:
            QhnError: if the function returns something else than finite numbers within the stated range; the
                message names the bits.
            EvaluationError: if it raises an exception, takes too long, or ends its process.
        """
        array = bitstrings.as_bits(bits, self.num_qubits)
        unknown = self._known.unknown(array)
        if len(unknown) and self._cache is not None:
            self._read()
            unknown = self._known.unknown(array)
        if len(unknown):
            self._compare(unknown[0])
            unknown = self._known.unknown(unknown)
        if len(unknown):
            self._evaluate(unknown)
        costs = self._known.cost(array)
        self._check_range(np.ravel(costs), array.reshape(-1, self.num_qubits))  # also of those that were kept
        return costs

    def _read(self) -> None:
        """Take what other processes have evaluated, if costs are kept."""
        if self._cache is not None:
            before = self._known.distinct
            self._merge(*self._cache.read())
            self.cached += self._known.distinct - before

    def _merge(self, packed: NDArray[np.uint8], costs: Floats) -> None:
        """Add packed bitstrings ``[n, bytes]`` with costs ``[n]``, and tell of one that has another cost already."""
        twice = self._known.merge(packed, costs)
        if twice is not None:
            self._warn(*twice)

    def _compare(self, first: Bits) -> None:
        """Evaluate a bitstring again, once a session: a known one, or else the first, which is then evaluated twice."""
        if self._is_compared:
            return
        if not self._known.distinct:
            self._evaluate(first[None])
        bits = self._known.best_bits
        ((_, again),) = self._calls(bits[None], lambda place: True)
        before, now = float(self._known.cost(bits)), float(again[0])
        self._is_compared = True
        if not np.isclose(before, now, rtol=ROUNDING, atol=0.0):
            self._warn(bits, before, now)

    def _warn(self, bits: Bits, before: float, now: float) -> None:
        words = f"{self.name} is not deterministic: {before:.17g} and then {now:.17g} for {named(bits[None])}"
        warnings.warn(QhnWarning(f"{words}; the first value is kept"), stacklevel=2)

    def _evaluate(self, bits: Bits) -> None:
        """Evaluate bitstrings ``[n, num_qubits]``, none of which is known, and keep each cost as it comes."""
        if self._cache is not None and not self._vectorised:  # another process may be at the same work
            bits = np.random.default_rng().permutation(bits)
        places, found, news = list[int](), list[Floats](), _News(self.tell, len(bits), self.name)
        try:
            with closing(self._calls(bits, _Wanted(self._known, bits, self._read).ask)) as calls:
                for place, costs in calls:
                    here = bits[place : place + len(costs)]
                    good = np.isfinite(costs) & (np.abs(costs) <= MAX_COST)
                    if self._cache is not None:
                        self._cache.append(bitstrings.pack(here[good]), costs[good])
                    places.extend((place + np.flatnonzero(good)).tolist())
                    found.append(costs[good])
                    self._check(costs, here)
                    news.count(len(costs))
        except QhnError as error:
            kept = f"; the costs of {len(places):,} others are kept" if self._cache is not None and places else ""
            raise type(error)(f"{error}{kept}") from None
        finally:
            self.evaluated += len(places)
            self._merge(bitstrings.pack(bits[places]), np.concatenate([np.empty(0), *found]))
            if self._cache is not None:
                self._cache.sync()

    def _check(self, costs: Floats, bits: Bits) -> None:
        """Refuse costs ``[n]`` of bitstrings ``[n, num_qubits]`` that are not finite, or too large."""
        try:
            check_costs(costs, lambda place: named(bits[place : place + 1]))
        except QhnError as error:
            raise QhnError(f"{self.name}: {error}") from None
        self._check_range(costs, bits)

    def _check_range(self, costs: Floats, bits: Bits) -> None:
        """Refuse costs ``[n]`` of bitstrings ``[n, num_qubits]`` beyond the bounds that were stated of all costs."""
        if self._range is None:
            return
        low, high = self._range
        slack = ROUNDING * max(abs(low), abs(high))
        wrong = (costs < low - slack) | (costs > high + slack)
        if wrong.any():
            place = int(wrong.argmax())
            raise QhnError(
                f"{self.name}: cost_range is {low:g} to {high:g}, got {costs[place]:g} for "
                f"{named(bits[place : place + 1])}; state bounds of all costs, or leave it away"
            )

    def _calls(self, bits: Bits, wanted: Callable[[int], bool]) -> Generator[tuple[int, Floats], None, None]:
        """Call the function for bitstrings ``[n, num_qubits]`` as long as they are wanted, by their index.

        Yields:
            The index of a bitstring, and the costs from there on.
        """
        if self._pool is not None:
            yield from self._pool.evaluate(bits, wanted)
            return
        size = MOST_AT_ONCE if self._vectorised else 1
        for start in range(0, len(bits), size):
            if wanted(start):
                yield start, self._call(bits[start : start + size])

    def _call(self, bits: Bits) -> Floats:
        """Call the function in this process."""
        assert callable(self._callable)
        try:
            if self._vectorised:
                return values_of(self._callable, bits)
            return np.array([value_of(self._callable, bits[0])])
        except QhnError as error:
            raise QhnError(f"{self.name} {error} for {named(bits)}") from error
        except Exception as error:
            source = "" if self.function is None else str(self.function.source)
            raise EvaluationError(f"{self.name} raised {raised(error, source)} for {named(bits)}") from error

    @property
    def name(self) -> str:
        """The name of the function, for messages."""
        return in_line(self.function or getattr(self._callable, "__qualname__", "the function"))

    def summary(self) -> str:
        """What is known of the bits: their number, and the function whose argument they are."""
        return f"{self.num_qubits} qubits; qubit j is bit j of the argument of {self.name}"

    def describe(self, bits: ArrayLike) -> list[str]:
        """Nothing, since what one bitstring ``[num_qubits]`` stands for is known to the user alone."""
        return []


class _Wanted:
    """A choice of the bitstrings that nobody has evaluated yet, while other processes may be at the same work.

    Args:
        known: the costs that are known.
        bits: the bitstrings, ``[n, num_qubits]``.
        read: function that adds to the known costs those that others have evaluated.
    """

    def __init__(self, known: Evaluations, bits: Bits, read: Callable[[], None]) -> None:
        self._known, self._bits, self._read = known, bits, read
        self._is_known, self._looked = np.zeros(len(bits), dtype=bool), time.monotonic()

    def ask(self, place: int) -> bool:
        """Whether nobody has evaluated one of the bitstrings, by its index, as far as is known."""
        if time.monotonic() - self._looked > SECONDS_BETWEEN_LOOKS:
            self._read()
            self._is_known, self._looked = self._known.has(self._bits), time.monotonic()
        return not self._is_known[place]


class _News:
    """The progress of many evaluations, told from time to time.

    Args:
        tell: function that is called with a line of text.
        total: number of evaluations.
        name: name of the function.
    """

    def __init__(self, tell: Callable[[str], object], total: int, name: str) -> None:
        self._tell, self._total, self.name = tell, total, name
        self._done, self._begun, self._told = 0, time.monotonic(), 0.0

    def count(self, number: int) -> None:
        """Count evaluations that have ended, and tell of them if it is time."""
        self._done += number
        now = time.monotonic()
        elapsed = now - self._begun
        left = elapsed / self._done * (self._total - self._done)
        is_soon = elapsed < LEAST_SECONDS or elapsed + left < SECONDS_BETWEEN_NEWS
        if not is_soon and (not self._told or now - self._told >= SECONDS_BETWEEN_NEWS):
            self._told = now
            self._tell(f"{self.name}: {self._done:,} of {self._total:,} evaluated, about {in_time(left)} left")


def in_time(seconds: float) -> str:
    """A time in words, in the largest unit of which it has at least two.

    >>> in_time(90), in_time(500), in_time(14_676)
    ('90 s', '8 min', '4.1 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _checked_range(ends: Sequence[float]) -> tuple[float, float]:
    """The bounds of all costs.

    Raises:
        QhnError: if they are not two finite numbers, the lower first.
    """
    low, high = (float(end) for end in ends)
    if not -np.inf < low <= high < np.inf:
        raise QhnError(f"cost_range must be two finite numbers, the lower first, got {low} and {high}")
    return low, high


def begin_evaluations(
    problem: Any, results: Path | None, tell: Callable[[str], object] = lambda words: None, most: int | None = None
) -> None:
    """Have a cost function of the user's keep what it evaluates, and tell how far it is; nothing for other problems.

    Args:
        problem: the problem.
        results: the directory of results in which costs are kept; None to keep none.
        tell: function that is called with a line of text while many bitstrings are evaluated.
        most: the largest number of bitstrings that will be evaluated, which is told; None to tell nothing.
    """
    if isinstance(problem, BlackBox):
        problem.tell = tell
        if results is not None:
            problem.keep_in(results)
        if most is not None:
            tell(f"{problem.name}: up to {min(most, 2**problem.num_qubits):,} bitstrings are evaluated, each once")
