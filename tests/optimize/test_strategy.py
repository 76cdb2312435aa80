"""What a strategy says of its steps, and that it measures exactly that."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.arrays import Floats
from qhn.circuit.hypernetwork import hypernetwork
from qhn.estimator.gradient import ParameterShift, ValueAndGrad, WithDrift
from qhn.estimator.measurement import Measurement
from qhn.estimator.sampling import SamplingEstimator
from qhn.optimize.angles import AllAngles
from qhn.optimize.lbfgs import Lbfgs
from qhn.optimize.optimizer import Adam, Optimizer, Sgd
from qhn.optimize.shots import GeometricShots
from qhn.optimize.strategy import Strategy
from qhn.problem.cost import TableProblem

ANSATZ = hypernetwork(4, 2)


def strategy(optimizer: Optimizer, **rest: object) -> Strategy:
    return Strategy(optimizer, ParameterShift(ANSATZ.active), AllAngles(), GeometricShots(10, 40, over=2), **rest)


@pytest.mark.parametrize("optimizer", [Adam(), Sgd(), Lbfgs(max_line_search=3)], ids=lambda one: type(one).__name__)
def test_a_step_measures_what_it_says(optimizer: Optimizer, rng: np.random.Generator) -> None:
    """Every evaluation is one of those announced, in their order, with the shots of its step."""
    theta = rng.uniform(0, 6, ANSATZ.num_parameters)
    plan = strategy(optimizer, fixed=theta, drift_every=2)
    estimator = SamplingEstimator(ANSATZ, TableProblem(rng.random(16)), shots=1)
    state, at = plan.init(theta), theta
    for step in range(4):
        asked: list[Measurement] = []

        def measure(where: Floats, measurement: Measurement, asked: list[Measurement] = asked) -> ValueAndGrad:
            found = estimator.value_and_grad(where, measurement=measurement)
            assert found.estimates.samples is not None
            assert found.estimates.samples.bits.shape == (measurement.num_rows, measurement.shots, 4)
            asked.append(measurement)
            return found

        known = plan.measurements(step, state)
        at, state, info = plan.step(measure, at, state, step)
        assert 1 <= len(asked) <= len(known) == optimizer.max_evaluations
        assert [(one.num_rows, one.shots) for one in asked] == [
            (one.num_rows, one.shots) for one in known[: len(asked)]
        ]
        assert {one.shots for one in asked} == {[10, 20, 40, 40][step]}
        assert [isinstance(one.rule, WithDrift) for one in asked] == [step % 2 == 0] + [False] * (len(asked) - 1)
        assert (info.drift is not None) == (step % 2 == 0)


def test_a_state_is_restored_from_its_arrays(rng: np.random.Generator) -> None:
    theta = rng.uniform(0, 6, ANSATZ.num_parameters)
    plan = strategy(Adam())
    estimator = SamplingEstimator(ANSATZ, TableProblem(rng.random(16)), shots=10)
    _, state, _ = plan.step(lambda at, one: estimator.value_and_grad(at, measurement=one), theta, plan.init(theta), 0)
    restored = plan.init(theta).restored({name: np.array(value) for name, value in state.arrays().items()})
    assert restored.arrays().keys() == state.arrays().keys()
    for name, value in restored.arrays().items():
        np.testing.assert_array_equal(value, state.arrays()[name])
