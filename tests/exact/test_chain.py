"""Matrix product states: amplitudes against Qiskit and a plain contraction, shots, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

import reference
from qhn import bitstrings
from qhn.backend import open_backend
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork, product_state
from qhn.exact import chain as chain_module
from qhn.exact.chain import Chain
from qhn.exact.distribution import Distribution
from qhn.seeds import Key

ORDERS = ("eq5", "authors")
SHAPES = [(n, layers, order) for n in (1, 2, 3, 5, 8) for layers in range(5) for order in ORDERS]


def random_thetas(ansatz: Hypernetwork, rng: np.random.Generator, num: int = 2) -> np.ndarray:
    return rng.uniform(0, 2 * np.pi, (num, ansatz.num_parameters))


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), SHAPES)
def test_probabilities_are_those_of_qiskit(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas = random_thetas(ansatz, rng)
    everything = bitstrings.from_integers(np.tile(np.arange(2**num_qubits), (2, 1)), num_qubits)
    found = np.exp(Chain(ansatz).log_probabilities(thetas, everything))
    circuits = (reference.literal_circuit(num_qubits, num_layers, order, theta) for theta in thetas)
    np.testing.assert_allclose(found, [reference.probabilities(circuit) for circuit in circuits], atol=1e-14)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("num_qubits", [13, 14])
def test_cut_once_and_cut_into_pairs_are_the_same_state(num_qubits: int, order: str, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(num_qubits, 3, order)
    thetas = random_thetas(ansatz, rng)
    everything = bitstrings.from_integers(np.tile(np.arange(2**num_qubits), (2, 1)), num_qubits)
    found = np.exp(Chain(ansatz).log_probabilities(thetas, everything))
    np.testing.assert_allclose(found, Distribution(ansatz).probabilities(thetas), atol=1e-15)


@pytest.mark.parametrize(
    ("num_qubits", "num_layers", "order"), [(40, 1, "eq5"), (40, 2, "authors"), (41, 3, "eq5"), (41, 2, "eq5")]
)
def test_long_chains_are_the_plain_matrix_product(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    theta = random_thetas(ansatz, rng, 1)
    plain = reference.MatrixProduct(reference.literal_circuit(num_qubits, num_layers, order, theta[0]))
    chain = Chain(ansatz)
    bits = chain.sample(theta, 2 * chain_module.BLOCK + 50, np.random.default_rng(1))
    logs = chain.log_probabilities(theta, bits)[0]
    for shot in (0, 1, chain_module.BLOCK, len(logs) - 1):
        assert logs[shot] == pytest.approx(np.log(plain.probability(bits[0, shot])), abs=1e-9)
    for other in rng.integers(0, 2, (3, num_qubits), dtype=np.uint8):
        found = np.exp(chain.log_probabilities(theta, other[None, None])[0, 0])
        assert found == pytest.approx(plain.probability(other), rel=1e-6, abs=1e-25)


@pytest.mark.parametrize("backend", ["exact", "aer-mps"])
def test_marginals_of_40_qubits(backend: str, rng: np.random.Generator) -> None:
    """Of single qubits and of pairs, near and far, against the plain contraction."""
    ansatz = hypernetwork(40, 2)
    theta = rng.normal(0.4, 0.5, (1, ansatz.num_parameters))
    plain = reference.MatrixProduct(reference.literal_circuit(40, 2, "eq5", theta[0]))
    shots = 20_000 if backend == "exact" else 1000
    bits = open_backend(backend).compile(ansatz).sample(theta, shots, Key(3)).bits[0]
    groups = [(q,) for q in range(40)] + [(q, q + 1) for q in range(39)] + [(0, 39), (5, 9), (12, 20)]
    for group in groups:
        probabilities = plain.marginal(group)
        counts = np.bincount(bitstrings.to_integers(bits[:, list(group)]), minlength=len(probabilities))
        assert np.all(
            np.abs(counts - shots * probabilities) < 5 * np.sqrt(shots * probabilities * (1 - probabilities)) + 1e-6
        ), group


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), [(5, 2, "eq5"), (6, 3, "authors"), (6, 0, "eq5")])
def test_shots_follow_the_probabilities(num_qubits: int, num_layers: int, order: str, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas = random_thetas(ansatz, rng, 3)
    thetas[2] = 0.0  # one bitstring has all the chance
    bits = Chain(ansatz).sample(thetas, 40_000, np.random.default_rng(5))
    assert bits.shape == (3, 40_000, num_qubits)
    assert bits.dtype == np.uint8
    for row, probabilities in zip(bits, Distribution(ansatz).probabilities(thetas), strict=True):
        counts = np.bincount(bitstrings.to_integers(row), minlength=2**num_qubits)
        assert not counts[probabilities < 1e-20].any()
        often = probabilities * 40_000 > 5
        observed = np.append(counts[often], counts[~often].sum())
        expected = np.append(probabilities[often], probabilities[~often].sum()) * 40_000 + 1e-9
        assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-6


def test_the_mean_of_log_p_is_the_entropy(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(14, 2)
    thetas = rng.normal(0.5, 0.3, (2, ansatz.num_parameters))
    chain = Chain(ansatz)
    bits = -chain.log_probabilities(thetas, chain.sample(thetas, 20_000, rng)) / np.log(2)
    error = bits.std(axis=1) / np.sqrt(20_000)
    assert np.all(np.abs(bits.mean(axis=1) - Distribution(ansatz).entropy(thetas)) < 5 * error)


@pytest.mark.parametrize("order", ORDERS)
def test_the_state_of_300_qubits_is_normalised(order: str, rng: np.random.Generator) -> None:
    chain = Chain(hypernetwork(300, 4, order))
    matrices = chain.pairs.matrices(random_thetas(chain.ansatz, rng, 1)[0])
    forms = np.empty_like(matrices)
    chain_module._fill_forms(matrices, forms)
    assert forms[0, :, 0, 0].sum() == pytest.approx(1.0, abs=1e-12)
    everything = np.einsum("ksii->ki", forms).real  # norms of what lies ahead, for each choice at the crossings
    np.testing.assert_allclose(everything[1:], 1.0, atol=1e-12)


def test_bytes_depend_on_neither_threads_nor_chunks(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(45, 2)
    thetas = random_thetas(ansatz, rng, 5)
    drawn = [Chain(ansatz, num_threads=k).sample(thetas, 1500, np.random.default_rng(1)) for k in (1, 2, 3)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])
    stream, chain = np.random.default_rng(1), Chain(ansatz)
    parts = [chain.sample(thetas[part], 1500, stream) for part in (slice(0, 2), slice(2, 5))]
    np.testing.assert_array_equal(drawn[0], np.concatenate(parts))
    logs = [Chain(ansatz, num_threads=k).log_probabilities(thetas, drawn[0]) for k in (1, 3)]
    np.testing.assert_array_equal(*logs)


def test_the_exact_machine_takes_it_for_long_chains() -> None:
    ansatz = hypernetwork(65, 2)
    sampler = open_backend("exact").compile(ansatz)
    assert sampler.describe()["method"] == "matrix product state, bond dimension 2"
    theta = np.full((2, ansatz.num_parameters), 0.3)
    first, again, other = (sampler.sample(theta, 300, key).bits for key in (Key(1), Key(1), Key(1, step=1)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])  # equal rows have shots of their own
    with pytest.raises(ValueError, match=r"all 2\^65 probabilities are too many, they are given up to 24 qubits"):
        sampler.probabilities(theta)
    assert open_backend("exact").compile(hypernetwork(24, 2)).describe()["method"].startswith("cut after")


def test_bond_dimensions_are_those_of_the_bricks() -> None:
    for order in ORDERS:
        dimensions = [Chain(hypernetwork(30, layers, order)).bond_dimension for layers in (0, 1, 2, 3, 7)]
        assert dimensions == [1, 1, 2, 4, 64]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bond dimension 1,024, with more than 2\^23 numbers; use fewer layers"):
        open_backend("exact").compile(hypernetwork(40, 11))
    chain = Chain(product_state(30))
    with pytest.raises(ValueError, match=r"thetas must have shape \[B, 60\], got \[60\]"):
        chain.sample(np.zeros(60), 3, np.random.default_rng(1))
    with pytest.raises(ValueError, match=r"bits must have shape \[1, shots, 30\], got \[2, 3, 30\]"):
        chain.log_probabilities(np.zeros((1, 60)), np.zeros((2, 3, 30), dtype=np.uint8))
    with pytest.raises(ValueError, match="bits must be 0 or 1"):
        chain.log_probabilities(np.zeros((1, 60)), np.full((1, 3, 30), 2))
    assert chain.sample(np.empty((0, 60)), 5, np.random.default_rng(1)).shape == (0, 5, 30)
    impossible = np.zeros((1, 1, 30), dtype=np.uint8)
    impossible[0, 0, 7] = 1
    assert chain.log_probabilities(np.zeros((1, 60)), impossible) == -np.inf


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), [(100, 4, "eq5"), (60, 6, "authors"), (26, 9, "eq5")])
def test_bits_of_a_stabiliser_state_are_equally_likely(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    """At multiples of π/2 all gates are Clifford gates: p is 2^−k for every bitstring that occurs."""
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas = rng.integers(0, 4, (2, ansatz.num_parameters)) * np.pi / 2
    chain = Chain(ansatz)
    powers = -chain.log_probabilities(thetas, chain.sample(thetas, 300, rng)) / np.log(2)
    expected = np.repeat(powers[:, :1].round(), 300, axis=1)
    assert np.all(expected > num_qubits / 2)
    np.testing.assert_allclose(powers, expected, atol=1e-11)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("num_qubits", "num_layers"), [(1, 0), (2, 1), (7, 3), (12, 2), (13, 1)])
def test_the_search_finds_the_most_probable_bitstring(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    for theta in random_thetas(ansatz, rng, 3):
        bits, probability = Distribution(ansatz).most_probable(theta)
        found, log = Chain(ansatz).most_probable(theta)
        np.testing.assert_array_equal(found, bits)
        assert log == pytest.approx(np.log(probability), abs=1e-9)


def test_the_most_probable_bits_of_independent_qubits_are_their_own(rng: np.random.Generator) -> None:
    ansatz = product_state(300)
    theta = random_thetas(ansatz, rng, 1)
    bits, log = Chain(ansatz).most_probable(theta[0])
    np.testing.assert_array_equal(bits, np.cos(theta[0, :300]) < 0)
    assert log == pytest.approx(Chain(ansatz).log_probabilities(theta, bits[None, None])[0, 0], abs=1e-9)
