from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

import reference
from qhn import bitstrings
from qhn.binn import SearchSpace
from qhn.configfile import load_problem, presets
from qhn.network import Network, load_network

TWO_THREE_ONE = SearchSpace(2, hidden=(3,), activations=("sigmoid", "relu"))


def test_outputs_equal_a_loop_written_from_the_definition(rng: np.random.Generator) -> None:
    bits = rng.integers(0, 2, (60, 14), dtype=np.uint8)
    x = rng.normal(size=(7, 2))
    expected = [[reference.network_output(b.tolist(), s.tolist()) for s in x] for b in bits]
    np.testing.assert_allclose(TWO_THREE_ONE.output(bits, x), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("qubit_order", ["forward", "reversed"])
@pytest.mark.parametrize("hidden", [(), (1,), (2, 3)])
@pytest.mark.parametrize("alphabets", [((-1.0, 1.0),), ((0.0, 1.0), (-1.0, 1.0), (-2.0, 1.0), (-3.0, 1.0))])
@pytest.mark.parametrize("bias", [(True,), (False,), (False, True)])
def test_batched_outputs_equal_those_of_each_decoded_network(
    qubit_order: str, hidden: tuple[int, ...], alphabets: tuple, bias: tuple[bool, ...], rng: np.random.Generator
) -> None:
    space = SearchSpace(3, hidden, alphabets, bias, ("relu", "sigmoid", "tanh", "sign"), qubit_order)
    bits = rng.integers(0, 2, (200, space.num_qubits), dtype=np.uint8)
    x = rng.normal(size=(5, 3))
    expected = [space.decode(row).output(x) for row in bits]
    np.testing.assert_allclose(space.output(bits, x), expected, rtol=0, atol=1e-12)


def test_reversed_order_is_the_same_space_read_backwards(rng: np.random.Generator) -> None:
    forward, backward = SearchSpace(3, (2,)), SearchSpace(3, (2,), qubit_order="reversed")
    bits = rng.integers(0, 2, (20, forward.num_qubits), dtype=np.uint8)
    x = rng.normal(size=(4, 3))
    np.testing.assert_array_equal(forward.output(bits, x), backward.output(bits[:, ::-1], x))


def test_fields_of_the_presets_as_in_the_paper() -> None:
    sizes = {name: load_problem(name).num_qubits for name in presets()}
    assert sizes == {
        "figure-1": 4,
        "gaussian-activation": 14,
        "gaussian-width": 15,
        "mnist-01": 17,
        "mnist-01-published": 17,
        "mnist-37-encoding": 19,
    }
    fields = {f.name: (f.start, f.num_bits) for f in load_problem("gaussian-width").space.fields}
    assert fields == {
        "weights 1": (0, 6),
        "weights 2": (6, 3),
        "bias 2": (9, 1),
        "bias 1": (10, 3),
        "choice of activation": (13, 1),
        "choice of width": (14, 1),
    }
    assert load_problem("mnist-37-encoding").space.field_bits(bitstrings.from_integers(0b10, 19)) == {
        "weights 1": "0" * 16,
        "bias 1": "0",
        "choice of alphabet": "10",  # qubit 1 is its first, most significant bit in reversed order
    }


def test_choices_read_the_most_significant_bit_first() -> None:
    alphabets = ((0.0, 1.0), (-1.0, 1.0), (-2.0, 1.0), (-3.0, 1.0))
    space = SearchSpace(1, alphabets=alphabets)
    for index, choice in enumerate(product([0, 1], repeat=2)):
        assert space.decode([0, 0, *choice]).alphabet == alphabets[index]
    assert TWO_THREE_ONE.decode([0] * 14).activation == "sigmoid"
    assert TWO_THREE_ONE.decode([0] * 13 + [1]).activation == "relu"


def test_width_bit_zero_means_two_and_the_third_unit_is_ignored(rng: np.random.Generator) -> None:
    space = load_problem("gaussian-width").space
    bits = rng.integers(0, 2, (50, 15), dtype=np.uint8)
    bits[:, 14] = 0
    flipped = bits.copy()
    flipped[:, [2, 5, 8, 12]] ^= 1  # every bit of the third unit
    x = rng.normal(size=(6, 2))
    np.testing.assert_array_equal(space.output(bits, x), space.output(flipped, x))
    assert space.decode(bits[0]).shape == "2-2-1"
    bits[:, 14] = 1
    assert space.decode(bits[0]).shape == "2-3-1"
    assert not np.array_equal(space.output(bits, x), space.output(flipped, x))


def test_wrong_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match="power of two, got 3"):
        SearchSpace(2, (2, 3, 4))
    with pytest.raises(ValueError, match="different options"):
        SearchSpace(2, activations=("relu", "relu"))
    with pytest.raises(ValueError, match="ascending"):
        SearchSpace(2, (3, 2))
    with pytest.raises(ValueError, match="two different numbers"):
        SearchSpace(2, alphabets=((1.0, 1.0),))
    with pytest.raises(ValueError, match="one of sigmoid"):
        SearchSpace(2, activations=("softmax",))
    with pytest.raises(ValueError, match=r"shape \[14\]"):
        TWO_THREE_ONE.decode(np.zeros((2, 14), dtype=np.uint8))


def test_saved_network_predicts_as_before(tmp_path: Path, rng: np.random.Generator) -> None:
    problem = load_problem("mnist-37-encoding")
    network = problem.network(rng.integers(0, 2, 19, dtype=np.uint8))
    network.save(tmp_path / "n.npz")
    again = load_network(tmp_path / "n.npz")
    x = problem.dataset.x[::25]
    np.testing.assert_array_equal(network.output(x), again.output(x))
    assert set(again.predict(problem.dataset.x).tolist()) <= {3, 7}
    assert again.describe() == network.describe()
    with pytest.raises(ValueError, match="not a network"):
        load_network(bad(tmp_path / "bad.npz"))
    with pytest.raises(FileNotFoundError):
        load_network(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="missing values"):
        again.predict(np.full(16, np.nan))
    with pytest.raises(ValueError, match=r"shape \[..., 16\]"):
        again.predict([1.0, 2.0])


def bad(path: Path) -> Path:
    path.write_text("no archive")
    return path


def test_description_writes_the_network_as_formulas() -> None:
    network: Network = TWO_THREE_ONE.decode([1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1])
    assert network.describe().splitlines() == [
        "2-3-1 network, relu activation, weights in {-1, +1}",
        "h1 = relu(+x1 -x2 +1)",
        "h2 = relu(+x1 +x2 +1)",
        "h3 = relu(-x1 +x2 -1)",
        "output = sigmoid(+h1 +h2 -h3 -1)",
    ]
