"""The curvature monitor against exact Hessians, and its errors and bounds by repetition."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import reference
from qhn import bitstrings
from qhn.backend.samples import Samples
from qhn.carleman.regimes import Regime
from qhn.carleman.spectrum import exact_spectrum
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork
from qhn.estimator.chain_rule import parameter_shift
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.measurement import Measurement
from qhn.estimator.sampling import SamplingEstimator
from qhn.optimize.optimizer import Adam, Sgd
from qhn.problem.cost import TableProblem
from qhn.problem.evaluations import Evaluations
from qhn.run.monitor import AlongStep, Curvature, regime_of
from qhn.run.step import Step
from qhn.seeds import Key

REPETITIONS = 400
COSTS = np.random.default_rng(5).random(16)
ANSATZ = hypernetwork(4, 1)
THETA = np.random.default_rng(6).uniform(0, 2 * np.pi, ANSATZ.num_parameters)
ACTIVE = ANSATZ.active
EXACT = ExactEstimator(ANSATZ, TableProblem(COSTS))


class Tiled:
    """A machine of several tiles, which draws from the exact distribution and flips bits, at another rate on each tile.

    It has no noise on its first tile.
    """

    name, paid = "tiled", False

    def __init__(self, num_tiles: int = 1) -> None:
        self.rates = np.linspace(0.0, 0.1, num_tiles)

    def compile(self, ansatz: Any) -> Tiled:
        assert ansatz.num_parameters == ANSATZ.num_parameters
        return self

    def sample(self, thetas: np.ndarray, shots: int, key: Key, group: int = 1) -> Samples:
        num_tiles, pair = len(self.rates), (np.arange(len(thetas)) % group + 1) // 2
        tiles = np.where(pair, pair % num_tiles, 0)
        rows = np.concatenate([thetas, np.repeat(thetas[::group], num_tiles, axis=0)])
        rates = self.rates[np.concatenate([tiles, np.tile(np.arange(num_tiles), len(thetas[::group]))])]
        rng, cumulated = key.generator(), np.cumsum(EXACT.probabilities(rows), axis=1)
        drawn = (rng.random((len(rows), shots, 1)) > cumulated[:, None, :-1]).sum(axis=-1)
        bits = bitstrings.from_integers(drawn, 4) ^ (rng.random((len(rows), shots, 4)) < rates[:, None, None])
        measured, unshifted = bits[: len(thetas)].copy(), bits[len(thetas) :].reshape(-1, num_tiles, shots, 4)
        measured[::group] = unshifted[:, 0]  # θ itself on the first tile is one measurement
        return Samples(measured, tiles=tiles, unshifted=unshifted) if num_tiles > 1 else Samples(measured)


def as_step(estimator: Any, theta: np.ndarray, number: int, key: Key, ansatz: Hypernetwork = ANSATZ) -> Step:
    """What a run would record at θ."""
    shots = getattr(estimator, "shots", 0)
    measurement = Measurement(parameter_shift(ansatz), shots)
    info = estimator.value_and_grad(theta, key, measurement)
    best = Evaluations(TableProblem(np.zeros(2**ansatz.num_qubits)))
    best.cost(np.zeros((1, ansatz.num_qubits), dtype=np.uint8))
    resting = np.zeros(ansatz.num_parameters, dtype=bool)
    return Step.measured(
        number,
        theta,
        info,
        measurement,
        resting=resting,
        drift=info,
        best=best,
        validation=None,
        shots=shots,
        distinct=1,
    )


@cache
def repeated(
    num_tiles: int, shots: int = 100, weak: float = 1.0, repetitions: int = REPETITIONS
) -> tuple[list[Step], np.ndarray]:
    """The same gradient measured many times, and the true second derivatives of the mean machine."""
    costs = weak * COSTS + (1 - weak) * np.array([0.0, 1.0] * 8)
    estimator = SamplingEstimator(ANSATZ, TableProblem(costs), Tiled(num_tiles), shots=shots)
    steps = [as_step(estimator, THETA, 0, Key(1, step=k)) for k in range(repetitions)]
    rates = Tiled(num_tiles).rates
    of_tile = np.array(
        [np.diag(ExactEstimator(ANSATZ, TableProblem(flipped(costs, rate))).hessian(THETA)) for rate in rates]
    )
    tiles = np.zeros(ANSATZ.num_parameters, dtype=int)
    tiles[ACTIVE] = (1 + np.arange(ACTIVE.sum())) % num_tiles
    return steps, of_tile[tiles, np.arange(len(tiles))]


def flipped(costs: np.ndarray, rate: float) -> np.ndarray:
    """The mean cost of each bitstring after every bit was flipped at a rate."""
    table = costs.reshape((2,) * 4)
    for axis in range(4):
        table = (1 - rate) * table + rate * np.flip(table, axis)
    return table.ravel()


def curvatures(steps: list[Step]) -> list[Curvature]:
    found = [Curvature.of(step, ACTIVE) for step in steps]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("num_tiles", [1, 3])
def test_the_interval_of_the_trace_covers_it(num_tiles: int) -> None:
    """All second derivatives of a tile share the error of E at θ, which independent errors would leave out."""
    steps, diagonal = repeated(num_tiles)
    found, true = curvatures(steps), diagonal.sum()
    off = np.array([one.trace - true for one in found])
    errors = np.array([one.trace_std_error for one in found])
    covered = np.mean(np.abs(off) <= 1.96 * errors)
    assert 0.92 <= covered <= 0.98
    assert off.std() == pytest.approx(errors.mean(), rel=0.1)
    assert abs(off.mean()) <= 4 * off.std() / np.sqrt(REPETITIONS)
    alone = np.array([np.linalg.norm(step.hessian_diag_std_error) for step in steps])
    assert np.mean(np.abs(off) <= 1.96 * alone) < (0.8 if num_tiles == 1 else 0.9)


@pytest.mark.parametrize("weak", [1.0, 0.0])
@pytest.mark.parametrize("num_tiles", [1, 3])
def test_bounds_from_shots_are_bounds(num_tiles: int, weak: float) -> None:
    """Sums over the positive entries of a noisy diagonal are too large; what is stated is not."""
    steps, diagonal = repeated(num_tiles, weak=weak)
    found, diagonal = curvatures(steps), diagonal[ACTIVE]
    positive, negative = np.maximum(diagonal, 0).sum(), np.maximum(-diagonal, 0).sum()
    for wrong in (
        np.mean([one.positive_mass > positive for one in found]),
        np.mean([one.negative_mass > negative for one in found]),
        np.mean([one.largest > diagonal.max() for one in found]),
        np.mean([one.smallest < diagonal.min() for one in found]),
    ):
        assert wrong <= 0.07
    naive = np.mean([np.maximum(step.hessian_diag, 0).sum() > positive for step in steps])
    assert naive > 0.5


def test_bounds_from_many_shots_say_much() -> None:
    steps, diagonal = repeated(1, shots=10_000, repetitions=20)
    for one in curvatures(steps):
        assert 0.7 * np.maximum(-diagonal, 0).sum() < one.negative_mass
        assert one.largest > 0
        assert 0.8 * diagonal.min() > one.smallest


def test_inactive_angles_are_counted_with_their_errors() -> None:
    steps, diagonal = repeated(1, shots=1000)
    grad = EXACT.value_and_grad(THETA).grad
    amplitude = np.hypot(grad, diagonal)[ACTIVE]
    true = int((amplitude <= 0.1 * amplitude.max()).sum())
    found = curvatures(steps)
    assert np.mean([one.fewest_inactive <= true <= one.most_inactive for one in found]) > 0.95
    assert max(one.most_inactive for one in found) < ACTIVE.sum()


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), [(3, 1, "eq5"), (4, 2, "authors"), (5, 1, "eq5")])
def test_the_diagonal_bounds_the_true_spectrum(num_qubits: int, num_layers: int, order: str) -> None:
    """The Hessian by finite differences of Qiskit's state vectors; the bounds of Schur and Horn at random angles."""
    rng, ansatz = np.random.default_rng(num_qubits), hypernetwork(num_qubits, num_layers, order)
    costs = rng.random(2**num_qubits)
    estimator = ExactEstimator(ansatz, TableProblem(costs))
    for _ in range(5):
        theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
        spectrum = exact_spectrum(estimator.hessian(theta)[np.ix_(ansatz.active, ansatz.active)])
        curvature = Curvature.exact(
            as_step(estimator, theta, 0, Key(0), ansatz), estimator.hessian(theta), ansatz.active
        )
        assert curvature.trace == pytest.approx(spectrum.eigenvalues.sum(), abs=1e-12)
        assert curvature.positive_mass <= spectrum.positive.value + 1e-12
        assert curvature.negative_mass <= spectrum.negative.value + 1e-12
        assert curvature.largest <= spectrum.eigenvalues[-1] + 1e-12
        assert curvature.smallest >= spectrum.eigenvalues[0] - 1e-12

    def e(at: np.ndarray) -> float:
        return reference.energy(num_qubits, num_layers, order, at, costs)

    hessian, small = estimator.hessian(theta), 1e-3 * np.eye(len(theta))
    for i, j in rng.integers(0, len(theta), (25, 2)):
        a, b = small[i], small[j]
        second = (e(theta + a + b) - e(theta + a - b) - e(theta - a + b) + e(theta - a - b)) / 4e-6
        assert hessian[i, j] == pytest.approx(second, abs=1e-5)


