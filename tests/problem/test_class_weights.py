from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from qhn import bitstrings
from qhn.baseline.straight_through import Family
from qhn.problem.class_weights import weights_of_classes
from qhn.problem.cost import BinnProblem
from qhn.problem.datasets import Dataset
from qhn.problem.landscape import cost_range, enumerate_costs
from qhn.problem.search_space import SearchSpace

SPACES = {
    "logistic": SearchSpace(3),
    "logistic, enumerated from a table": SearchSpace(3, alphabets=((-1.0, 1.0), (-3.0, 1.0))),
    "symmetric": SearchSpace(10),
    "hidden": SearchSpace(3, hidden=(2,), activations=("tanh",)),
    "two layers": SearchSpace(2, hidden=(2, 1)),
    "reversed": SearchSpace(3, hidden=(2,), qubit_order="reversed"),
    "several classes": SearchSpace(2, num_classes=4),
    "several classes, hidden": SearchSpace(2, hidden=(1,), num_classes=3),
}  # fmt: skip


def data_of(space: SearchSpace, rng: np.random.Generator, samples: int = 90) -> Dataset:
    """Samples of classes of different sizes, as many features as the networks have inputs."""
    x, held_out = (rng.normal(size=(count, space.num_inputs)) for count in (samples, 40))
    shares = np.arange(1.0, space.num_classes + 1)
    shares /= shares.sum()
    y, other = (rng.choice(space.num_classes, len(part), p=shares).astype(float) for part in (x, held_out))
    names = tuple(f"x {j}" for j in range(space.num_inputs))
    zero = np.zeros(space.num_inputs)
    return Dataset(x, y, held_out, other, np.arange(space.num_classes), names, zero, zero + 1.0)


