import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest, chi2, norm

from qhn.carleman.amplitudes import WIDENING, Counted

UNITS = np.array([3.0, 3.2])
BALANCED, MAGNITUDE = (1.0, -1.0), (0.0, 1.0)
REPETITIONS = 2000


def drawn(value, shots, reference, design, seed=0, repetitions=REPETITIONS):
    """Counts of one value in many independent repetitions, which take the place of parameters."""
    references = np.repeat(np.multiply.outer(design, [reference]), repetitions, axis=1)
    probabilities = ((value + references) / UNITS[:, None]) ** 2
    return Counted(np.random.default_rng(seed).binomial(shots, probabilities), shots, references, UNITS)


def deviation(shots):
    """The standard error of a value by its Fisher information at small probabilities."""
    return 1 / np.sqrt((4 * shots / UNITS**2).sum())


@pytest.mark.parametrize("counts", [(300, 20), (20, 300), (0, 150), (35, 40), (0, 0), (1000, 1)])
def test_estimate_is_the_likeliest_value(counts) -> None:
    """A brute-force search of SciPy's binomial likelihood finds the same value and the same interval."""
    shots, references = 1000, np.array([[0.5], [-0.5]])
    found = Counted(np.array(counts)[:, None], shots, references, UNITS).estimate(z=2.0)
    low, high = (-UNITS - references[:, 0]).max(), (UNITS - references[:, 0]).min()
    grid = np.linspace(low, high, 200_001)
    shares = np.minimum(((grid + references) / UNITS[:, None]) ** 2, 1.0)
    likelihoods = binom.logpmf(np.array(counts)[:, None], shots, shares).sum(axis=0)
    best = likelihoods.max()
    step = grid[1] - grid[0]
    is_likely = grid[likelihoods >= best - 2.0 * WIDENING**2]
    assert likelihoods[np.abs(grid - found.values[0]).argmin()] == pytest.approx(best, abs=1e-3)
    assert found.low[0] == pytest.approx(is_likely[0], abs=2 * step)
    assert found.high[0] == pytest.approx(is_likely[-1], abs=2 * step)
    saturated = binom.logpmf(counts, shots, np.array(counts) / shots).sum()
    assert found.deviances[0] == pytest.approx(2 * (saturated - best), abs=1e-3)
    other = likelihoods[grid < 0].max() if found.values[0] > 0 else likelihoods[grid > 0].max()
    assert found.sign_errors[0] == pytest.approx(norm.sf(np.sqrt(2 * (best - other))), abs=2e-3)


def test_one_circuit_is_a_binomial_likelihood() -> None:
    """A single reference larger than the value: the optimum of SciPy's own optimizer, on the piece of its sign."""
    found = Counted(np.array([[160]]), 1000, np.array([[2.0]]), np.array([4.0])).estimate()
    own = minimize_scalar(lambda p: -binom.logpmf(160, 1000, p), bounds=(1e-9, 1 - 1e-9), method="bounded")
    assert sorted(np.abs([found.values[0] + 2.0])) == pytest.approx([4 * np.sqrt(own.x)], abs=1e-4)
    assert found.high[0] > -0.4 > -3.6 > found.low[0]  # both roots are as likely, and the interval says so
    assert found.deviances[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.3, -1.0, 2.0, 3.0, -5.0, 6.5, 8.0, -8.0, 12.0, -25.0, 40.0])
@pytest.mark.parametrize("shots", [500, 20_000])
def test_intervals_cover(value, shots) -> None:
    """Values are in standard errors; the reference has eight, and at eight one circuit shows almost no counts."""
    sigma = deviation(shots)
    counted = drawn(value * sigma, shots, 8 * sigma, BALANCED, seed=int(value * 10) % 97 + shots)
    found = counted.estimate()
    share = np.mean((found.low <= value * sigma) & (value * sigma <= found.high))
    assert share >= 0.94
    assert np.sqrt(np.mean((found.values - value * sigma) ** 2)) < 1.4 * sigma
    assert np.mean(found.values - value * sigma) == pytest.approx(0.0, abs=0.25 * sigma)


@pytest.mark.parametrize("design", [BALANCED, MAGNITUDE])
def test_intervals_cover_as_often_as_they_say_on_average(design) -> None:
    sigma = deviation(2000)
    values = np.random.default_rng(1).uniform(-30, 30, size=20_000) * sigma
    references = np.multiply.outer(design, np.full(len(values), 8 * sigma))
    counts = np.random.default_rng(2).binomial(2000, ((values + references) / UNITS[:, None]) ** 2)
    for z, level in (1.0, 0.683), (1.96, 0.95), (2.576, 0.99):
        found = Counted(counts, 2000, references, UNITS).estimate(z)
        share = np.mean((found.low <= values) & (values <= found.high))
        assert level <= share <= 2 * norm.cdf(1.1 * z) - 1 + 0.005


