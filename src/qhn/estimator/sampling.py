"""E(θ) and its gradient estimated from measured bitstrings."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.backend import Backend, open_backend
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.bitstrings import Numbered
from qhn.circuit.angles import as_angles
from qhn.circuit.ansatz import Ansatz, gate_angles
from qhn.errors import QhnError
from qhn.estimator.chain_rule import parameter_shift
from qhn.estimator.gradient import ValueAndGrad
from qhn.estimator.means import Estimates, Interval, Means
from qhn.estimator.measurement import Measurement
from qhn.estimator.protocol import check_fit
from qhn.estimator.readout import Mitigation, correction
from qhn.fields import Whole
from qhn.problem.aggregation import Aggregation, FollowsReference, Outcomes, check_shots, measured_value
from qhn.problem.cost import Problem
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import cost_range
from qhn.problem.objective import as_objective
from qhn.seeds import Key
from qhn.statistics import mean_interval

RANGE_ROUNDING = 1e-9  # relative: bounds may be summed up in another order than costs


class SamplingEstimator:
    """Estimator that samples the ansatz, evaluates C once for each different measured bitstring, and averages.

    Args:
        ansatz: the circuit.
        problem: the cost of its bitstrings.
        backend: the machine that measures the circuit, or a ``BackendV2`` or V2 sampler of Qiskit; the simulator Aer by
            default. One that bills is used without a budget, and its jobs are noted in the journal with which it was
            opened (:func:`qhn.open_backend`), if there is one; :func:`qhn.train` has both.
        shots: number of measured bitstrings per row of θ.
        seed: seed of the shots. Calls draw fresh shots; the same sequence of calls gives the same numbers.
        objective: the function of the costs to minimise, or the name of a kind, such as ``"cvar"``; the mean by
            default.
        evaluations: costs evaluated earlier, which are not computed again.
        mitigation: correction of readout errors in E and its gradient: ``"none"``, ``"readout"``
            (:mod:`qhn.estimator.readout`), or ``"mthree"``. The best bitstring and ``evaluations`` are always those of
            the bits as measured.
        readout_counts: readout errors counted earlier; each call adds its own while they concern the same qubits.

    Attributes:
        cost_range: the lowest and the highest cost, or bounds of both, from which intervals of E follow; None if
            nothing is known of them. See :func:`qhn.problem.landscape.cost_range`.
        readout_counts: all readout errors counted so far; None if none were counted.

    Raises:
        ValueError: if the numbers of qubits of ansatz and problem differ, ``shots`` is no integer of at least 1, the
            backend cannot run the ansatz, or readout errors cannot be mitigated.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> from qhn.problem.cost import TableProblem
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
        backend: Backend | object | None = None,
        *,
        shots: int = 1000,
        seed: int = 0,
        objective: Aggregation | str | None = None,
        evaluations: Evaluations | None = None,
        mitigation: Mitigation = "none",
        readout_counts: ReadoutCounts | None = None,
    ) -> None:
        check_fit(ansatz, problem)
        self.ansatz = ansatz
        self.shots = Whole(1)("shots", shots)
        self.objective = as_objective(objective, problem)
        check_shots(self.objective, self.shots)
        self.evaluations = evaluations or Evaluations(problem)
        self.sampler = open_backend("aer" if backend is None else backend).compile(ansatz.unrolled)
        self.readout_counts = readout_counts
        self._correction = correction(mitigation, ansatz.unrolled, self.evaluations)
        if self._correction is not None and not self.objective.is_mean:
            raise QhnError(
                f"mitigation = {mitigation!r} corrects means of C, and the objective, {self.objective.label}, is none; "
                "use mitigation = 'none', or the mean as objective"
            )
        self._next_key = Key(seed)

    def __call__(self, thetas: ArrayLike, key: Key | None = None) -> Estimates:
        """E, its standard error and the objective: ``[B, num_parameters]`` → ``[B]``, ``[num_parameters]`` → scalars.

        Args:
            thetas: rows of angles in radians.
            key: key of the random numbers of the shots; by default each call draws fresh shots.

        Raises:
            ValueError: if the last axis does not have length ``num_parameters``.
            BackendError: if the machine fails.
        """
        thetas = as_angles(thetas, self.ansatz.num_parameters)
        costs, samples = self._measure(gate_angles(self.ansatz, thetas), self._take(key), self.shots)
        if self._correction is None:
            return self._estimates(costs, Means.of(costs), samples, None, thetas.shape[:-1])
        corrected = self._correction.means(samples.bits, _tiles(samples), self._counted(), samples.folded)
        return self._estimates(costs, Means.of(costs), samples, corrected, thetas.shape[:-1])

    def value_and_grad(
        self, theta: ArrayLike, key: Key | None = None, measurement: Measurement | None = None
    ) -> ValueAndGrad:
        """The objective and its gradient, from one job: ``[..., num_parameters]`` → values of shape ``[...]``.

        Args:
            theta: angles in radians.
            key: key of the random numbers of the shots; by default each call draws fresh shots.
            measurement: the rows of angles to measure and the shots of each; by default parameter shift of the active
                angles, with the estimator's own number of shots.

        Raises:
            ValueError: if the last axis does not have length ``num_parameters``.
            BackendError: if the machine fails.
        """
        asked = measurement or Measurement(parameter_shift(self.ansatz), self.shots)
        rule = asked.rule
        theta = as_angles(theta, self.ansatz.num_parameters)
        name = self._take(key)
        shifted = rule.shifted(theta, name)
        costs, samples = self._measure(shifted, name, asked.shots, rule.num_rows)
        first, own, first_tiles = _first_rows(samples, rule.num_rows)
        raw, corrected = Means.of(costs), None
        if self._correction is None:
            measured, at_theta = self._outcomes(samples.measured, costs), self._outcomes(first)
            reference = at_theta if first.shape[0] == 1 else self._outcomes(first[own], at_theta.costs[own])
            rows = raw if self.objective.is_mean else self._linearised(measured, reference)
            unshifted = Means.alone(*self._value(at_theta))
        else:
            bits = np.concatenate([samples.bits, bitstrings.to_bits(first)])
            tiles = np.concatenate([_tiles(samples), first_tiles])
            both = self._correction.means(bits, tiles, self._counted(), samples.folded)
            rows = corrected = both[: len(own)]
            unshifted = both[len(own) :]
        shape = shifted.shape[:-1]
        estimates = self._estimates(costs, raw, samples, corrected, shape)
        here = unshifted[own].reshape(*shape)
        found = rule.combine_means(rows.reshape(*shape), here, estimates, self.objective, theta, name)
        return found if self.objective.is_mean else _with_measured_objective(found, here)

    def solutions(self, theta: Floats, found: Estimates) -> Bits:
        """The bits measured in the first row of ``found``, which is θ itself: ``[shots, num_qubits]``."""
        assert found.samples is not None, "what was sampled has samples"
        return bitstrings.to_bits(found.samples.measured[0])

    def expectation(self, problem: Problem, theta: Floats, found: Estimates) -> float:
        """The mean of another cost over the bits measured in the first row of ``found``, which is θ itself."""
        bits, counts = bitstrings.distinct(self.solutions(theta, found))
        return float(np.asarray(problem.cost(bits)) @ counts / counts.sum())

    @cached_property
    def cost_range(self) -> tuple[float, float] | None:
        """The lowest and the highest cost, or bounds of both; None if nothing is known of them."""
        return cost_range(self.evaluations.problem)

    def _outcomes(self, measured: Bits | Numbered, costs: Floats | None = None) -> Outcomes:
        """Measured bitstrings ``[..., shots, num_qubits]`` with their costs, for the objective."""
        known = self.evaluations.cost(measured) if costs is None else costs
        return Outcomes(known, lambda: bitstrings.to_bits(measured))

    def _value(self, outcomes: Outcomes) -> tuple[Floats, Floats]:
        """The objective of the shots of each row and its standard error, nan where it is unknown: ``[rows]`` twice."""
        return measured_value(self.objective, outcomes, self.cost_range[0] if self.cost_range else None)

    def _linearised(self, measured: Outcomes, reference: Outcomes) -> Means:
        """Means of C̃ of measured rows ``[num_rows]``, with the errors that they share by the shots of the reference."""
        if not isinstance(self.objective, FollowsReference):
            return Means.of(self.objective.linearise(measured, reference))
        values, noise = self.objective.linearise_with_noise(measured, reference)
        return dataclasses.replace(Means.of(values), shared=noise)

    def _measure(self, thetas: Floats, key: Key, shots: int, group: int = 1) -> tuple[Floats, Samples]:
        """Measure rows of gate angles: the costs of the measured bitstrings, ``[num_rows, shots]``, and the samples."""
        flat = thetas.reshape(-1, thetas.shape[-1])
        samples = self.sampler.sample(flat, shots, key, group)
        return self.take_in(samples), samples

    def take_in(self, samples: Samples) -> Floats:
        """Add measured bits and readout errors to the known ones; returns the bits' costs ``[num_rows, shots]``."""
        costs = self.evaluations.cost(samples.measured)
        self._check_range(costs, samples)
        if samples.unshifted is not None:
            self.evaluations.cost(samples.unshifted)  # the rows at θ itself on other tiles were measured, too
        if samples.readout_counts is not None:
            earlier = self.readout_counts
            pooled = earlier is not None and earlier.is_of(
                samples.readout_counts
            )  # other qubits have errors of their own
            self.readout_counts = (
                earlier + samples.readout_counts if earlier is not None and pooled else samples.readout_counts
            )
        return costs

    def _check_range(self, costs: Floats, samples: Samples) -> None:
        """Refuse costs ``[num_rows, shots]`` outside of the range that the problem states, on which intervals rest."""
        if self.cost_range is None:
            return
        low, high = self.cost_range
        rounding = RANGE_ROUNDING * max(abs(low), abs(high))
        wrong = (costs < low - rounding) | (costs > high + rounding)
        if wrong.any():
            row, shot = (int(place) for place in np.unravel_index(wrong.argmax(), wrong.shape))
            bits = bitstrings.text(bitstrings.to_bits(samples.measured[row])[shot])
            raise QhnError(
                f"the problem states a cost_range from {low:g} to {high:g}, and C of bitstring {bits} is "
                f"{costs[row, shot]:g}; correct one of them"
            )

    def _estimates(
        self, costs: Floats, raw: Means, samples: Samples, corrected: Means | None, shape: tuple[int, ...]
    ) -> Estimates:
        """The estimates from measured costs, their plain means, and the corrected means if there are any."""
        raw, known = raw.reshape(*shape), self.evaluations
        mean = raw if corrected is None else corrected.reshape(*shape)
        interval = raw_interval = self._interval(raw, samples.shots, self.cost_range)
        if corrected is not None:
            assert self._correction is not None
            ranges = self._correction.ranges(_tiles(samples), self._counted(), samples.folded)
            ends = None if ranges is None else (ranges[:, 0].reshape(shape), ranges[:, 1].reshape(shape))
            interval = self._interval(mean, samples.shots, ends)
        objective = mean.mean, mean.std_error
        if not self.objective.is_mean:
            found = self._value(self._outcomes(samples.measured, costs))
            objective = found[0].reshape(shape)[()], found[1].reshape(shape)[()]
        return Estimates(
            mean.mean,
            mean.std_error,
            *objective,
            samples,
            known.best_cost,
            known.best_bits,
            known.distinct,
            None if corrected is None else raw.mean,
            None if corrected is None else raw.std_error,
            samples.discarded,
            interval,
            None if corrected is None else raw_interval,
        )

    @staticmethod
    def _interval(means: Means, shots: int, ends: tuple[Floats | float, Floats | float] | None) -> Interval | None:
        """The 95 % interval of means of values in a range; None if the range is not known."""
        return None if ends is None else mean_interval(means.mean, means.std_error, shots, *ends)

    def _counted(self) -> ReadoutCounts:
        """The readout errors counted so far; an error if the machine counts none."""
        if self.readout_counts is None:
            raise QhnError("this machine counts no readout errors to be mitigated; use mitigation = 'none'")
        return self.readout_counts

    def _take(self, key: Key | None) -> Key:
        if key is None:
            key = self._next_key
            self._next_key = dataclasses.replace(key, evaluation=key.evaluation + 1)
        return key


