from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import bootstrap
from scipy.stats import t as student_t

from pictures import is_drawn
from qhn import train
from qhn.errors import QhnError
from qhn.paper import mlp_curves, prediction, prediction_claims, prediction_tables, reproduce
from qhn.paper.claims import Verdict, in_all
from qhn.paper.curve_pool import Pool, kept
from qhn.paper.hypernetwork_curves import Recipe, curves_of
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.predictability import Model, Scores, scores_of
from qhn.paper.prediction_methods import ANNEALED, BASE, EVERYTHING, METHODS, RANDOM, SHOWN, THREE, swift
from qhn.paper.prediction_pictures import one_study
from qhn.paper.replays import EARLIER, Method, Outcomes, one_replay, outcomes_of, replay_all
from qhn.paper.section import Writer
from qhn.paper.survey_bias import Found, rule_for, survey_all, threshold
from qhn.scheduling.hyperband import Hyperband

EXPONENTIALS = np.random.default_rng(5)


def pool(trials: int = 300, units: int = 27, noise: float = 0.01, name: str = "made up") -> Pool:
    """Curves that fall exponentially to levels of their own."""
    generator = np.random.default_rng(trials)
    level, rate = generator.uniform(0, 0.3, trials), generator.uniform(0.05, 0.5, trials)
    truth = level[:, None] + np.exp(-rate[:, None] * np.arange(1, units + 1))
    curves = truth + generator.normal(0, noise, truth.shape)
    return Pool(name, "1 epoch", "loss", curves, truth, np.column_stack([level, rate]), np.arange(trials) % 3)


# ---------------------------------------------------------------- curves


def test_a_curve_holds_the_last_step_that_its_shots_paid_for() -> None:
    recipe = Recipe("figure-1", units=9, steps_per_unit=2, shots=20, depths=(0, 1), rates=(0.1,))
    found = curves_of(recipe, range(2))
    for trial in range(2):
        training = train(recipe.config(trial), record=False)
        steps = list(training)
        assert recipe.setting(trial)[0] == trial
        assert steps[-1].shots <= recipe.units * recipe.unit < steps[-1].shots + steps[0].shots
        for resource in range(1, recipe.units + 1):
            paid = [step for step in steps if step.shots <= resource * recipe.unit]
            value = found["curves"][trial, resource - 1]
            assert np.isnan(value) if not paid else value == paid[-1].mean
    assert steps[0].shots > recipe.unit  # of the deeper circuit, whose curve begins later
    assert np.isnan(found["truth"][1, 0])
    assert not np.isnan(found["truth"][0]).any()


def test_the_truth_of_a_curve_is_what_its_shots_measure() -> None:
    recipe = Recipe("figure-1", units=3, steps_per_unit=1, shots=20_000, depths=(0,), rates=(0.1,))
    found = curves_of(recipe, range(4))
    assert np.abs(found["curves"] - found["truth"]).max() < 0.15  # five standard errors
    assert not np.array_equal(found["curves"], found["truth"])


def test_a_network_learns_digits_and_its_curves_can_be_made_again() -> None:
    pytest.importorskip("sklearn")
    recipe = mlp_curves.MlpRecipe(epochs=4)
    found, again = (mlp_curves.curves_of(recipe, range(1, 3)) for _ in range(2))
    assert found["curves"].shape == (2, 4)
    assert (found["curves"][:, -1] < np.log(10)).any()  # better than guessing
    assert all(np.array_equal(found[name], again[name]) for name in found)
    np.testing.assert_allclose(found["curves"][:, -1], found["truth"][:, -1], rtol=0.5)


def test_what_was_computed_is_kept_and_read_again(tmp_path: Path) -> None:
    computed: list[range] = []

    def compute(trials: range) -> dict[str, np.ndarray]:
        computed.append(trials)
        return {"square": np.array([trial**2 for trial in trials])}

    with ThreadPoolExecutor(1) as executor:
        lab = Lab(executor, tmp_path)
        for _ in range(2):
            found = kept(lab, {"power": 2}, 70, compute, "squares")
            assert found["square"].tolist() == [trial**2 for trial in range(70)]
        assert sorted(trial for part in computed for trial in part) == list(range(70))
        computed.clear()
        kept(lab, {"power": 2}, 80, compute, "squares")
        assert min(trial for part in computed for trial in part) == 60  # a whole block is not computed again
        kept(lab, {"power": 3}, 10, compute, "others")
        assert computed[-1].start == 0