@pytest.mark.parametrize("optimizer", [Sgd(learning_rate=1.0, momentum=0.0, decay_steps=None), Adam(decay_steps=None)])
def test_the_curvature_along_a_step_is_not_that_of_the_noise(optimizer: Any) -> None:
    """A step follows the noise of the gradient that it starts from, so that the change of the gradient is biased."""
    noisy = SamplingEstimator(ANSATZ, TableProblem(COSTS), Tiled(), shots=30)
    off, errors, changes = [], [], []
    for k in range(REPETITIONS):
        step = as_step(noisy, THETA, 0, Key(2, step=k))
        there = optimizer.step(lambda _, g=step.grad: replace_grad(g), THETA, optimizer.init(THETA))[0]
        following = as_step(noisy, there, 1, Key(3, step=k))
        found = AlongStep.of(step, following)
        assert found is not None
        way = there - THETA
        before, after = EXACT(THETA).mean, EXACT.value_and_grad(there)
        true = 2 * (before - after.value + after.grad @ way) / (way @ way)
        off.append(found.curvature - true)
        errors.append(found.std_error)
        changes.append((following.grad - step.grad) @ way / (way @ way) - true)
    off_by, stated = np.array(off), np.array(errors)
    assert 0.92 <= np.mean(np.abs(off_by) <= 1.96 * stated) <= 0.98
    assert abs(off_by.mean()) <= 4 * off_by.std() / np.sqrt(REPETITIONS)
    assert np.mean(changes) > 5 * np.std(changes) / np.sqrt(REPETITIONS)


