"""Spectra: exact ones, estimates whose intervals hold the exact masses, and Cauchy's interlacing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse.linalg import LaplacianNd

from qhn.arrays import Floats
from qhn.carleman import lanczos
from qhn.carleman.dense_network import DenseNetwork
from qhn.carleman.descent import Descent, descend
from qhn.carleman.lanczos import kink_error, quadratures
from qhn.carleman.pruning import prune
from qhn.carleman.spectrum import Estimate, Spectrum, exact_spectrum, interlacing_breach, spectrum
from qhn.errors import QhnError

N = 600
LEVEL = 0.99


def _spectra() -> dict[str, Floats]:
    """Eigenvalues of matrices; random vectors have no preferred axes, so that the matrices can be diagonal."""
    rng = np.random.default_rng(5)
    bulk = rng.normal(size=N)
    return {
        "three dominate": np.r_[bulk[3:] * 1e-2, 5, -3, 2],
        "thirty dominate": np.r_[bulk[30:] * 1e-3, 2 * rng.exponential(size=30)],
        "one more dominates than is taken out": np.r_[np.full(N - 4, 1e-4), 1.0, 1.3, 1.6, 2.0],
        "one more at both ends": np.r_[np.zeros(N - 8), [-2.0, -1.9, -1.8, -1.7, 1.0, 1.3, 1.6, 2.0]],
        "none is negative": 1e-3 + np.r_[np.zeros(N - 40), np.geomspace(1e-4, 3, 40)],
        "one is negative": np.r_[-1.0, np.linspace(0.1, 1, N - 1)],
        "powers of both signs": np.r_[1 / np.arange(1.0, N // 2 + 1), -1 / np.arange(1.0, N // 2 + 1)],
        "like a chain": 2 * np.cos(np.pi * rng.random(N)),
        "equal": np.full(N, 0.7),
        "of one direction": np.r_[np.zeros(N - 1), 2.0],
        "none": np.zeros(N),
    }


SPECTRA = _spectra()


def product_of(matrix: Floats) -> Callable[[Floats], Floats]:
    """Products with a symmetric matrix, or with a diagonal one that is given by its diagonal."""
    return lambda vectors: vectors * matrix if matrix.ndim == 1 else vectors @ matrix


def sums(eigenvalues: Floats) -> list[float]:
    return [float(np.maximum(sign * eigenvalues, 0).sum()) for sign in (1, -1)] + [float(eigenvalues.sum())]


def estimates(found: Spectrum) -> list[Estimate]:
    return [found.positive, found.negative, found.trace]


def held(found: Spectrum, eigenvalues: Floats) -> list[bool]:
    rounding = 1e-9 * np.abs(eigenvalues).sum()
    ends = zip(estimates(found), sums(eigenvalues), strict=True)
    return [one.low - rounding <= true <= one.high + rounding for one, true in ends]


@pytest.mark.parametrize("name", SPECTRA)
def test_estimates_hold_what_is_exact(name: str) -> None:
    eigenvalues = SPECTRA[name]
    found = spectrum(product_of(eigenvalues), N, ends=3, probes=10, steps=25)
    assert not found.is_exact
    assert found.smallest == pytest.approx(eigenvalues.min(), abs=1e-6)
    assert found.largest == pytest.approx(eigenvalues.max(), abs=1e-6)
    assert all(held(found, eigenvalues))
    assert found.positive.low >= 0
    assert found.negative.low >= 0
    assert all(one.low <= one.value <= one.high for one in estimates(found))


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECTRA)
def test_intervals_cover_as_often_as_they_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If 1 % of intervals miss, more than 14 of 400 do with a probability below 1e-4."""
    repetitions, eigenvalues = 400, SPECTRA[name]
    misses = np.zeros(3)
    ends = lanczos.both_ends(product_of(eigenvalues), N, 3, np.random.default_rng(0))  # no matter of chance
    monkeypatch.setattr("qhn.carleman.spectrum.both_ends", lambda *_: ends)
    for seed in range(repetitions):
        found = spectrum(product_of(eigenvalues), N, ends=3, probes=8, steps=20, confidence=LEVEL, seed=seed)
        misses += ~np.array(held(found, eigenvalues))
    assert misses.max() <= 14


def test_the_spectrum_of_a_grid_is_that_of_its_closed_form() -> None:
    """The Laplacian of SciPy on a grid of 31 × 30 points; a multiple of the unit matrix shifts its eigenvalues."""
    laplacian = LaplacianNd((31, 30), boundary_conditions="dirichlet", dtype=np.float64)
    eigenvalues = laplacian.eigenvalues() + 2.5
    found = spectrum(lambda vectors: (laplacian @ vectors.T).T + 2.5 * vectors, 930)
    assert found.smallest == pytest.approx(eigenvalues.min(), abs=1e-6)
    assert found.largest == pytest.approx(eigenvalues.max(), abs=1e-6)
    assert all(held(found, eigenvalues))
    assert found.positive.value == pytest.approx(sums(eigenvalues)[0], rel=0.1)


def test_no_negative_mass_is_seen_where_there_is_none() -> None:
    found = spectrum(product_of(SPECTRA["none is negative"]), N)
    assert (found.negative.value, found.negative.low) == (0.0, 0.0)
    assert found.negative.high < 1e-4


