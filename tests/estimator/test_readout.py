"""Readout errors: inverted exactly where the distribution is known, within the stated errors where it is sampled."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import pytest

from qhn import bitstrings
from qhn.backend import BackendError
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork
from qhn.estimator import readout
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import ParameterShift, Spsa
from qhn.estimator.measurement import Measurement
from qhn.estimator.readout import Mthree, ReadoutInversion, inverted, uncertainty
from qhn.estimator.sampling import SamplingEstimator
from qhn.exact.distribution import Distribution
from qhn.problem.cost import TableProblem
from qhn.problem.evaluations import Evaluations
from qhn.problem.objective import Objective
from qhn.seeds import Key

SIGMAS = 5


@dataclass
class Misreading:
    """A machine without noise but for readout errors of ``rates[num_tiles, num_qubits, 2]``."""

    rates: np.ndarray
    folded: bool = False
    calibration_shots: int | None = 1000
    name: str = "misreading"
    paid: bool = False
    circuit: Any = None
    ansatz: Hypernetwork = field(init=False)

    def compile(self, ansatz: Hypernetwork) -> Misreading:
        self.ansatz, self.distribution = ansatz, Distribution(ansatz)
        return self

    def describe(self) -> dict[str, Any]:
        return {}

    def read(self, bits: np.ndarray, tile: int, rng: np.random.Generator) -> np.ndarray:
        """Networks ``[..., num_qubits]`` as they are read on a tile."""
        raw = self.ansatz.relabel(bits) if self.folded else bits
        chance = np.where(raw, self.rates[tile, :, 1], self.rates[tile, :, 0])
        raw = raw ^ (rng.random(raw.shape) < chance)
        return self.ansatz.relabel(raw) if self.folded else raw

    def draw(self, thetas: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
        return bitstrings.from_integers(self.distribution.sample(thetas, shots, rng), self.ansatz.num_qubits)

    def sample(self, thetas: np.ndarray, shots: int, key: Key, group: int = 1) -> Samples:
        rng, num_tiles = key.generator(), len(self.rates)
        pairs = (np.arange(len(thetas)) % group + 1) // 2
        tiles = np.where(pairs, (pairs - 1) % num_tiles, 0)
        bits = self.draw(thetas, shots, rng)
        bits = np.stack([self.read(row, tile, rng) for row, tile in zip(bits, tiles, strict=True)])
        readout_counts = None
        if self.calibration_shots is not None:
            readout_counts = ReadoutCounts(rng.binomial(self.calibration_shots, self.rates), self.calibration_shots)
        if num_tiles == 1:
            return Samples(bits, readout_counts=readout_counts, folded=self.folded)
        true = np.repeat(thetas[::group], num_tiles, axis=0)
        drawn = self.draw(true, shots, rng).reshape(-1, num_tiles, *bits.shape[1:])
        unshifted = np.stack([self.read(drawn[:, tile], tile, rng) for tile in range(num_tiles)], axis=1)
        unshifted[:, 0] = bits[::group]
        return Samples(bits, tiles=tiles, unshifted=unshifted, readout_counts=readout_counts, folded=self.folded)


def confusion(rates: np.ndarray) -> np.ndarray:
    """⊗A_j, ``[2**num_qubits, 2**num_qubits]``, qubit 0 least significant."""
    return reduce(np.kron, [np.array([[1 - p01, p10], [p01, 1 - p10]]) for p01, p10 in rates[::-1]])


def counted(rates: np.ndarray, shots: int = 10**9) -> ReadoutCounts:
    """Rates ``[num_tiles, num_qubits, 2]`` as they would be counted in very many shots."""
    return ReadoutCounts(np.rint(rates * shots).astype(np.int64), shots)


def inverse_of_all(
    inversion: ReadoutInversion, rates: np.ndarray, tile: int, readout_counts: ReadoutCounts, folded: bool
) -> np.ndarray:
    """C′ of every measured bitstring, by the means of rows that hold nothing else."""
    num_qubits = inversion.ansatz.num_qubits
    raw = bitstrings.from_integers(np.arange(2**num_qubits), num_qubits)
    bits = inversion.ansatz.relabel(raw) if folded else raw
    return inversion.means(np.repeat(bits[:, None], 2, axis=1), np.full(len(bits), tile), readout_counts, folded).mean


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("num_qubits", [1, 2, 5, 8])
def test_the_average_over_measured_bits_is_the_average_over_true_ones(
    num_qubits: int, folded: bool, rng: np.random.Generator
) -> None:
    ansatz, costs = hypernetwork(num_qubits, 1), rng.normal(size=2**num_qubits)
    inversion = ReadoutInversion(ansatz, TableProblem(costs))
    networks = rng.dirichlet(np.ones(2**num_qubits))
    every = bitstrings.from_integers(np.arange(2**num_qubits), num_qubits)
    place = bitstrings.to_integers(ansatz.relabel(every)) if folded else np.arange(2**num_qubits)
    true = networks[place]  # of the bits that the machine has, before it reads them
    readout_counts = counted(rng.uniform(0, 0.3, (2, num_qubits, 2)))
    for tile, rates in enumerate(readout_counts.rates):
        found = inverse_of_all(inversion, rates, tile, readout_counts, folded)
        assert confusion(rates) @ true @ found == pytest.approx(networks @ costs, abs=1e-12)
        assert abs(confusion(rates) @ true @ costs[place] - networks @ costs) > 1e-4  # uncorrected it is not
        np.testing.assert_allclose(found, np.linalg.solve(confusion(rates).T, costs[place]), atol=1e-12)
        np.testing.assert_allclose(inverted(costs[place], rates), found, atol=1e-14)


def test_bits_that_are_folded_and_bits_that_are_not_may_come_in_turn(rng: np.random.Generator) -> None:
    """Costs kept for one kind of bits are not taken for the other."""
    ansatz, problem = hypernetwork(4, 1), TableProblem(rng.normal(size=16))
    bits, counts = rng.integers(0, 2, (1, 30, 4), dtype=np.uint8), counted(rng.uniform(0.01, 0.1, (1, 4, 2)))
    inversion = ReadoutInversion(ansatz, problem)
    for folded in (False, True, True, False):
        found = inversion.means(bits, np.zeros(1, int), counts, folded).mean
        alone = ReadoutInversion(ansatz, problem).means(bits, np.zeros(1, int), counts, folded).mean
        np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("folded", [False, True])
def test_beyond_a_table_what_is_left_is_of_second_order(
    folded: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ansatz, costs = hypernetwork(5, 1), rng.normal(size=32)
    rates, left = rng.uniform(0.01, 0.02, (1, 5, 2)), []
    for scale in (1.0, 0.5):
        readout_counts = counted(scale * rates)
        exact = inverse_of_all(
            ReadoutInversion(ansatz, TableProblem(costs)), readout_counts.rates[0], 0, readout_counts, folded
        )
        with monkeypatch.context() as patch:
            patch.setattr(readout, "TABLE_QUBITS", 4)
            first = inverse_of_all(
                ReadoutInversion(ansatz, TableProblem(costs)), readout_counts.rates[0], 0, readout_counts, folded
            )
        left.append(np.abs(first - exact).max())
    assert 0 < left[0] < 0.05
    assert left[0] / left[1] == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize("table_qubits", [22, 0])
@pytest.mark.parametrize("folded", [False, True])
def test_derivatives_by_the_rates_are_those_of_finite_differences(
    table_qubits: int, folded: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readout, "TABLE_QUBITS", table_qubits)
    monkeypatch.setattr(readout, "MAX_KEPT", 8)  # a short memory changes nothing
    ansatz, costs = hypernetwork(4, 1), rng.normal(size=16)
    inversion = ReadoutInversion(ansatz, TableProblem(costs))
    bits = rng.integers(0, 2, (3, 40, 4), dtype=np.uint8)
    tiles, readout_counts = np.array([0, 1, 1]), counted(rng.uniform(0.01, 0.1, (2, 4, 2)))
    slopes = inversion.means(bits, tiles, readout_counts, folded).shared.reshape(
        3, *readout_counts.counts.shape
    ) / uncertainty(readout_counts)
    for place in np.ndindex(readout_counts.counts.shape):
        step = np.zeros_like(readout_counts.counts)
        step[place] = readout_counts.shots // 10**5
        above, below = (
            inversion.means(
                bits, tiles, ReadoutCounts(readout_counts.counts + sign * step, readout_counts.shots), folded
            ).mean
            for sign in (1, -1)
        )
        np.testing.assert_allclose(slopes[(slice(None), *place)], (above - below) / 2e-5, atol=1e-7)
    assert not slopes[0, 1].any()
    assert not slopes[1:, 0].any()
    assert np.abs(slopes).max() > 0.1


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("num_tiles", [1, 3])
def test_value_gradient_and_curvature_are_those_without_readout_errors(
    folded: bool, num_tiles: int, rng: np.random.Generator
) -> None:
    ansatz, costs = hypernetwork(5, 1), rng.normal(size=32)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    machine = Misreading(rng.uniform(0.02, 0.1, (num_tiles, 5, 2)), folded)
    readout_counts = counted(machine.rates)
    problem = TableProblem(costs)
    estimator = SamplingEstimator(
        ansatz, problem, machine, shots=20_000, mitigation="readout", readout_counts=readout_counts
    )
    found, exact = estimator.value_and_grad(theta), ExactEstimator(ansatz, problem)
    rows = exact(ParameterShift(ansatz.active).shifted(theta, Key(0))).mean
    true_grad, curvature = 0.5 * (rows[1::2] - rows[2::2]), 0.5 * (rows[1::2] + rows[2::2]) - rows[0]
    assert abs(found.value - rows[0]) < SIGMAS * found.std_error
    for true, value, error in (
        (true_grad, found.grad, found.grad_std_error),
        (curvature, found.hessian_diag, found.hessian_diag_std_error),
    ):
        pulls = (value[ansatz.active] - true) / error[ansatz.active]
        assert np.abs(pulls).max() < SIGMAS
        assert 0.4 < pulls.std() < 2
    raw = found.estimates.raw
    assert np.abs((raw - rows) / found.estimates.raw_std_error).max() > 2 * SIGMAS
    assert estimator.readout_counts.shots == readout_counts.shots + 1000
    again = SamplingEstimator(
        ansatz, problem, machine, shots=20_000, mitigation="readout", readout_counts=readout_counts
    )
    np.testing.assert_array_equal(again.value_and_grad(theta).grad, found.grad)
    assert abs(estimator(theta).mean - rows[0]) < SIGMAS * found.std_error
    spsa = estimator.value_and_grad(theta, measurement=Measurement(Spsa(ansatz.active, num_directions=2), 20_000))
    assert abs(spsa.value - rows[0]) < SIGMAS * spsa.std_error
    assert (spsa.grad_std_error > 0).tolist() == ansatz.active.tolist()


def test_stated_errors_cover_what_few_calibration_shots_leave_unknown(rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(3, 1), rng.normal(size=8)
    theta, problem = rng.uniform(0, 1, ansatz.num_parameters), TableProblem(costs)
    machine = Misreading(rng.uniform(0.05, 0.12, (2, 3, 2)), calibration_shots=80)
    exact = ExactEstimator(ansatz, problem).value_and_grad(theta)
    pulls, naive = [], []
    active = ansatz.active
    for seed in range(300):
        estimator = SamplingEstimator(ansatz, problem, machine, shots=2000, seed=seed, mitigation="readout")
        found = estimator.value_and_grad(theta)
        wrong = np.append(found.grad[active] - exact.grad[active], found.value - exact.value)
        samples = found.estimates.samples
        own = (
            ReadoutInversion(ansatz, problem)
            .means(samples.bits, samples.tiles, samples.readout_counts, False)
            .own_error
        )
        pulls.append(wrong / np.append(found.grad_std_error[active], found.std_error))
        naive.append(wrong / np.append(0.5 * np.hypot(own[1::2], own[2::2]), own[0]))
    spread, without = np.std(pulls, axis=0), np.std(naive, axis=0)
    assert spread.min() > 0.85
    assert spread.max() < 1.15
    assert without[-1] > 1.3  # of the value, were the rates taken as known
    assert without[:-1].max() > 1.3  # of the gradient
    assert np.abs(np.mean(pulls, axis=0)).max() < SIGMAS / np.sqrt(300)


def test_what_a_pair_has_in_common_cancels(rng: np.random.Generator) -> None:
    """Both rows of a pair measured the same: the errors of the calibration drop out of the difference."""
    inversion = ReadoutInversion(hypernetwork(4, 1), TableProblem(rng.normal(size=16)))
    bits = np.repeat((rng.random((1, 5000, 4)) < 0.1).astype(np.uint8), 3, axis=0)
    found = inversion.means(bits, np.array([0, 0, 1]), ReadoutCounts(np.full((2, 4, 2), 3), 50), False)
    assert found[0].std_error > 1.5 * found[0].own_error
    assert (found[0] - found[1]).std_error == pytest.approx(np.sqrt(2) * found[0].own_error, rel=1e-12)
    assert (found[0] - found[2]).std_error > 1.5 * np.sqrt(2) * found[0].own_error


def test_the_inversion_evaluates_nothing_that_counts(rng: np.random.Generator) -> None:
    ansatz, problem = hypernetwork(8, 1), TableProblem(rng.normal(size=256))
    theta = np.full(ansatz.num_parameters, 0.3)
    estimator = SamplingEstimator(ansatz, problem, Misreading(np.full((2, 8, 2), 0.01)), shots=20, mitigation="readout")
    found = estimator.value_and_grad(theta, measurement=Measurement(Spsa(ansatz.active), 20))
    samples = found.estimates.samples
    measured = np.unique(np.concatenate([samples.bits.reshape(-1, 8), samples.unshifted.reshape(-1, 8)]), axis=0)
    assert found.estimates.distinct == estimator.evaluations.distinct == len(measured) < 256
    assert found.estimates.best_cost == problem.cost(measured).min()


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_rows_are_compared_with_theta_on_their_own_tile(alpha: float, rng: np.random.Generator) -> None:
    ansatz, problem = hypernetwork(4, 1), TableProblem(rng.normal(size=16))
    machine = Misreading(np.array([0.0, 0.2, 0.4])[:, None, None] * np.ones((3, 4, 2)))
    estimator = SamplingEstimator(ansatz, problem, machine, shots=200, objective=Objective(alpha))
    found = estimator.value_and_grad(rng.uniform(0, 6, (2, ansatz.num_parameters)))
    samples, rule = found.estimates.samples, ParameterShift(ansatz.active)
    bits = samples.bits.reshape(2, rule.num_rows, 200, 4)
    for group in range(2):
        for pair, index in enumerate(np.flatnonzero(ansatz.active)):
            tile = samples.tiles.reshape(2, -1)[group, 1 + 2 * pair]
            here = problem.cost(samples.unshifted[group, tile])
            t = np.sort(here)[int(np.ceil(alpha * 200)) - 1]
            plus, minus, middle = (
                costs.mean() if alpha == 1 else (t - np.maximum(t - costs, 0) / alpha).mean()
                for costs in (*problem.cost(bits[group, 1 + 2 * pair : 3 + 2 * pair]), here)
            )
            assert found.grad[group, index] == pytest.approx(0.5 * (plus - minus), abs=1e-12)
            if alpha == 1:
                assert found.hessian_diag[group, index] == pytest.approx(0.5 * (plus + minus) - middle, abs=1e-12)


def test_errors_that_were_never_counted_are_not_known_to_be_zero() -> None:
    few, many = (uncertainty(ReadoutCounts(np.zeros((1, 1, 2), dtype=np.int64), shots)) for shots in (10, 1000))
    assert (few > many).all()
    assert (many > 0).all()
    shares = np.random.default_rng(1).beta(3.5, 97.5, 200_000)  # 3 of 100, after Jeffreys
    assert uncertainty(ReadoutCounts(np.array([[[3, 97]]]), 100))[0, 0] == pytest.approx([shares.std()] * 2, rel=0.01)


def test_what_cannot_be_mitigated_is_refused() -> None:
    ansatz, problem = hypernetwork(2, 1), TableProblem([1.0, 2.0, 3.0, 4.0])
    machine = Misreading(np.zeros((1, 2, 2)), calibration_shots=None)
    with pytest.raises(
        ValueError,
        match=r"corrects means of C, and the objective, CVaR of the lowest 50%, is none",
    ):
        SamplingEstimator(ansatz, problem, machine, objective=Objective(0.5), mitigation="readout")
    with pytest.raises(ValueError, match="mitigation must be none, readout or mthree, got 'all'"):
        SamplingEstimator(ansatz, problem, machine, mitigation="all")
    theta = np.zeros(ansatz.num_parameters)
    with pytest.raises(ValueError, match="this machine counts no readout errors"):
        SamplingEstimator(ansatz, problem, machine, mitigation="readout")(theta)
    rates = np.full((2, 2, 2), 0.02)
    rates[1, 0] = 0.5, 0.45
    with pytest.raises(BackendError, match=r"qubit 0 of tile 1 read 1 for 0 in 50% and 0 for 1 in 45%"):
        SamplingEstimator(ansatz, problem, machine, mitigation="readout", readout_counts=counted(rates))(theta)
    with pytest.raises(ValueError, match=r"1 tiles of 2 qubits and 2 tiles of 2 qubits, .* cannot be added"):
        counted(rates[:1]) + counted(rates)


@pytest.mark.parametrize("max_dense", [4096, 0])
def test_mthree_agrees_where_all_bitstrings_are_measured(
    max_dense: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mthree")
    monkeypatch.setattr(readout, "MAX_DENSE", max_dense)
    ansatz, problem = hypernetwork(4, 1), TableProblem(rng.normal(size=16))
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    machine = Misreading(rng.uniform(0.02, 0.1, (2, 4, 2)), folded=True)
    ours, theirs = (
        SamplingEstimator(ansatz, problem, machine, shots=4000, mitigation=mitigation).value_and_grad(theta)
        for mitigation in ("readout", "mthree")
    )
    raw_grad = 0.5 * (ours.estimates.raw[1::2] - ours.estimates.raw[2::2])
    assert np.abs(raw_grad - ours.grad[ansatz.active]).max() > 0.01
    np.testing.assert_allclose(theirs.grad, ours.grad, atol=1e-3)
    np.testing.assert_allclose(theirs.estimates.mean, ours.estimates.mean, atol=1e-3)
    np.testing.assert_array_equal(theirs.grad_std_error, ours.grad_std_error)


def test_without_mthree_its_name_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mthree", None)
    with pytest.raises(ValueError, match=r"pip install 'qhn\[mthree\]'"):
        Mthree(hypernetwork(2, 1), Evaluations(TableProblem([1.0] * 4)))


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("tiles", [1, 2])
def test_the_interval_of_a_mitigated_e_is_that_of_inverted_costs(tiles: int, folded: bool) -> None:
    """It holds E at an angle where nearly all bitstrings are cheap ones; one plain error does not."""
    costs = np.where(np.arange(16) == 0b1111, 30.0, 0.01 * np.arange(16))
    ansatz, problem = hypernetwork(4, 1), TableProblem(costs)
    theta = np.random.default_rng(3).uniform(-0.45, 0.45, ansatz.num_parameters)
    machine = Misreading(np.full((tiles, 4, 2), [0.01, 0.03]), folded=folded, calibration_shots=10_000)
    expected = float(ExactEstimator(ansatz, problem)(theta).mean)
    held, plain, raw = [], [], []
    for seed in range(200):
        found = SamplingEstimator(ansatz, problem, machine, shots=200, seed=seed, mitigation="readout")(theta)
        low, high = found.interval
        held.append(low <= expected <= high)
        plain.append(abs(found.mean - expected) <= 1.96 * found.std_error)
        raw.append(found.raw_interval[0] <= found.raw <= found.raw_interval[1])
        assert "(95 %)" in str(found)
    assert np.mean(held) >= 0.94
    assert np.mean(held) >= np.mean(plain)
    assert all(raw)
    table = inverted(costs[ansatz.relabelled] if folded else costs, np.full((4, 2), [0.01, 0.03]))
    inversion = ReadoutInversion(ansatz, problem)
    ranges = inversion.ranges(np.zeros(3, dtype=np.int64), counted(np.full((1, 4, 2), [0.01, 0.03])), folded)
    np.testing.assert_allclose(ranges, np.tile([table.min(), table.max()], (3, 1)), rtol=1e-3)


def test_bounds_of_inverted_costs_beyond_a_table_hold_those_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = np.random.default_rng(1).normal(size=64)
    ansatz, rates = hypernetwork(6, 1), counted(np.full((1, 6, 2), [0.01, 0.02]))
    inversion = ReadoutInversion(ansatz, TableProblem(costs))
    ((low, high),) = inversion.ranges(np.zeros(1, dtype=np.int64), rates, False)
    monkeypatch.setattr("qhn.estimator.readout.TABLE_QUBITS", 5)
    ((lowest, highest),) = ReadoutInversion(ansatz, TableProblem(costs)).ranges(
        np.zeros(1, dtype=np.int64), rates, False
    )
    assert lowest < low < high < highest