# ---------------------------------------------------------------- statistics


def test_resampled_intervals_are_scipys() -> None:
    values = np.random.default_rng(0).exponential(size=60)
    found = Difference.of_resamples(values)
    peer = bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    np.testing.assert_allclose((found.low, found.high), peer, atol=0.03)
    assert found.value == values.mean()
    assert Difference.of_resamples([0.3]).above().holds is None  # one value says nothing of its error


def test_intervals_of_few_values_hold_the_mean_more_often_than_those_of_plain_resamples() -> None:
    samples = np.random.default_rng(1).normal(size=(150, 4))
    found = [Difference.of_resamples(values) for values in samples]
    plain = [bootstrap((values,), np.mean, method="percentile", n_resamples=500, rng=1) for values in samples]
    held = np.mean([one.low <= 0 <= one.high for one in found])
    assert held > np.mean([one.confidence_interval.low <= 0 <= one.confidence_interval.high for one in plain])
    assert held > 0.85


def test_a_range_holds_a_difference_only_with_all_of_its_interval() -> None:
    one = Difference(10.0, 9.0, 11.0)
    assert [one.inside(*ends).holds for ends in ((8, 12), (9.5, 12), (8, 10.5), (11.5, 12), (1, 2))] == [
        True, None, None, False, False
    ]  # fmt: skip
    assert one.words(1, 0.1) == "1.0 (0.9 to 1.1)"
    assert in_all([True, None, False]) is False


# ---------------------------------------------------------------- replays


def test_replays_count_what_a_schedule_takes_and_what_it_misses() -> None:
    whole = pool()
    for method in (BASE, THREE):
        found = outcomes_of(whole, method, range(3))["outcomes"]
        assert found[:, 0].tolist() == [Hyperband(27, method.eta).most_units] * 3
        assert (found[:, 1] >= 0).all()
    everything = outcomes_of(whole, EVERYTHING, range(3))["outcomes"]
    assert everything[:, 0].tolist() == [27 * Hyperband(27, 2).num_trials] * 3
    assert everything[:, 2].tolist() == [0] * 3
    exact = replace(whole, curves=whole.truth)
    assert outcomes_of(exact, EVERYTHING, range(3))["outcomes"][:, 1].tolist() == [0] * 3


def test_methods_draw_the_same_trials_none_of_which_is_an_earlier_curve() -> None:
    whole = pool()
    same = [
        method for method in METHODS if method.eta == 2 and method.predictor in ("", "last") and method.kind != "optuna"
    ]
    drawn = [one_replay(whole, method, 7)[1] for method in same]
    assert len({rows.tobytes() for rows in drawn}) == 1
    earlier = np.random.default_rng(7).permutation(len(whole))[:EARLIER]
    assert not set(drawn[0]) & set(earlier)
    assert len(set(drawn[0])) == len(drawn[0])


