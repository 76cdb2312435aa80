"""The claims of the section on schedulers, predictors and surveys, in families of tests.

All differences are within replays, splits or surveys of the same draw, so that what two methods share, such as the
trials and plain Hyperband, cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from qhn.arrays import Floats
from qhn.paper.contrast import Contrast
from qhn.paper.family import Family
from qhn.paper.inference import Difference, Hypothesis
from qhn.paper.noisytraining import OURS
from qhn.paper.plan import PREDICTION
from qhn.paper.predictability import Model, Scores
from qhn.paper.prediction_methods import ANNEALED, BASE, RANDOM, THREE, swift
from qhn.paper.prediction_tables import mean_of, saved
from qhn.paper.replays import Outcomes
from qhn.paper.section import Writer
from qhn.paper.survey_bias import QUANTITIES, Found
from qhn.sweep.survey import Rate
from qhn.text import counted

SWIFT = "Wulff et al. 2024"
ByTask = Mapping[str, Mapping[str, Outcomes]]


def claim_savings(page: Writer, outcomes: ByTask) -> None:
    """Add the claims on what schedulers save and lose."""
    low, high, much = PREDICTION.least_saved, PREDICTION.most_saved, PREDICTION.as_much
    last, nusvr, warm = swift("last value").name, swift("NuSVR").name, swift("NuSVR", is_warm=True).name
    annealed, random = swift(ANNEALED).name, swift(RANDOM).name
    family = Family("what schedulers save")
    for where, name in (("SVR", swift("SVR").name), ("the regression as a QUBO, annealed,", annealed)):
        family.add(
            SWIFT, f"Swift-Hyperband with {where} saves {100 * low:g} to {100 * high:g} % of the resource of Hyperband",
            _savings(outcomes, name, None, lambda one: one.inside(low, high)),
        )  # fmt: skip
    family.add(
        OURS, f"The last value as predictor saves as much as NuSVR, within {much:.0%} of the resource of Hyperband",
        _savings(outcomes, last, nusvr, lambda one: one.inside(-much, much)),
    )  # fmt: skip
    family.add(
        OURS, "Hyperband with η = 3 saves more than Swift-Hyperband with NuSVR at η = 2",
        _savings(outcomes, THREE.name, nusvr, Difference.above),
    )  # fmt: skip
    low_warm, high_warm = PREDICTION.least_saved_warm, PREDICTION.most_saved_warm
    family.add(
        OURS,
        f"A warm start with curves of an earlier sweep saves {100 * low_warm:g} to {100 * high_warm:g} % against "
        "Hyperband, η = 2",
        _savings(outcomes, warm, None, lambda one: one.inside(low_warm, high_warm)),
    )
    family.add(
        OURS, "A warm start saves more than no warm start, with NuSVR and η = 2",
        _savings(outcomes, warm, nusvr, Difference.above),
    )  # fmt: skip
    family.add(
        OURS, f"Bits of lower energy save no more: annealed and random bits save as much, within {much:.0%}",
        _savings(outcomes, annealed, random, lambda one: one.inside(-much, much)),
    )  # fmt: skip
    family.judge(page)
    _claim_regrets(page, outcomes)


def _savings(
    outcomes: ByTask, name: str, less: str | None, ask: Callable[[Difference], Hypothesis]
) -> dict[str, Hypothesis]:
    """What is asked of the share that a method saves, less that of another one in the same replays, for each task."""
    tests = {}
    for task, found in outcomes.items():
        values = saved(found, name)
        one = mean_of(values if less is None else values - saved(found, less)[: len(values)])
        tests[task] = replace(ask(one), words=f"{one.words(1, 100)} %{' more' if less else ''}")
    return tests


def _claim_regrets(page: Writer, outcomes: ByTask) -> None:
    """Add the claims that methods find trials as good as Hyperband's."""
    same = PREDICTION.same
    family = Family("how good the trials found are")
    for statement, name in (
        ("Swift-Hyperband with SVR finds trials as good as Hyperband: regrets differ by less than", swift("SVR").name),
        ("Hyperband with η = 3 finds trials as good as with η = 2: regrets differ by less than", THREE.name),
    ):
        found = {
            task: mean_of(found[name].regret - found[BASE.name].regret[: len(found[name])])
            for task, found in outcomes.items()
        }
        tests = {task: replace(one.inside(-same, same), words=one.words(4)) for task, one in found.items()}
        family.add(SWIFT if "SVR" in statement else OURS, f"{statement} {same:g}", tests)
    family.judge(page)


