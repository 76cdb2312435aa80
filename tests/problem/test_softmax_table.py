from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qhn import bitstrings
from qhn.problem import softmax_table
from qhn.problem.cost import BinnProblem
from qhn.problem.datasets import Dataset
from qhn.problem.landscape import enumerate_costs
from qhn.problem.search_space import SearchSpace

SPACES = {
    "three classes": SearchSpace(2, num_classes=3),
    "four classes": SearchSpace(2, num_classes=4),
    "five classes without bias": SearchSpace(2, num_classes=5, bias=(False,)),
    "reversed": SearchSpace(2, num_classes=3, qubit_order="reversed"),
    "searched": SearchSpace(2, num_classes=3, bias=(True, False), alphabets=((-1.0, 1.0), (-3.0, 0.5))),
}


def data_of(space: SearchSpace, rng: np.random.Generator) -> Dataset:
    """Samples of which the first two features tell something of the class."""
    y = rng.integers(0, space.num_classes, 150)
    x = rng.normal(size=(150, space.num_inputs)) + y[:, None] - 1.0
    names = tuple(f"x {j}" for j in range(space.num_inputs))
    zero = np.zeros(space.num_inputs)
    return Dataset(x, y.astype(float), x[:0], y[:0] * 1.0, np.arange(space.num_classes), names, zero, zero + 1.0)


def everything(problem: BinnProblem) -> np.ndarray:
    return problem.cost(bitstrings.from_integers(np.arange(2**problem.num_qubits), problem.num_qubits))


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_table_is_the_cost_of_every_network(
    space: SearchSpace, loss: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for weights in (None, tuple(range(1, space.num_classes + 1))):
        problem = BinnProblem(space, data_of(space, rng), loss, weights)  # type: ignore[arg-type]
        expected = everything(problem)
        np.testing.assert_allclose(problem.table_of_costs(), expected, rtol=1e-11)
        with monkeypatch.context() as patch:  # samples and patterns in many parts
            for name, size in (("TABLE", 2**7), ("SAMPLES", 5), ("ROWS", 7)):
                patch.setattr(softmax_table, name, size)
            np.testing.assert_allclose(problem.table_of_costs(), expected, rtol=1e-11)


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_large_logits_stay_numbers(loss: str, rng: np.random.Generator) -> None:
    space = SPACES["three classes"]
    data = data_of(space, rng)
    largest = space.largest_logits(data.x).max()
    for size in (20.0, 0.99 * softmax_table.LARGEST):
        problem = BinnProblem(space, replace(data, x=data.x * size / largest), loss)  # type: ignore[arg-type]
        np.testing.assert_allclose(problem.table_of_costs(), everything(problem), rtol=1e-11, atol=1e-13)
    huge = BinnProblem(space, replace(data, x=1e4 * data.x), loss)  # type: ignore[arg-type]
    assert huge.table_of_costs() is None
    assert np.isfinite(enumerate_costs(huge)).all()


def test_costs_do_not_depend_on_the_number_of_threads(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = SPACES["four classes"]
    data = data_of(space, rng)
    for loss in ("mse", "cross-entropy"):
        found = []
        for cores in (1, 3):
            monkeypatch.setattr(softmax_table, "num_cores", lambda cores=cores: cores)
            found.append(BinnProblem(space, data, loss).table_of_costs())  # type: ignore[arg-type]
        np.testing.assert_array_equal(*found)


def test_outputs_behind_a_hidden_layer_are_left_to_the_general_path(rng: np.random.Generator) -> None:
    space = SearchSpace(2, hidden=(1,), num_classes=3)
    assert space.output_groups() is None
    assert BinnProblem(space, data_of(space, rng)).table_of_costs() is None


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_groups_and_choices_are_all_qubits_once(space: SearchSpace) -> None:
    groups = space.output_groups()
    assert groups is not None
    qubits = [qubit for group in groups for qubit in group] + list(space.choice_qubits)
    assert sorted(qubits) == list(range(space.num_qubits))
