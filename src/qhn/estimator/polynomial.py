"""E(θ) and its gradient of an ideal circuit without shots and without a table of all costs, for polynomial costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.backend.samples import ReadoutCounts
from qhn.circuit.angles import as_angles
from qhn.circuit.ansatz import Ansatz, gate_angles
from qhn.errors import QhnError
from qhn.estimator.gradient import ValueAndGrad
from qhn.estimator.means import Estimates
from qhn.estimator.measurement import Measurement
from qhn.estimator.protocol import check_fit
from qhn.problem.aggregation import Aggregation
from qhn.problem.capabilities import HasPolynomial
from qhn.problem.cost import Problem
from qhn.problem.evaluations import Evaluations, costs_of
from qhn.problem.objective import as_objective
from qhn.problem.polynomial import SpinPolynomial
from qhn.seeds import Key

if TYPE_CHECKING:
    from qhn.exact.engine import PolynomialEnergy

PROBES = 4  # bitstrings on which the polynomial is compared with the cost
ROUNDING = 1e-9  # relative to the sum of the sizes of all terms


class PolynomialEstimator:
    """E and its gradient of a noiseless circuit, computed exactly from the cost's polynomial at any number of qubits.

    The results have the form of those of :class:`SamplingEstimator`, with standard errors of 0 and without second
    derivatives; keys of shots and rules for the gradient have no effect. The costs of all bitstrings are not known: at
    each row of angles one bitstring that the circuit favours is evaluated, of chains the most probable one that a beam
    search finds (:meth:`qhn.exact.chain.Chain.most_probable`), of other circuits one that agrees with the surest means
    (:meth:`qhn.exact.light_cone_energy.LightConeEnergy.likely_bits`). The lowest cost and the number of different
    bitstrings are those of what was evaluated.

    Args:
        ansatz: the circuit.
        problem: the cost of its bitstrings, which offers a polynomial.
        evaluations: bitstrings evaluated so far, to which the estimator adds; by default there are none.
        objective: the function of the costs to minimise, which must be the mean; it is by default.

    Attributes:
        energy: the function that computes E and its gradient.
        evaluations: the bitstrings evaluated so far, with their costs.

    Raises:
        ValueError: if the numbers of qubits of ansatz and problem differ, the problem offers no polynomial or one that
            is not its cost, the objective is not the mean, or the circuit is too deep.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> from qhn.problem.quadratic import QuadraticProblem
    >>> field = QuadraticProblem.from_ising(np.ones(100), {})
    >>> estimator = PolynomialEstimator(product_state(100), field)
    >>> found = estimator.value_and_grad(np.full(200, np.pi / 3))
    >>> float(found.value.round(9)), float(found.grad[0].round(9)), found.estimates.distinct
    (-50.0, 0.866025404, 1)
    """

    readout_counts: ReadoutCounts | None = None

    def __init__(
        self,
        ansatz: Ansatz,
        problem: Problem,
        *,
        evaluations: Evaluations | None = None,
        objective: Aggregation | str | None = None,
    ) -> None:
        check_fit(ansatz, problem)
        self.objective = as_objective(objective, problem)
        if not self.objective.is_mean:
            raise QhnError(
                f"{self.objective.label} of {ansatz.num_qubits} qubits needs the costs of all bitstrings; take shots, "
                "from which all but 'elbo' is estimated, or the mean as objective"
            )
        self.ansatz = ansatz
        self.evaluations = Evaluations(problem) if evaluations is None else evaluations
        self.energy = self._energy_of(problem)
        self._other: tuple[Problem, PolynomialEnergy] | None = None
        self._last: tuple[Floats, Bits] | None = None  # the angles of the last bitstring, which a step asks for again

    @property
    def scale(self) -> float:
        """How far a typical cost should lie above the optimum, which tolerances of a minimisation are relative to."""
        return self.energy.polynomial.scale

    def __call__(self, thetas: ArrayLike, key: Key | None = None) -> Estimates:
        """E and the objective at angles in radians: ``[B, num_parameters]`` → ``[B]``, ``[num_parameters]`` → scalars.

        Raises:
            ValueError: if the last axis does not have length ``num_parameters``.
        """
        thetas = as_angles(thetas, self.ansatz.num_parameters)
        rows = thetas.reshape(-1, self.ansatz.num_parameters)
        mean = self.energy(gate_angles(self.ansatz, rows)).reshape(thetas.shape[:-1])
        return self._estimates(rows, mean)

    def value_and_grad(
        self, theta: ArrayLike, key: Key | None = None, measurement: Measurement | None = None
    ) -> ValueAndGrad:
        """The objective and its gradient by the angles: ``[..., num_parameters]`` → values of shape ``[...]``.

        The arguments ``key`` and ``measurement`` are those of every estimator, and have no effect here.

        Raises:
            ValueError: if the last axis does not have length ``num_parameters``.
        """
        theta = as_angles(theta, self.ansatz.num_parameters)
        rows = theta.reshape(-1, self.ansatz.num_parameters)
        values, grads = self.energy.value_and_grad(gate_angles(self.ansatz, rows))
        if self.ansatz.angle_map is not None:
            grads = self.ansatz.angle_map.pull_back(grads)
        value, grad = values.reshape(theta.shape[:-1]), grads.reshape(theta.shape)
        estimates = self._estimates(rows, value[..., None])
        return ValueAndGrad(value, np.zeros_like(value), grad, np.zeros_like(grad), None, None, estimates)

    def likely_bits(self, theta: ArrayLike) -> Bits:
        """The bitstring ``[num_qubits]`` that the circuit favours at angles ``theta[num_parameters]``."""
        angles = as_angles(theta, self.ansatz.num_parameters)
        if self._last is None or not np.array_equal(self._last[0], angles):
            self._last = angles.copy(), self.energy.likely_bits(gate_angles(self.ansatz, angles))
        return self._last[1]

    def solutions(self, theta: Floats, found: Estimates) -> Bits:
        """The bitstring that the circuit favours at ``theta[num_parameters]``, ``[1, num_qubits]``."""
        return self.likely_bits(theta)[None]

    def expectation(self, problem: Problem, theta: Floats, found: Estimates) -> float:
        """The mean ⟨C⟩ of another problem at angles ``theta[num_parameters]``.

        Raises:
            QhnError: if that problem offers no polynomial.
        """
        if self._other is None or self._other[0] is not problem:
            self._other = problem, self._energy_of(problem)
        return float(self._other[1](gate_angles(self.ansatz, theta)[None])[0])

    def _estimates(self, rows: Floats, mean: Floats) -> Estimates:
        zero, known = np.zeros_like(mean), self.evaluations
        for row in rows:
            known.cost(self.likely_bits(row))
        return Estimates(
            mean, zero, mean, zero, None, known.best_cost, known.best_bits, known.distinct, interval=(mean, mean)
        )

    def _energy_of(self, problem: Problem) -> PolynomialEnergy:
        from qhn.exact.engine import polynomial_energy_of  # with numba, for which sampling does not wait

        if not isinstance(problem, HasPolynomial):
            raise QhnError(f"E of {problem.num_qubits} qubits without shots needs a polynomial of spins; give --shots")
        _check_polynomial(problem, problem.polynomial)
        return polynomial_energy_of(self.ansatz.unrolled, problem.polynomial)


def _check_polynomial(problem: Problem, polynomial: SpinPolynomial) -> None:
    """Refuse a polynomial that is not the cost, by the values of both on a few bitstrings."""
    bits = np.random.default_rng(0).integers(0, 2, (PROBES, problem.num_qubits), dtype=np.uint8)
    costs, values = costs_of(problem, bits), polynomial(bits)
    wrong = np.abs(values - costs) > ROUNDING * np.abs(polynomial.coefficients).sum()
    if wrong.any():
        place = int(wrong.argmax())
        raise QhnError(
            f"the problem's polynomial is {values[place]:g} and its cost {costs[place]:g} for bitstring "
            f"{bitstrings.text(bits[place])}; bit 1 is spin +1"
        )