def replace_grad(grad: np.ndarray) -> Any:
    class Found:
        pass

    found = Found()
    found.grad = grad  # type: ignore[attr-defined]
    return found


def test_without_shots_the_curvature_along_a_step_is_the_mean_on_the_way() -> None:
    step = as_step(EXACT, THETA, 0, Key(0))
    there = THETA - 0.7 * step.grad
    found = AlongStep.of(step, as_step(EXACT, there, 1, Key(0)))
    way, (places, weights) = there - THETA, np.polynomial.legendre.leggauss(20)
    mean = sum(
        weight / 2 * way @ EXACT.hessian(THETA + (1 + place) / 2 * way) @ way
        for place, weight in zip(places, weights, strict=True)
    )
    assert found is not None
    assert found.curvature == pytest.approx(mean / (way @ way), abs=1e-10)
    assert found.rate == pytest.approx(0.7)
    assert found.std_error == 0


@pytest.mark.parametrize(
    ("curvature", "std_error", "rate", "regime"),
    [
        (1.0, 0.1, 0.5, Regime.DISSIPATIVE),
        (1.0, 0.1, np.nan, Regime.DISSIPATIVE),
        (-1.0, 0.1, 0.5, Regime.DIVERGENT),
        (1.0, 0.1, 3.0, Regime.DIVERGENT),
        (1.0, 0.1, 2.0, None),
        (0.01, 0.01, 0.5, Regime.ALMOST),
        (0.01, 0.01, np.nan, None),
        (0.1, 0.3, 1.0, None),
        (1.0, np.nan, 0.5, None),
    ],
)
def test_a_verdict_needs_a_curvature_beyond_its_error(
    curvature: float, std_error: float, rate: float, regime: Regime
) -> None:
    assert AlongStep(0, curvature, std_error, rate).regime == regime