def test_a_warm_start_takes_less_and_outcomes_do_not_depend_on_workers(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    whole = pool()
    cold, warm = swift("ridge"), replace(swift("ridge"), name="warm", is_warm=True)
    found = []
    for number in (1, 3):
        with ThreadPoolExecutor(number) as executor:
            found.append(replay_all(Lab(executor, tmp_path / str(number)), whole, (cold, warm), 6))
    assert all(np.array_equal(found[0][name].units, found[1][name].units) for name in found[0])
    assert found[0]["warm"].units.mean() < found[0][cold.name].units.mean()
    assert (found[0]["warm"].wrongly_stopped <= found[0]["warm"].stopped).all()


def test_slow_methods_have_fewer_replays_and_missing_peers_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Method("slow", "hyperband", most_replays=2)
    peer = Method("Optuna's", "optuna")
    monkeypatch.setattr("qhn.paper.replays.find_spec", lambda name: None)
    with ThreadPoolExecutor(1) as executor:
        found = replay_all(Lab(executor, tmp_path), pool(), (slow, peer), 5)
    assert {name: len(outcomes) for name, outcomes in found.items()} == {"slow": 2}
    page = Writer("x")
    prediction_tables.savings(page, pool(), {BASE.name: found["slow"]})
    assert "qhn[peers]" in page.blocks[-1]


# ---------------------------------------------------------------- predictors and surveys


def test_scores_are_of_curves_that_were_not_learnt_from() -> None:
    pytest.importorskip("sklearn")
    flat = replace(pool(noise=0.0), curves=np.repeat(np.linspace(0, 1, 300)[:, None], 27, axis=1))
    r2, rank, gap = scores_of(flat, Model("last", "last", "curve", 20), range(2))["scores"].T
    assert (r2.tolist(), rank.tolist()) == ([1, 1], [1, 1])
    assert np.isnan(gap).all()
    guesses = EXPONENTIALS.permutation(300).astype(float)
    unrelated = replace(flat, curves=np.column_stack([flat.curves[:, :-1], guesses]))
    ridge = Model("ridge", "ridge", "curve", 20, (("target", "loss"),))
    assert scores_of(unrelated, ridge, range(4))["scores"][:, 0].mean() < 0.1


def test_the_exact_solution_of_a_qubo_has_the_lowest_energy_gap() -> None:
    pytest.importorskip("sklearn")
    small = (("num_bits", 2), ("max_curves", 3), ("random_state", 0))
    gaps = {}
    for solver in ("exact", "simulated-annealing", "random"):
        model = Model(solver, "qubo-svr", "curve", 3, (("solver", solver), *small))
        gaps[solver] = scores_of(pool(), model, range(3))["scores"][:, 2]
    assert (gaps["exact"] >= 0).all()
    assert (gaps["exact"] <= gaps["simulated-annealing"] + 1e-12).all()
    assert gaps["exact"].mean() < gaps["random"].mean()


def test_survivors_are_biased_and_imputed_ends_are_not(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    whole = pool()
    with ThreadPoolExecutor(1) as executor:
        rule, found = survey_all(Lab(executor, tmp_path), whole, 12)
    assert (rule.groups, rule.trials_per_group) == (3, 50)
    assert rule == rule_for(whole)
    assert (whole.curves[:, -1] < threshold(whole)).mean() == pytest.approx(0.25, abs=0.01)
    for one in found:
        of_group = whole.curves[whole.groups == one.group, -1]
        np.testing.assert_allclose(one.whole, [of_group.mean(), (of_group < threshold(whole)).mean()])
        bias = np.abs((one.survivors - one.full)[:, 0].mean())
        assert np.abs((one.imputed - one.full)[:, 0].mean()) < 0.3 * bias
        assert one.width[:, 0].mean() < one.part_width[:, 0].mean()
        assert one.in_sweep[:, 0].mean() > 0.7


# ---------------------------------------------------------------- the section


def outcomes(saves: dict[str, float], regret: float = 0.001, replays: int = 30) -> dict[str, Outcomes]:
    """Outcomes of all methods, of which some save a share of 1,000 units."""
    zeros = np.zeros(replays)
    jitter = np.linspace(-1, 1, replays)
    return {
        method.name: Outcomes(1000 * (1 - saves.get(method.name, 0.0)) + jitter, zeros + regret, zeros, zeros, zeros)
        for method in METHODS
    }


def verdicts(saves: dict[str, float]) -> dict[str, Verdict]:
    page = Writer("x")
    prediction_claims.claim_savings(page, {"one": outcomes(saves), "two": outcomes(saves)})
    return {claim.statement: claim.verdict for claim in page.claims}


def test_claims_follow_the_numbers() -> None:
    names = [swift(label).name for label in ("SVR", "NuSVR", "last value", ANNEALED, RANDOM)]
    warm = swift("NuSVR", is_warm=True).name
    as_claimed = verdicts(dict.fromkeys(names, 0.1) | {THREE.name: 0.39, warm: 0.245})
    assert set(as_claimed.values()) == {Verdict.REPRODUCED}
    otherwise = verdicts(dict.fromkeys(names, 0.2) | {names[2]: 0.0, names[4]: 0.0, THREE.name: 0.1, warm: 0.05})
    same = [statement for statement in otherwise if "as good" in statement]
    assert [otherwise.pop(statement) for statement in same] == [Verdict.REPRODUCED] * 2
    assert set(otherwise.values()) == {Verdict.NOT_REPRODUCED}


def test_a_claim_that_two_tasks_disagree_on_is_not_reproduced() -> None:
    page = Writer("x")
    name = swift("SVR").name
    prediction_claims.claim_savings(page, {"one": outcomes({name: 0.1}), "two": outcomes({name: 0.5})})
    assert page.claims[0].verdict is Verdict.NOT_REPRODUCED
    assert "one 10.0 (" in page.claims[0].evidence


def test_families_of_savings_can_decide_and_correct() -> None:
    """The smallest p-value of resamples, times the number of tests, is below 5 %; what barely shows is not decided."""
    page = Writer("x")
    prediction_claims.claim_savings(page, {task: outcomes({}) for task in ("one", "two", "three", "four")})
    assert {claim.family for claim in page.claims} == {"what schedulers save", "how good the trials found are"}
    assert all(claim.verdict is not Verdict.UNDECIDED for claim in page.claims if "as good" in claim.statement)
    barely = outcomes({swift("NuSVR", is_warm=True).name: 0.001})
    scattered = np.random.default_rng(3).normal(0, 2.2, 30)
    barely[swift("NuSVR", is_warm=True).name] = replace(barely[BASE.name], units=999 + scattered - scattered.mean())
    page = Writer("x")
    prediction_claims.claim_savings(page, {"one": barely})
    (claim,) = (one for one in page.claims if one.statement.startswith("A warm start saves more"))
    assert (claim.verdict, claim.uncorrected) == (Verdict.UNDECIDED, Verdict.REPRODUCED)


def test_few_values_on_one_side_are_no_evidence(rng: np.random.Generator) -> None:
    """Four values of mean 0 are all positive, or all negative, in an eighth of cases, and not surprising then."""
    found = [prediction_tables.mean_of(values) for values in rng.normal(size=(400, 4))]
    surprising = np.mean([one.p_value < 0.05 for one in found])
    assert surprising < 0.05 + 5 * np.sqrt(0.05 * 0.95 / 400)
    resampled = [Difference.of_resamples(values).p_value for values in rng.normal(size=(100, 4))]
    assert np.mean([p_value < 0.05 for p_value in resampled]) > surprising
    long = rng.normal(size=30)
    assert prediction_tables.mean_of(long).value == Difference.of_resamples(long).value


def surveys_of(bias: float, survivors: float, held: float, number: int = 200, spread: float = 0.02) -> list[Found]:
    """What surveys of two groups find, if their imputed means are off by a bias on average."""
    rng = np.random.default_rng(1)
    groups = []
    for group in (0, 1):
        full = 1 + rng.normal(0, 0.1, (number, 2))
        noise = rng.normal(0, spread, (2, number, 2))
        noise -= noise.mean(axis=1, keepdims=True)
        inside = np.repeat(np.arange(number) < held * number, 2).reshape(number, 2).astype(float)
        ones = np.ones((number, 2))
        groups.append(Found(group, np.ones(2), full, full - survivors + noise[0], full, full + bias + noise[1], inside,
                            inside, ones, 2 * ones))  # fmt: skip
    return groups


def survey_verdicts(*args: float, number: int = 200, spread: float = 0.02) -> list[Verdict]:
    page = Writer("x")
    prediction_claims.claim_surveys(page, {"one": surveys_of(*args, number=number, spread=spread)})
    return [claim.verdict for claim in page.claims]


def test_claims_on_surveys_follow_bias_and_coverage() -> None:
    assert survey_verdicts(0.0, 0.1, 0.97) == [Verdict.REPRODUCED] * 3
    for bias in (0.05, -0.05):
        assert survey_verdicts(bias, 0.1, 0.8) == [Verdict.REPRODUCED] + [Verdict.NOT_REPRODUCED] * 2
    assert survey_verdicts(0.0, -0.1, 0.97)[0] is Verdict.NOT_REPRODUCED
    assert survey_verdicts(0.0, 0.1, 0.97, number=30, spread=0.1)[1:] == [Verdict.UNDECIDED] * 2


def test_cases_of_one_survey_do_not_count_as_many() -> None:
    """Four intervals a survey that hold or miss together are one case: of 30 surveys nothing is decided."""
    page = Writer("x")
    prediction_claims.claim_surveys(page, {"one": surveys_of(0.0, 0.1, 1.0, number=30)})
    assert page.claims[2].evidence.startswith("one 1.00 (0.89–1.00), in the mean")


def test_a_value_that_is_the_same_in_every_survey_is_no_case_of_coverage() -> None:
    """A rate of 0 where no trial succeeds is held by every interval, and hides those that miss."""
    groups = surveys_of(0.0, 0.1, 0.85)
    for one in groups:
        one.full[:, 1], one.in_sweep[:, 1] = 0.0, 1.0
    page = Writer("x")
    prediction_claims.claim_surveys(page, {"one": groups})
    assert page.claims[2].verdict is Verdict.NOT_REPRODUCED
    assert "one 0.85 (" in page.claims[2].evidence
    assert page.claims[2].evidence.endswith(
        "the least often held is that of one, 0 layers, mean loss, 0.85 (0.79–0.89)"
    )


def solver_scores(gain: float, gap: float) -> dict[Model, Scores]:
    """Scores of annealed and of random bits in splits that both share and that scatter much more than they differ."""
    shared = np.random.default_rng(2).normal(0, 0.3, 20)
    jitter = np.linspace(-0.01, 0.01, 20)
    return {
        Model(name, "qubo-svr", "curve", 20): Scores(shared + lift + sign * jitter, shared, shared + above)
        for name, lift, sign, above in ((ANNEALED, 0.0, 0, 0.0), (RANDOM, gain, 1, gap))
    }


def test_claims_on_solvers_are_of_paired_splits() -> None:
    for gain, gap, expected in (
        (0.0, 0.2, [Verdict.REPRODUCED, Verdict.REPRODUCED]),
        (-0.1, -0.2, [Verdict.NOT_REPRODUCED, Verdict.NOT_REPRODUCED]),
        (-0.05, 0.2, [Verdict.REPRODUCED, Verdict.UNDECIDED]),
    ):
        page = Writer("x")
        prediction_claims.claim_solvers(page, {"one": solver_scores(gain, gap)})
        assert [claim.verdict for claim in page.claims] == expected
    page = Writer("x")
    prediction_claims.claim_solvers(page, {"one": {}})
    assert page.claims == []


def test_missing_packages_are_named_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> ModuleSpec | None:
        if name == "dwave.samplers":
            raise ModuleNotFoundError("No module named 'dwave'")
        return None if name == "dimod" else ModuleSpec(name, None)

    monkeypatch.setattr(prediction, "find_spec", find)
    with ThreadPoolExecutor(1) as executor, pytest.raises(QhnError) as error:
        reproduce.reproduce(Lab(executor, tmp_path), ["prediction"])
    assert str(error.value) == "the part prediction needs dimod, dwave-samplers: pip install 'qhn[search,peers]'"


def test_a_drawn_replay_marks_every_decision(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    found, rows = one_replay(pool(), SHOWN, 0)
    path = one_study(tmp_path / "curves.png", pool(), SHOWN)
    with path.with_suffix(".csv").open() as file:
        table = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in table] == [decision.trial for decision in found.decisions]
    one = table[0]
    assert float(one["loss"]) == pool().curves[rows[int(one["trial"])], int(one["resource"]) - 1]


@pytest.mark.slow
@pytest.mark.pictures
def test_the_section_on_pools_that_were_made_up(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    page = Writer("x")
    sizes = prediction.Sizes(replays=3, splits=3, surveys=3)
    pools = [pool(160, units=9, name="one"), pool(170, units=9, name="two")]
    with ThreadPoolExecutor(1) as executor:
        lab = Lab(executor, tmp_path)
        prediction.study(page, lab, pools, sizes)
    for name in ("spent", "curves", "solvers"):
        assert is_drawn(lab.folder / f"prediction-{name}.png")
    text = page.section(1.0).markdown()
    with (lab.folder / "prediction-replays.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if (row["task"], row["method"]) == ("two", SHOWN.name)]
    values = np.array([float(row["saved"]) for row in rows])
    reach = student_t.isf(0.025, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    mean, low, high = (f"{100 * end:z.1f}" for end in (values.mean(), values.mean() - reach, values.mean() + reach))
    assert f"| {SHOWN.name} | 3 | " in text
    assert f"{mean} ({low} to {high})" in text
    with (lab.folder / "prediction-surveys.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2 * 3 * 3 * 2  # tasks, groups, surveys, quantities
    with (lab.folder / "prediction-scores.csv").open() as file:
        splits = [row["split"] for row in csv.DictReader(file) if row["predictor"] == "ridge"]
    assert set(splits) == {"0", "1", "2"}
    for method in METHODS:
        assert text.count(f"| {method.name} |") == 2
    assert len(page.claims) == 14


@pytest.mark.slow
def test_the_part_on_a_small_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "TASKS", ("figure-1",))
    monkeypatch.setattr("qhn.paper.replays.find_spec", lambda name: None)
    with ThreadPoolExecutor(1) as executor:
        reproduce.reproduce(Lab(executor, tmp_path, seeds=2), ["prediction"])
    report = (tmp_path / "paper" / "report.md").read_text(encoding="utf-8")
    assert "30 curves of 81 units" in report
    assert "Optuna is not installed" in report