def claim_solvers(page: Writer, scores: Mapping[str, Mapping[Model, Scores]]) -> None:
    """Add the claims on the solvers of the QUBO, of 20 curves and the curve as features."""
    pairs = {task: (of_model(found, ANNEALED), of_model(found, RANDOM)) for task, found in scores.items()}
    gaps: dict[str, Hypothesis] = {}
    gains: dict[str, Hypothesis] = {}
    for task, (annealed, random) in pairs.items():
        if annealed and random:
            gap, gain = mean_of(random.energy_gap - annealed.energy_gap), mean_of(random.r2 - annealed.r2)
            gaps[task] = replace(gap.above(), words=f"{gap.words(1, 100)} % of its size")
            gains[task] = replace(gain.above(-PREDICTION.as_well), words=f"{gain.words(3)} gained")
    if not gaps:
        return
    family = Family("solvers of the regression as a QUBO")
    family.add(OURS, "The energy of random bits lies further above the optimum than that of annealed bits", gaps)
    family.add(
        OURS,
        f"R² does not depend on how well the QUBO is solved: random bits lose less than {PREDICTION.as_well:g}",
        gains,
    )
    family.judge(page)


def of_model(scores: Mapping[Model, Scores], name: str, features: str = "curve", count: int = 20) -> Scores | None:
    """The scores of the model of a name, features and number of curves; None if there are none."""
    found = [of for model, of in scores.items() if (model.name, model.features, model.count) == (name, features, count)]
    return found[0] if found else None


def claim_surveys(page: Writer, found: Mapping[str, Sequence[Found]]) -> None:
    """Add the claims on the bias of surveys, and on the coverage of their intervals."""
    groups = {
        f"{task}, {counted(one.group, 'layer')}" if len(some) > 1 else task: one
        for task, some in found.items()
        for one in some
    }
    survivors = {name: mean_of(one.full[:, 0] - one.survivors[:, 0]) for name, one in groups.items()}
    family = Family("bias of surveys")
    family.add(
        OURS, "The mean loss of survivors alone is too low",
        {name: replace(one.above(), words=f"by {one.words(3)}") for name, one in survivors.items()},
    )  # fmt: skip
    margins = {
        f"{name}, {side}": mean_of(margin)
        for name, one in groups.items()
        for side, margin in zip(("not too low", "not too high"), _margins(one), strict=True)
    }
    family.add(
        OURS, "With imputed ends the bias of the mean is less than a tenth of that of survivors",
        {name: replace(one.above(), words=f"margin {one.words(4)}") for name, one in margins.items()},
    )  # fmt: skip
    family.judge(page)
    _claim_coverage(page, found)


def _margins(found: Found) -> tuple[Floats, Floats]:
    """How far the error of the imputed mean loss is above the least, and below the most, that is allowed: ``[n]``.

    What is allowed is a share of the size of the error of survivors in the same survey, either way; both margins have
    positive means if the bias is less.
    """
    error = (found.imputed - found.full)[:, 0]
    allowed = PREDICTION.small_bias * (found.full - found.survivors)[:, 0]
    return allowed + error, allowed - error


def _claim_coverage(page: Writer, found: Mapping[str, Sequence[Found]]) -> None:
    """Add the claim on the coverage of intervals, in which a survey is one case, whatever the number of its groups.

    Intervals of one survey are not independent of each other: the share of them that hold is what a survey counts for.
    A value that is the same in every survey, such as a rate of 0 where no trial succeeds, is no case: its interval
    cannot miss it.
    """
    family, tests = Family("coverage of surveys"), {}
    single: dict[str, Rate] = {}
    for task, groups in found.items():
        cases = {
            f"{task}, {counted(one.group, 'layer')}, {quantity}" if len(groups) > 1 else f"{task}, {quantity}":
            one.in_sweep[:, place]
            for one in groups
            for place, quantity in enumerate(QUANTITIES)
            if np.ptp(one.full[:, place]) > 0
        }  # fmt: skip
        single |= {name: Rate(int(held.sum()), len(held)) for name, held in cases.items()}
        shares = np.mean(list(cases.values()), axis=0)
        rate = Rate(int(shares.sum()), len(shares))
        tests[task] = Difference.contrast(Contrast.of(task, rate) - PREDICTION.held).above()
        tests[task] = replace(tests[task], words=str(rate))
    least = min(single, key=lambda name: single[name].value)
    family.add(
        OURS,
        f"The 95 % intervals of surveys hold the values of the full sweeps in more than {PREDICTION.held:.0%} of cases",
        tests,
        evidence="; ".join(f"{task} {test.words}" for task, test in tests.items())
        + f", in the mean of the intervals of a survey; the least often held is that of {least}, {single[least]}",
    )
    family.judge(page)