@pytest.mark.parametrize(
    ("eigenvalues", "rate", "regime"),
    [
        ([0.1, 1.0], 1.0, Regime.DISSIPATIVE),
        ([0.1, 1.0], 2.1, Regime.DIVERGENT),
        ([0.0, 1.0], 1.0, Regime.ALMOST),
        ([-0.005, 1.0], 1.0, Regime.ALMOST),
        ([-0.5, 1.0], 1.0, Regime.DIVERGENT),
        ([-0.5, -1.0], 0.0, Regime.DIVERGENT),
    ],
)
def test_a_saddle_is_divergent(eigenvalues: list[float], rate: float, regime: Regime) -> None:
    assert regime_of(exact_spectrum(np.diag(eigenvalues)), rate) == regime


def test_angles_that_rest_are_left_out() -> None:
    (step, *_), _ = repeated(1)
    chosen = tuple(np.flatnonzero(ACTIVE)[:3].tolist())
    found = Curvature.of(replace(step, angles=chosen), ACTIVE)
    assert found is not None
    assert step.hessian_diag is not None
    assert found.num_angles == 3
    assert found.trace == pytest.approx(step.hessian_diag[list(chosen)].sum())
    moved = replace(step, step=1, theta=THETA + 0.1 * ACTIVE, angles=chosen)
    assert AlongStep.of(step, moved) is None
    assert AlongStep.of(step, replace(moved, angles=None)) is not None
    assert AlongStep.of(step, replace(step, step=1)) is None


@pytest.mark.parametrize("forget", [lambda tree: None, lambda tree: tree.update(hessian_diag=None)])
def test_steps_of_older_versions_have_no_errors_of_it(forget: Callable[[dict[str, Any]], None]) -> None:
    (step, *_), _ = repeated(1)
    tree = json.loads(step.to_json())
    for name in ("hessian_diag_std_error", "trace_std_error"):
        del tree[name]
    forget(tree)
    found = Curvature.of(Step.from_json(json.dumps(tree)), ACTIVE)
    if tree["hessian_diag"] is None:
        assert found is None
        return
    assert found is not None
    assert found.trace == pytest.approx(np.sum(step.hessian_diag))
    assert all(np.isnan([found.trace_std_error, found.positive_mass, found.negative_mass, found.largest]))
    again = Step.from_json(step.to_json())
    np.testing.assert_array_equal(again.hessian_diag_std_error, step.hessian_diag_std_error)
    assert again.trace_std_error == step.trace_std_error


def test_tiles_of_unlike_contrast_widen_the_interval() -> None:
    (step, *_), _ = repeated(1)
    following = replace(step, step=1, theta=THETA + 0.1 * ACTIVE)
    alone, among = (AlongStep.of(step, following, spread) for spread in (0.0, 0.05))
    assert alone is not None
    assert among is not None
    assert among.curvature == alone.curvature
    slope = 0.1 * step.grad[ACTIVE].sum()
    extra = 2 * 0.05 * slope / (0.01 * ACTIVE.sum())
    assert among.std_error == pytest.approx(np.hypot(alone.std_error, extra))
