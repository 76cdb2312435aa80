"""The cost of every bitstring of an experiment, as a page and as pictures: optimum, levels, minima, interactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qhn import durable
from qhn.bitstrings import text
from qhn.black_box.cost import begin_evaluations
from qhn.config import RunConfig
from qhn.problem.capabilities import description_of, noun_of, summary_of
from qhn.problem.cost import BinnProblem, Problem
from qhn.problem.landscape import Landscape, enumerate_costs
from qhn.report.attempt import attempt

SHOWN = 8  # lowest levels of C, and one-flip minima
ORDERS = 4  # sizes of interactions whose share of the variance is told


@dataclass(frozen=True)
class LandscapeReport:
    """What the enumeration of all costs of an experiment shows.

    Attributes:
        config: the experiment, of which only the problem matters.
        problem: the cost of its bitstrings.
        landscape: the cost of every bitstring, enumerated.
    """

    config: RunConfig
    problem: Problem
    landscape: Landscape

    @classmethod
    def of(
        cls, config: RunConfig, results: Path | None = None, tell: Callable[[str], object] = lambda words: None
    ) -> LandscapeReport:
        """Enumerate the costs of an experiment.

        Args:
            config: the experiment, of which only data and networks, or the other problem, matter.
            results: the directory of results, where the costs of a function of the user's are kept; None to keep none.
            tell: is given a line of progress from time to time while such a function is evaluated.

        Raises:
            ValueError: if there are more than 2^24, or the data cannot be read.
        """
        problem = config.problem(trust=True)
        begin_evaluations(problem, results, tell, most=2**problem.num_qubits)
        return cls(config, problem, Landscape(enumerate_costs(problem)))

    def page(self) -> str:
        """The meaning of the bits, the best bitstring in words, the lowest costs, the minima, and what interacts."""
        return "\n".join([summary_of(self.problem), *self._optimum(), *self._levels(), *self._minima(), *self._walsh()])

    def write(self, results: Path) -> list[Path]:
        """Draw the pictures and write their data and the table of all costs.

        Args:
            results: the directory of results; the files go into ``<experiment>/landscape-<problem id>`` below it.

        Returns:
            The pictures, but for those that could not be drawn, which warnings name, and ``costs.npy``: C of all
            bitstrings, ``[2**num_qubits]``.
        """
        folder = results / self.config.experiment / f"landscape-{self.config.problem_id}"
        folder.mkdir(parents=True, exist_ok=True)
        durable.replace(folder / "costs.npy", lambda file: np.save(file, self.landscape.costs))
        drawn = []
        with attempt("density.png"):
            from qhn.report.figures import density_of_states

            drawn.append(density_of_states(folder, self.landscape))
        with attempt("minima.png"):
            from qhn.report.figures import local_minima

            drawn.append(local_minima(folder, self.landscape))
        with attempt("walsh.png"):
            from qhn.report.figures import walsh_weights

            drawn.append(walsh_weights(folder, self.landscape))
        return [*drawn, folder / "costs.npy"]

    @property
    def noun(self) -> str:
        """The word for what one bitstring stands for, such as ``network``."""
        return noun_of(self.problem)

    def _optimum(self) -> Iterator[str]:
        """The lines on the bitstring of the lowest cost."""
        found, bits = self.landscape, self.landscape.optimal_bits[0]
        yield f"\noptimum C* = {found.optimum:.8g}, {found.degeneracy} of {found.costs.size:,} {self.noun}s; the first:"
        yield f"  bits {text(bits)} (qubit 0 first)"
        yield from (f"  {line}" for line in description_of(self.problem, bits))
        if not isinstance(self.problem, BinnProblem):
            return
        training, validation = self.problem.accuracy(bits)
        held_out = "" if validation is None else f", validation {float(validation):.1%}"
        yield f"  accuracy: training {float(training):.1%}{held_out}"

    def _levels(self) -> Iterator[str]:
        """The lines on the lowest costs and how many bitstrings have each."""
        found = self.landscape
        width = max(8, len(self.noun) + 1)
        yield f"\nlowest levels\n  cost        {f'{self.noun}s':>{width}}   above C*"
        for cost, count in found.levels(SHOWN):
            yield f"  {cost:<11.6g} {count:>{width},}   {cost - found.optimum:.3g}"
        yield f"mean cost of a random {self.noun} {found.costs.mean():.6g}, highest {found.sorted_costs[-1]:.6g}"

    def _minima(self) -> Iterator[str]:
        """The lines on the one-flip minima and their basins of attraction."""
        minima, size = self.landscape.local_minima, self.landscape.costs.size
        yield "\none-flip minima\n  cost        basin    plateau"
        for row in range(min(SHOWN, len(minima))):
            share = f"{minima.basins[row] / size:.1%}"
            yield f"  {minima.costs[row]:<11.6g} {share:>6} {minima.members[row]:>10,}"
        optimal = minima.costs <= self.landscape.optimum + self.landscape.width
        reached = minima.basins[optimal].sum() / size
        found = f"descent from a random {self.noun} finds the optimum with a chance of {reached:.1%}"
        yield f"{len(minima):,} in all; {found}"

    def _walsh(self) -> Iterator[str]:
        """The line on the orders of interactions that make up the variance of the cost."""
        weights = self.landscape.walsh_weights[1:]
        if weights.sum() > 0:
            shares = [f"{weight / weights.sum():.1%} S={order}" for order, weight in enumerate(weights[:ORDERS], 1)]
            yield f"\nvariance of C from interactions of S qubits: {', '.join(shares)}"
