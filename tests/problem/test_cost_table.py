from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qhn import bitstrings
from qhn.problem import cost
from qhn.problem import cost_table as costtable
from qhn.problem.built_in_data import gaussian_mixture
from qhn.problem.cost import BinnProblem
from qhn.problem.cost_table import Orbits
from qhn.problem.datasets import Dataset
from qhn.problem.landscape import enumerate_costs
from qhn.problem.search_space import SearchSpace

DATA = gaussian_mixture(300, validation_samples=0)
FEATURES = np.random.default_rng(2).normal(size=(300, 8))
SPACES = {
    "hidden": SearchSpace(2, hidden=(2,), activations=("sigmoid", "relu")),
    "three units": SearchSpace(2, hidden=(3,)),
    "width": SearchSpace(2, hidden=((1, 2),), activations=("tanh", "sign")),
    "bias": SearchSpace(2, hidden=(2,), bias=(False, True)),
    "no bias": SearchSpace(2, hidden=(3,), bias=(False,)),
    "alphabets": SearchSpace(2, hidden=(2,), alphabets=((-1.0, 1.0), (0.0, 1.0), (-3.0, 1.0), (-2.0, 0.5))),
    "logistic": SearchSpace(2, alphabets=((-1.0, 1.0), (-3.0, 1.0))),
    "symmetric logistic": SearchSpace(6, alphabets=((-1.5, 1.5), (2.0, -2.0)), bias=(False, True)),
    "no symmetry": SearchSpace(3, alphabets=((-3.0, 1.0),)),
    "asymmetric units": SearchSpace(2, hidden=(3,), alphabets=((-3.0, 1.0),), activations=("relu",)),
    "units without a bias": SearchSpace(2, hidden=(3,), bias=(False,), activations=("tanh",)),
    "searched widths": SearchSpace(1, hidden=((1, 2, 3, 4),), bias=(False, True), activations=("sigmoid", "relu")),
    "reversed": SearchSpace(2, hidden=(2,), activations=("sigmoid", "relu"), qubit_order="reversed"),
}


def data_of(space: SearchSpace) -> Dataset:
    """Samples with as many features as the networks have inputs."""
    return replace(DATA, x=np.hstack([DATA.x, FEATURES])[:, : space.num_inputs])