@pytest.mark.parametrize("reference", [6.0, 8.0, 15.0])
def test_intervals_cover_by_enumeration_of_the_counts(reference) -> None:
    """The probability of all pairs of counts whose interval holds the value, wherever it is; in standard errors."""
    shots, units = 50_000, np.array([3.0, 3.0])
    sigma = 3.0 / np.sqrt(8 * shots)
    for value in np.linspace(0, reference + 6, 25) * sigma:
        shares = ((value + np.array([1.0, -1.0]) * reference * sigma) / 3.0) ** 2
        ends = [binom.ppf([1e-7, 1 - 1e-7], shots, share).astype(int) for share in shares]
        ranges = [np.arange(low, high + 1) for low, high in ends]
        counts = np.stack([grid.ravel() for grid in np.meshgrid(*ranges)])
        chance = binom.pmf(counts, shots, shares[:, None]).prod(axis=0)
        references = np.multiply.outer(BALANCED, np.full(counts.shape[1], reference * sigma))
        for z, level in (1.96, 0.95), (2.576, 0.99):
            found = Counted(counts, shots, references, units).estimate(z)
            assert chance[(found.low <= value) & (value <= found.high)].sum() >= level - 1e-3


@pytest.mark.parametrize("value", [0.0, 0.05, 0.4, -0.7])
def test_error_falls_with_the_root_of_the_shots(value) -> None:
    shots = np.array([1000, 10_000, 100_000, 1_000_000])
    found = [drawn(value, number, 0.5, BALANCED, seed=number).estimate() for number in shots]
    errors = [np.sqrt(np.mean((one.values - value) ** 2)) for one in found]
    slope = np.polyfit(np.log(shots), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.02)
    for error, one in zip(errors, found, strict=True):
        assert error == pytest.approx(one.std_errors.mean(), rel=0.25)
    assert errors[-1] == pytest.approx(found[-1].std_errors.mean(), rel=0.05)


@pytest.mark.parametrize("value", [1.0, 1.7, 2.5])
def test_sign_errors_are_told(value) -> None:
    """Values of this many standard errors have the wrong sign as often as a normal distribution says."""
    sigma = deviation(5000)
    both = [drawn(sign * value * sigma, 5000, 8 * sigma, BALANCED, 5, 20_000).estimate() for sign in (1, -1)]
    wrong = np.array([np.sign(found.values) != sign for found, sign in zip(both, (1, -1), strict=True)])
    assert wrong.mean() == pytest.approx(norm.sf(value), rel=0.1)
    is_clear = np.array([found.sign_errors for found in both]) < 0.025
    assert np.mean(wrong & is_clear) < 0.025


def test_a_reference_that_is_too_small_is_no_silent_sign_error() -> None:
    sigma = deviation(5000)
    value = 40 * sigma
    found = drawn(value, 5000, 0.5 * sigma, BALANCED).estimate()
    is_wrong = found.values < 0
    assert 0.2 < is_wrong.mean() < 0.4
    assert found.sign_errors[is_wrong].min() > 1e-3
    assert np.mean((found.low <= value) & (value <= found.high)) >= 0.93


def test_circuits_that_contradict_each_other_have_a_deviance() -> None:
    right = drawn(0.4, 5000, 0.5, BALANCED, seed=3)
    deviances = right.estimate().deviances
    assert np.mean(deviances > chi2.isf(0.05, 1)) == pytest.approx(0.05, abs=0.015)
    noisy = Counted(right.counts + 200, right.shots, right.references, right.units)
    assert np.mean(noisy.estimate().deviances > chi2.isf(0.05, 1)) > 0.9


def test_a_background_of_both_circuits_cancels() -> None:
    """A uniform background biases magnitudes, and signed differences much less."""
    right = drawn(0.1, 20_000, 0.5, BALANCED, seed=4)
    noisy = Counted(right.counts + 100, right.shots, right.references, right.units).estimate().values.mean()
    plain = np.sqrt(((0.1 / UNITS[0]) ** 2 + 100 / 20_000) * UNITS[0] ** 2)
    assert abs(noisy - 0.1) < 0.1 * abs(plain - 0.1)


def test_half_of_the_counts_agree_with_clopper_and_pearson() -> None:
    """Where all counts are in one circuit's branch, the interval is that of an exact binomial test."""
    found = Counted(np.array([[5000]]), 100_000, np.array([[10.0]]), np.array([50.0])).estimate()
    exact = binomtest(5000, 100_000).proportion_ci(method="exact")
    assert found.high[0] == pytest.approx(50 * np.sqrt(exact.high) - 10, abs=1e-2)
