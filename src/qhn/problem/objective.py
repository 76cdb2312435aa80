"""The objective of a run: the mean cost E = ⟨C⟩ of measured bitstrings, or the mean of the lowest costs (CVaR).

CVaR_α is the mean of the lowest α of the costs. With t the α-quantile it is the plain mean of C̃ = t − (t − C)₊/α, and
because it is stationary in t, the gradient of CVaR is the gradient of ⟨C̃⟩ at fixed t. So one rule serves every
objective: linearise the costs, then average. Shifting CVaR values themselves would not give its gradient.

The same holds of any differentiable function F of the distribution p: its linearisation C̃_x = F + ∂F/∂p_x − Σ p·∂F/∂p
has the mean F at p, and the gradient of ⟨C̃⟩ with C̃ held fixed is that of F. A new objective is therefore a class with
the three members of :class:`Aggregation` and a row in :data:`OBJECTIVES`. The scatter of C̃ over the shots gives the
standard error of its value; an objective that knows a better one offers :class:`HasError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Bits, Floats
from qhn.errors import QhnError
from qhn.fields import Number, settle
from qhn.statistics import mean_and_error, tail_error
from qhn.text import did_you_mean, shown


@dataclass(frozen=True)
class Outcomes:
    """Bitstrings with their costs: the shots of rows of θ, or all bitstrings with their probabilities at one θ.

    Attributes:
        costs: C of each bitstring, ``[..., n]``.
        bits: gives the bitstrings in the same order, ``[..., n, num_qubits]``; called only by objectives that need
            more than costs.
        probabilities: the probability of each bitstring, ``[n]``; None for shots, which count alike.
        ascending: the places of the costs in ascending order, ``[n]``, where they are known already.
    """

    costs: Floats
    bits: Callable[[], Bits]
    probabilities: Floats | None = None
    ascending: NDArray[np.intp] | None = None


class Aggregation(Protocol):
    """An objective: what is minimised, as a function of the distribution of bitstrings."""

    @property
    def is_mean(self) -> bool:
        """Whether it is E = ⟨C⟩: only means have curvatures from shifted rows, and readout errors to be inverted."""
        ...

    @property
    def label(self) -> str:
        """What a page calls it; empty for E, which every page shows."""
        ...

    def linearise(self, outcomes: Outcomes, reference: Outcomes) -> Floats:
        """Numbers C̃ ``[..., n]``, one an outcome, whose mean and its gradient at the reference are the objective's.

        Args:
            outcomes: bitstrings and costs of rows of θ, whose C̃ are asked for.
            reference: bitstrings and costs of the row at which the objective is linearised, or of one such row for
                each of ``outcomes``; its shape broadcasts. Where it is ``outcomes`` itself, the mean of C̃ is the
                objective.
        """
        ...


@runtime_checkable
class HasError(Protocol):
    """An objective that knows the standard error of its value from shots better than from the scatter of its C̃."""

    def std_error(self, costs: Floats, lowest: float | None) -> Floats:
        """The standard error of the objective of measured costs ``[..., shots]``, nan where it is unknown: ``[...]``.

        Args:
            costs: costs of the measured bitstrings.
            lowest: the lowest cost that is possible; None if it is not known.
        """
        ...


def measured_value(objective: Aggregation, outcomes: Outcomes, lowest: float | None = None) -> tuple[Floats, Floats]:
    """The objective of measured bitstrings and its standard error, nan where that is unknown: ``[...]`` twice.

    Args:
        objective: the objective.
        outcomes: the shots with their costs, ``[..., shots]``.
        lowest: the lowest cost that is possible; None if it is not known.
    """
    value, error = mean_and_error(objective.linearise(outcomes, outcomes))
    return value, objective.std_error(outcomes.costs, lowest) if isinstance(objective, HasError) else error


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
        settings: the names of its settings with their defaults.
    """

    make: Callable[..., Aggregation]
    settings: Mapping[str, float] = field(default_factory=dict)


OBJECTIVES = {"mean": Kind(Objective), "cvar": Kind(Objective, {"alpha": 0.2})}


def as_objective(given: Aggregation | str | None) -> Aggregation:
    """The objective that is meant: an object as it is, a kind by its name with its default settings, or the mean.

    Args:
        given: an objective, the name of a kind in :data:`OBJECTIVES`, or None for the mean.

    Raises:
        QhnError: if there is no such kind, or the object is no objective.

    >>> as_objective("cvar"), as_objective(None)
    (Objective(alpha=0.2), Objective(alpha=1.0))
    """
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
