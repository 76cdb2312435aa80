"""The energy of the dual: its QUBO against plain sums, its minimum against scikit-learn and its own conditions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.spatial.distance import cdist

pytest.importorskip("sklearn")

from sklearn.svm import SVR

from qhn.errors import QhnError
from qhn.svr.bias import BIASES, mean_residual, published, textbook
from qhn.svr.dual import Dual
from qhn.svr.encoding import Encoding
from qhn.svr.optimum import optimum


def dual_of(rng: np.random.Generator, num_samples: int, gamma: float = 0.1, **factors: float) -> Dual:
    x, y = rng.normal(size=(num_samples, 4)), rng.normal(size=num_samples)
    given = {"epsilon": 0.02, "xi": 0.01, "beta": 0.0} | factors
    return Dual(np.exp(-gamma * cdist(x, x, "sqeuclidean")), y, **given)


def plain_energy(dual: Dual, encoding: Encoding, bits: np.ndarray) -> float:
    """The energy by sums over samples and bits, as it is written."""
    n, k = dual.num_samples, encoding.num_bits
    multipliers = [
        sum(encoding.base ** (i - encoding.k0) * float(bits[m * k + i]) for i in range(k)) for m in range(2 * n)
    ]
    alpha, alpha_hat = multipliers[:n], multipliers[n:]
    d = [a - b for a, b in zip(alpha, alpha_hat, strict=True)]
    quadratic = sum(d[i] * dual.kernel[i, j] * d[j] for i in range(n) for j in range(n)) / 2
    linear = dual.epsilon * (sum(alpha) + sum(alpha_hat)) - sum(y * x for y, x in zip(dual.targets, d, strict=True))
    return (
        quadratic
        + linear
        + dual.xi * sum(d) ** 2
        + dual.beta * sum(a * b for a, b in zip(alpha, alpha_hat, strict=True))
    )


@pytest.mark.parametrize("num_samples", [1, 2, 7, 20])
@pytest.mark.parametrize("encoding", [Encoding(), Encoding(1, 2.0, 0.0), Encoding(5, 1.7, -0.3)])
@pytest.mark.parametrize("factors", [{}, {"beta": 0.7, "xi": 3.0, "epsilon": 0.4}, {"xi": 0.0, "epsilon": 0.0}])
def test_the_qubo_is_the_energy(
    rng: np.random.Generator, num_samples: int, encoding: Encoding, factors: dict[str, float]
) -> None:
    dual = dual_of(rng, num_samples, **factors)
    bits = rng.integers(0, 2, (40, encoding.num_variables(num_samples)), dtype=np.uint8)
    expected = np.array([plain_energy(dual, encoding, row) for row in bits])
    scale = 1e-12 * max(1.0, np.abs(expected).max())
    matrix = dual.qubo(encoding)
    np.testing.assert_array_equal(matrix, np.triu(matrix))
    np.testing.assert_allclose(dual.energy(*encoding.decode(bits)), expected, rtol=0, atol=scale)
    np.testing.assert_allclose(np.einsum("bi,ij,bj->b", 1.0 * bits, matrix, 1.0 * bits), expected, rtol=0, atol=scale)
    np.testing.assert_allclose(dual.problem(encoding).cost(bits), expected, rtol=0, atol=scale)


def test_all_bitstrings_of_a_small_dual(rng: np.random.Generator) -> None:
    dual, encoding = dual_of(rng, 2, beta=0.3), Encoding(2)
    bits = np.array(list(product([0, 1], repeat=encoding.num_variables(2))), dtype=np.uint8)
    expected = [plain_energy(dual, encoding, row) for row in bits]
    np.testing.assert_allclose(dual.problem(encoding).cost(bits), expected, rtol=0, atol=1e-12)


def test_twenty_samples_take_120_bits_up_to_1_756() -> None:
    encoding = Encoding()
    assert encoding.num_variables(20) == 120
    assert encoding.largest == pytest.approx(1.75 * 0.5**-0.005)
    alpha, alpha_hat = encoding.decode(np.ones(120, dtype=np.uint8))
    np.testing.assert_allclose(np.concatenate([alpha, alpha_hat]), encoding.largest)


@pytest.mark.parametrize("gamma", [0.01, 0.1, 1.0])
def test_with_a_strong_penalty_the_minimum_is_scikit_learns(rng: np.random.Generator, gamma: float) -> None:
    dual, largest = dual_of(rng, 25, gamma, xi=1e5, epsilon=0.1), 1.756
    found = optimum(dual, largest)
    theirs = SVR(C=largest, kernel="precomputed", epsilon=0.1, tol=1e-10).fit(dual.kernel, dual.targets)
    difference = np.zeros(25)
    difference[theirs.support_] = theirs.dual_coef_[0]
    assert abs(difference.sum()) < 1e-9
    energy = dual.energy(np.maximum(difference, 0), np.maximum(-difference, 0))
    assert found.energy == pytest.approx(energy, rel=1e-4)
    np.testing.assert_allclose(found.alpha - found.alpha_hat, difference, atol=0.02)
    bias = textbook(dual, found.alpha, found.alpha_hat, largest)
    np.testing.assert_allclose(
        dual.kernel @ (found.alpha - found.alpha_hat) + bias, theirs.predict(dual.kernel), atol=0.01
    )


@pytest.mark.parametrize("num_samples", [1, 5, 40])
@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_no_multipliers_of_the_box_have_a_lower_energy(rng: np.random.Generator, num_samples: int, beta: float) -> None:
    dual, largest = dual_of(rng, num_samples, beta=beta), 1.756
    found = optimum(dual, largest)
    assert dual.energy(found.alpha, found.alpha_hat) == pytest.approx(found.energy, abs=1e-12)
    assert found.accuracy < 1e-5 * max(1, abs(found.energy))
    others = rng.uniform(0, largest, (2, 5000, num_samples))
    assert (dual.energy(*others) >= found.energy - found.accuracy).all()
    near = np.clip(np.stack([found.alpha, found.alpha_hat])[:, None] + rng.normal(size=others.shape) * 1e-3, 0, largest)
    assert (dual.energy(*near) >= found.energy - found.accuracy).all()


def test_bits_never_go_below_the_minimum(rng: np.random.Generator) -> None:
    dual, encoding = dual_of(rng, 2), Encoding(4)
    lowest = dual.problem(encoding).cost(np.array(list(product([0, 1], repeat=16)), dtype=np.uint8)).min()
    found = optimum(dual, encoding.largest)
    assert found.energy - found.accuracy <= lowest < found.energy + 0.05


def test_at_the_minimum_the_textbook_bias_is_that_of_the_penalty(rng: np.random.Generator) -> None:
    """The penalty is a kernel of 2ξ more, so that every free multiplier agrees on the bias 2ξ·Σ(α−α̂)."""
    dual, largest = dual_of(rng, 30, xi=0.3, epsilon=0.2), 1.756
    found = optimum(dual, largest)
    expected = 2 * dual.xi * (found.alpha - found.alpha_hat).sum()
    assert abs(expected) > 0.01
    assert textbook(dual, found.alpha, found.alpha_hat, largest) == pytest.approx(expected, abs=1e-4)


def test_biases_by_hand() -> None:
    dual = Dual(np.eye(4), np.array([1.0, -1.0, 3.0, 0.5]), epsilon=0.1, xi=0.0, beta=0.0)
    alpha, alpha_hat = np.array([0.5, 0.0, 2.0, 0.0]), np.array([0.0, 0.25, 0.0, 0.0])
    residuals = [0.5, -0.75, 1.0, 0.5]
    assert textbook(dual, alpha, alpha_hat, 2.0) == pytest.approx(((0.5 - 0.1) + (-0.75 + 0.1)) / 2)
    assert published(dual, alpha, alpha_hat, 2.0) == pytest.approx((0.5 + 1.0 - 0.75) / 3 - 0.1)
    assert mean_residual(dual, alpha, alpha_hat, 2.0) == pytest.approx(np.mean(residuals))


@pytest.mark.parametrize("name", BIASES)
def test_without_support_vectors_the_bias_is_the_mean(name: str) -> None:
    dual = Dual(np.eye(2), np.array([1.0, 2.0]), epsilon=0.1, xi=0.0, beta=0.0)
    assert BIASES[name](dual, np.zeros(2), np.zeros(2), 1.0) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_bits": 0}, "num_bits must be at least 1, got 0"),
        ({"num_bits": 33}, "num_bits must be at most 32, got 33"),
        ({"base": 0.0}, "base must be a finite number above 0"),
        ({"k0": float("nan")}, "k0 must be a finite number"),
        ({"num_bits": 32, "base": 10.0}, "bits that weigh more than 1e[+]15"),
    ],
)
def test_wrong_encodings(values: dict[str, float], words: str) -> None:
    with pytest.raises(QhnError, match=words):
        Encoding(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(5,), (0,), ()])
def test_bits_of_no_encoding(shape: tuple[int, ...]) -> None:
    with pytest.raises(QhnError, match="a multiple of 6, those of the multipliers of one sample"):
        Encoding().decode(np.zeros(shape, dtype=np.uint8))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kernel": np.eye(3)}, r"shapes \[3, 3\] and \[2\]"),
        ({"kernel": np.array([[1.0, 0.5], [0.4, 1.0]])}, "must be symmetric"),
        ({"targets": np.array([1.0, np.nan])}, "must be finite"),
        ({"epsilon": -0.1}, "epsilon must be a finite number of at least 0"),
        ({"beta": -0.1}, "beta must be a finite number of at least 0"),
    ],
)
def test_wrong_duals(changes: dict[str, object], words: str) -> None:
    given = {"kernel": np.eye(2), "targets": np.ones(2), "epsilon": 0.1, "xi": 0.0, "beta": 0.0}
    with pytest.raises(QhnError, match=words):
        Dual(**(given | changes))  # type: ignore[arg-type]
