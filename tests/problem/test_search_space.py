from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, softmax

import reference
from qhn import bitstrings
from qhn.config.file import load_problem, presets
from qhn.problem.network import Network, load_network
from qhn.problem.search_space import SearchSpace

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


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh", "sign"])
@pytest.mark.parametrize("sizes", [(3, 4, 2, 1), (2, 3, 3, 2, 4), (3, 5), (4, 3, 3), (70, 2, 3)])
def test_any_depth_and_any_number_of_classes_equal_a_loop_over_units(
    sizes: tuple[int, ...], activation: str, rng: np.random.Generator
) -> None:
    hidden, classes = tuple((width,) for width in sizes[1:-1]), max(2, sizes[-1])
    if not hidden:
        activation = "sigmoid"
    space = SearchSpace(sizes[0], hidden, activations=(activation,), num_classes=classes)
    bits = rng.integers(0, 2, (15, space.num_qubits), dtype=np.uint8)
    bits[7, :-1] = bits[3, :-1]  # two networks that share their first layers
    x = rng.normal(size=(6, sizes[0]))
    sums = np.array([[reference.network_sums(b.tolist(), s.tolist(), sizes, activation) for s in x] for b in bits])
    expected = sums if classes > 2 else sums[..., 0]
    np.testing.assert_allclose(space.forward(bits, x), expected, rtol=0, atol=1e-12)
    probabilities = softmax(sums, axis=-1) if classes > 2 else expit(sums * [-1, 1])
    np.testing.assert_allclose(space.probabilities(bits, x), probabilities, rtol=0, atol=1e-14)
    for row, sum_, chance in zip(bits, sums, probabilities, strict=True):
        network = space.decode(row)
        assert network.shape == "-".join(map(str, sizes))
        np.testing.assert_allclose(network.probabilities(x), chance, rtol=0, atol=1e-14)
        predicted = sum_.argmax(axis=-1) if classes > 2 else (sum_[:, 0] > 0)
        np.testing.assert_array_equal(network.predict(x), predicted)


@pytest.mark.parametrize("qubit_order", ["forward", "reversed"])
@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("bias", [(False,), (False, True)])
def test_everything_searched_in_several_layers_equals_each_decoded_network(
    qubit_order: str, num_classes: int, bias: tuple[bool, ...], rng: np.random.Generator
) -> None:
    alphabets = ((0.0, 1.0), (-3.0, 1.0))
    hidden = ((1, 2), (3,), (1, 2, 3, 4))
    space = SearchSpace(3, hidden, alphabets, bias, ("relu", "tanh"), qubit_order, num_classes)
    bits = rng.integers(0, 2, (300, space.num_qubits), dtype=np.uint8)
    x = rng.normal(size=(5, 3))
    networks = [space.decode(row) for row in bits]
    assert {n.shape for n in networks} == {
        f"3-{a}-3-{b}-{num_classes % 2 * 2 + 1}" for a in (1, 2) for b in (1, 2, 3, 4)
    }
    np.testing.assert_allclose(space.output(bits, x), [n.output(x) for n in networks], rtol=0, atol=1e-12)
    np.testing.assert_allclose(space.probabilities(bits, x), [n.probabilities(x) for n in networks], atol=1e-12)
    np.testing.assert_allclose(space.probabilities(bits, x).sum(axis=-1), 1, rtol=1e-14)


@pytest.mark.parametrize("hidden", [((2, 3), (2,)), ((2,), (1, 2))])
def test_one_layer_of_several_may_be_searched(hidden: tuple, rng: np.random.Generator) -> None:
    space = SearchSpace(2, hidden)
    bits, x = rng.integers(0, 2, (20, space.num_qubits), dtype=np.uint8), rng.normal(size=(5, 2))
    outputs = [space.decode(row).output(x) for row in bits]
    np.testing.assert_allclose(space.output(bits, x), outputs, rtol=1e-12)
    assert [f.name for f in space.fields][-1] == "choice of width"
    searched = 1 + (len(hidden[1]) > 1)
    widths = [int(space.decode(row).shape.split("-")[searched]) for row in bits]
    assert widths == [hidden[searched - 1][row[-1]] for row in bits]


