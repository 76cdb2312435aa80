"""Verdicts of the study of noise on data whose right verdict is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qhn.paper import chances, devices, mitigation, noise, noisyends, noisytraining
from qhn.paper.claims import Claim, Verdict
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.noise import Curves
from qhn.paper.noisyends import Ends
from qhn.paper.plan import NOISE
from qhn.paper.section import Writer

STRENGTHS = np.array(noise.STRENGTHS)
RANDOM = 64 / 2**17
ORDERS = ("eq5", "authors")


def judged(family: Family) -> dict[str, Claim]:
    page = Writer("A page")
    family.judge(page)
    return {claim.statement: claim for claim in page.claims}


def only(claims: dict[str, Claim], beginning: str) -> Claim:
    (claim,) = (claim for statement, claim in claims.items() if statement.startswith(beginning))
    return claim


def curves(rng: np.random.Generator, exponent: float = 1.0, slope: float = 0.0285, optimal: float = 0.5) -> Curves:
    slopes = slope * (1 + 0.05 * rng.normal(size=(36, 1)))
    shares = np.clip(optimal * (1 + 0.05 * rng.normal(size=(36, 1))), 0, 1) * np.ones_like(STRENGTHS)
    untrained = RANDOM * rng.exponential(size=(36, 1)) * np.ones_like(STRENGTHS)
    none = np.zeros(36)
    return Curves(none, none == 0, slopes * STRENGTHS**exponent, shares, untrained, np.full(36, RANDOM))


def claims_of(found: Curves, *, full: bool = True) -> dict[str, Claim]:
    page = Writer("A page")
    noise.judge(page, {"eq5": found, "authors": found}, full=full)
    return {claim.statement: claim for claim in page.claims}


def test_a_chance_is_that_of_drawing(rng: np.random.Generator) -> None:
    hits = rng.random((4000, 50)) < 0.03
    assert abs(chances.chance(0.03, 50) - hits.any(axis=1).mean()) < 5 * np.sqrt(0.25 / 4000)
    assert abs(chances.chance(RANDOM, 1000) - (1 - (1 - RANDOM) ** 1000)) < 1e-12


@pytest.mark.parametrize(("exponent", "verdict"), [(1.0, Verdict.REPRODUCED), (2.0, Verdict.NOT_REPRODUCED)])
def test_a_rise_is_linear_by_its_bend(rng: np.random.Generator, exponent: float, verdict: Verdict) -> None:
    found = curves(rng, exponent)
    assert only(claims_of(found), "⟨C⟩ of a trained circuit rises linearly").verdict is verdict
    np.testing.assert_allclose(found.sags, 0.5**exponent - 0.5, atol=1e-12)
    line = np.abs(STRENGTHS**exponent - STRENGTHS * (STRENGTHS ** (exponent + 1)).sum() / (STRENGTHS**2).sum())
    np.testing.assert_allclose(found.bends, line.max() / 2**exponent, atol=1e-12)


@pytest.mark.parametrize(
    ("slope", "verdict"), [(0.0285, Verdict.REPRODUCED), (0.0311, Verdict.UNDECIDED), (0.04, Verdict.NOT_REPRODUCED)]
)
def test_a_slope_is_that_of_the_authors_by_equivalence(
    rng: np.random.Generator, slope: float, verdict: Verdict
) -> None:
    assert only(claims_of(curves(rng, slope=slope)), "The slope is").verdict is verdict
    assert only(claims_of(curves(rng, slope=slope), full=False), "The slope is").verdict is Verdict.UNTESTABLE


def test_a_best_sample_counts_only_beyond_untrained_circuits(rng: np.random.Generator) -> None:
    trained = claims_of(curves(rng))
    assert only(trained, "The best of 1,000 shots").verdict is Verdict.REPRODUCED
    assert only(trained, "Even of 10 shots").verdict is Verdict.REPRODUCED
    assert "of random bitstrings 0.386" in only(trained, "The best of 1,000 shots").evidence
    idle = curves(rng)
    idle = replace(idle, optimal=idle.untrained[::-1].copy())
    assert only(claims_of(idle), "The best of 1,000 shots").verdict is Verdict.NOT_REPRODUCED
    assert only(claims_of(idle), "Even of 10 shots").verdict is Verdict.UNDECIDED
    often = replace(idle, optimal=np.full_like(idle.rise, 0.9), untrained=np.full_like(idle.rise, 0.9))
    assert only(claims_of(often), "The best of 1,000 shots").verdict is Verdict.UNDECIDED  # so are untrained ones


def test_only_circuits_trained_to_an_optimum_count(rng: np.random.Generator) -> None:
    found = curves(rng)
    gap = np.full(36, 1e-2)
    gap[:3] = 1e-6
    assert len(replace(found, gap=gap).trained.gap) == 3
    assert replace(found, gap=gap + np.arange(36)).trained.gap.tolist() == [1e-6]
    none = replace(found, gap=np.linspace(0.01, 0.03, 36))
    assert none.trained.gap.tolist() == [0.01]  # the nearest, if no start came to an optimum
    assert len(Curves.joined([found, found]).rise) == 72


def end(noisy: np.ndarray, optimal: np.ndarray | float = 0.5) -> Ends:
    starts = len(noisy)
    whole = np.zeros(starts, dtype=np.int64)
    return Ends(
        noisy=noisy, ideal=np.full(starts, 1e-6), optimal=np.full(starts, optimal), likely=np.ones(starts, dtype=bool),
        untrained=np.full(starts, RANDOM), random=np.full(starts, RANDOM), gradients=whole, circuits=whole,
    )  # fmt: skip


def results(rng: np.random.Generator, rises: dict[str, float], optimal: float = 0.5) -> dict[tuple[str, str], dict]:
    starts = 0.01 * rng.normal(size=6)
    return {
        (device, order): {
            noisyends.WITHOUT: end(rise + starts + 0.001 * rng.normal(size=6), optimal),
            noisyends.SHIFT: end(rise + starts, optimal),
            noisyends.SPSA: end(rise + starts[:2] + 1, RANDOM),
        }
        for device, rise in rises.items()
        for order in ORDERS
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rises", "verdict"),
    [
        ((0.3, 0.2, 0.1), Verdict.REPRODUCED),
        ((0.1, 0.2, 0.3), Verdict.NOT_REPRODUCED),
        ((0.2, 0.2, 0.1), Verdict.UNDECIDED),  # a bare comparison of means would have decided
    ],
)
def test_devices_are_ranked_by_tests_in_pairs(
    rng: np.random.Generator, rises: tuple[float, float, float], verdict: Verdict
) -> None:
    names = ("worst", "middle", "best")
    fidelity = {
        (device, order): value for device, value in zip(names, (0.1, 0.2, 0.3), strict=True) for order in ORDERS
    }
    family = Family("planted")
    devices.ranking(family, "a task", results(rng, dict(zip(names, rises, strict=True))), fidelity)
    assert only(judged(family), "From device to device").verdict is verdict


@pytest.mark.parametrize(("optimal", "verdict"), [(0.3, Verdict.REPRODUCED), (RANDOM, Verdict.NOT_REPRODUCED)])
def test_training_with_noise_finds_the_optimum_beyond_its_controls(
    rng: np.random.Generator, optimal: float, verdict: Verdict
) -> None:
    found, family = results(rng, dict.fromkeys(devices.DEVICES, 0.2), optimal), Family("planted")
    noisytraining.finds(family, "here", found, devices.DEVICES, "noise")
    devices.stays_optimal(family, found)
    claims = judged(family)
    assert only(claims, "The best of 1,000 shots after training with noise").verdict is verdict
    assert only(claims, "The best of 1,000 shots of a trained circuit").verdict is verdict
    if optimal > RANDOM:
        assert only(claims, "Even of 10 shots of a trained circuit").verdict is Verdict.REPRODUCED


def test_the_worst_machine_counts_for_the_trained_and_the_best_for_the_control(rng: np.random.Generator) -> None:
    first, second = end(rng.random(3), 0.4), replace(end(rng.random(3), 0.2), untrained=np.full(3, 0.1))
    shares = noisytraining.over_machines([first, second], np.array([True, False, True]))
    assert shares.trained.tolist() == [0.2, 0.2]
    assert shares.untrained.tolist() == [0.1, 0.1]


@pytest.mark.parametrize(
    ("offset", "scatter", "holds"),
    [(0.0, 1.0, True), (1.0, 1.0, False), (0.0, 2.0, False), (0.0, 0.5, False), (0.5, 1.0, None)],
)
def test_stated_errors_must_fit_mean_and_scatter(
    rng: np.random.Generator, offset: float, scatter: float, holds: bool | None
) -> None:
    pulls = rng.normal(size=96)
    pulls = offset + scatter * (pulls - pulls.mean()) / pulls.std(ddof=1)
    tests = [test.holds for test in mitigation.within_errors(pulls).values()]
    assert (False if False in tests else None if None in tests else True) is holds


def test_an_interval_of_a_scatter_covers_as_often_as_it_says(rng: np.random.Generator) -> None:
    found = [Difference.of_scatter(values) for values in rng.normal(size=(1000, 20))]
    assert abs(np.mean([one.low < 1 < one.high for one in found]) - 0.95) < 5 * np.sqrt(0.05 * 0.95 / 1000)
    apart = [Difference.of_means(a) - Difference.of_means(b) for a, b in rng.normal(size=(1000, 2, 20))]
    assert abs(np.mean([one.low < 0 < one.high for one in apart]) - 0.95) < 5 * np.sqrt(0.05 * 0.95 / 1000)


def mitigated(rng: np.random.Generator, left: tuple[float, float, float], off: float = 0.0) -> dict[str, Claim]:
    """The claims for biases of which folding, inversion and both leave the given shares."""
    found = {}
    for task in ("one", "other"):
        for order in ORDERS:
            bias = 0.1 * (1 + 0.05 * rng.normal(size=(4, 24))) * np.array([1.0, *left])[:, None]
            errors = np.full(24, 0.01)
            own = bias[3]
            sampled = own + errors * (off + rng.normal(size=24))
            found[task, "device", order] = mitigation.Biases(bias, own, sampled, errors)
    page = Writer("A page")
    mitigation.judge(page, found)
    return {claim.statement: claim for claim in page.claims}


def test_mitigation_is_judged_by_equivalence_and_tests(rng: np.random.Generator) -> None:
    good = mitigated(rng, (1.2, 0.6, 0.5))
    assert {claim.verdict for claim in good.values()} == {Verdict.REPRODUCED}
    bad = mitigated(rng, (0.8, 0.6, 0.1), off=3.0)
    assert {claim.verdict for claim in bad.values()} == {Verdict.NOT_REPRODUCED}
    assert NOISE.half == (0.4, 0.6)
