"""Intervals, p-values and verdicts on data whose right verdict is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qhn.errors import QhnError
from qhn.paper.claims import Claim, Verdict
from qhn.paper.contrast import Contrast, detectable
from qhn.paper.family import Family
from qhn.paper.inference import Difference, Hypothesis, holm
from qhn.paper.pairing import Paired
from qhn.paper.section import Section, Writer
from qhn.sweep.survey import Rate


def arm(name: str, successes: int, trials: int = 200) -> Contrast:
    return Contrast.of(name, Rate(successes, trials))


def test_shared_runs_cancel_in_a_difference_of_differences() -> None:
    product, one, other = arm("product", 104), arm("eq5 1", 86), arm("authors 1", 107)
    apart = Difference.contrast((one - product) - (other - product))
    direct = Difference.of(Rate(86, 200), Rate(107, 200))
    assert (apart.value, apart.low, apart.high) == (direct.value, direct.low, direct.high)
    assert apart.above().holds is False  # twice counted, the product state would have left it undecided
    assert (one - product - (one - product)).weights == {}


def test_experiments_of_one_name_must_be_one() -> None:
    with pytest.raises(QhnError, match="two experiments have the name 'product'"):
        arm("product", 104) - arm("product", 105)


def test_a_contrast_is_wilsons_interval_for_one_rate_and_newcombes_for_two() -> None:
    rate = Rate(56, 70)
    alone = Difference.contrast(Contrast.of("one", rate) - 0.5)
    np.testing.assert_allclose((alone.low + 0.5, alone.high + 0.5), rate.interval, atol=1e-5)
    two = Difference.of(rate, Rate(48, 80))
    np.testing.assert_allclose((two.value, two.low, two.high), (0.2, 0.0524, 0.3339), atol=6e-5)  # his table II
    turned = Difference.contrast(-1.0 * (Contrast.of("one", rate) - Contrast.of("two", Rate(48, 80))))
    np.testing.assert_allclose((turned.low, turned.high), (-two.high, -two.low))


@pytest.mark.parametrize("seed", range(5))
def test_a_p_value_is_the_level_at_which_the_interval_ends_at_the_bound(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = (Rate(int(generator.integers(1, 100)), 100) for _ in range(2))
    values = generator.normal(0.2, 1.0, 30)
    for found in (Difference.of(first, second), Difference.of_means(values), Difference.of_resamples(values)):
        assert (found.p_value < 0.05) == (not found.low <= 0 <= found.high)
        if 1e-3 < found.p_value < 0.999:
            low, high = found.ends(found.p_value / 2)
            assert min(abs(low), abs(high)) < 1e-2 * (found.high - found.low)
    np.testing.assert_allclose(Difference.of_means(values).p_value, stats.ttest_1samp(values, 0.0).pvalue, rtol=1e-4)


def test_p_values_of_extreme_data_are_small_and_finite() -> None:
    far = Difference.of(Rate(1000, 1000), Rate(0, 1000))
    assert 0 < far.p_value < 1e-12
    assert Difference.of(Rate(0, 10), Rate(0, 10)).p_value == 1.0
    assert Difference.of_means([0.2]).p_value == 1.0  # one value says nothing of its error
    assert Difference.of_resamples([0.2]).p_value == 1.0
    assert Difference.of_means([0.2, 0.2]).above().holds is True
    plain = Difference(1.0, 1.0 - 1.96, 1.0 + 1.96)
    np.testing.assert_allclose(plain.p_value, 2 * stats.norm.sf(1.0), rtol=1e-4)


def test_equivalence_takes_both_sides() -> None:
    near, wide, far = (Difference(value, value - err, value + err) for value, err in ((0, 0.05), (0, 0.2), (0.3, 0.1)))
    assert [found.inside(-0.1, 0.1).holds for found in (near, wide, far)] == [True, None, False]


def test_holms_correction_is_that_of_a_table() -> None:
    """The example of Holm's method in Aickin and Gensler (Am. J. Public Health 86, 726, 1996) by its definition."""
    p_values = [0.01, 0.02, 0.022, 0.09]
    np.testing.assert_allclose(holm(p_values), [0.04, 0.06, 0.06, 0.09])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_number_of_trials_has_the_stated_power(rng: np.random.Generator) -> None:
    trials = 129
    counts = rng.binomial(trials, [[0.6], [0.4]], (2, 300)).tolist()
    found = [Difference.of(Rate(a, trials), Rate(b, trials)).low > 0 for a, b in zip(*counts, strict=True)]
    assert abs(np.mean(found) - 0.9) < 5 * np.sqrt(0.09 / 300)
    assert abs(detectable(trials, 0.5) - 0.2) < 3e-3


def judged(effects: list[tuple[Difference, Difference, Difference]]) -> list[Claim]:
    page, family = Writer("A page"), Family("planted")
    for number, (text, authors, apart) in enumerate(effects):
        family.order("here", f"Effect {number}", {"eq5": text, "authors": authors}, apart, "more minus less")
    family.judge(page)
    return page.claims


