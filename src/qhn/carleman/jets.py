"""The mean cost E(θ) of a circuit as a polynomial about given angles, from exact derivatives of any order.

An angle that turns one half-angle gate makes E a sinusoid of it alone, f(x) = a + b·cos x + c·sin x, whatever the other
angles are. Its derivatives are sums of E at shifts by quarter turns, exactly:

- f′ = −f‴ = ½[f(+π/2) − f(−π/2)], the parameter-shift rule;
- f″ = −f⁗ = ½[f(π) − f] = ½[f(+π/2) + f(−π/2)] − f, as f(π) = f(+π/2) + f(−π/2) − f.

A mixed derivative is the product of such rules, one an angle, and so a sum of E at points of a lattice. Derivatives
share points; each is measured once. The tensors of degree d, those of up to d + 1 derivatives, take all points with at
most d + 1 angles shifted by ±π/2: 9, 33, 65, 81 and 81 circuits for 4 angles and d = 0 … 4, θ itself included. Half
turns are computed. If they are measured instead, each counts as two shifts: 9, 37, 93, 163 and 219 circuits, and second
derivatives by one angle have a third of the variance.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.carleman.polynomial import PolynomialGradient, check_tensors
from qhn.carleman.tensors import symmetric_tensor
from qhn.circuit.angles import as_angles
from qhn.circuit.ansatz import Ansatz
from qhn.errors import QhnError
from qhn.fields import Whole, each, truth

Energies = Callable[[Floats], Floats | tuple[Floats, Floats]]
Point = tuple[tuple[int, int], ...]  # the places of the shifted angles, ascending, each with its quarter turns, 1 to 3
HALF_TURN = 2
SHIFTS = {1: np.pi / 2, HALF_TURN: np.pi, 3: -np.pi / 2}  # radians, by quarter turns


class EnergyJet:
    """The derivatives of E at angles θ by some of them, measured as they are asked for and remembered.

    Args:
        energies: the function that computes or measures E, ``[B, num_parameters]`` → ``[B]``, or returns a pair of E
            and its standard errors, ``[B]`` each.
        ansatz: the circuit. For one with an ``angle_map`` E is still that of its angles θ.
        theta: the angles about which E is expanded, ``[num_parameters]``.
        angles: the indices of the angles to differentiate by; None for all that change a probability.
        half_turns: whether E at shifts by π is measured: more circuits, with smaller errors of second derivatives.

    Raises:
        QhnError: if an angle does not exist, is given twice, turns several gates or one by a factor, or changes no
            probability.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> jet = EnergyJet(lambda thetas: -np.cos(thetas[:, 0]), product_state(1), [0.0, 0.0])
    >>> polynomial = jet.polynomial(degree=3)  # of the gradient sin u, with error u⁵/120
    >>> [float(tensor.ravel()[0].round(12)) for tensor in polynomial.tensors], jet.count
    ([0.0, 1.0, 0.0, -0.166666666667], 3)
    """

    def __init__(
        self,
        energies: Energies,
        ansatz: Ansatz,
        theta: ArrayLike,
        angles: Iterable[int] | None = None,
        *,
        half_turns: bool = False,
    ) -> None:
        self.energies, self.ansatz = energies, ansatz
        self.theta = as_angles(theta, ansatz.num_parameters)
        if self.theta.ndim != 1:
            raise QhnError(f"theta must have shape [{ansatz.num_parameters}], got {list(self.theta.shape)}")
        self.angles = _checked(ansatz, angles)
        self.half_turns = truth("half_turns", half_turns)
        self._measured: dict[Point, tuple[float, float]] = {}

    @property
    def count(self) -> int:
        """The number of different circuits that were measured."""
        return len(self._measured)

    def measure(self, degree: int) -> None:
        """Measure all circuits that the tensors up to a degree take and that are not known yet, in one batch.

        Raises:
            QhnError: if the degree is negative, or ``energies`` returns other shapes or numbers that are not finite.
        """
        degree = Whole(0)("degree", degree)
        needed = lattice(len(self.angles), degree + 1, half_turns=self.half_turns)
        missing = [point for point in needed if point not in self._measured]
        if not missing:
            return
        displacements = np.zeros((len(missing), len(self.angles)))
        for row, point in zip(displacements, missing, strict=True):
            for place, turns in point:
                row[place] = SHIFTS[turns]
        mean, error = self._ask(displacements)
        self._measured.update(zip(missing, zip(mean.tolist(), error.tolist(), strict=True), strict=True))

    def restricted(self, places: Iterable[int]) -> EnergyJet:
        """The jet by some of the selected angles, given by their places among them, with what is known of it."""
        kept = list(places)
        jet = EnergyJet(
            self.energies, self.ansatz, self.theta, [self.angles[i] for i in kept], half_turns=self.half_turns
        )
        there = {old: new for new, old in enumerate(kept)}
        for point, known in self._measured.items():
            if all(place in there for place, _ in point):
                jet._measured[tuple(sorted((there[place], turns) for place, turns in point))] = known
        return jet

    def polynomial(self, degree: int) -> PolynomialGradient:
        """E and its gradient by the selected angles up to a degree of the gradient; only new circuits are measured.

        Raises:
            QhnError: if the degree is negative or its tensors too large, or :meth:`measure` fails.
        """
        tensors = tuple(mean for mean, _ in self._tensors(degree))
        return PolynomialGradient(self.theta[list(self.angles)], self.derivative({})[0], tensors)

    def std_errors(self, degree: int) -> tuple[Floats, ...]:
        """The standard error of each component of the tensors of :meth:`polynomial`, 0 for exact energies.

        Components share circuits: their errors are not independent.
        """
        return tuple(error for _, error in self._tensors(degree))

    def derivative(self, orders: Mapping[int, int]) -> tuple[float, float]:
        """A mixed derivative of E with its standard error, from circuits that have been measured.

        Args:
            orders: the number of derivatives by each angle, by the angle's place among the selected ones; {} for E.

        Raises:
            QhnError: if a circuit that it takes has not been measured.
        """
        points: list[Point] = []
        factors = []
        for terms in itertools.product(*(self._rule(order) for order in orders.values())):
            turns = (shift for shift, _ in terms)
            points.append(tuple(sorted(shift for shift in zip(orders, turns, strict=True) if shift[1])))
            factors.append(math.prod(factor for _, factor in terms))
        mean, error = self.measured(points)
        return float(mean @ factors), float(np.linalg.norm(error * factors))

    def at(self, displacement: ArrayLike) -> tuple[float, float]:
        """E with its standard error at a displacement of the selected angles ``[num_angles]``, measured at once."""
        mean, error = self._ask(as_angles(displacement, len(self.angles), name="displacement")[None])
        return float(mean[0]), float(error[0])

    def measured(self, points: Sequence[Point]) -> tuple[Floats, Floats]:
        """E at points of the lattice with its standard errors, ``[num_points]`` each, from what has been measured.

        Raises:
            QhnError: if a point has not been measured.
        """
        if missing := [point for point in points if point not in self._measured]:
            raise QhnError(f"E at the shifts {missing[0]} has not been measured; measure a higher degree first")
        known = np.array([self._measured[point] for point in points]).reshape(-1, 2)
        return known[:, 0], known[:, 1]

    def _ask(self, displacements: Floats) -> tuple[Floats, Floats]:
        """E with its standard errors at displacements of the selected angles: ``[B, num_angles]`` → ``[B]`` each."""
        thetas = np.repeat(self.theta[None], len(displacements), axis=0)
        thetas[:, list(self.angles)] += displacements
        found = self.energies(thetas)
        mean, error = found if isinstance(found, tuple) else (found, np.zeros(len(thetas)))
        for name, values in (("energies", mean), ("standard errors", error)):
            if np.shape(values) != (len(thetas),) or not np.isfinite(values).all():
                raise QhnError(f"{name} of {len(thetas)} circuits must be as many finite numbers, got {values!r:.80}")
        return np.asarray(mean, dtype=np.float64), np.asarray(error, dtype=np.float64)

    def _rule(self, order: int) -> list[tuple[int, float]]:
        """The quarter turns and factors whose sum is a derivative by one angle."""
        if order == 0:
            return [(0, 1.0)]
        sign = 1.0 if order % 4 in (1, 2) else -1.0
        if order % 2:
            return [(1, 0.5 * sign), (3, -0.5 * sign)]
        if self.half_turns:
            return [(HALF_TURN, 0.5 * sign), (0, -0.5 * sign)]
        return [(1, 0.5 * sign), (3, 0.5 * sign), (0, -sign)]

    def _tensors(self, degree: int) -> list[tuple[Floats, Floats]]:
        """The tensors G_0 … G_degree, each with its standard errors."""
        check_tensors(len(self.angles), Whole(0)("degree", degree))
        self.measure(degree)
        return [self._tensor(k) for k in range(int(degree) + 1)]

    def _tensor(self, k: int) -> tuple[Floats, Floats]:
        """The tensor G_k with its standard errors."""
        size = len(self.angles)
        indices = list(itertools.combinations_with_replacement(range(size), k + 1))
        found = np.array([self.derivative(Counter(index)) for index in indices]) / math.factorial(k)
        mean, error = (symmetric_tensor(size, np.array(indices), side) for side in found.T)
        return mean, error


def lattice(num_angles: int, derivatives: int, *, half_turns: bool = False) -> list[Point]:
    """The shifts by quarter turns that all derivatives up to an order take, in order of the number of shifted angles.

    Args:
        num_angles: number of angles.
        derivatives: the largest number of derivatives.
        half_turns: whether E at shifts by π is measured, each of which counts as two derivatives.

    >>> len(lattice(4, 2)), [len(lattice(4, order, half_turns=True)) for order in range(1, 6)]
    (33, [9, 37, 93, 163, 219])
    """
    shifts = (1, 3, HALF_TURN) if half_turns else (1, 3)
    points: list[Point] = []
    for size in range(min(num_angles, derivatives) + 1):
        for places in itertools.combinations(range(num_angles), size):
            for turns in itertools.product(shifts, repeat=size):
                if size + turns.count(HALF_TURN) <= derivatives:
                    points.append(tuple(zip(places, turns, strict=True)))
    return points


def num_circuits(num_angles: int, degree: int, *, half_turns: bool = False) -> int:
    """The number of different circuits that the tensors up to a degree of the gradient take, θ itself included.

    >>> [num_circuits(4, degree) for degree in range(5)], num_circuits(98, 1)
    ([9, 33, 65, 81, 81], 19209)
    """
    most = degree + 1
    return sum(
        math.comb(num_angles, single) * math.comb(num_angles - single, double) * 2**single
        for single in range(min(most, num_angles) + 1)
        for double in range((min(most - single, 2 * (num_angles - single)) // 2 if half_turns else 0) + 1)
    )


def _checked(ansatz: Ansatz, angles: Iterable[int] | None) -> tuple[int, ...]:
    """The indices of the angles to differentiate by, after a check."""
    if angles is None:
        angles = np.flatnonzero(ansatz.active)
    chosen: tuple[int, ...] = each(Whole(0, ansatz.num_parameters - 1))("angles", list(angles))
    if not chosen or len(set(chosen)) < len(chosen):
        raise QhnError(f"angles must be one or more different ones, got {list(chosen)}")
    if shared := sorted(set(chosen) & set(ansatz.shared_angles.tolist())):
        raise QhnError(
            f"angle {shared[0]} turns several gates, or one by a factor, so that E is no sinusoid of it; choose angles "
            "that turn one gate each"
        )
    if inert := [index for index in chosen if not ansatz.active[index]]:
        raise QhnError(f"angle {inert[0]} changes no probability; choose angles among those of ansatz.active")
    return chosen