def _with_measured_objective(found: ValueAndGrad, unshifted: Means) -> ValueAndGrad:
    """A value and gradient with the objective as it was measured at θ; where its error is unknown, all errors are.

    The shots at θ alone give the objective, which need not be the mean of costs linearised at the same shots.
    """
    value, error = unshifted.mean[..., 0], unshifted.own_error[..., 0]
    grad_std_error = np.where(np.isnan(error)[..., None], np.nan, found.grad_std_error)
    return dataclasses.replace(found, value=value, std_error=error, grad_std_error=grad_std_error)


def _tiles(samples: Samples) -> Integers:
    """The index of the tile on which each row was measured, ``[num_rows]``."""
    return np.zeros(samples.num_rows, dtype=np.int64) if samples.tiles is None else samples.tiles


def _first_rows(samples: Samples, group: int) -> tuple[Bits | Numbered, Integers, Integers]:
    """The first row of every group on every tile.

    Returns:
        The bitstrings ``[n, shots, num_qubits]``, the index among the n for each row of ``samples``, and their tiles.
    """
    groups = np.arange(samples.num_rows) // group
    if samples.unshifted is None or samples.tiles is None:
        first = samples.measured[::group]
        return first, groups, np.zeros(first.shape[0], dtype=np.int64)
    num_groups, num_tiles = samples.unshifted.shape[:2]
    flat = samples.unshifted.reshape(-1, *samples.unshifted.shape[2:])
    return flat, num_tiles * groups + samples.tiles, np.tile(np.arange(num_tiles), num_groups)
