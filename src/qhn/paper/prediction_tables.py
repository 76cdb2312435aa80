"""The tables and claims of the section on schedulers, predictors and surveys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from qhn.arrays import Floats
from qhn.paper.claims import in_all, verdict_of
from qhn.paper.curve_pool import Pool
from qhn.paper.inference import Difference, above
from qhn.paper.noisytraining import OURS
from qhn.paper.predictability import KNOWN, Model, Scores
from qhn.paper.prediction_methods import ANNEALED, BASE, EVERYTHING, RANDOM, THREE, swift
from qhn.paper.replays import Outcomes, num_earlier
from qhn.paper.section import Writer
from qhn.paper.survey_bias import FEATURES, PREDICTOR, QUANTITIES, SURVIVING, Found
from qhn.scheduling.hyperband import Hyperband
from qhn.scheduling.survey_rule import SurveyRule
from qhn.sweep.survey import Rate
from qhn.text import counted

SWIFT = "Wulff et al. 2024"
SAME = 0.01  # difference of losses that is none to a user
AS_MUCH = 0.02  # difference of shares of resource that is none
AS_WELL = 0.05  # difference of shares of variance that is none
ByTask = Mapping[str, Mapping[str, Outcomes]]


def saved(outcomes: Mapping[str, Outcomes], name: str) -> Floats:
    """The share of the resource of plain Hyperband that a method saves in each replay, ``[replays]``."""
    found = outcomes[name]
    share: Floats = 1 - found.units / outcomes[BASE.name].units[: len(found)]
    return share


def savings(page: Writer, pool: Pool, outcomes: Mapping[str, Outcomes]) -> None:
    """Add the table of what each method spends and finds on a task."""
    drawn = [Hyperband(pool.units, eta).num_trials for eta in (2, 3)]
    page.text(
        f"**{pool.name}**: {len(pool)} curves of {pool.units} units of {pool.unit}, loss {pool.loss}; the best "
        f"{pool.truth[:, -1].min():.4f}, median {np.median(pool.truth[:, -1]):.4f}. A replay draws {drawn[0]} of the "
        f"{len(pool) - num_earlier(pool)} that are not set aside with η = 2, and {drawn[1]} with η = 3."
    )
    head = ("method", "replays", "units", "saved, %", "regret", "against all", "stopped", "wrongly")
    rows, plain = [], (BASE.name, EVERYTHING.name)
    for name, found in outcomes.items():
        stopped = found.stopped.mean()
        rows.append(
            (
                name, len(found), f"{found.units.mean():,.0f}",
                "–" if name in plain else Difference.of_resamples(saved(outcomes, name)).words(1, 100),
                Difference.of_resamples(found.regret).words(4), Difference.of_resamples(found.against_all).words(4),
                f"{stopped:.0f}" if stopped else "–",
                f"{100 * found.wrongly_stopped.sum() / found.stopped.sum():.0f} %" if stopped else "–",
            )
        )  # fmt: skip
    page.table(head, rows)
    if not any("Optuna" in name for name in outcomes):
        page.text("Optuna is not installed, and its pruner left out: `pip install 'qhn[peers]'`.")


def claim_savings(page: Writer, outcomes: ByTask) -> None:
    """Add the claims on what schedulers save and lose."""
    for label, where in (("SVR", "with SVR"), (ANNEALED, "with the regression as a QUBO, annealed")):
        name = swift(label).name
        _claim(
            page, SWIFT, f"Swift-Hyperband {where} saves 4 to 14 % of the resource of Hyperband, η = 2",
            {task: Difference.of_resamples(saved(found, name)) for task, found in outcomes.items()},
            lambda one: one.within(0.04, 0.14), lambda one: f"{one.words(1, 100)} %",
        )  # fmt: skip
    _claim(
        page, SWIFT, f"Swift-Hyperband with SVR finds trials as good as Hyperband: regrets differ by less than {SAME}",
        {task: _paired(found, swift("SVR").name, BASE.name) for task, found in outcomes.items()},
        lambda one: one.within(-SAME, SAME), lambda one: one.words(4),
    )  # fmt: skip
    last, nusvr = swift("last value").name, swift("NuSVR").name
    _claim(
        page, OURS, "The last value as predictor saves as much as NuSVR, within 2 % of the resource of Hyperband",
        {task: Difference.of_resamples(saved(found, last) - saved(found, nusvr)) for task, found in outcomes.items()},
        lambda one: one.within(-AS_MUCH, AS_MUCH), lambda one: f"{one.words(1, 100)} %",
    )  # fmt: skip
    _claim(
        page, OURS, "Hyperband with η = 3 saves more than Swift-Hyperband with NuSVR at η = 2",
        {
            task: Difference.of_resamples(saved(found, THREE.name) - saved(found, nusvr))
            for task, found in outcomes.items()
        },
        lambda one: one.holds, lambda one: f"{one.words(1, 100)} % more",
    )  # fmt: skip
    _claim(
        page, OURS, f"Hyperband with η = 3 finds trials as good as with η = 2, to {SAME}",
        {task: _paired(found, THREE.name, BASE.name) for task, found in outcomes.items()},
        lambda one: one.within(-SAME, SAME), lambda one: one.words(4),
    )  # fmt: skip
    warm = swift("NuSVR", is_warm=True).name
    _claim(
        page, OURS, "A warm start with curves of an earlier sweep saves 23 to 26 % against Hyperband, η = 2",
        {task: Difference.of_resamples(saved(found, warm)) for task, found in outcomes.items()},
        lambda one: one.within(0.23, 0.26), lambda one: f"{one.words(1, 100)} %",
    )  # fmt: skip
    _claim(
        page, OURS, "A warm start saves more than no warm start, with NuSVR and η = 2",
        {task: Difference.of_resamples(saved(found, warm) - saved(found, nusvr)) for task, found in outcomes.items()},
        lambda one: one.holds, lambda one: f"{one.words(1, 100)} % more",
    )  # fmt: skip
    _claim(
        page, OURS, "Bits of lower energy save no more: annealed and random bits save as much, within 2 %",
        {
            task: Difference.of_resamples(saved(found, swift(ANNEALED).name) - saved(found, swift(RANDOM).name))
            for task, found in outcomes.items()
        },
        lambda one: one.within(-AS_MUCH, AS_MUCH), lambda one: f"{one.words(1, 100)} %",
    )  # fmt: skip


def predictors(page: Writer, pool: Pool, scores: Mapping[Model, Scores]) -> None:
    """Add the table of how well predictors predict the ends of curves of a task."""
    page.text(
        f"**{pool.name}**, {KNOWN:.0%} of each curve known: the share R² of the variance of the ends that is "
        "explained, the rank correlation, and of QUBOs the gap of the energy to the continuous optimum of the dual, in "
        "percent of its size."
    )
    rows = []
    for model, found in scores.items():
        gap = "–" if np.isnan(found.energy_gap).any() else Difference.of_resamples(found.energy_gap).words(1, 100)
        rows.append(
            (
                model.name, "–" if model.predictor == "last" else model.features,
                "–" if model.predictor == "last" else model.count, len(found.r2),
                Difference.of_resamples(found.r2).words(2), Difference.of_resamples(found.rank).words(2), gap,
            )
        )  # fmt: skip
    page.table(("predictor", "features", "curves", "splits", "R²", "rank correlation", "energy gap, %"), rows)


def claim_solvers(page: Writer, scores: Mapping[str, Mapping[Model, Scores]]) -> None:
    """Add the claims on the solvers of the QUBO, of 20 curves and the curve as features."""
    annealed = {task: of_model(found, ANNEALED) for task, found in scores.items()}
    control = {task: of_model(found, RANDOM) for task, found in scores.items()}
    tasks = [task for task in scores if annealed[task] and control[task]]
    if not tasks:
        return

    def differences(name: str) -> dict[str, Difference]:
        return {
            task: Difference.of_resamples(getattr(control[task], name) - getattr(annealed[task], name))
            for task in tasks
        }

    gaps, gains = differences("energy_gap"), differences("r2")
    _claim(
        page, OURS, "The energy of random bits lies further above the optimum than that of annealed bits",
        gaps, lambda one: one.holds, lambda one: f"{one.words(1, 100)} % of its size",
    )  # fmt: skip
    _claim(
        page, OURS, f"R² does not depend on how well the QUBO is solved: random bits lose less than {AS_WELL}",
        {task: Difference(-gain.value, -gain.high, -gain.low) for task, gain in gains.items()},
        lambda one: one.within(-np.inf, AS_WELL), lambda one: f"{one.words(3)} lost",
    )  # fmt: skip


def of_model(scores: Mapping[Model, Scores], name: str, features: str = "curve", count: int = 20) -> Scores | None:
    """The scores of the model of a name, features and number of curves; None if there are none."""
    found = [of for model, of in scores.items() if (model.name, model.features, model.count) == (name, features, count)]
    return found[0] if found else None


def surveys(page: Writer, pool: Pool, rule: SurveyRule, found: Sequence[Found]) -> None:
    """Add the table of what surveys find about each group of trials of a task."""
    layers = "layers" if len(found) > 1 else "group"
    page.text(
        f"**{pool.name}**, surveys of {rule.trials_per_group} trainings a group, of which {rule.whole_per_group} "
        f"chosen at random are trained to the end, the others to {rule.decision_point} of {rule.max_resource} units: "
        f"{rule.most_units / rule.units_of_all:.0%} of the resource. *Survivors* are the {SURVIVING:.0%} with the "
        "lowest losses at the decision point; *part* is the random part alone; *imputed* predicts the ends of the "
        f"others by {PREDICTOR} from {FEATURES}. Numbers are the mean error against the full sweep of the same "
        "trainings; *held* is how often the 95 % interval holds its value, *held, all* that of the whole pool."
    )
    head = (layers, "quantity", "full sweep", "survivors", "part", "imputed", "held", "held, all", "width / part's")
    rows = []
    for one in found:
        for place, quantity in enumerate(QUANTITIES):
            errors = [
                Difference.of_resamples(of[:, place] - one.full[:, place]).words(3)
                for of in (one.survivors, one.part, one.imputed)
            ]
            width, part_width = one.width[:, place].mean(), one.part_width[:, place].mean()
            ratio = f"{width / part_width:.2f}" if 0 < part_width < np.inf else "–"
            rows.append(
                (
                    one.group, quantity, f"{one.full[:, place].mean():.3f}", *errors,
                    str(_held(one.in_sweep[:, place])), str(_held(one.in_all[:, place])), ratio,
                )
            )  # fmt: skip
    page.table(head, rows)


def claim_surveys(page: Writer, found: Mapping[str, Sequence[Found]]) -> None:
    """Add the claims on the bias of surveys, and on the coverage of their intervals."""
    groups = {
        f"{task}, {counted(one.group, 'layer')}" if len(some) > 1 else task: one
        for task, some in found.items()
        for one in some
    }
    survivors = {name: Difference.of_resamples(one.full[:, 0] - one.survivors[:, 0]) for name, one in groups.items()}
    _claim(
        page, OURS, "The mean loss of survivors alone is too low",
        survivors, lambda one: one.holds, lambda one: f"by {one.words(3)}",
    )  # fmt: skip
    _claim(
        page, OURS, "With imputed ends the bias of the mean is less than a tenth of that of survivors",
        {
            name: Difference.of_resamples(
                np.abs(one.survivors - one.full)[:, 0].mean() * 0.1
                - np.sign(_bias(one)) * (one.imputed - one.full)[:, 0]
            )
            for name, one in groups.items()
        },
        lambda one: one.holds, lambda one: f"margin {one.words(4)}",
    )  # fmt: skip
    rates = {
        f"{quantity}, {name}": _held(one.in_sweep[:, place])
        for name, one in groups.items()
        for place, quantity in enumerate(QUANTITIES)
    }
    pooled = Rate(sum(rate.successes for rate in rates.values()), sum(rate.trials for rate in rates.values()))
    worst = min(rates, key=lambda name: rates[name].value)
    page.claim(
        OURS, "The 95 % intervals of surveys hold the values of the full sweeps in more than 90 % of cases",
        verdict_of(above(pooled, 0.9)), f"{pooled} of all; least in {worst}: {rates[worst]}",
    )  # fmt: skip


def _bias(found: Found) -> float:
    """The bias of the imputed mean loss."""
    return float((found.imputed - found.full)[:, 0].mean())


def _held(values: Floats) -> Rate:
    return Rate(int(values.sum()), len(values))


def _paired(outcomes: Mapping[str, Outcomes], name: str, base: str) -> Difference:
    """The regret of a method less that of another one in the same replays."""
    found = outcomes[name].regret
    return Difference.of_resamples(found - outcomes[base].regret[: len(found)])


def _claim(
    page: Writer,
    source: str,
    statement: str,
    found: Mapping[str, Difference],
    holds: Callable[[Difference], bool | None],
    words: Callable[[Difference], str],
) -> None:
    """Add a claim that holds if it does on all tasks."""
    verdict = verdict_of(in_all([holds(one) for one in found.values()]))
    page.claim(source, statement, verdict, "; ".join(f"{task}: {words(one)}" for task, one in found.items()))