def test_only_in_one_order_takes_a_difference_between_the_orders_of_the_right_sign() -> None:
    zero, small = Difference(0.0, -0.1, 0.1), Difference(0.1, 0.05, 0.15)
    more, less = Difference(0.1, 0.05, 0.15), Difference(-0.1, -0.15, -0.05)
    verdicts = [judged([effects])[0].verdict for effects in (
        (small, zero, zero), (small, zero, more), (small, zero, less), (zero, small, less), (small, small, zero),
        (zero, less, more), (zero, zero, zero),
    )]  # fmt: skip
    assert verdicts == [
        Verdict.TEXT_AT_LEAST, Verdict.TEXT_ONLY, Verdict.TEXT_AT_LEAST, Verdict.AUTHORS_ONLY, Verdict.REPRODUCED,
        Verdict.NOT_REPRODUCED, Verdict.UNDECIDED,
    ]  # fmt: skip


def test_one_significant_test_among_many_is_left_undecided() -> None:
    barely, zero = Difference(0.1, 0.01, 0.19), Difference(0.0, -0.1, 0.1)
    claims = judged([(barely, zero, zero)] + [(zero, zero, zero)] * 4)
    assert (claims[0].verdict, claims[0].uncorrected) == (Verdict.UNDECIDED, Verdict.TEXT_AT_LEAST)
    assert {claim.family for claim in claims} == {"planted"}


def test_paired_forms_stand_beside_and_judge_nothing() -> None:
    """A correlation hides an effect from the independent test, or makes one up; the page says what pairs would say."""
    both, neither, first = np.arange(200) < 90, np.arange(200) < 80, np.arange(200) >= 110
    runs = {"shallow": neither, "same way": both, "other way": first}
    weak, none = (Paired.of(runs, {name: 1.0, "shallow": -1.0}) for name in ("same way", "other way"))
    independent = Difference.of(Rate(90, 200), Rate(80, 200))
    assert independent.above().holds is None
    assert (weak.difference.above().holds, none.difference.above().holds) == (True, None)
    assert (weak.more, weak.fewer, none.more, none.fewer) == (10, 0, 90, 80)
    for paired, sentence in (
        (weak, "By the paired form other verdicts would be: “It helps”: reproduced (uncorrected: reproduced)."),
        (none, "By the paired form, which 1 of the 2 claims have, all verdicts are the same, corrected and not."),
    ):
        page, family = Writer("A page"), Family("planted")
        forms = dict.fromkeys(("eq5", "authors", "eq5 − authors"), paired)
        effects = dict.fromkeys(("eq5", "authors"), independent)
        family.order("here", "It helps", effects, independent, "more minus less", forms)
        family.add("here", "It has no pairs", Hypothesis("certain", supports=0.0, refutes=1.0))
        family.judge(page)
        assert [claim.verdict for claim in page.claims] == [Verdict.UNDECIDED, Verdict.REPRODUCED]
        text = page.section(1.0).markdown()
        assert sentence in text
        assert f"| It helps: eq5 | {independent} | {paired.difference} | {paired.more} : {paired.fewer} |" in text


def test_without_paired_forms_nothing_is_said_of_pairs() -> None:
    zero = Difference(0.0, -0.1, 0.1)
    page, family = Writer("A page"), Family("planted")
    family.order("here", "It helps", {"eq5": zero, "authors": zero}, zero, "more minus less")
    family.judge(page)
    assert "aired" not in page.section(1.0).markdown()


def test_families_without_effects_assert_something_in_at_most_a_twentieth_of_cases(rng: np.random.Generator) -> None:
    wrong = {"corrected": 0, "uncorrected": 0}
    for _ in range(200):
        values = rng.normal(size=(8, 40))
        page, family = Writer("A page"), Family("planted")
        for number, one in enumerate(values):
            family.add("here", f"{number}", Difference.of_means(one).above())
        family.judge(page)
        wrong["corrected"] += any(claim.verdict is not Verdict.UNDECIDED for claim in page.claims)
        wrong["uncorrected"] += any(claim.uncorrected is not Verdict.UNDECIDED for claim in page.claims)
    assert wrong["corrected"] < 10 + 5 * np.sqrt(200 * 0.05 * 0.95)
    assert wrong["uncorrected"] > 40


def test_both_verdicts_survive_the_file_and_stand_in_the_table() -> None:
    barely, zero = Difference(0.1, 0.01, 0.19), Difference(0.0, -0.1, 0.1)
    page, family = Writer("A page"), Family("planted")
    family.order("here", "An effect", {"eq5": barely, "authors": zero}, zero, "more minus less")
    family.add("there", "A bound", Hypothesis("0.2", 1e-6, 1.0))
    family.judge(page)
    section = page.section(1.0)
    assert Section.from_json(section.to_json()) == section
    text = section.markdown()
    assert "| here | An effect | **not decided: within the error** | reproduced in the text's" in text
    assert "| there | A bound | **reproduced** | the same | planted | 0.2 |" in text
    assert "Tests of the family “planted”, 4 in all:" in text
    assert "| An effect: eq5 | +0.10 (+0.01 to +0.19) | 0.029 | 0.088 |" in text