def test_a_negative_mass_that_is_known_is_a_lower_bound() -> None:
    found = spectrum(product_of(SPECTRA["one is negative"]), N)
    assert found.negative.low == pytest.approx(1.0, abs=1e-4)
    assert found.negative.high == pytest.approx(1.0, abs=1e-4)


def test_more_probes_and_steps_narrow_an_interval() -> None:
    eigenvalues = SPECTRA["like a chain"]
    width = {
        (probes, steps): (lambda one: one.high - one.low)(
            spectrum(product_of(eigenvalues), N, probes=probes, steps=steps).positive
        )
        for probes, steps in ((10, 20), (40, 20), (40, 80))
    }
    assert width[10, 20] > 1.2 * width[40, 20] > 1.2 * 1.2 * width[40, 80]


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-0.1, 2.0), (-3.0, 0.5), (0.1, 1.0)])
@pytest.mark.parametrize("steps", [3, 10, 30])
def test_the_bias_of_a_quadrature_is_within_its_bound(low: float, high: float, steps: int) -> None:
    rng = np.random.default_rng(steps)
    eigenvalues = rng.uniform(low, high, 150)
    nothing = np.zeros((150, 0))
    few = quadratures(product_of(eigenvalues), nothing, 20, steps, np.random.default_rng(1))
    all_of_them = quadratures(product_of(eigenvalues), nothing, 20, 150, np.random.default_rng(1))
    for sign in (1, -1):
        values = [(weights * np.maximum(sign * nodes, 0)).sum(axis=1) for nodes, weights in (few, all_of_them)]
        assert np.abs(values[0] - values[1]).max() <= kink_error(low, high, steps) + 1e-12
    weighted = (few[1] * few[0]).sum(axis=1), (all_of_them[1] * all_of_them[0]).sum(axis=1)
    assert weighted[0] == pytest.approx(weighted[1], abs=1e-12)


def test_small_matrices_are_exact(rng: np.random.Generator) -> None:
    matrix = rng.normal(size=(120, 120))
    matrix = matrix + matrix.T
    found = spectrum(product_of(matrix), 120)
    assert found.is_exact
    assert found.confidence == 1
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert found.eigenvalues == pytest.approx(eigenvalues, abs=1e-12)
    for one, true in zip(estimates(found), sums(eigenvalues), strict=True):
        assert one == Estimate(*[pytest.approx(true, abs=1e-10)] * 3)
    assert found.trace.value == pytest.approx(np.trace(matrix))


def test_the_estimate_of_a_network_of_613_parameters_holds_its_exact_spectrum(rng: np.random.Generator) -> None:
    x = rng.random((120, 16))
    y = (x[:, :8].sum(axis=1) > x[:, 8:].sum(axis=1)).astype(float)
    network = DenseNetwork(x, y, (16, 34, 1), weight_decay=1e-3)
    assert network.num_parameters == 613
    *_, trained = descend(network, network.initial(0), Descent(0.5, 60))
    theta, _ = prune(trained, 61)
    exact = exact_spectrum(network.hessian(theta))
    found = spectrum(lambda vectors: network.hessian_product(theta, vectors), 613, ends=40, steps=60)
    assert (exact.is_exact, found.is_exact) == (True, False)
    assert found.smallest == pytest.approx(exact.smallest, abs=1e-6)
    assert found.largest == pytest.approx(exact.largest, abs=1e-6)
    assert all(held(found, exact.eigenvalues))
    assert exact.negative.value > 0.1
    for one, true in ((found.positive, exact.positive), (found.negative, exact.negative)):
        assert one.value == pytest.approx(true.value, rel=0.01)
        assert one.high - one.low < 0.1 * true.value


def test_principal_submatrices_interlace_and_others_do_not(rng: np.random.Generator) -> None:
    for _ in range(50):
        n = int(rng.integers(2, 30))
        matrix = rng.normal(size=(n, n))
        matrix = matrix + matrix.T
        kept = rng.choice(n, int(rng.integers(1, n + 1)), replace=False)
        whole, part = exact_spectrum(matrix), exact_spectrum(matrix[np.ix_(kept, kept)])
        assert interlacing_breach(whole.eigenvalues, part.eigenvalues) < 1e-12
        assert part.positive.value <= whole.positive.value + 1e-12
        assert part.negative.value <= whole.negative.value + 1e-12
        shifted = part.eigenvalues + whole.largest - whole.smallest + 1
        assert interlacing_breach(whole.eigenvalues, shifted) > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exact_spectrum([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (lambda: exact_spectrum([[0.0, 1.0]]), r"shape \(1, 2\)"),
        (lambda: exact_spectrum([[np.nan]]), "finite"),
        (lambda: spectrum(product_of(np.ones(N)), 0), "num_parameters must be at least 1"),
        (lambda: spectrum(product_of(np.ones(N)), N, probes=0), "probes must be at least 1"),
        (lambda: spectrum(product_of(np.ones(N)), N, steps=1), "steps must be at least 2"),
        (lambda: spectrum(product_of(np.ones(N)), N, ends=0), "ends must be at least 1"),
        (lambda: spectrum(product_of(np.ones(N)), N, confidence=1.0), "confidence must be"),
        (lambda: spectrum(product_of(np.ones(N)), N, seed=-1), "seed must be at least 0"),
        (lambda: interlacing_breach(np.ones(1), np.ones(2)), "at most the 1 eigenvalues"),
    ],
)
def test_wrong_input_is_told_in_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(QhnError, match=message):
        call()
