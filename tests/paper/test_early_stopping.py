"""Verdicts on early stopping, on planted curves whose right verdict is known."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.arrays import Floats
from qhn.config.file import load_config
from qhn.estimator.exact import ExactEstimator
from qhn.paper import plan
from qhn.paper.claims import Claim, Verdict
from qhn.paper.early_stopping import Curves, add_claims, gap_closes
from qhn.paper.family import Family
from qhn.paper.inference import mean_and_error
from qhn.paper.overfitting import SIDES, data_set_curves
from qhn.paper.section import Writer
from qhn.problem.cost import networks_of

STEPS = np.arange(51)
U_SHAPE = 0.2 + 0.1 * np.exp(-STEPS / 5) + 0.0005 * np.maximum(STEPS - 20, 0)  # lowest at 24
MONOTONE = 0.2 + 0.1 * np.exp(-STEPS / 5)


def planted(form: Floats, rng: np.random.Generator, *, data_sets: int = 200, noise: float = 0.02) -> Curves:
    """Curves of one form, with an offset for each data set, a wander from step to step, and errors of each sample."""
    offset = rng.normal(0, 0.05, (data_sets, 1))
    wander = np.cumsum(rng.normal(0, noise / np.sqrt(len(STEPS)), (data_sets, len(STEPS))), axis=1)
    true = form + offset + wander
    sides = [true + rng.normal(0, 0.002, true.shape) for _ in range(3)]
    return Curves(true, *sides, folds=10)


def claims_on(curves: Curves, *, rises: bool = True) -> list[Claim]:
    page, family = Writer("A page"), Family("planted")
    add_claims(family, curves, 2, 0.01, rises=rises)
    family.judge(page)
    return page.claims


def test_a_curve_that_falls_and_rises_is_found(rng: np.random.Generator) -> None:
    curves = planted(U_SHAPE, rng)
    assert ((curves.steps > 15) & (curves.steps < 32)).all()
    assert [claim.verdict for claim in claims_on(curves)] == [Verdict.REPRODUCED] * 2
    assert [claim.verdict for claim in claims_on(curves, rises=False)] == [Verdict.NOT_REPRODUCED, Verdict.REPRODUCED]


def test_a_curve_that_falls_throughout_gains_nothing_by_stopping(rng: np.random.Generator) -> None:
    curves = planted(MONOTONE, rng, noise=0.002)
    assert [claim.verdict for claim in claims_on(curves)] == [Verdict.NOT_REPRODUCED] * 2
    assert [claim.verdict for claim in claims_on(curves, rises=False)] == [Verdict.REPRODUCED, Verdict.NOT_REPRODUCED]
    page, family = Writer("A page"), Family("planted")
    still = np.tile(MONOTONE, (20, 1))
    add_claims(family, Curves(still, still, still, still, folds=4), 8, 0.01, rises=False)
    family.judge(page)
    assert [claim.verdict for claim in page.claims] == [Verdict.REPRODUCED, Verdict.NOT_REPRODUCED]
    assert "With N_s = 8 stopping early helps" in page.claims[1].statement


@pytest.mark.parametrize("form", [np.full(51, 0.2), MONOTONE])
def test_wandering_curves_have_no_gain_though_the_lowest_of_each_lies_deep(
    form: Floats, rng: np.random.Generator
) -> None:
    """Each curve's own lowest step gains much, as an oracle says; a step that others chose gains nothing."""
    wrong = 0
    for _ in range(100):
        curves = planted(form, rng, data_sets=60)
        mean, error = mean_and_error(curves.validation[:, -1] - curves.validation.min(axis=1))
        assert mean > 5 * error  # what a verdict from the lowest of all checkpoints would rest on
        assert curves.gain_by_oracle.above().holds is True
        wrong += curves.gain.above().holds is True
    assert wrong < 2.5 + 5 * np.sqrt(100 * 0.025 * 0.975)


def test_the_gain_by_a_step_of_others_covers_the_truth(rng: np.random.Generator) -> None:
    """Intervals of the gain on U-shaped curves cover the gain of the form itself."""
    missed = 0
    for _ in range(200):
        curves = planted(U_SHAPE, rng, data_sets=100)
        gain = float(np.mean(U_SHAPE[-1] - U_SHAPE[curves.steps]))
        missed += not curves.gain.low <= gain <= curves.gain.high
    assert missed < 10 + 5 * np.sqrt(200 * 0.05 * 0.95)


def test_the_step_of_a_data_set_does_not_depend_on_its_own_curve(rng: np.random.Generator) -> None:
    curves = planted(U_SHAPE, rng, data_sets=30)
    own = np.arange(30) % 10 == 3
    changed = curves.validation.copy()
    changed[own] = changed[own][:, ::-1]
    others = Curves(curves.training, changed, curves.test, curves.few, folds=10)
    np.testing.assert_array_equal(others.steps[own], curves.steps[own])


@pytest.mark.parametrize(("shift", "verdict"), [
    (0.02, Verdict.REPRODUCED), (-0.02, Verdict.NOT_REPRODUCED), (0.0, Verdict.UNDECIDED)
])  # fmt: skip
def test_gaps_are_compared_within_data_sets(shift: float, verdict: Verdict, rng: np.random.Generator) -> None:
    """The gaps of single data sets differ by far more than the shift between numbers of samples."""
    gaps = rng.normal(0.3, 0.2, (100, 1))

    def with_gap(change: float) -> Curves:
        zero = np.zeros((100, 3))
        side = zero + gaps + change + rng.normal(0, 0.01, (100, 1))
        return Curves(zero, side, side, side, folds=2)

    page, family = Writer("A page"), Family("planted")
    gap_closes(family, {2: with_gap(2 * shift), 4: with_gap(shift), 8: with_gap(0.0)})
    family.judge(page)
    assert page.claims[0].verdict is verdict


def test_numbers_of_samples_share_a_data_set() -> None:
    """At the initial angles E is linear in the samples: the first N_s and the N_s after them are the first 2 N_s."""
    fixed = plan.OverfittingPlan(iterations=12, held_out=40)
    curves = data_set_curves(0.5, (2, 4, 8), 3, fixed)
    assert curves.shape == (3, len(SIDES), 13)
    assert (np.diff(curves[:, 0], axis=1) <= 1e-12).all()
    training, validation, test, few = curves[:, :, 0].T
    np.testing.assert_allclose((training + few)[:-1] / 2, training[1:], atol=1e-12)
    assert np.ptp(validation) == np.ptp(test) == 0
    settings = {"data.seed": 3, "data.means_scale": 0.5, "data.validation_samples": 80, "train.seed": 3}
    config = load_config("gaussian-activation", settings)
    problem = networks_of(config.problem())
    ansatz = config.circuit(problem)
    found = ExactEstimator(ansatz, problem.held_out)(config.initial_theta(ansatz)[None])
    np.testing.assert_allclose((validation + test)[0] / 2, found.mean[0], atol=1e-12)
    assert abs(validation[0] - test[0]) > 1e-6
