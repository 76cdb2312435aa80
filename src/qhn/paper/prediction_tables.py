"""The tables of the section on schedulers, predictors and surveys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qhn.arrays import Floats
from qhn.paper.curve_pool import Pool
from qhn.paper.inference import Difference
from qhn.paper.plan import PREDICTION
from qhn.paper.predictability import KNOWN, Model, Scores
from qhn.paper.prediction_methods import BASE, EVERYTHING
from qhn.paper.replays import Outcomes, num_earlier
from qhn.paper.section import Writer
from qhn.paper.survey_bias import FEATURES, PREDICTOR, QUANTITIES, SURVIVING, Found
from qhn.scheduling.hyperband import Hyperband
from qhn.scheduling.survey_rule import SurveyRule
from qhn.sweep.survey import Rate


def mean_of(values: Floats) -> Difference:
    """The mean of a number over draws ``[n]``, from which its interval and p-values follow.

    They are those of 20,000 resamples, since families have up to 28 tests; it takes a tenth of a second. Of fewer than
    11 values they are Student's: all of n values lie on the same side of their median with a probability of 2^(1 − n),
    and so do all of their resamples, which then make any p-value small.
    """
    if len(values) < PREDICTION.few:
        return Difference.of_means(values)
    return Difference.of_resamples(values, PREDICTION.resamples)


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
                "–" if name in plain else mean_of(saved(outcomes, name)).words(1, 100),
                mean_of(found.regret).words(4), mean_of(found.against_all).words(4),
                f"{stopped:.0f}" if stopped else "–",
                f"{100 * found.wrongly_stopped.sum() / found.stopped.sum():.0f} %" if stopped else "–",
            )
        )  # fmt: skip
    page.table(head, rows)
    if not any("Optuna" in name for name in outcomes):
        page.text("Optuna is not installed, and its pruner left out: `pip install 'qhn[peers]'`.")


def predictors(page: Writer, pool: Pool, scores: Mapping[Model, Scores]) -> None:
    """Add the table of how well predictors predict the ends of curves of a task."""
    page.text(
        f"**{pool.name}**, {KNOWN:.0%} of each curve known: the share R² of the variance of the ends that is "
        "explained, the rank correlation, and of QUBOs the gap of the energy to the continuous optimum of the dual, in "
        "percent of its size."
    )
    rows = []
    for model, found in scores.items():
        gap = "–" if np.isnan(found.energy_gap).any() else mean_of(found.energy_gap).words(1, 100)
        rows.append(
            (
                model.name, "–" if model.predictor == "last" else model.features,
                "–" if model.predictor == "last" else model.count, len(found.r2),
                mean_of(found.r2).words(2), mean_of(found.rank).words(2), gap,
            )
        )  # fmt: skip
    page.table(("predictor", "features", "curves", "splits", "R²", "rank correlation", "energy gap, %"), rows)


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
                mean_of(of[:, place] - one.full[:, place]).words(3) for of in (one.survivors, one.part, one.imputed)
            ]
            rows.append(
                (
                    one.group, quantity, f"{one.full[:, place].mean():.3f}", *errors,
                    str(_held(one.in_sweep[:, place])), str(_held(one.in_all[:, place])),
                    _ratio(one.width[:, place], one.part_width[:, place]),
                )
            )  # fmt: skip
    page.table(head, rows)


def _held(values: Floats) -> Rate:
    return Rate(int(values.sum()), len(values))


def _ratio(widths: Floats, others: Floats) -> str:
    """The geometric mean of ratios of positive widths ``[n]``, with its interval."""
    if not (np.minimum(widths, others).min() > 0 and np.isfinite(others).all()):
        return "–"
    found = mean_of(np.log(widths / others))
    return f"{np.exp(found.value):.2f} ({np.exp(found.low):.2f} to {np.exp(found.high):.2f})"
