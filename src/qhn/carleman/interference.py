"""Circuits in which a descent's last displacement interferes with a known reference, so that counts tell its sign.

A solver's counts show squares. No controlled solver is needed to see a sign: the system is linear, so a right side
with A·R added to it yields Y + R. Let R be r at the time of the last step and at all idle ones, and 0 before. The idle
rows of A·R cancel, and the right side gains nothing but r at the time of the last step. So the circuit is as deep as
that of the magnitudes, it has no further qubit, and its state to prepare has at most one more number a parameter.

A solver's own error ε adds no doubt about the sign. Its circuit is a linear map of the right side, within ε of A⁻¹, so
it adds r to its own solution as it is, but for an error below ε·√n·|r| in each component, and r may be inaccurate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from qhn.arrays import Bits, Floats, Integers
from qhn.bitstrings import as_bits, to_integers
from qhn.carleman.history import HistorySystem
from qhn.carleman.linear_solver import Solver, SolverCircuit
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.text import did_you_mean, shown

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Design = Literal["balanced", "magnitude"]
CLARITY = 8.0  # standard errors of a reference: with half as many, some signs were wrong and errors 1.3 times as large
DESIGNS: dict[str, tuple[float, ...]] = {"balanced": (1.0, -1.0), "magnitude": (0.0, 1.0)}


class LastCounts(NamedTuple):
    """The raw counts of the circuits of a download, before anything is inferred from them.

    Attributes:
        last: shots that succeeded and showed a parameter at the time of the last step or at an idle one,
            ``[num_circuits, n]``.
        successes: shots whose ancilla qubits were all 0, ``[num_circuits]``.
        padding: shots that succeeded and showed a component that only pads the lift to a power of two and is 0 in every
            solution, ``[num_circuits]``: nothing but noise puts counts there.
        shots: number of shots of each circuit.
    """

    last: Integers
    successes: Integers
    padding: Integers
    shots: int

    def plus(self, other: LastCounts) -> LastCounts:
        """The counts of both measurements together."""
        return LastCounts(
            self.last + other.last,
            self.successes + other.successes,
            self.padding + other.padding,
            self.shots + other.shots,
        )


@dataclass(frozen=True, eq=False)
class Interference:
    """The circuits of a download: the same system, solved with different references added to its last displacement.

    Attributes:
        system: history of the descent.
        solvers: solver's circuit for each reference.
        references: what is added to the displacement in each circuit, ``[num_circuits, n]``.
    """

    system: HistorySystem
    solvers: tuple[SolverCircuit, ...]
    references: Floats

    @classmethod
    def of(
        cls,
        system: HistorySystem,
        solve: Solver,
        shots: int | None = None,
        *,
        reference: Floats | None = None,
        design: Design = "balanced",
    ) -> Interference:
        """The circuits of a design.

        Args:
            system: history of the descent.
            solve: function that builds a solver's circuit from the history and a right side, as :func:`qsvt` does.
            shots: number of shots that all circuits together will take: the more, the smaller is the best reference.
                It takes the scale of one more solver's circuit. None for a reference that suits any number, and noise:
                counts that it adds to both circuits cancel only where the reference is not small.
            reference: displacement r to interfere with, ``[n]``, nowhere 0; None for :func:`best_reference`.
            design: ``"balanced"``: r is added in one circuit and subtracted in the other. Their difference is linear in
                the displacement, where it is small and where it is larger than r. ``"magnitude"``: one circuit without
                a reference and one with it.

        Raises:
            ValueError: if there is no such design, or the reference has another shape or a component of 0.
        """
        if design not in DESIGNS:
            hint = did_you_mean(str(design), DESIGNS)
            raise QhnError(f"design must be {' or '.join(DESIGNS)}, got {shown(design)}{hint}")
        if reference is None:
            variance = None if shots is None else _variance(system, solve, Whole(1)("shots", shots))
            reference = best_reference(system, variance)
        r = np.asarray(reference, dtype=np.float64)
        if r.shape != (system.num_parameters,) or not np.isfinite(r).all() or not r.all():
            raise QhnError(
                f"the reference must be {system.num_parameters} finite numbers other than 0, got {r.tolist()}; "
                "a sign shows only where there is one"
            )
        references = np.multiply.outer(DESIGNS[design], r)
        solvers = tuple(solve(system, right_side_with(system, one)) for one in references)
        return cls(system, solvers, references)

    @property
    def units(self) -> Floats:
        """The displacement that the amplitude 1 stands for in each circuit, all copies taken together."""
        scales = np.array([solver.scale for solver in self.solvers])
        return np.asarray(self.system.lifts[0].scale * scales / math.sqrt(1 + self.system.num_idle))

    @cached_property
    def circuits(self) -> tuple[QuantumCircuit, ...]:
        """The circuits with their measurements, as :meth:`SolverCircuit.measured` orders them."""
        return tuple(solver.measured() for solver in self.solvers)

    def counts(self, bits: Bits | Sequence[Bits]) -> LastCounts:
        """The counts in measured bits ``[num_circuits, shots, num_clbits]``.

        All copies of the last displacement are counted together, since their amplitudes are equal.

        Raises:
            ValueError: if the bits are of other circuits.
        """
        if len(bits) != len(self.solvers):
            raise QhnError(f"there must be bits of {len(self.solvers)} circuits, got {len(bits)}")
        places = self.system.last_indices()
        last, successes, padding, shots = [], [], [], []
        for solver, measured in zip(self.solvers, bits, strict=True):
            width = len(solver.solution)
            rows = as_bits(measured, width + len(solver.ancillas))
            indices = to_integers(rows[~rows[:, width:].any(axis=1), :width])
            seen = np.bincount(indices, minlength=self.system.size)
            last.append(seen[places].sum(axis=0))
            padding.append(seen[: self.system.size].reshape(-1, self.system.block)[:, self.system.dimension :].sum())
            successes.append(len(indices))
            shots.append(len(rows))
        if len(set(shots)) > 1 or not shots[0]:
            raise QhnError(f"all circuits must have the same number of shots, at least 1, got {shots}")
        return LastCounts(np.array(last), np.array(successes), np.array(padding), shots[0])

    def signal_counts(self, norm: float, shots: int) -> float:
        """The counts a parameter that a displacement without a reference would give in all circuits together.

        They are the currency of a download: the error of the displacement is 1/(2·√counts) of its norm. Counts of the
        reference are not among them, since they say nothing of the displacement.

        Args:
            norm: Euclidean norm of the displacement.
            shots: number of shots of each circuit.
        """
        return float(shots * np.square(norm / self.units).sum() / self.system.num_parameters)


def right_side_with(system: HistorySystem, reference: Floats) -> Floats:
    """The right side that adds a reference to the last displacement and to its idle copies: ``[size]``.

    Args:
        system: history of a descent.
        reference: displacement to add, ``[num_parameters]``.

    >>> from qhn.carleman.closure import GradientMap, lift
    >>> from qhn.carleman.polynomial import PolynomialGradient
    >>> bowl = PolynomialGradient(np.zeros(1), 0.0, (np.zeros(1), np.ones((1, 1))))
    >>> system = HistorySystem.of(lift(GradientMap(bowl, 0.5), 1), np.array([1.0]), num_steps=2, num_times=4)
    >>> from scipy.sparse.linalg import spsolve
    >>> spsolve(system.matrix.tocsc(), right_side_with(system, np.array([3.0]))).tolist()
    [1.0, 0.5, 3.25, 3.25]
    """
    found = system.right_side.copy()
    found[system.last_indices()[0]] += reference / system.lifts[0].scale
    return found


def reach(system: HistorySystem) -> float:
    """A length that the last displacement does not exceed: ‖u(0)‖ + T·‖u(1) − u(0)‖.

    It takes one step of the descent, which is known classically. It is a bound for convex losses and steps that do not
    overshoot, since the gradient's norm does not grow there, and a guess for others.
    """
    first = system.lifts[0]
    step = first.displacement(first.matrix @ system.start + first.offset - system.start)
    return float(np.linalg.norm(first.displacement(system.start)) + system.num_steps * np.linalg.norm(step))


def best_reference(system: HistorySystem, variance: float | None = None) -> Floats:
    """The reference of least error, equal in all components: ``[num_parameters]``.

    The solver's scale grows with the norm ‖b‖ of its right side, and so do all errors. A reference that suits any
    number of shots has ‖r‖² = ‖b‖·‖u‖, where the variance of the plain difference of both counts is least, since it is
    proportional to (‖b‖² + ‖r‖²)·(1 + ‖u‖²/‖r‖²); :func:`reach` stands for ‖u‖, which is not known. Where the
    likelihood takes all of the counts, a smaller reference does: of eight standard errors of a parameter, so that no
    sign is in doubt that zero is not.

    Args:
        system: history of the descent.
        variance: variance of a parameter's estimate without a reference, in the planned number of shots; None if it is
            not known.

    Raises:
        ValueError: if the descent stands still.
    """
    length = reach(system)
    if not length:
        raise QhnError("the descent starts at the reference with a gradient of 0: it stands still, and nothing is read")
    number = system.num_parameters
    right_side = system.lifts[0].scale * float(np.linalg.norm(system.right_side))
    square = right_side * length / number
    if variance is not None:
        least = CLARITY**2 * variance
        growth = number * least / right_side**2  # of the variance, by the reference itself
        square = min(square, least / (1 - growth)) if growth < 1 else square
    return np.full(number, math.sqrt(square))


def _variance(system: HistorySystem, solve: Solver, shots: int) -> float:
    """The variance of a parameter's estimate in a number of shots of circuits without a reference."""
    scale = system.lifts[0].scale * solve(system, system.right_side).scale
    return float(scale**2 / (4 * shots * (1 + system.num_idle)))
