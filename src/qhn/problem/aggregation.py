"""What an objective is: a function of the distribution of bitstrings, minimised through its linearisation.

A differentiable function F of the distribution p has the linearisation C̃_x = F + ∂F/∂p_x − Σ p·∂F/∂p. Its mean is F at
p, and the gradient of ⟨C̃⟩ with C̃ held fixed is that of F. So one rule serves every objective: linearise the costs, then
average. A new objective is a class with the three members of :class:`Aggregation` and a row in
:data:`qhn.problem.objective.OBJECTIVES`. The scatter of C̃ over the shots gives the standard error of its value; an
objective that knows a better one offers :class:`HasError`. The other protocols of this module are optional alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.problem.cost import Problem
from qhn.statistics import mean_and_error


@dataclass(frozen=True)
class Outcomes:
    """Bitstrings with their costs: the shots of rows of θ, or all bitstrings with their probabilities at one θ.

    Attributes:
        costs: C of each bitstring, ``[..., n]``.
        bits: gives the bitstrings in the same order, ``[..., n, num_qubits]``; called only by objectives that need
            more than costs.
        probabilities: the probability of each bitstring, ``[n]``; None for shots, which count alike.
        ascending: the places of the costs in ascending order, ``[n]``, where they are known already.
        integers: gives the bitstrings as integers, qubit 0 least significant, ``[..., n]``, where these are known
            already.
    """

    costs: Floats
    bits: Callable[[], Bits]
    probabilities: Floats | None = None
    ascending: NDArray[np.intp] | None = None
    integers: Callable[[], Integers] | None = None

    def numbers(self) -> Integers:
        """The bitstrings, of at most 62 qubits, as integers with qubit 0 least significant: ``[..., n]``."""
        return bitstrings.to_integers(self.bits()) if self.integers is None else self.integers()


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


@runtime_checkable
class OfProblem(Protocol):
    """An objective with settings that follow from the problem unless they are given."""

    def of(self, problem: Problem) -> Aggregation:
        """The objective with all its settings.

        Args:
            problem: the problem whose costs are averaged.

        Raises:
            QhnError: if the problem does not say what a setting follows from.
        """
        ...


@runtime_checkable
class NeedsShots(Protocol):
    """An objective that not any number of shots measures."""

    def check_shots(self, shots: int) -> None:
        """Refuse a number of shots that does not measure the objective.

        Args:
            shots: number of shots of a row of θ.

        Raises:
            QhnError: if these shots say nothing of the objective; the message names what does.
        """
        ...


@runtime_checkable
class FollowsReference(Protocol):
    """An objective whose C̃ depends on the shots of the reference so strongly that their noise counts.

    The rows of a gradient share these shots, so that their errors are not independent.
    """

    def linearise_with_noise(self, outcomes: Outcomes, reference: Outcomes) -> tuple[Floats, Floats]:
        """C̃ of shots, and how the mean of each row moves with the noise of the shots of the reference.

        Args:
            outcomes: shots of rows of θ, as of :meth:`Aggregation.linearise`.
            reference: shots at which the objective is linearised, none of them among ``outcomes``.

        Returns:
            The C̃, ``[rows, n]``, and by how much the mean of a row would move if what the k-th shot of the reference
            contributes were larger by its standard deviation, ``[rows, K]``.
        """
        ...


@runtime_checkable
class HasPenalty(Aggregation, Protocol):
    """An objective that is E and a penalty.

    Attributes:
        penalty: name of the quantity that is a penalty, with its unit.
        factor: the number by which it is multiplied.
    """

    @property
    def penalty(self) -> str:
        """The name of the quantity that is a penalty, with its unit."""
        ...

    @property
    def factor(self) -> float:
        """The number by which it is multiplied."""
        ...


def check_shots(objective: Aggregation, shots: int) -> None:
    """Refuse a number of shots that does not measure an objective.

    Args:
        objective: the objective.
        shots: number of shots of a row of θ.

    Raises:
        QhnError: if these shots say nothing of the objective.
    """
    if isinstance(objective, NeedsShots):
        objective.check_shots(shots)


def measured_value(objective: Aggregation, outcomes: Outcomes, lowest: float | None = None) -> tuple[Floats, Floats]:
    """The objective of measured bitstrings and its standard error, nan where that is unknown: ``[...]`` twice.

    Args:
        objective: the objective.
        outcomes: the shots with their costs, ``[..., shots]``.
        lowest: the lowest cost that is possible; None if it is not known.
    """
    value, error = mean_and_error(objective.linearise(outcomes, outcomes))
    return value, objective.std_error(outcomes.costs, lowest) if isinstance(objective, HasError) else error
