"""Classical models of bitstrings: probabilities, gradients, samples and training by the score function."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qhn.baseline.autoregressive import Autoregressive
from qhn.baseline.born_machine import BornMachine
from qhn.baseline.score_function import Model, Training, restarts, score_gradient
from qhn.baseline.tally import Tally
from qhn.bitstrings import from_integers, to_integers
from qhn.circuit.hypernetwork import product_state
from qhn.errors import QhnError
from qhn.exact.distribution import Distribution
from qhn.problem.cost import TableProblem

MODELS = [
    Autoregressive(5, "logistic"),
    Autoregressive(5, "angle"),
    Autoregressive(1),
    BornMachine((2, 3, 1, 2)),
    BornMachine((1, 1, 1, 1)),
    BornMachine((2,)),
    BornMachine(()),
]


def brute_force(model: Model, parameters: np.ndarray) -> np.ndarray:
    """The probability of every bitstring from its definition, one bitstring at a time."""
    found = []
    for bits in itertools.product((0, 1), repeat=model.num_bits):
        bits = bits[::-1]  # bit 0 changes fastest
        if isinstance(model, BornMachine):
            ends, at, product = (1, *model.bonds, 1), 0, np.eye(1)
            for left, right, bit in zip(ends, ends[1:], bits, strict=False):
                tensor = parameters[at : at + 2 * left * right].reshape(2, left, right)
                product, at = product @ tensor[bit], at + 2 * left * right
            found.append(product.item() ** 2)
        else:
            probability, at = 1.0, model.num_bits
            for place, bit in enumerate(bits):
                z = parameters[place] + sum(parameters[at + j] * bits[j] for j in range(place))
                at += place
                share = 1 / (1 + np.exp(-z)) if model.link == "logistic" else np.sin(z / 2) ** 2
                probability *= share if bit else 1 - share
            found.append(probability)
    return np.array(found) / sum(found)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_probabilities_are_those_of_the_definition(model: Model, rng: np.random.Generator) -> None:
    parameters = model.initial(4, rng)
    assert parameters.shape == (4, model.num_parameters)
    found = model.probabilities(parameters)
    assert found == pytest.approx(np.array([brute_force(model, row) for row in parameters]), abs=1e-13)
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_the_exact_gradient_is_that_of_finite_differences(model: Model, rng: np.random.Generator) -> None:
    parameters, costs = model.initial(3, rng), rng.normal(size=2**model.num_bits)
    values, grads = model.mean_and_grad(parameters, costs)
    assert values == pytest.approx(model.probabilities(parameters) @ costs, abs=1e-12)
    for index in range(model.num_parameters):
        step = 1e-5 * (np.arange(model.num_parameters) == index)
        up, down = (model.probabilities(parameters + sign * step) @ costs for sign in (1, -1))
        assert grads[:, index] == pytest.approx((up - down) / 2e-5, abs=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_the_score_is_the_gradient_of_the_log_probability(model: Model, rng: np.random.Generator) -> None:
    parameters = model.initial(2, rng)
    bits = np.broadcast_to(
        from_integers(np.arange(2**model.num_bits), model.num_bits), (2, 2**model.num_bits, model.num_bits)
    )
    score = model.score(parameters, bits)
    for index in range(model.num_parameters):
        step = 1e-6 * (np.arange(model.num_parameters) == index)
        up, down = (np.log(model.probabilities(parameters + sign * step)) for sign in (1, -1))
        assert score[..., index] == pytest.approx((up - down) / 2e-6, abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_samples_have_their_distribution(model: Model, rng: np.random.Generator) -> None:
    parameters, shots = model.initial(2, rng), 20_000
    bits = model.sample(parameters, shots, rng)
    assert bits.shape == (2, shots, model.num_bits)
    for row, probabilities in zip(bits, model.probabilities(parameters), strict=True):
        shares = np.bincount(to_integers(row), minlength=2**model.num_bits) / shots
        errors = np.sqrt(probabilities * (1 - probabilities) / shots)
        assert (np.abs(shares - probabilities) <= 5 * errors + 1e-12).all()


@pytest.mark.parametrize("model", MODELS[:4], ids=str)
def test_the_sampled_gradient_has_the_exact_one_as_its_mean(model: Model, rng: np.random.Generator) -> None:
    parameters, costs = model.initial(1, rng), rng.normal(size=2**model.num_bits)
    repeats = np.repeat(parameters, 4000, axis=0)
    bits = model.sample(repeats, 8, rng)
    grads = score_gradient(model, repeats, bits, costs[to_integers(bits)])
    exact = model.mean_and_grad(parameters, costs)[1][0]
    errors = grads.std(axis=0, ddof=1) / np.sqrt(len(grads))
    assert (np.abs(grads.mean(axis=0) - exact) <= 5 * errors + 1e-12).all()


def test_without_weights_the_angles_are_those_of_a_product_state(rng: np.random.Generator) -> None:
    parameters = Autoregressive(6).initial(3, rng)
    parameters[:, 6:] = 0.0
    theta = np.concatenate([parameters[:, :6], np.zeros((3, 6))], axis=1)
    expected = Distribution(product_state(6)).probabilities(theta)
    assert Autoregressive(6).probabilities(parameters) == pytest.approx(expected, abs=1e-12)


def test_bond_dimensions_use_up_the_parameters() -> None:
    for most in (28, 56, 112, 168, 224, 500):
        machine = BornMachine.of_parameters(14, most)
        assert machine.num_bits == 14
        assert machine.num_parameters <= most
        assert max(machine.bonds) - min(machine.bonds[3:-3]) <= 1
    assert BornMachine.of_parameters(14, 112).num_parameters == 104


def test_sixty_five_bits_are_drawn_without_a_table(rng: np.random.Generator) -> None:
    machine = BornMachine((4,) * 64)
    parameters = machine.initial(1, rng)
    bits = machine.sample(parameters, 10, rng)
    assert np.isfinite(machine.score(parameters, bits)).all()


@pytest.mark.parametrize("model", [Autoregressive(8), Autoregressive(8, "logistic"), BornMachine((2,) * 7)], ids=str)
def test_training_by_samples_counts_what_it_evaluates(model: Model, rng: np.random.Generator) -> None:
    costs = np.add.outer(np.arange(16.0), np.arange(16.0)).ravel()  # lowest at zeros
    tally = Tally(TableProblem(costs), 150, rng)
    runs = list(restarts(model, tally, rng, Training(steps=300)))
    assert tally.trace("model").distinct == 150
    best = min(runs, key=lambda run: run.mean)
    first, last = (model.probabilities(rows) @ costs for rows in (model.initial(50, rng), best.parameters[None]))
    assert last[0] < np.quantile(first, 0.1)


def test_what_cannot_be_a_model_is_refused() -> None:
    with pytest.raises(QhnError, match="link must be logistic or angle, got 'probit'"):
        Autoregressive(3, "probit")  # type: ignore[arg-type]
    with pytest.raises(QhnError, match="at least 1"):
        BornMachine((2, 0))
    with pytest.raises(QhnError, match=r"parameters must have shape \[B, 16\], got \[3, 15\]"):
        BornMachine((2, 2)).probabilities(np.zeros((3, 15)))
    with pytest.raises(QhnError, match="shots must be at least 2"):
        Training(shots=1)