def test_fields_of_a_deep_network_with_several_classes() -> None:
    space = SearchSpace(5, hidden=((2, 4), (3,)), num_classes=3)
    fields = {f.name: (f.start, f.num_bits, f.meaning.split(", in")[0]) for f in space.fields}
    assert fields == {
        "weights 1": (0, 20, "input i → hidden 1.k at bit i·4 + k"),
        "weights 2": (20, 12, "hidden 1.i → hidden 2.k at bit i·3 + k"),
        "weights 3": (32, 9, "hidden 2.k → output c at bit k·3 + c"),
        "bias 3": (41, 3, "output c"),
        "bias 2": (44, 3, "hidden 2.k"),
        "bias 1": (47, 4, "hidden 1.k"),
        "choice of width": (51, 1, "0 → 2, 1 → 4"),
    }
    both = SearchSpace(5, hidden=((2, 4), (1, 3)))
    assert [f.name for f in both.fields][-2:] == ["choice of width 1", "choice of width 2"]
    assert [f.meaning.split(", in")[0] for f in SearchSpace(4, num_classes=3).fields] == [
        "input i → output c at bit i·3 + c",
        "output c",
    ]


def test_the_meaning_of_a_single_layer_is_as_ever() -> None:
    assert SearchSpace(2, hidden=((3,),)).fields == SearchSpace(2, hidden=(3,)).fields
    assert load_problem("gaussian-width").space.summary().splitlines() == [
        "15 qubits, 2^15 = 32,768 networks",
        "  qubit 0…5      weights 1              input i → hidden k at bit i·3 + k, in {-1, 1}",
        "  qubit 6…8      weights 2              hidden k → output, in {-1, 1}",
        "  qubit 9        bias 2                 output, in {-1, 1}",
        "  qubit 10…12    bias 1                 hidden k, in {-1, 1}",
        "  qubit 13       choice of activation   0 → sigmoid, 1 → relu",
        "  qubit 14       choice of width        0 → 2, 1 → 3",
    ]


def test_an_output_that_is_no_probability_is_clipped() -> None:
    space = SearchSpace(1, activations=("relu",))
    bits, x = np.array([[1, 1], [0, 1]], dtype=np.uint8), np.array([[-0.25], [3.0]])
    np.testing.assert_array_equal(space.output(bits, x), [[0.75, 4], [1.25, 0]])
    np.testing.assert_array_equal(space.probabilities(bits, x)[..., 1], [[0.75, 1], [1, 0]])
    np.testing.assert_array_equal(space.decode(bits[0]).probabilities(x), [[0.25, 0.75], [0, 1]])


def test_reversed_order_is_the_same_space_read_backwards(rng: np.random.Generator) -> None:
    forward, backward = SearchSpace(3, (2,)), SearchSpace(3, (2,), qubit_order="reversed")
    bits = rng.integers(0, 2, (20, forward.num_qubits), dtype=np.uint8)
    x = rng.normal(size=(4, 3))
    np.testing.assert_array_equal(forward.output(bits, x), backward.output(bits[:, ::-1], x))


def test_fields_of_the_presets_as_in_the_paper() -> None:
    sizes = {name: load_problem(name).num_qubits for name in presets()}
    assert sizes == {
        "digits-8x8": 65,
        "digits-8x8-four": 211,
        "figure-1": 4,
        "gaussian-activation": 14,
        "gaussian-width": 15,
        "labs-13": 13,
        "maxcut-16": 16,
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
        SearchSpace(2, ((2, 3, 4),))
    with pytest.raises(ValueError, match="different options"):
        SearchSpace(2, activations=("relu", "relu"))
    with pytest.raises(ValueError, match="ascending"):
        SearchSpace(2, ((3, 2),))
    with pytest.raises(ValueError, match="two different numbers"):
        SearchSpace(2, alphabets=((1.0, 1.0),))
    with pytest.raises(ValueError, match="one of sigmoid"):
        SearchSpace(2, activations=("softmax",))
    with pytest.raises(ValueError, match="power of two, got 0"):
        SearchSpace(2, ((2,), ()))
    with pytest.raises(ValueError, match="num_classes must be at least 2"):
        SearchSpace(2, num_classes=1)
    with pytest.raises(ValueError, match="the output is a softmax"):
        SearchSpace(2, activations=("relu",), num_classes=3)
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
        "output near 0: class 0; near 1: class 1",
    ]


