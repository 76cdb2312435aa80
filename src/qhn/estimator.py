"""E(θ): rows of θ in, means of their costs and errors out; from measured bitstrings, or exactly."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings
from qhn.ansatz import Ansatz
from qhn.backend import Backend, open_backend
from qhn.bitstrings import Bits
from qhn.gradient import Gradient, ParameterShift, ValueAndGrad
from qhn.landscape import MAX_QUBITS, Landscape, enumerate_costs
from qhn.objective import Estimates, Means, Objective
from qhn.problem import Evaluations, Problem
from qhn.readout import Mitigation, correction
from qhn.samples import Flips, Samples
from qhn.seeds import Key

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class SamplingEstimator:
    """Samples the ansatz, evaluates C on the measured bitstrings (each different one once) and averages.

    Args:
        ansatz: the circuit.
        problem: the cost of its bitstrings.
        backend: the machine.
        shots: measured bitstrings a row of θ.
        seed: of the shots. Calls draw fresh shots; the same sequence of calls gives the same numbers.
        objective: the mean, or a CVaR.
        evaluations: costs already known, which are then not computed again.
        mitigation: of readout errors in E and its gradient: ``"none"``, ``"readout"`` (:mod:`qhn.readout`), or
            ``"mthree"``. The best bitstring and ``evaluations`` are of the bits as they were measured in any case.
        flips: readout errors counted earlier; those of every call are added, as long as they are of the same qubits.

    Attributes:
        flips: all readout errors counted so far, None if there are none.

    Raises:
        ValueError: if ansatz and problem differ in qubits, ``shots`` is below 1, the backend cannot run the ansatz, or
            readout errors cannot be mitigated.

    >>> from qhn.ansatz import product_state
    >>> from qhn.problem import TableProblem
    >>> estimator = SamplingEstimator(product_state(1), TableProblem([0.0, 1.0]), shots=100, seed=3)
    >>> estimator(np.array([[0.0, 0.0], [np.pi, 0.0]])).mean
    array([0., 1.])
    >>> bool(abs(estimator.value_and_grad(np.array([np.pi / 2, 0.0])).grad[0] - 0.5) < 1e-12)
    True
    """

    def __init__(
        self,
        ansatz: Ansatz,
        problem: Problem,
        backend: Backend | None = None,
        *,
        shots: int = 1000,
        seed: int = 0,
        objective: Objective | None = None,
        evaluations: Evaluations | None = None,
        mitigation: Mitigation = "none",
        flips: Flips | None = None,
    ) -> None:
        check_fit(ansatz, problem)
        if shots < 1:
            raise ValueError(f"shots must be at least 1, got {shots}")
        self.ansatz = ansatz
        self.shots = shots
        self.objective = objective or Objective()
        self.evaluations = evaluations or Evaluations(problem)
        self.sampler = (backend or open_backend("aer")).compile(ansatz)
        self.flips = flips
        self._correction = correction(mitigation, ansatz, self.evaluations)
        if self._correction is not None and not self.objective.is_mean:
            raise ValueError(
                f"mitigation = {mitigation!r} corrects means of C, which a CVaR is not; use mitigation = 'none', or "
                "the mean as objective"
            )
        self._next_key = Key(seed)

    def __call__(self, thetas: ArrayLike, key: Key | None = None) -> Estimates:
        """E, its standard error and the objective: ``[B, num_parameters]`` → ``[B]``, ``[num_parameters]`` → scalars.

        Args:
            thetas: rows of angles in radians.
            key: name of the shots; by default every call has its own.

        Raises:
            ValueError: on a wrong shape.
            BackendError: if the machine fails.
        """
        thetas = np.asarray(thetas, dtype=np.float64)
        costs, samples = self._measure(thetas, self._take(key))
        if self._correction is None:
            return self._estimates(costs, samples, None, thetas.shape[:-1])
        corrected = self._correction.means(samples.bits, _tiles(samples), self._counted(), samples.folded)
        return self._estimates(costs, samples, corrected, thetas.shape[:-1])

    def value_and_grad(
        self, theta: ArrayLike, key: Key | None = None, gradient: Gradient | None = None
    ) -> ValueAndGrad:
        """The objective and its gradient, from one job: ``[..., num_parameters]`` → values of shape ``[...]``.

        Args:
            theta: angles in radians.
            key: name of the shots; by default every call has its own.
            gradient: the rule; parameter shift of the active angles by default.

        Raises:
            ValueError: on a wrong shape.
            BackendError: if the machine fails.
        """
        rule = gradient or ParameterShift(self.ansatz.active)
        theta = np.asarray(theta, dtype=np.float64)
        name = self._take(key)
        shifted = rule.shifted(theta, name)
        costs, samples = self._measure(shifted, name, rule.num_rows)
        first, own, first_tiles = _first_rows(samples, rule.num_rows)
        if self._correction is None:
            first_costs, transform, corrected = self.evaluations.cost(first), self.objective.transform, None
            rows = Means.of(transform(costs, None if self.objective.is_mean else first_costs[own]))
            unshifted = Means.of(transform(first_costs))
        else:
            bits, tiles = np.concatenate([samples.bits, first]), np.concatenate([_tiles(samples), first_tiles])
            both = self._correction.means(bits, tiles, self._counted(), samples.folded)
            rows = corrected = both[: len(own)]
            unshifted = both[len(own) :]
        shape = shifted.shape[:-1]
        estimates = self._estimates(costs, samples, corrected, shape)
        return rule.combine_means(
            rows.reshape(*shape), unshifted[own].reshape(*shape), estimates, self.objective, theta, name
        )

    def _measure(self, thetas: Floats, key: Key, group: int = 1) -> tuple[Floats, Samples]:
        """Costs of the measured bitstrings, ``[num_rows, shots]``, and the samples."""
        flat = thetas.reshape(-1, thetas.shape[-1]) if thetas.ndim else thetas
        samples = self.sampler.sample(flat, self.shots, key, group)
        return self.take_in(samples), samples

    def take_in(self, samples: Samples) -> Floats:
        """Costs of measured bitstrings, ``[num_rows, shots]``; they and their readout errors are known from then on."""
        costs = self.evaluations.cost(samples.bits)
        if samples.unshifted is not None:
            self.evaluations.cost(samples.unshifted)  # they were measured too
        if samples.flips is not None:
            earlier = self.flips
            pooled = earlier is not None and earlier.is_of(samples.flips)  # other qubits have errors of their own
            self.flips = earlier + samples.flips if earlier is not None and pooled else samples.flips
        return costs

    def _estimates(self, costs: Floats, samples: Samples, corrected: Means | None, shape: tuple[int, ...]) -> Estimates:
        raw, known = Means.of(costs).reshape(*shape), self.evaluations
        mean = raw if corrected is None else corrected.reshape(*shape)
        objective = mean if self.objective.is_mean else Means.of(self.objective.transform(costs)).reshape(*shape)
        return Estimates(
            mean.mean,
            mean.std_error,
            objective.mean,
            objective.std_error,
            samples,
            known.best_cost,
            known.best_bits,
            known.distinct,
            None if corrected is None else raw.mean,
            None if corrected is None else raw.std_error,
        )

    def _counted(self) -> Flips:
        """The readout errors counted so far."""
        if self.flips is None:
            raise ValueError("this machine counts no readout errors to be mitigated; use mitigation = 'none'")
        return self.flips

    def _take(self, key: Key | None) -> Key:
        if key is None:
            key = self._next_key
            self._next_key = dataclasses.replace(key, evaluation=key.evaluation + 1)
        return key


class ExactEstimator:
    """E, CVaR and their gradients without shots and without error; C of all bitstrings is computed once.

    It returns what :class:`SamplingEstimator` returns, with standard errors of 0 and without second derivatives; there
    are no shots to name, and no rule for the gradient to choose.

    Args:
        ansatz: the circuit.
        problem: the cost of its bitstrings, of at most 24 qubits.
        objective: the mean, or a CVaR.
        costs: of all bitstrings, ``[2**num_qubits]``, if they are known already.

    Attributes:
        energy: the engine for E.
        distribution: of the bits: probabilities, entropy, most probable bitstring.

    Raises:
        ValueError: if ansatz and problem differ in qubits, or there are too many.

    >>> from qhn.ansatz import product_state
    >>> from qhn.problem import TableProblem
    >>> estimator = ExactEstimator(product_state(1), TableProblem([0.0, 1.0]))
    >>> estimator(np.array([[0.0, 0.0], [np.pi / 2, 0.0]])).mean.round(12)
    array([0. , 0.5])
    >>> estimator.value_and_grad(np.array([np.pi / 2, 0.0])).grad.round(12)
    array([0.5, 0. ])
    """

    def __init__(
        self, ansatz: Ansatz, problem: Problem, *, objective: Objective | None = None, costs: ArrayLike | None = None
    ) -> None:
        from qhn.exact.distribution import Distribution  # with numba, for which sampling does not wait
        from qhn.exact.energy import Energy

        check_fit(ansatz, problem)
        if costs is None:
            check_enumerable(ansatz.num_qubits)
        self.ansatz = ansatz
        self.objective = objective or Objective()
        table = enumerate_costs(problem) if costs is None else np.asarray(costs, dtype=np.float64)
        self.energy = Energy(ansatz, table)
        self.distribution = Distribution(ansatz)
        self.landscape = Landscape(table)
        self._best_bits = bitstrings.from_integers(int(table.argmin()), ansatz.num_qubits)

    def __call__(self, thetas: ArrayLike) -> Estimates:
        """E and the objective: ``[B, num_parameters]`` → ``[B]``, ``[num_parameters]`` → scalars.

        Raises:
            ValueError: on a wrong shape.
        """
        thetas = np.asarray(thetas, dtype=np.float64)
        rows = thetas.reshape(-1, thetas.shape[-1]) if thetas.ndim else thetas
        mean = self.energy(rows)
        objective = mean if self.objective.is_mean else self.energy.cvar(rows, self.objective)
        return self._estimates(mean.reshape(thetas.shape[:-1]), objective.reshape(thetas.shape[:-1]))

    def probabilities(self, thetas: ArrayLike) -> Floats:
        """Of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``, qubit 0 the least significant bit."""
        return self.distribution.probabilities(thetas)

    def most_probable(self, theta: ArrayLike) -> tuple[Bits, float]:
        """The bitstring ``[num_qubits]`` with the highest probability at ``theta[num_parameters]``, and that."""
        return self.distribution.most_probable(theta)

    def value_and_grad(self, theta: ArrayLike) -> ValueAndGrad:
        """The objective and its gradient: ``[..., num_parameters]`` → values of shape ``[...]``.

        Raises:
            ValueError: on a wrong shape.
        """
        theta = np.asarray(theta, dtype=np.float64)
        rows = theta.reshape(-1, theta.shape[-1]) if theta.ndim else theta
        if self.objective.is_mean:
            values, grads = self.energy.value_and_grad(rows)
            mean = values
        else:
            values, grads = self.energy.cvar_and_grad(rows, self.objective)
            mean = self.energy(rows)
        value, grad = values.reshape(theta.shape[:-1]), grads.reshape(theta.shape)
        estimates = self._estimates(mean.reshape(value.shape)[..., None], value[..., None])
        return ValueAndGrad(value, np.zeros_like(value), grad, np.zeros_like(grad), None, None, estimates)

    def _estimates(self, mean: Floats, objective: Floats) -> Estimates:
        zero = np.zeros_like(mean)
        costs, best = self.landscape.costs, self._best_bits
        return Estimates(mean, zero, objective, zero, None, self.landscape.optimum, best, costs.size)


def check_enumerable(num_qubits: int) -> None:
    """Refuse an E without shots of too many qubits.

    Raises:
        ValueError: above 24 qubits.
    """
    if num_qubits > MAX_QUBITS:
        raise ValueError(
            f"E without shots takes all 2^{num_qubits} costs, which is possible up to {MAX_QUBITS} qubits; "
            "give --shots to sample"
        )


def _tiles(samples: Samples) -> Integers:
    """Where each row was measured, ``[num_rows]``."""
    return np.zeros(len(samples.bits), dtype=np.int64) if samples.tiles is None else samples.tiles


def _first_rows(samples: Samples, group: int) -> tuple[Bits, Integers, Integers]:
    """The first row of every group on every tile.

    Returns:
        Its bits ``[n, shots, num_qubits]``, which of the n belongs to each row of ``samples``, and their tiles ``[n]``.
    """
    groups = np.arange(len(samples.bits)) // group
    if samples.unshifted is None or samples.tiles is None:
        first = samples.bits[::group]
        return first, groups, np.zeros(len(first), dtype=np.int64)
    num_groups, num_tiles = samples.unshifted.shape[:2]
    first = samples.unshifted.reshape(-1, *samples.unshifted.shape[2:])
    return first, num_tiles * groups + samples.tiles, np.tile(np.arange(num_tiles), num_groups)


def check_fit(ansatz: Ansatz, problem: Problem) -> None:
    """Refuse a circuit and a cost of different sizes.

    Raises:
        ValueError: naming both.
    """
    if ansatz.num_qubits != problem.num_qubits:
        raise ValueError(f"the ansatz has {ansatz.num_qubits} qubits, the problem {problem.num_qubits} bits")
