from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qhn import bitstrings
from qhn.problem import cost
from qhn.problem import cost_table as costtable
from qhn.problem.cost import BinnProblem
from qhn.problem.cost_table import Orbits, table_of_costs
from qhn.problem.datasets import Dataset, gaussian_mixture
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
    table = table_of_costs(problem)
    assert table is not None
    np.testing.assert_allclose(table, expected, rtol=1e-12)
    monkeypatch.setattr(costtable, "TABLE", 2**5)  # samples in many parts
    monkeypatch.setattr(costtable, "SAMPLES", 16)
    monkeypatch.setattr(costtable, "NETWORKS", 2**6)
    np.testing.assert_allclose(table_of_costs(problem), expected, rtol=1e-12)


def test_costs_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = BinnProblem(SearchSpace(2, hidden=(3,)), DATA)
    monkeypatch.setattr(costtable, "SPANS", 4)
    monkeypatch.setattr(cost, "BLOCK", 9000)
    found = []
    for cores in (1, 3):
        for module in (cost, costtable):
            monkeypatch.setattr(module, "num_cores", lambda cores=cores: cores)
        found.append((everything(problem), table_of_costs(problem)))
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
    np.testing.assert_allclose(table_of_costs(problem), everything(problem), rtol=1e-12)
    mixed = replace(large, x=large.x * np.linspace(1e-3, 1, len(large.y))[:, None])
    problem = BinnProblem(SearchSpace(2, hidden=()), mixed, "cross-entropy")
    np.testing.assert_allclose(table_of_costs(problem), everything(problem), rtol=1e-12)


def test_what_has_no_such_structure_is_left_to_the_general_path() -> None:
    assert table_of_costs(BinnProblem(SearchSpace(2, activations=("sigmoid", "relu")), DATA)) is None
    assert table_of_costs(BinnProblem(SearchSpace(2, hidden=(1,), alphabets=((0.0, 1.0),)), DATA)) is not None
    deep = SearchSpace(2, hidden=((2,), (1,)))
    assert deep.additive_groups() is None
    assert table_of_costs(BinnProblem(deep, DATA)) is None
    three = replace(DATA, y=np.arange(len(DATA.y)) % 3.0, classes=np.arange(3))
    problem = BinnProblem(SearchSpace(2, hidden=(1,), num_classes=3), three, "cross-entropy")
    assert table_of_costs(problem) is None
    np.testing.assert_array_equal(enumerate_costs(problem), everything(problem))
    wide = replace(DATA, x=np.tile(DATA.x, 4))
    assert table_of_costs(BinnProblem(SearchSpace(8, hidden=(1,)), wide)) is None  # nearly all bits in one unit
    huge = replace(DATA, x=1e4 * DATA.x)
    problem = BinnProblem(SearchSpace(2), huge)
    assert table_of_costs(problem) is None
    assert np.isfinite(enumerate_costs(problem)).all()


def test_enumeration_takes_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = BinnProblem(SearchSpace(2, hidden=(3,)), DATA)
    assert problem.num_qubits == 13
    monkeypatch.setattr(BinnProblem, "cost", None)
    assert enumerate_costs(problem).shape == (2**13,)
