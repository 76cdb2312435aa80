"""The objective of a run: the mean cost E = ⟨C⟩ of measured bitstrings, the mean of the lowest costs (CVaR), or others.

CVaR_α is the mean of the lowest α of the costs. With t the α-quantile it is the plain mean of C̃ = t − (t − C)₊/α, and
because it is stationary in t, the gradient of CVaR is the gradient of ⟨C̃⟩ at fixed t, as of any objective
(:mod:`qhn.problem.aggregation`). Shifting CVaR values themselves would not give its gradient. Objectives that hold the
distribution close to a uniform prior are in :mod:`qhn.problem.prior`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Number, settle
from qhn.problem.aggregation import Aggregation, OfProblem, Outcomes
from qhn.problem.cost import Problem
from qhn.problem.prior import WIDTH, Elbo, Mmd
from qhn.statistics import mean_and_error, tail_error
from qhn.text import did_you_mean, shown


@dataclass(frozen=True)
class Objective:
    """The mean of the lowest ``alpha`` of the costs, which is E for ``alpha = 1`` and CVaR below.

    Raises:
        QhnError: at construction, if alpha is not in (0, 1].

    >>> Objective(alpha=0.5).transform(np.array([1.0, 2.0, 3.0, 4.0])).mean()
    np.float64(1.5)
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        settle(self, alpha=lambda _, value: Number(above=0, high=1)("alpha of CVaR", value))

    @property
    def is_mean(self) -> bool:
        """Whether the objective is the mean of all costs."""
        return self.alpha == 1

    @property
    def label(self) -> str:
        """The name of the CVaR with its share; empty for the mean."""
        return "" if self.is_mean else f"CVaR of the lowest {self.alpha:.0%}"

    def linearise(self, outcomes: Outcomes, reference: Outcomes) -> Floats:
        """C̃ with the α-quantile of the reference; of shots it is the ⌈α·n⌉-th lowest cost."""
        if self.is_mean:
            return outcomes.costs
        if reference.probabilities is None:
            return self.transform(outcomes.costs, reference.costs)
        ascending = np.argsort(reference.costs) if reference.ascending is None else reference.ascending
        reached = reference.probabilities[ascending].cumsum()
        last = ascending[np.searchsorted(reached, self.alpha * reached[-1])]
        return self.tail(outcomes.costs, float(reference.costs[last]))

    def std_error(self, costs: Floats, lowest: float | None) -> Floats:
        """The standard error of the mean, or of a CVaR by :func:`qhn.statistics.tail_error`; nan where unknown."""
        return mean_and_error(costs)[1] if self.is_mean else tail_error(costs, self.alpha, lowest)

    def transform(self, costs: Floats, reference: Floats | None = None) -> Floats:
        """The numbers C̃ whose mean over shots is the objective: costs ``[..., shots]`` → the same shape.

        Args:
            costs: costs of the measured bitstrings.
            reference: the costs whose α-quantile is t, broadcastable to ``costs``; None stands for ``costs``. A
                gradient passes the costs measured at the unshifted angles.
        """
        if self.is_mean:
            return costs
        source = costs if reference is None else reference
        rank = int(np.ceil(self.alpha * source.shape[-1])) - 1
        return self.tail(costs, np.partition(source, rank, axis=-1)[..., rank, None])

    def tail(self, costs: Floats, t: Floats | float) -> Floats:
        """The transformed costs C̃ = t − (t − C)₊/α for a known quantile t."""
        return t - np.maximum(t - costs, 0.0) / self.alpha


@dataclass(frozen=True)
class Kind:
    """A kind of objective as a configuration names it.

    Attributes:
        make: builds it from its settings.
        settings: the names of its settings with their defaults; None for what follows from the problem.
    """

    make: Callable[..., Aggregation]
    settings: Mapping[str, float | None] = field(default_factory=dict)


OBJECTIVES = {
    "mean": Kind(Objective),
    "cvar": Kind(Objective, {"alpha": 0.2}),
    "elbo": Kind(Elbo, {"samples": None}),
    "mmd": Kind(Mmd, {"weight": None, "width": WIDTH}),
}


def as_objective(given: Aggregation | str | None, problem: Problem) -> Aggregation:
    """The objective that is meant: an object, a kind by its name with its default settings, or the mean.

    Args:
        given: an objective, the name of a kind in :data:`OBJECTIVES`, or None for the mean.
        problem: the problem whose costs are averaged, from which settings follow that are not given.

    Raises:
        QhnError: if there is no such kind, the object is no objective, or the problem does not say what a setting
            follows from.

    >>> from qhn.problem.cost import TableProblem
    >>> as_objective("cvar", TableProblem([0.0, 1.0])), as_objective(None, TableProblem([0.0, 1.0]))
    (Objective(alpha=0.2), Objective(alpha=1.0))
    """
    found = _named(given)
    return found.of(problem) if isinstance(found, OfProblem) else found


def _named(given: Aggregation | str | None) -> Aggregation:
    """The objective that is meant, as it is before its settings follow from a problem."""
    if given is None:
        return Objective()
    if isinstance(given, str):
        if given not in OBJECTIVES:
            hint = did_you_mean(given, OBJECTIVES, otherwise=f"choose {' or '.join(OBJECTIVES)}")
            raise QhnError(f"there is no objective {shown(given)}; {hint}")
        kind = OBJECTIVES[given]
        return kind.make(**kind.settings)
    if not all(hasattr(given, name) for name in ("is_mean", "label", "linearise")):
        raise QhnError(f"objective must be a name or an object such as qhn.Objective(alpha=0.2), got {shown(given)}")
    return given
