"""The part on objectives with a prior: identities, verdicts on planted data, and the part itself."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy as divergence_by_scipy
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from pictures import is_drawn
from qhn import bitstrings, load_config
from qhn.arrays import Floats
from qhn.estimator.exact import ExactEstimator
from qhn.paper import objective_studies, objectives, plan
from qhn.paper.claims import Verdict
from qhn.paper.family import Family
from qhn.paper.lab import Lab
from qhn.paper.objective_claims import BETTER, curves_of, identity, on_depth, on_few_samples, on_shots, on_success
from qhn.paper.objective_ends import (
    QUANTITIES,
    Population,
    divergence,
    elbo,
    ends_of,
    entropy,
    population,
    population_points,
    posterior,
)
from qhn.paper.objective_studies import (
    ARMS,
    SIDES,
    SUCCESS,
    TRAINED,
    FewSamples,
    Sampled,
    by_settings,
    depths,
    few_samples,
    many_samples,
    sampled,
    uniform_divergences,
)
from qhn.paper.overfitting import data_set_curves
from qhn.paper.reproduce import reproduce
from qhn.paper.section import Writer
from qhn.problem.built_in_data import gaussian_mixture
from qhn.problem.cost import networks_of
from qhn.problem.landscape import enumerate_costs
from qhn.problem.prior import WIDTH

SMALL = replace(
    plan.OBJECTIVES, data_sets=3, samples=(2, 4), iterations=6, points=48, folds=3, many=40, many_data_sets=3,
    many_iterations=8, deep_data_sets=2, deep_samples=(4, 8), layers=(0, 1), deep_iterations=6, sampled_starts=2,
    shots=20, pilots=1, strengths=(0.25, 1.0), widths=(2.0,),
)  # fmt: skip
YES, NO, OPEN = Verdict.REPRODUCED, Verdict.NOT_REPRODUCED, Verdict.UNDECIDED


def verdicts(family: Family) -> dict[str, Verdict]:
    page = Writer("planted")
    family.judge(page)
    return {claim.statement: claim.verdict for claim in page.claims}


# ---------------------------------------------------------------- identities


def test_the_posterior_minimises_the_elbo_and_the_surplus_is_the_divergence(rng: np.random.Generator) -> None:
    costs = rng.uniform(0, 1, 64)
    for samples in (2, 50):
        best = posterior(costs, samples)
        least = elbo(best, costs, samples)
        partition = -np.log(np.mean(np.exp(-samples * costs))) / samples  # the evidence, in closed form
        assert least == pytest.approx(partition, abs=1e-12)
        for q in (*rng.dirichlet(np.full(64, 0.3), 20), np.full(64, 1 / 64), np.eye(64)[3]):
            gap = elbo(q, costs, samples) - least
            assert gap >= 0
            assert gap == pytest.approx(divergence_by_scipy(q, best) / samples, abs=1e-12)
            assert divergence(q, best) == pytest.approx(divergence_by_scipy(q, best), abs=1e-12)
            assert entropy(q) == pytest.approx(divergence_by_scipy(q), abs=1e-12)


def test_the_points_stand_for_random_samples() -> None:
    """Means over 768 points agree with those over a hundred times as many random samples, to five of their errors."""
    x, label = population_points(0.5, 768)
    data = gaussian_mixture(80_000, seed=11, means_scale=0.5, validation_samples=0)
    assert label.mean() == 0.5
    for function in (lambda x, y: x[:, 0], lambda x, y: x[:, 1] * y, lambda x, y: x[:, 0] * x[:, 1], lambda x, y: y):
        random = function(data.x, data.y)
        assert abs(function(x, label).mean() - random.mean()) < 5 * random.std() / np.sqrt(80_000) + 1e-3


def test_what_a_distribution_is_worth_agrees_with_scikit_learn_and_with_enumeration(rng: np.random.Generator) -> None:
    judges = population(0.5, 48)
    config = load_config("gaussian-activation", {"data.samples": 6, "data.means_scale": 0.5})
    problem = networks_of(config.problem())
    costs = enumerate_costs(problem)
    x, label = population_points(0.5, 48)
    some = rng.choice(len(costs), 30, replace=False)
    q = np.zeros(len(costs))
    q[some] = rng.dirichlet(np.ones(30))
    values, (judged,) = ends_of([q], costs, 6, judges)
    end = dict(zip(QUANTITIES, values[0], strict=True))
    outputs = problem.space.output(bitstrings.from_integers(some, problem.num_qubits), x)
    blue = q[some] @ outputs
    assert end["brier"] == pytest.approx(brier_score_loss(label, blue), abs=1e-12)
    assert end["log_loss"] == pytest.approx(log_loss(label, blue), abs=1e-12)
    assert end["accuracy"] == pytest.approx(accuracy_score(label, blue > 0.5), abs=1e-12)
    assert end["validation"] == pytest.approx(q[some] @ np.square(outputs - label).mean(axis=1), abs=1e-12)
    assert end["training"] == pytest.approx(q @ costs)
    assert end["brier"] < end["validation"]
    assert end["surplus"] == pytest.approx(end["divergence"], abs=1e-9)
    assert judged.counts.sum() == 48


def test_a_single_network_is_an_ensemble_of_one() -> None:
    costs = np.array([0.1, 0.4, 0.1, 0.9])
    label = np.array([0.0, 1.0])
    blue = np.array([[0.1, 0.8], [0.5, 0.5], [0.2, 0.7], [0.9, 0.1]])
    judges = Population(label, blue, np.square(blue - label).mean(axis=1))
    values, _ = ends_of([np.eye(4)[2], np.eye(4)[3], np.full(4, 0.25)], costs, 3, judges)
    one, wrong, uniform = (dict(zip(QUANTITIES, row, strict=True)) for row in values)
    assert one["brier"] == pytest.approx(one["validation"]) == pytest.approx(judges.costs[2])
    assert (one["optimal"], one["mode_is_optimal"], wrong["optimal"], wrong["mode_is_optimal"]) == (1, 1, 0, 0)
    assert one["divergence"] == pytest.approx(-np.log(posterior(costs, 3)[2]))
    assert (one["entropy"], uniform["entropy"]) == (0, pytest.approx(np.log(4)))
    assert uniform["optimal"] == pytest.approx(0.5)


def test_e_alone_is_trained_as_in_figure_6() -> None:
    values, curves, bins = few_samples(range(2, 3), SMALL)
    fixed = plan.OverfittingPlan(iterations=SMALL.iterations, samples=SMALL.samples)
    expected = data_set_curves(0.5, (*SMALL.samples, 1000), 2, fixed)[: len(SMALL.samples), 0]
    few = FewSamples(SMALL.samples, values, curves, bins)
    for row, samples in zip(expected, SMALL.samples, strict=True):
        np.testing.assert_allclose(few.curve("training", "mean", samples)[0], row, atol=1e-12)
        for arm in TRAINED:
            for side in SIDES:
                assert few.curve(side, arm, samples)[0, -1] == pytest.approx(few.of(side, arm, samples)[0], abs=1e-12)
        assert few.of("divergence", "posterior", samples)[0] == pytest.approx(0, abs=1e-12)
        assert few.of("divergence", "elbo", samples)[0] < few.of("divergence", "mean", samples)[0]
        assert few.of("entropy", "prior", samples)[0] == pytest.approx(14 * np.log(2))
    assert few.largest_error < SMALL.rounding
    assert (bins[..., 0, :].sum(axis=-1) == SMALL.points).all()


def test_a_start_that_has_converged_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = objective_studies.train
    monkeypatch.setattr(objective_studies, "train", lambda *settings: whole(*settings)[:3])
    few = FewSamples(SMALL.samples, *few_samples(range(1), SMALL))
    for arm in TRAINED:
        for side in SIDES:
            assert (few.curve(side, arm, 2)[0, 2:] == few.curve(side, arm, 2)[0, 2]).all()
            assert few.curve(side, arm, 2)[0, -1] == pytest.approx(few.of(side, arm, 2)[0], abs=1e-12)


def test_settings_of_factor_1_are_the_defaults() -> None:
    settings = [("elbo", 1.0, WIDTH), ("posterior", 1.0, WIDTH), ("mmd", 1.0, WIDTH), ("mmd", 0.25, WIDTH)]
    found = by_settings(range(2, 3), SMALL, SMALL.samples, settings)
    few = few_samples(range(2, 3), SMALL)[0]
    arms = [ARMS.index(arm) for arm in ("mean", "elbo", "posterior", "mmd")]
    np.testing.assert_allclose(found[:, :, :4], few[:, :, arms], rtol=1e-9, atol=1e-12)
    assert (found[:, :, 4, QUANTITIES.index("divergence")] > found[:, :, 3, QUANTITIES.index("divergence")]).all()


def test_circuits_of_all_depths_meet_the_posterior_of_the_same_data_sets() -> None:
    found, surplus = depths(range(2), SMALL)
    assert found.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(surplus, found, atol=SMALL.rounding)
    problem = load_config("gaussian-activation", {
        "data.seed": 1, "data.samples": 2000, "data.means_scale": 0.5, "train.seed": 1
    })  # fmt: skip
    whole = networks_of(problem.problem())
    first = replace(whole, dataset=replace(whole.dataset, x=whole.dataset.x[:4], y=whole.dataset.y[:4]))
    uniform = np.full(2**14, 2.0**-14)
    expected = divergence_by_scipy(uniform, posterior(enumerate_costs(first), 4))
    assert uniform_divergences(range(2), SMALL)[4][1] == pytest.approx(expected)


def test_success_on_many_samples_is_that_of_the_minimised_e() -> None:
    found = many_samples(range(1), SMALL)[0]
    assert found.shape == (len(TRAINED), len(SUCCESS))
    row = dict(zip(SUCCESS, found[0], strict=True))
    config = load_config("gaussian-activation", {"data.seed": 0, "data.samples": 40, "train.seed": 0})
    problem = config.problem()
    exact = ExactEstimator(config.circuit(problem), problem)
    start = exact(config.initial_theta(exact.ansatz)).mean - exact.landscape.optimum
    assert 0 <= row["gap"] < start
    assert row["near"] == (row["gap"] < SMALL.epsilon)
    assert row["steps"] == SMALL.many_iterations


def test_a_run_by_shots_states_its_values_within_their_errors() -> None:
    (run,) = sampled(range(1), replace(SMALL, shots=50))
    assert run.by_shots[0] == run.exact[0]  # the same initial angles
    assert run.fallen > 0.2
    assert abs(run.pulls.mean()) < 5 / np.sqrt(len(run.pulls))
    assert 0.5 < run.pulls.std() < 1.6


# ---------------------------------------------------------------- verdicts on planted data


def planted(
    rng: np.random.Generator, better: dict[str, float], rise: dict[str, float], number: int = 60, error: float = 0.05
) -> FewSamples:
    """Results in which an arm is better than E alone by a planted number in all that an ensemble should have."""
    samples = (2, 8)
    values = np.empty((number, len(samples), len(ARMS), len(QUANTITIES)))
    values[:] = 0.3 + rng.normal(0, 0.2, (number, 1, 1, 1))  # data sets differ far more than objectives
    for place, arm in enumerate(ARMS):
        for quantity, (_, sign) in BETTER.items():
            shift = sign * better.get(arm, 0.0) + rng.normal(0, error, (number, len(samples)))
            values[:, :, place, QUANTITIES.index(quantity)] += shift
    modes = rng.random((number, len(samples), len(ARMS))) < 0.5 + np.array([better.get(arm, 0.0) for arm in ARMS])
    values[..., QUANTITIES.index("mode_is_optimal")] = modes
    steps = np.arange(31)
    curves = np.empty((number, len(samples), len(TRAINED), len(SIDES), len(steps)))
    for place, arm in enumerate(TRAINED):
        form = 0.2 + 0.1 * np.exp(-steps / 4) + rise.get(arm, 0.0) * np.maximum(steps - 20, 0) / 10
        curves[:, :, place] = form + rng.normal(0, 0.0005, curves[:, :, place].shape)
    return FewSamples(samples, values, curves, np.zeros((number, len(samples), len(ARMS), 3, 10)))


def test_better_ensembles_are_told_from_worse_ones(rng: np.random.Generator) -> None:
    few = planted(rng, {"elbo": 0.1, "mmd": -0.1, "posterior": 0.2}, {"mean": 0.02})
    family = Family("planted")
    on_few_samples(family, few, SMALL)
    found = verdicts(family)
    for samples in few.samples:
        for words, _ in BETTER.values():
            assert found[f"With N_s = {samples} the ELBO {words}, against E alone"] is YES
            assert found[f"With N_s = {samples} the MMD surrogate {words}, against E alone"] is NO
    assert len(found) == 2 * len(BETTER) * 2 + 4 + 1
    assert {verdict for words, verdict in found.items() if "exact posterior" in words} == {YES}
    assert found["With N_s = 2 E on unseen samples rises late in training with E alone only"] is YES


@pytest.mark.parametrize(
    ("rise", "verdict"), [({"mean": 0.02, "elbo": 0.02}, NO), ({}, OPEN), ({"mean": 0.02, "mmd": 0.02}, NO)]
)
def test_overfitting_must_be_that_of_e_alone(
    rise: dict[str, float], verdict: Verdict, rng: np.random.Generator
) -> None:
    family = Family("planted")
    few = planted(rng, {}, rise)
    on_few_samples(family, few, SMALL)
    assert verdicts(family)["With N_s = 2 E on unseen samples rises late in training with E alone only"] is verdict
    if rise:
        assert curves_of(few, "mean", 2, SMALL).rise.value == pytest.approx(0.02, abs=0.003)


def test_equal_objectives_are_seldom_told_apart(rng: np.random.Generator) -> None:
    """Of 30 families of objectives that do the same, no more than a few assert anything."""
    wrong = 0
    for _ in range(30):
        few, family = planted(rng, {}, {}, number=20), Family("planted")
        on_few_samples(family, few, SMALL)
        wrong += any(verdict is not OPEN for words, verdict in verdicts(family).items() if "rises" not in words)
    assert wrong <= 30 * 0.05 + 3 * np.sqrt(30 * 0.05 * 0.95)


def test_success_is_compared_within_data_sets(rng: np.random.Generator) -> None:
    number, few = 80, planted(rng, {"elbo": 0.45, "mmd": -0.45}, {}, number=80)
    many = np.zeros((number, len(TRAINED), len(SUCCESS)))
    gap, mode = SUCCESS.index("gap"), SUCCESS.index("mode_is_optimal")
    many[:, :, gap] = rng.exponential(0.05, (number, 1))  # which differs far more between data sets
    many[:, :, gap] += rng.normal(0, 0.001, (number, len(TRAINED)))
    many[:, 2, gap] += 0.03
    many[:, :, mode] = rng.random((number, len(TRAINED))) < [0.5, 0.95, 0.05]
    family = Family("planted")
    on_success(family, many, few, SMALL)
    assert list(verdicts(family).values()) == [YES, YES, NO, NO]


def test_depths_are_compared_within_data_sets(rng: np.random.Generator) -> None:
    fixed = replace(plan.OBJECTIVES, layers=(0, 1, 2))

    def judged(shifts: tuple[float, float, float]) -> list[Verdict]:
        hard = rng.normal(0, 0.02, (20, 2, 1))
        nearest = np.array(shifts) + hard + rng.normal(0, 0.005, (20, 2, 3))
        family = Family("planted")
        on_depth(family, nearest, fixed)
        return list(verdicts(family).values())

    assert judged((0.5, 0.3, 0.06)) == [YES, YES, YES]
    assert judged((0.3, 0.5, 0.4)) == [NO, YES, NO]
    assert judged((0.3, 0.3, 0.3))[:2] == [OPEN, OPEN]


@pytest.mark.parametrize(
    ("share", "off", "scatter", "expected"),
    [(0.9, 0.0, 1.0, [YES, YES]), (0.2, 0.6, 1.0, [NO, NO]), (0.5, 0.0, 2.0, [OPEN, NO])],
)
def test_runs_by_shots_are_judged_by_their_fall_and_their_errors(
    share: float, off: float, scatter: float, expected: list[Verdict], rng: np.random.Generator
) -> None:
    runs = []
    for _ in range(20):
        ends: Floats = np.array([0.4, 0.4 - 0.2 * share + 0.01 * rng.normal()])
        runs.append(Sampled(ends, np.array([0.4, 0.2]), rng.normal(off, scatter, 60)))
    family = Family("planted")
    on_shots(family, runs, plan.OBJECTIVES)
    assert list(verdicts(family).values()) == expected


def test_an_identity_that_is_broken_is_not_reproduced() -> None:
    assert identity(1e-13, SMALL)[1] is YES
    assert identity(1e-3, SMALL)[1] is NO


# ---------------------------------------------------------------- the part


@pytest.mark.slow
@pytest.mark.pictures
def test_the_part_on_a_small_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "OBJECTIVES", SMALL)
    with ThreadPoolExecutor(1) as executor:
        reproduce(Lab(executor, tmp_path), ["objectives"])
    folder = tmp_path / "paper"
    for name in ("losses", "curves", "reliability", "depth"):
        assert is_drawn(folder / f"objectives-{name}.png")
    claims = json.loads((folder / "claims.json").read_text())
    assert claims[0]["verdict"] == "reproduced"  # the identity
    assert len(claims) == 1 + 4 + 2 * len(BETTER) * 2 + 4 + 1 + 2 + 2
    with np.load(folder / "objectives-few-samples.npz") as stored:
        values, names = stored["values"], stored["quantities"].tolist()
    with (folder / "objectives-losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    row = next(row for row in rows if (row["quantity"], row["arm"], row["samples"]) == ("brier", "elbo", "4"))
    expected = values[:, 1, ARMS.index("elbo"), names.index("brier")].mean()
    assert float(row["mean"]) == pytest.approx(expected)
    assert "Settings" in (folder / "report.md").read_text()


def test_starts_may_be_fewer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[range] = []
    monkeypatch.setattr(objective_studies, "many_samples", lambda seeds, fixed: seen.append(seeds))
    with ThreadPoolExecutor(1) as executor:
        objectives._map(Lab(executor, tmp_path, seeds=7), objective_studies.many_samples, 100, SMALL, "none")
    assert [list(seeds) for seeds in seen] == [[0, 1, 2, 3, 4], [5, 6]]