def everything(problem: BinnProblem) -> np.ndarray:
    return problem.cost(bitstrings.from_integers(np.arange(2**problem.num_qubits), problem.num_qubits))


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_table_is_the_cost_of_every_network(space: SearchSpace, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = BinnProblem(space, data_of(space), loss)  # type: ignore[arg-type]
    expected = everything(problem)
    table = problem.table_of_costs()
    assert table is not None
    np.testing.assert_allclose(table, expected, rtol=1e-12)
    monkeypatch.setattr(costtable, "TABLE", 2**5)  # samples in many parts
    monkeypatch.setattr(costtable, "SAMPLES", 16)
    monkeypatch.setattr(costtable, "NETWORKS", 2**6)
    np.testing.assert_allclose(problem.table_of_costs(), expected, rtol=1e-12)


def test_costs_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = BinnProblem(SearchSpace(2, hidden=(3,)), DATA)
    monkeypatch.setattr(costtable, "SPANS", 4)
    monkeypatch.setattr(cost, "BLOCK", 9000)
    found = []
    for cores in (1, 3):
        for module in (cost, costtable):
            monkeypatch.setattr(module, "num_cores", lambda cores=cores: cores)
        found.append((everything(problem), problem.table_of_costs()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_groups_and_choices_are_all_qubits_once(space: SearchSpace) -> None:
    qubits = [qubit for group in space.additive_groups() for qubit in group] + list(space.choice_qubits)
    assert sorted(qubits) == list(range(space.num_qubits))


def orbits_of(space: SearchSpace, choice: int = 0) -> Orbits:
    halves = costtable._split(space.additive_groups())
    return Orbits.of(halves, space.symmetries(bitstrings.from_integers(choice, space.num_qubits)))


def count(orbits: Orbits) -> int:
    return int((orbits.spans[:, 2] - orbits.spans[:, 1]).sum())


def test_networks_that_follow_from_others_are_not_computed() -> None:
    assert count(orbits_of(SPACES["hidden"])) == 16 * 17 // 2  # two of 16 units in any order, and the sign
    assert count(orbits_of(SearchSpace(2, hidden=(3,)))) == 16 * 17 * 18 // 6
    assert count(orbits_of(SearchSpace(2, hidden=(3,), alphabets=((-3.0, 1.0),)))) == 2 * 16 * 17 * 18 // 6
    assert count(orbits_of(SearchSpace(6))) == 2**6
    assert count(orbits_of(SPACES["no symmetry"])) == 2**4
    assert count(orbits_of(SPACES["bias"])) == 20  # without biases: two of eight units, some of which are opposite
    assert count(orbits_of(SearchSpace(2, hidden=(3,), bias=(False,)))) == 8 * 9 * 10 // 6 // 2


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_symmetries_change_no_logit_but_its_sign(space: SearchSpace, rng: np.random.Generator) -> None:
    x = data_of(space).x
    bits = rng.integers(0, 2, (20, space.num_qubits), dtype=np.uint8)
    for row in bits:
        found = space.symmetries(row)
        logits = space.forward(row[None], x)[0]
        changed = row.copy()
        for unit in found.units[1:]:
            changed[list(unit)], changed[list(found.units[0])] = changed[list(found.units[0])], changed[list(unit)]
        changed[list(found.idle)] ^= 1
        np.testing.assert_allclose(space.forward(changed[None], x)[0], logits, atol=1e-12)
        low, high = space.decode(row).alphabet
        assert bool(found.signs) == (low == -high)
        if found.signs:
            changed[list(found.signs)] ^= 1
            np.testing.assert_allclose(space.forward(changed[None], x)[0], -logits, atol=1e-12)


def test_products_of_large_sums_stay_numbers() -> None:
    large = replace(DATA, x=40 * DATA.x)  # e^z of one sample near e^200: few samples share a logarithm
    problem = BinnProblem(SearchSpace(2, hidden=(), alphabets=((-1.0, 1.0),)), large, "cross-entropy")
    np.testing.assert_allclose(problem.table_of_costs(), everything(problem), rtol=1e-12)
    mixed = replace(large, x=large.x * np.linspace(1e-3, 1, len(large.y))[:, None])
    problem = BinnProblem(SearchSpace(2, hidden=()), mixed, "cross-entropy")
    np.testing.assert_allclose(problem.table_of_costs(), everything(problem), rtol=1e-12)


def test_what_has_no_such_structure_is_left_to_the_general_path() -> None:
    assert BinnProblem(SearchSpace(2, activations=("sigmoid", "relu")), DATA).table_of_costs() is None
    assert BinnProblem(SearchSpace(2, hidden=(1,), alphabets=((0.0, 1.0),)), DATA).table_of_costs() is not None
    deep = SearchSpace(2, hidden=((2,), (1,)))
    assert deep.additive_groups() is None
    assert BinnProblem(deep, DATA).table_of_costs() is None
    three = replace(DATA, y=np.arange(len(DATA.y)) % 3.0, classes=np.arange(3))
    problem = BinnProblem(SearchSpace(2, hidden=(1,), num_classes=3), three, "cross-entropy")
    assert problem.table_of_costs() is None
    np.testing.assert_array_equal(enumerate_costs(problem), everything(problem))
    wide = replace(DATA, x=np.tile(DATA.x, 4))
    assert BinnProblem(SearchSpace(8, hidden=(1,)), wide).table_of_costs() is None  # nearly all bits in one unit
    huge = replace(DATA, x=1e4 * DATA.x)
    problem = BinnProblem(SearchSpace(2), huge)
    assert problem.table_of_costs() is None
    assert np.isfinite(enumerate_costs(problem)).all()


def test_enumeration_takes_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = BinnProblem(SearchSpace(2, hidden=(3,)), DATA)
    assert problem.num_qubits == 13
    monkeypatch.setattr(BinnProblem, "cost", None)
    assert enumerate_costs(problem).shape == (2**13,)


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_costs_on_many_samples_are_read_from_the_table(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space = SPACES["hidden"]
    data = data_of(space)
    expected = everything(BinnProblem(space, data, loss))  # type: ignore[arg-type]
    monkeypatch.setattr(cost, "MANY_SAMPLES", len(data.y))
    problem = BinnProblem(space, data, loss)  # type: ignore[arg-type]
    monkeypatch.setattr(BinnProblem, "_losses", None)
    np.testing.assert_allclose(everything(problem), expected, rtol=1e-12)
    np.testing.assert_array_equal(enumerate_costs(problem), everything(problem))
    assert problem.cost(np.zeros((2, 3, problem.num_qubits), dtype=np.uint8)).shape == (2, 3)
    with pytest.raises(ValueError, match="must have shape"):
        problem.cost(np.zeros(3, dtype=np.uint8))


def test_the_costs_on_many_held_out_samples_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = replace(DATA, x_validation=DATA.x, y_validation=DATA.y)
    monkeypatch.setattr(cost, "MANY_SAMPLES", len(DATA.y))
    problem = BinnProblem(SPACES["hidden"], data)
    assert problem.validation is problem.held_out
    expected = everything(problem)
    assert problem.validation is not None
    np.testing.assert_array_equal(everything(problem.validation), expected)
    monkeypatch.setattr(BinnProblem, "_tabulated", None)
    assert problem.validation is not None
    np.testing.assert_array_equal(everything(problem.validation), expected)


@pytest.mark.parametrize(("limit", "value"), [("TABLE_QUBITS", 8), ("MOST_LOSSES", 2.0**12), ("MANY_SAMPLES", 301)])
def test_costs_are_computed_one_by_one_where_that_is_less(
    limit: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "MANY_SAMPLES", len(DATA.y))
    monkeypatch.setattr(cost, limit, value)
    problem = BinnProblem(SPACES["hidden"], DATA)
    monkeypatch.setattr(BinnProblem, "_tabulated", None)
    assert np.isfinite(problem.cost(np.zeros(problem.num_qubits, dtype=np.uint8)))


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("classes", [2, 3])
def test_equal_rows_are_summed_once(loss: str, classes: int, rng: np.random.Generator) -> None:
    """Tables of categories: the sums over different rows with their numbers are those over all rows."""
    for space in (SearchSpace(4, num_classes=classes), SearchSpace(2, hidden=(2,), num_classes=classes)):
        x = rng.integers(0, 2, (3000, space.num_inputs)).astype(float)
        y = rng.integers(0, classes, len(x)).astype(float)
        data = replace(DATA, x=x, y=y, x_validation=x[:900], y_validation=y[:900], classes=np.arange(classes))
        apart = replace(data, x=x + 1e-15 * rng.random(x.shape), x_validation=x[:900] + 1e-15 * rng.random((900, 1)))
        weights = (1, 20, 3)[:classes]
        few, many = (BinnProblem(space, found, loss, weights) for found in (data, apart))  # type: ignore[arg-type]
        assert len(few.samples) <= 2**space.num_inputs * classes < len(many.samples) == 3000
        bits = rng.integers(0, 2, (50, space.num_qubits), dtype=np.uint8)
        np.testing.assert_allclose(few.cost(bits), many.cost(bits), rtol=1e-12)
        np.testing.assert_allclose(few.validation_cost(bits), many.validation_cost(bits), rtol=1e-12)
        np.testing.assert_allclose(enumerate_costs(few)[bitstrings.to_integers(bits)], many.cost(bits), rtol=1e-12)
        output = space.output(bits, x)
        right = (output > 0.5 if classes == 2 else output.argmax(axis=-1)) == y
        for found, part in zip(few.accuracy(bits), (right, right[:, :900]), strict=True):
            np.testing.assert_allclose(found, part.mean(axis=1), rtol=1e-14)
