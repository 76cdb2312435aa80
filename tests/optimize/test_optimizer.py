from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from qhn.optimize.optimizer import Adam, Optimizer, Sgd, SpsaGains

SCALES = np.array([1.0, 3.0, 0.3])
OBJECTIVES = {  # gradient and minimum
    "bowl": (lambda t: SCALES * t, np.zeros(3)),
    "shifted bowl": (lambda t: t - np.array([1.0, -2.0, 0.5]), np.array([1.0, -2.0, 0.5])),
    "cosines": (lambda t: np.sin(t - 0.4), np.full(3, 0.4)),
}
OPTIMIZERS = {
    "adam": Adam(learning_rate=0.1),
    "sgd": Sgd(learning_rate=0.3, momentum=0.0),
    "momentum": Sgd(learning_rate=0.1, momentum=0.8),
    "spsa": SpsaGains(learning_rate=2.0, decay=0.602, stability=5.0),
}


def as_function(gradient):
    return lambda theta: SimpleNamespace(grad=gradient(theta))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_finds_every_minimum(optimizer: str, objective: str) -> None:
    rule: Optimizer = OPTIMIZERS[optimizer]
    gradient, minimum = OBJECTIVES[objective]
    theta = minimum + np.array([1.0, -0.8, 0.6])
    state = rule.init(theta)
    for _ in range(600):
        theta, state, _ = rule.step(as_function(gradient), theta, state)
    np.testing.assert_allclose(theta, minimum, atol=1e-2)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_state_is_plain_arrays_and_continues_where_it_was(optimizer: str) -> None:
    rule, function = OPTIMIZERS[optimizer], as_function(OBJECTIVES["bowl"][0])
    theta = np.array([1.0, -1.0, 2.0])
    state = rule.init(theta)
    for _ in range(3):
        theta, state, _ = rule.step(function, theta, state)
    copied = type(state)(**{name: np.array(value) for name, value in state._asdict().items()})
    assert all(isinstance(value, np.ndarray) or np.isscalar(value) for value in state)
    np.testing.assert_array_equal(rule.step(function, theta, state)[0], rule.step(function, theta, copied)[0])


def test_first_steps_by_hand() -> None:
    theta, gradient = np.array([1.0]), as_function(lambda t: np.array([0.5]))
    adam = Adam(learning_rate=0.2)
    assert adam.step(gradient, theta, adam.init(theta))[0] == pytest.approx(0.8)  # the first step has the learning rate
    sgd = Sgd(learning_rate=0.1, momentum=0.5)
    moved, state, _ = sgd.step(gradient, theta, sgd.init(theta))
    assert moved == pytest.approx(0.95)
    assert sgd.step(gradient, moved, state)[0] == pytest.approx(0.95 - 0.1 * 0.75)
    assert SpsaGains().decay == 0.602  # as Spall recommends
    spsa = SpsaGains(learning_rate=1.0, decay=0.5, stability=3.0)
    assert spsa.step(gradient, theta, spsa.init(theta))[0] == pytest.approx(1 - 0.5 / 2)
