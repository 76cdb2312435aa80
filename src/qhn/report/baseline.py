"""Classical searches for the lowest cost of an experiment, repeated and compared as a table and as curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from qhn.arrays import Floats
from qhn.baseline.classical import METHODS, methods_for, passes, polish, search, success_rate
from qhn.baseline.tally import Trace
from qhn.black_box.cost import begin_evaluations
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.problem.capabilities import noun_of, number_of_bitstrings
from qhn.problem.cost import Problem, TableProblem
from qhn.problem.landscape import Landscape, can_enumerate, enumerate_costs
from qhn.report.attempt import attempt
from qhn.text import did_you_mean, shown

ALL = "all"  # every method
DEFAULT_EVALUATIONS = 20_000  # different bitstrings a search, or half of all if that is fewer
ROUNDING = 1e-12  # of the lowest C, where the optimum is not known
ROW = "{:<17} {:>18} {:>10} {:>10} {:>8} {:>16} {:>15} {:>8}"


@dataclass(frozen=True)
class BaselineReport:
    """What classical searches find, each given the same number of different bitstrings to evaluate.

    Attributes:
        config: the experiment, of which only the problem matters.
        method: the name of a search, or ``"all"``.
        seed: seed of the first repeat; the seed of each next one is higher by 1.
        budget: different bitstrings that a search evaluates at most.
        num_qubits: number of bits of a bitstring.
        noun: the word for what one bitstring stands for, such as ``network``.
        traces: the traces of each search by its name, one trace a repeat.
        polished: for each search by its name the costs C at which one-flip descent ends, begun at the best bitstring
            of each repeat, ``[repeats]``.
        landscape: the cost of every bitstring, or None above 24 qubits and of a cost of the user's own.
    """

    config: RunConfig
    method: str
    seed: int
    budget: int
    num_qubits: int
    noun: str
    traces: Mapping[str, Sequence[Trace]]
    polished: Mapping[str, Floats]
    landscape: Landscape | None

    @classmethod
    def of(
        cls,
        config: RunConfig,
        method: str = ALL,
        *,
        evaluations: int | None = None,
        repeats: int = 20,
        seed: int = 0,
        results: Path | None = None,
        tell: Callable[[str], object] = lambda words: None,
    ) -> BaselineReport:
        """Search for the lowest cost of an experiment.

        Args:
            config: the experiment, of which only the problem matters.
            method: the name of a search, or ``"all"``: every one that the problem allows.
            evaluations: different bitstrings that each search may evaluate; by default half of them, up to 20,000.
            repeats: searches with each method.
            seed: seed of the first repeat; each next one is higher by 1.
            results: the directory of results, where the costs of a function of the user's are kept; None to keep none.
            tell: is given one line of progress when a method begins, and while such a function is evaluated.

        Raises:
            ValueError: if there is no such method, the problem does not allow it, or the data cannot be read.
        """
        asked = chosen_methods(method)
        problem = config.problem(trust=True)
        noun, chosen = noun_of(problem), [name for name in asked if method != ALL or name in methods_for(problem)]
        size = 2**problem.num_qubits
        budget = min(evaluations or min(size // 2, DEFAULT_EVALUATIONS), size)
        begin_evaluations(problem, results, tell, most=len(chosen) * repeats * budget)
        known = Landscape(enumerate_costs(problem)) if can_enumerate(problem) else None
        table: Problem = TableProblem(known.costs) if known else problem
        traces = {}
        for name in asked:
            if name not in chosen:
                tell(f"{name}: left out, since it trains the weights of networks")
                continue
            tell(f"{name}: {repeats} × {budget:,} of {number_of_bitstrings(problem.num_qubits)} {noun}s")
            searched = problem if name == "straight-through" else table  # it follows gradients, and a table has none
            traces[name] = [search(searched, name, budget, seed + repeat) for repeat in range(repeats)]
        ends = {name: np.array([polish(table, trace.bits).cost for trace in found]) for name, found in traces.items()}
        return cls(config, method, seed, budget, problem.num_qubits, noun, traces, ends, known)

    @cached_property
    def lowest(self) -> float:
        """The optimum C*, or the lowest C that any search found."""
        if self.landscape:
            return self.landscape.optimum
        return float(min(cost.min() for cost in self.polished.values()))  # a polish never raises C

    @property
    def target(self) -> float:
        """The C at or below which a search has succeeded: the lowest, but for rounding."""
        return self.lowest + (self.landscape.width if self.landscape else ROUNDING * abs(self.lowest))

    @property
    def num_repeats(self) -> int:
        """How many searches each method made."""
        return len(next(iter(self.traces.values())))

    def page(self) -> str:
        """A table with one row a method: how far above the lowest C it ended, how often and how fast it got there."""
        what = f"C* = {self.lowest:.8g}, the optimum"
        if self.landscape is None:
            what = f"lowest C found, polished ones included = {self.lowest:.8g}"
        above = "C - C*" if self.landscape else "C - lowest"
        columns = (
            "method",
            f"median {above}",
            "mean",
            "polished",
            "reached",
            "95% interval",
            f"{self.noun}s to it",
            "passes",
        )
        size = number_of_bitstrings(self.num_qubits)
        head = f"{self.num_repeats} searches each, {self.budget:,} of {size} {self.noun}s evaluated; {what}\n"
        return "\n".join([head, ROW.format(*columns), *map(self._row, self.traces)])

    def write(self, results: Path) -> list[Path]:
        """Draw the lowest C against bitstrings evaluated, with every fall of C beside it as CSV.

        Args:
            results: the directory of results; the files go into ``<experiment>/baseline-<problem id>`` below it.

        Returns:
            The picture and its data; neither if it could not be drawn, which a warning says.
        """
        folder = results / self.config.experiment / f"baseline-{self.config.problem_id}"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.method}-{self.budget}-evaluations-{self.num_repeats}-repeats-seed-{self.seed}.png"
        traces = {method: list(found) for method, found in self.traces.items()}
        paths = []
        with attempt(name):
            from qhn.report.figures import baseline_curves

            path = baseline_curves(folder / name, traces, self.landscape.optimum if self.landscape else None)
            paths += [path, path.with_suffix(".csv")]
        return paths

    def _row(self, method: str) -> str:
        """One method's row of the table."""
        found = self.traces[method]
        best = np.array([trace.best_cost for trace in found]) - self.lowest
        middles = (np.median(best), best.mean(), np.median(self.polished[method] - self.lowest))
        words = [f"{value if abs(value) > self.target - self.lowest else 0.0:.3g}" for value in middles]
        rate, low, high = success_rate(found, self.target, self.budget)
        to_it = np.median([trace.count_to(self.target) for trace in found])
        reached = [
            f"{price * float(to_it):,.0f}" if np.isfinite(to_it) else f"> {price * self.budget:,}"
            for price in (1, passes(method))
        ]
        return ROW.format(method, *words, f"{rate:.0%}", f"{float(low):.0%} to {float(high):.0%}", *reached)


def chosen_methods(method: str) -> tuple[str, ...]:
    """The names of the searches that a name stands for.

    Raises:
        ValueError: if it is neither a search nor ``"all"``.

    >>> chosen_methods("descent")
    ('descent',)
    """
    options = (*METHODS, ALL)
    if method not in options:
        hint = did_you_mean(method, options, otherwise="choose " + ", ".join(options))
        raise QhnError(f"unknown method {shown(method)}; {hint}")
    return tuple(METHODS) if method == ALL else (method,)