def repeated(data: Dataset, times: tuple[int, ...]) -> Dataset:
    """The data with every sample as often as its class says."""
    often, held_out = (np.array(times)[y.astype(int)] for y in (data.y, data.y_validation))
    return replace(
        data,
        x=np.repeat(data.x, often, axis=0),
        y=np.repeat(data.y, often),
        x_validation=np.repeat(data.x_validation, held_out, axis=0),
        y_validation=np.repeat(data.y_validation, held_out),
    )


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_weight_of_two_is_every_sample_twice(space: SearchSpace, loss: Any, rng: np.random.Generator) -> None:
    data, times = data_of(space, rng), (3, 1, 2, 5)[: space.num_classes]
    weighted, plain = BinnProblem(space, data, loss, times), BinnProblem(space, repeated(data, times), loss)
    bits = rng.integers(0, 2, (200, space.num_qubits), dtype=np.uint8)
    np.testing.assert_allclose(weighted.cost(bits), plain.cost(bits), rtol=1e-12)
    np.testing.assert_allclose(weighted.validation_cost(bits), plain.validation_cost(bits), rtol=1e-12)
    np.testing.assert_array_equal(weighted.held_out.cost(bits), weighted.validation_cost(bits))
    np.testing.assert_allclose(enumerate_costs(weighted), enumerate_costs(plain), rtol=1e-12)
    np.testing.assert_allclose(enumerate_costs(weighted)[bitstrings.to_integers(bits)], plain.cost(bits), rtol=1e-12)
    np.testing.assert_allclose(weighted.cost_range, plain.cost_range, rtol=1e-12)
    np.testing.assert_allclose(cost_range(weighted), cost_range(plain), rtol=1e-12)
    family = Family.of(space, bits[0])
    gradients = [family.gradient(problem, bits[:20]) for problem in (weighted, plain)]
    np.testing.assert_allclose(*gradients, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_weighted_mean_by_its_definition(classes: int, rng: np.random.Generator) -> None:
    space = SearchSpace(2, hidden=(1,), num_classes=classes)
    data = data_of(space, rng)
    weights = dict(enumerate([0.3, 7.5, 1.25][:classes]))
    problem = BinnProblem(space, data, "cross-entropy", weights)
    bits = rng.integers(0, 2, (10, space.num_qubits), dtype=np.uint8)
    for part, x, y in (("cost", data.x, data.y), ("validation_cost", data.x_validation, data.y_validation)):
        chosen = np.take_along_axis(space.probabilities(bits, x), y.astype(int)[None, :, None], axis=2)[..., 0]
        of_samples = np.array([weights[int(label)] for label in y])
        expected = (-np.log(chosen) * of_samples).sum(axis=1) / of_samples.sum()
        np.testing.assert_allclose(getattr(problem, part)(bits), expected, rtol=1e-12)


def test_balanced_weights_are_those_of_scikit_learn_on_the_training_part(rng: np.random.Generator) -> None:
    for classes in (2, 5):
        space = SearchSpace(2, num_classes=classes)
        data = data_of(space, rng)
        problem = BinnProblem(space, data, "mse", "balanced")
        expected = compute_class_weight("balanced", classes=np.arange(classes), y=data.y)
        np.testing.assert_allclose(problem.class_weights, expected, rtol=1e-15)
        assert problem.held_out.class_weights == problem.class_weights


def test_weights_scale_out_and_large_ones_stay_numbers(rng: np.random.Generator) -> None:
    space = SPACES["hidden"]
    data = data_of(space, rng)
    bits = rng.integers(0, 2, (10, space.num_qubits), dtype=np.uint8)
    expected = BinnProblem(space, data, "mse", (1, 20)).cost(bits)
    np.testing.assert_allclose(BinnProblem(space, data, "mse", (1e306, 2e307)).cost(bits), expected, rtol=1e-12)
    np.testing.assert_array_equal(
        BinnProblem(space, data, "mse", (7.0, 7.0)).cost(bits), BinnProblem(space, data, "mse").cost(bits)
    )


def test_a_problem_without_weights_is_named_as_ever(rng: np.random.Generator) -> None:
    space = SPACES["logistic"]
    data = data_of(space, np.random.default_rng(1))
    plain, weighted = BinnProblem(space, data), BinnProblem(space, data, "mse", (1, 2))
    assert plain.class_weights is None
    assert plain.digest != weighted.digest
    assert weighted.digest == BinnProblem(space, data, "mse", {1: 2, 0: 1.0}).digest
    assert plain.loss_in_words() == "mse"
    assert weighted.loss_in_words() == "mse with weights of classes 0 1, 1 2"


@pytest.mark.parametrize(
    ("given", "classes", "message"),
    [
        ({"no": 1}, ["no", "yes"], "no weight of 'yes'; the classes are 'no', 'yes'"),
        ({"no": 1, "yes": 2, "maybe": 3}, ["no", "yes"], "names 'maybe', and the classes are 'no', 'yes'"),
        ({"no": 1, "yes": 0}, ["no", "yes"], "of 'yes' must be a finite number above 0, got 0"),
        ({"no": -1, "yes": 1}, ["no", "yes"], "of 'no' must be a finite number above 0, got -1"),
        ({"no": float("inf"), "yes": 1}, ["no", "yes"], "of 'no' must be a finite number above 0, got inf"),
        ({"no": float("nan"), "yes": 1}, ["no", "yes"], "of 'no' must be a finite number above 0, got nan"),
        ({"no": True, "yes": 1}, ["no", "yes"], "of 'no' must be a number above 0, got True"),
        ({"no": "3", "yes": 1}, ["no", "yes"], "of 'no' must be a number above 0, got '3'"),
        ({1: 2.0, "1": 3.0}, [1, 2], "two weights of '1'"),
        ({True: 2.0, False: 3.0}, [0, 1], "names 'True', and the classes are '0', '1'"),
        ([1.0], ["no", "yes"], "has 1 weights, and the classes are 'no', 'yes'"),
        ([1.0, -2.0], ["no", "yes"], "of 'yes' must be a finite number above 0, got -2.0"),
        (3.0, ["no", "yes"], "must be 'balanced', a weight of each class"),
        ("equal", ["no", "yes"], "must be 'balanced', a weight of each class"),
        (np.array(3.0), ["no", "yes"], "must be 'balanced', a weight of each class"),
        ("balanced", ["no", "yes", "maybe"], "there are none of 'maybe'"),
    ],
)
def test_weights_that_do_not_fit_are_refused(given: Any, classes: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weights_of_classes(given, np.array(classes), np.array([0.0, 1.0]))


@pytest.mark.parametrize("classes", [[False, True], [3, 7], [0.5, 1.0], ["no", "yes"]])
def test_labels_are_known_by_themselves_and_by_their_text(classes: list[Any]) -> None:
    array, y = np.array(classes), np.array([0.0, 1.0])
    for labels in (classes, list(array), [str(label) for label in classes]):
        assert weights_of_classes(dict(zip(labels, (2, 5), strict=True)), array, y) == (2.0, 5.0)
    assert weights_of_classes(np.array([2, 5]), array, y) == (2.0, 5.0)
