from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qhn.arrays import Integers
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork
from qhn.config.file import load_config
from qhn.errors import QhnError
from qhn.optimize.optimizer import Adam, Optimizer, Sgd, Sinusoid, SpsaGains, decayed

SCALES = np.array([1.0, 3.0, 0.3])
OBJECTIVES = {  # gradient, second derivatives and minimum
    "bowl": (lambda t: SCALES * t, lambda t: SCALES, np.zeros(3)),
    "shifted bowl": (lambda t: t - np.array([1.0, -2.0, 0.5]), np.ones_like, np.array([1.0, -2.0, 0.5])),
    "cosines": (lambda t: np.sin(t - 0.4), lambda t: np.cos(t - 0.4), np.full(3, 0.4)),
}
OPTIMIZERS = {
    "adam": Adam(learning_rate=0.1, beta1=0.9, decay_steps=None),
    "default adam": Adam(),
    "sgd": Sgd(learning_rate=0.3, momentum=0.0, decay_steps=None),
    "momentum": Sgd(learning_rate=0.1, momentum=0.8, decay_steps=None),
    "falling": Sgd(learning_rate=0.3, momentum=0.3, decay_steps=500),
    "sinusoid": Sinusoid(),
    "spsa": SpsaGains(learning_rate=2.0, decay=0.602, stability=5.0),
}


def as_function(gradient, hessian_diag=lambda theta: None):
    return lambda theta: SimpleNamespace(grad=gradient(theta), hessian_diag=hessian_diag(theta))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_finds_every_minimum(optimizer: str, objective: str) -> None:
    rule: Optimizer = OPTIMIZERS[optimizer]
    gradient, hessian_diag, minimum = OBJECTIVES[objective]
    theta = minimum + np.array([1.0, -0.8, 0.6])
    state = rule.init(theta)
    for _ in range(600):
        theta, state, _ = rule.step(as_function(gradient, hessian_diag), theta, state)
    np.testing.assert_allclose(theta, minimum, atol=1e-2)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_state_is_plain_arrays_and_continues_where_it_was(optimizer: str) -> None:
    rule, function = OPTIMIZERS[optimizer], as_function(*OBJECTIVES["bowl"][:2])
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
    sgd = Sgd(learning_rate=0.1, momentum=0.5, decay_steps=None)
    moved, state, _ = sgd.step(gradient, theta, sgd.init(theta))
    assert moved == pytest.approx(0.95)
    assert sgd.step(gradient, moved, state)[0] == pytest.approx(0.95 - 0.1 * 0.75)
    assert SpsaGains().decay == 0.602  # as Spall recommends
    spsa = SpsaGains(learning_rate=1.0, decay=0.5, stability=3.0)
    assert spsa.step(gradient, theta, spsa.init(theta))[0] == pytest.approx(1 - 0.5 / 2)


@pytest.mark.parametrize("decay_steps", [1, 4, 60])
def test_a_rate_falls_linearly_and_stays_at_that_of_the_last_step(decay_steps: int) -> None:
    """By hand: lr·(1 − t/T), and lr/T from step T − 1 on, so that an extended run goes on slowly."""
    rates = [float(decayed(0.5, np.array(step), decay_steps)) for step in range(2 * decay_steps)]
    np.testing.assert_allclose(rates[:decay_steps], 0.5 * (1 - np.arange(decay_steps) / decay_steps))
    np.testing.assert_allclose(rates[decay_steps:], 0.5 / decay_steps)


@pytest.mark.parametrize("make", [Adam, Sgd], ids=lambda kind: kind.__name__)
def test_a_step_is_as_long_as_its_rate(make: type[Adam] | type[Sgd]) -> None:
    """Each step of a falling rate against one of the constant rate that it has then, at the same state."""
    gradient = as_function(OBJECTIVES["bowl"][0])
    falling = make(learning_rate=0.3, decay_steps=5)
    theta = np.array([1.0, -1.0, 2.0])
    state = falling.init(theta)
    for step in range(8):
        constant = make(learning_rate=0.3 * max(5 - step, 1) / 5, decay_steps=None)
        expected, _, _ = constant.step(gradient, theta, state)
        theta, state, _ = falling.step(gradient, theta, state)
        np.testing.assert_allclose(theta, expected, rtol=1e-12)


def test_a_whole_jump_ends_at_the_minimum_of_each_sinusoid(rng: np.random.Generator) -> None:
    """Against a scan of E by Qiskit's statevector along each angle alone, from finite differences of it."""
    ansatz, costs = hypernetwork(3, 1), rng.random(8)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)

    def energy(at: np.ndarray) -> float:
        return float(Statevector(ansatz.circuit.assign_parameters(at)).probabilities() @ costs)

    unit, small = np.eye(len(theta)), 1e-4
    plus, minus = (np.array([energy(theta + sign * small * one) for one in unit]) for sign in (1, -1))
    found = SimpleNamespace(
        grad=(plus - minus) / (2 * small), hessian_diag=(plus + minus - 2 * energy(theta)) / small**2
    )
    jumped, _, _ = (rule := Sinusoid(damping=1.0)).step(lambda at: found, theta, rule.init(theta))
    half, _, _ = Sinusoid(damping=0.5).step(lambda at: found, theta, rule.init(theta))
    np.testing.assert_allclose(half - theta, 0.5 * (jumped - theta))
    scan = np.linspace(0, 2 * np.pi, 181)
    for angle in np.flatnonzero(ansatz.active):
        lowest = min(energy(theta + x * unit[angle]) for x in scan)
        at_jump = energy(theta + (jumped - theta)[angle] * unit[angle])
        assert at_jump == pytest.approx(lowest, abs=1e-3)


def test_jumps_are_refused_without_second_derivatives() -> None:
    rule = Sinusoid()
    with pytest.raises(QhnError, match="sinusoid jumps by second derivatives"):
        rule.step(as_function(OBJECTIVES["bowl"][0]), np.zeros(3), rule.init(np.zeros(3)))
    for settings, key in (
        ({"train.backend": "exact"}, "train.shots is none"),
        ({"train.gradient": "spsa"}, "train.gradient is spsa"),
        ({"train.objective": {"name": "cvar", "alpha": 0.2}}, "train.objective is cvar"),
    ):
        with pytest.raises(QhnError, match=f"'sinusoid' takes the second derivatives .*{key}"):
            load_config("figure-1", settings | {"train.optimizer": "sinusoid"})


@pytest.mark.parametrize("settings", [{"train.optimizer": "sinusoid"}, {"train.angles": "sparse"}])
def test_rules_for_sinusoids_refuse_circuits_with_shared_angles(settings: dict[str, str]) -> None:
    class Shared(Hypernetwork):
        @property
        def shared_angles(self) -> Integers:
            return np.arange(self.num_parameters)

    config = load_config("figure-1", settings)
    config.strategy(hypernetwork(4, 2))
    with pytest.raises(
        QhnError, match=r"takes E for a sinusoid of each angle, and angle 0 of this circuit turns several"
    ):
        config.strategy(Shared(4, 2))
    load_config("figure-1").strategy(Shared(4, 2))