def test_a_network_of_several_classes_is_saved_and_described(tmp_path: Path, rng: np.random.Generator) -> None:
    space = SearchSpace(2, hidden=((2,), (1,)), activations=("tanh",), num_classes=3)
    network = replace(space.decode([1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1]), classes=np.array(["a", "b", "c"]))
    assert network.describe().splitlines() == [
        "2-2-1-3 network, tanh activation, weights in {-1, +1}",
        "h1.1 = tanh(+x1 -x2 -1)",
        "h1.2 = tanh(-x1 +x2 +1)",
        "h2.1 = tanh(+h1.1 +h1.2 +1)",
        "z[a] = +h2.1 +1",
        "z[b] = -h2.1 +1",
        "z[c] = +h2.1 -1",
        "probability of class c = exp(z[c]) / sum of all exp(z)",
    ]
    network.save(tmp_path / "n.npz")
    again = load_network(tmp_path / "n.npz")
    x = rng.normal(size=(4, 5, 2))
    np.testing.assert_array_equal(again.probabilities(x), network.probabilities(x))
    assert again.probabilities(x).shape == (4, 5, 3)
    assert again.predict(x).shape == (4, 5)
    assert set(again.predict(x).ravel()) <= {"a", "b", "c"}
    assert str(again.predict([1.0, 0.0])) in "abc"
    assert again.describe() == network.describe()
    assert SearchSpace(2, num_classes=3).decode([1] * 9).describe().splitlines()[:2] == [
        "2-3 network, softmax output, weights in {-1, +1}",
        "z[0] = +x1 +x2 +1",
    ]


@pytest.mark.parametrize("hidden", [(), (3,), ((2,), (2,))])
def test_a_network_that_chose_no_bias_is_that_of_the_space_without(hidden: tuple, rng: np.random.Generator) -> None:
    """Where the bias is searched, one qubit decides; bits of biases then change nothing, or stand for the biases."""
    searched, without, always = (SearchSpace(3, hidden, bias=bias) for bias in ((False, True), (False,), (True,)))
    x = rng.normal(size=(5, 3))
    places = {f.name: f for f in searched.fields}
    choice = places["choice of bias"]
    bits = rng.integers(0, 2, (40, searched.num_qubits), dtype=np.uint8)
    weights = np.concatenate([bits[:, f.slice] for name, f in places.items() if name.startswith("weights")], axis=1)
    rest = np.concatenate([bits[:, f.slice] for name, f in places.items() if not name.startswith("choice")], axis=1)
    bits[:, choice.slice] = 0
    np.testing.assert_allclose(searched.output(bits, x), without.output(weights, x), rtol=1e-12)
    bits[:, choice.slice] = 1
    np.testing.assert_allclose(searched.output(bits, x), always.output(rest, x), rtol=1e-12)
    assert not np.allclose(searched.output(bits, x), without.output(weights, x))


@pytest.mark.parametrize("alphabet", [(1.0, np.inf), (np.nan, 1.0), (1.0, 1.0), (1.0, 2.0, 3.0)])
def test_an_alphabet_is_of_two_different_numbers(alphabet: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"two different numbers|must be a finite number"):
        SearchSpace(2, alphabets=(alphabet,))  # type: ignore[arg-type]


@pytest.mark.parametrize("qubit_order", ["forward", "reversed"])
@pytest.mark.parametrize("bias", [(True,), (False,), (False, True)])
def test_groups_of_qubits_act_apart(qubit_order: str, bias: tuple[bool, ...], rng: np.random.Generator) -> None:
    """What the output sums up is a sum over groups, once the choices are made: so costs can be tabulated."""
    space = SearchSpace(2, hidden=(3,), bias=bias, qubit_order=qubit_order)  # type: ignore[arg-type]
    groups = space.additive_groups()
    assert groups is not None
    qubits = [qubit for group in groups for qubit in group] + list(space.choice_qubits)
    assert sorted(qubits) == list(range(space.num_qubits))
    x, (one, other) = rng.normal(size=(5, 2)), rng.integers(0, 2, (2, space.num_qubits), dtype=np.uint8)
    other[list(space.choice_qubits)] = one[list(space.choice_qubits)]

    def changed(*chosen: tuple[int, ...]) -> np.ndarray:
        bits = one.copy()
        for group in chosen:
            bits[list(group)] = other[list(group)]
        return space.forward(bits[None], x) - space.forward(one[None], x)

    np.testing.assert_allclose(changed(*groups), sum(changed(group) for group in groups), atol=1e-12)
