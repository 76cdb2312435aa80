"""Which angles rest: amplitudes against a closed form, their errors by repetition, and the loop of rest and return."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from qhn.arrays import Bools, Floats
from qhn.circuit.hypernetwork import hypernetwork
from qhn.config.file import load_config
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import ParameterShift, ValueAndGrad
from qhn.estimator.measurement import Measurement
from qhn.estimator.sampling import SamplingEstimator
from qhn.optimize.angles import AllAngles, SparseAngles
from qhn.optimize.optimizer import Adam, Sgd
from qhn.optimize.shots import GeometricShots
from qhn.optimize.strategy import Strategy
from qhn.problem.cost import TableProblem
from qhn.run.replay import replay
from qhn.run.training import train

ANSATZ = hypernetwork(5, 2)


def found(grad: Floats, error: float) -> ValueAndGrad:
    """What a step measured, with no curvature and one error of all derivatives."""
    errors = np.full_like(grad, error)
    return ValueAndGrad(np.float64(0), np.float64(0), grad, errors, np.zeros_like(grad), errors, None)


def test_the_amplitude_is_that_of_the_sinusoid_without_bias_by_noise(rng: np.random.Generator) -> None:
    """From the derivatives of the sampled estimator: half the range of E as each angle alone goes round."""
    table = TableProblem(rng.random(32))
    exact, theta = ExactEstimator(ANSATZ, table), rng.uniform(0, 6, ANSATZ.num_parameters)
    around = theta + np.eye(len(theta))[:, None] * np.linspace(0, 2 * np.pi, 720)[None, :, None]
    energies = exact(around.reshape(-1, len(theta))).mean.reshape(len(theta), -1)
    truth = 0.25 * (energies.max(axis=1) - energies.min(axis=1)) ** 2
    sampled, selection = SamplingEstimator(ANSATZ, table, shots=100, seed=2), SparseAngles(memory=0.0)
    active, first = ANSATZ.active, selection.init(theta)
    found_squares = np.array(
        [selection.updated(sampled.value_and_grad(theta), active, active, first).squares for _ in range(100)]
    )
    pulls = (found_squares.mean(axis=0) - truth)[active] / (found_squares.std(axis=0)[active] / 10)
    assert np.abs(pulls).max() < 5


def test_angles_of_small_amplitude_rest_return_and_are_forgotten() -> None:
    selection, every = SparseAngles(threshold=0.1, rest=3), np.ones(3, dtype=bool)
    state, masks = selection.init(np.zeros(3)), []
    for _ in range(9):
        chosen = selection.selected(every, state)
        masks.append(chosen.tolist())
        state = selection.updated(found(np.where(chosen, [1.0, 0.09, 0.11], 0.0), 1e-6), chosen, every, state)
    rests = [True, False, True]
    assert masks == [[True] * 3, rests, rests, rests, [True] * 3, rests, rests, rests, [True] * 3]


def test_an_angle_above_the_threshold_rests_by_chance_in_one_step_of_twenty(rng: np.random.Generator) -> None:
    """By the upper 95 % limit, whatever the noise; angles without amplitude rest once their noise is pooled."""
    num = 3000
    selection, every = SparseAngles(threshold=0.1, rest=10**6, memory=0.99), np.ones(num, dtype=bool)
    truth = np.where(np.arange(num) < 1, 1.0, np.where(np.arange(num) < num // 2, 0.1, 0.0))
    for error in (0.002, 0.02, 0.05, 0.2):
        noise = np.where(truth == 1.0, 0.0, rng.normal(0, error, num))
        state = selection.updated(found(truth + noise, error), every, every, selection.init(truth))
        assert 1 - selection.selected(every, state)[1 : num // 2].mean() < 0.08
    state = selection.init(truth)
    for _ in range(100):
        chosen = selection.selected(every, state)
        noisy = np.where(chosen, truth + np.where(truth == 1.0, 0.0, rng.normal(0, 0.1, num)), 0.0)
        state = selection.updated(found(noisy, 0.1), chosen, every, state)
    assert selection.selected(every, state)[0]
    assert selection.selected(every, state)[num // 2 :].mean() < 0.1


def test_inert_angles_are_never_measured_and_nothing_else_is_lost() -> None:
    active = np.array([True, False, True])
    selection = SparseAngles()
    state = selection.init(np.zeros(3))
    assert selection.selected(active, state).tolist() == active.tolist()
    assert AllAngles().selected(active, AllAngles().init(np.zeros(3))).tolist() == active.tolist()


def test_one_shot_says_nothing_of_an_error_and_puts_no_angle_to_rest(tmp_path: Path) -> None:
    settings = {"train.backend": "exact", "train.shots": 1, "train.steps": 3, "train.angles": "sparse"}
    steps = list(train(load_config("figure-1", settings), record=False))  # a warning would be an error
    assert [step.angles for step in steps] == [None] * 3


@pytest.mark.parametrize("optimizer", [Adam(), Sgd(momentum=0.9)], ids=lambda one: type(one).__name__)
def test_angles_at_rest_keep_their_value_and_the_optimizer_its_state(
    optimizer: Adam | Sgd, rng: np.random.Generator
) -> None:
    """An angle at rest moves as one that was never there, and goes on from its own moments."""

    class Every2nd(AllAngles):
        def selected(self, active: Bools, state: object) -> Bools:
            return active & (np.arange(len(active)) % 2 == 0)

    theta = rng.uniform(0, 6, ANSATZ.num_parameters)
    estimator = SamplingEstimator(ANSATZ, TableProblem(rng.random(32)), shots=50)
    plan = Strategy(optimizer, ParameterShift(ANSATZ.active), Every2nd(), GeometricShots.constant(50))
    first = plan.init(theta)
    rows: list[int] = []

    def measure(at: Floats, measurement: Measurement) -> ValueAndGrad:
        rows.append(measurement.num_rows)
        return estimator.value_and_grad(at, measurement=measurement)

    moved, state, _ = plan.step(measure, theta, first, 0)
    chosen = ANSATZ.active & (np.arange(len(theta)) % 2 == 0)
    assert rows == [1 + 2 * int(chosen.sum())]
    assert (moved != theta)[chosen].all()
    np.testing.assert_array_equal(moved[~chosen], theta[~chosen])
    for name, array in state.arrays().items():
        if np.shape(array) == theta.shape:
            np.testing.assert_array_equal(array[~chosen], first.arrays()[name][~chosen])


def test_a_sparse_run_records_its_angles_and_takes_fewer_shots(tmp_path: Path) -> None:
    settings = {"train.backend": "exact", "train.shots": 200, "train.angles": {"name": "sparse", "threshold": 0.5}}
    config = load_config("figure-1", settings)
    training = train(config, results=tmp_path)
    steps = list(training)
    training.close()
    taken = np.diff([0, *(step.shots for step in steps)])
    rows = [1 + 2 * (28 if step.angles is None else len(step.angles)) for step in steps]
    assert taken.tolist() == [200 * number for number in rows]
    assert min(rows) < 57 == rows[0]
    for step, following in itertools.pairwise(steps):
        if step.angles is not None:
            at_rest = np.setdiff1d(np.flatnonzero(config.circuit(config.problem()).active), step.angles)
            assert (step.grad[at_rest] == 0).all()
            np.testing.assert_array_equal(step.theta[at_rest], following.theta[at_rest])


@pytest.mark.parametrize(
    "settings", [{"train.angles": {"name": "sparse", "threshold": 0.5}}, {"train.optimizer": "sinusoid"}]
)
def test_runs_that_take_second_derivatives_are_replayed_and_evaluated(
    settings: dict[str, object], tmp_path: Path, qhn
) -> None:
    """Also for an objective that has none, since the angles and the shots of each step are recorded."""
    config = load_config("figure-1", {"train.backend": "exact", "train.shots": 100, "train.steps": 12} | settings)
    training = train(config, results=tmp_path / "results")
    steps = list(training)
    training.close()
    assert training.record is not None
    replayed = list(replay(training.record))
    assert [step.mean for step in steps] == [step.mean for step in replayed]
    tail = list(replay(training.record, {"train.objective": {"name": "cvar", "alpha": 0.2}}))
    assert all(step.value < again.mean for step, again in zip(tail, replayed, strict=True))
    for more in ((), ("--shots", "none")):
        assert qhn("evaluate", str(training.record.directory), *more).code == 0


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"train.backend": "exact"}, "train.shots is none"),
        ({"train.gradient": "spsa"}, "train.gradient is spsa"),
        ({"train.objective": {"name": "cvar", "alpha": 0.2}}, "train.objective is cvar"),
        ({"train.optimizer": {"name": "lbfgs", "force": True}}, "train.optimizer is lbfgs"),
    ],
)
def test_sparse_angles_are_refused_where_no_amplitudes_are_measured(settings: dict[str, object], key: str) -> None:
    with pytest.raises(ValueError, match=f"'sparse' takes the second derivatives .*{key}"):
        load_config("figure-1", settings | {"train.angles": "sparse"})
