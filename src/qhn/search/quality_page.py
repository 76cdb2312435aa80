"""The parts of a study's page on how good its decisions were: predictions, and replays of other rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qhn.estimator.means import with_error
from qhn.learning_curves.predictors import LastValue, Predictor, Regression
from qhn.scheduling.study import Study
from qhn.scheduling.swift_hyperband import SwiftHyperband
from qhn.search.alternatives import REPEATS, Alternative
from qhn.search.prediction_quality import (
    DecisionPoint,
    Interval,
    Lesson,
    Quality,
    cross_validated,
    largest,
    lessons,
    quality,
)
from qhn.search.qubo_controls import can_refit, controls_of, energy_gap, is_qubo, solver_of
from qhn.text import aligned, counted

LAST = "last value"
MOST_QUBO_LESSONS = 6  # decision points at which a QUBO is solved anew, each by two solvers and in five folds
LARGE = 100.0  # magnitude of scores from which decimals say nothing


def predictions_part(study: Study, points: Sequence[DecisionPoint]) -> str:
    """A table of how good predictions were, with the last known value as a control.

    Args:
        study: the study.
        points: the decision points of the study.
    """
    rule = study.rule
    if not points and isinstance(rule, SwiftHyperband) and study.is_done:
        return "nothing was predicted, and so nobody stopped within a round: too few trials had a curve to learn from"
    if not points:
        return ""
    name = predictor_name(getattr(rule, "predictor", None))
    checked = {name: [point.pairs(point.predicted) for point in points]}
    checked.setdefault(LAST, [point.pairs(point.last) for point in points])
    rows = _rows("of trials that went on", {words: quality(pairs) for words, pairs in checked.items()})
    total = sum(len(point.trials) for point in points)
    notes = [
        f"both within decision points, with 95 % intervals from resampled trials; of {total:,} predicted losses",
        "those of stopped trials cannot be checked; that the others were chosen by them lowers R² and rank correlation",
    ]
    if isinstance(rule, SwiftHyperband):
        beside, note = _validated(rule.predictor, lessons(study))
        rows += beside
        notes += note
    head = ["predictions", "by", "checked", "R²", "95 %", "rank correlation", "95 %"]
    return "\n".join([aligned(head, rows), *notes])


def _validated(predictor: Predictor, known: Sequence[Lesson]) -> tuple[list[list[str]], list[str]]:
    """The rows on predictions of trials that went on in any case, by cross-validation, and notes on them."""
    annealed = is_qubo(predictor)
    known = largest(known, MOST_QUBO_LESSONS if annealed else None)
    if not known:
        return [], []
    asked = {predictor_name(one): one for one in (predictor, *controls_of(predictor), LastValue())}
    asked = {name: one for name, one in asked.items() if can_refit(one)}
    rows = _rows(
        "in any case, cross-validated", {name: quality(cross_validated(one, known)) for name, one in asked.items()}
    )
    notes = ["trials that went on in any case are chosen by their number alone: theirs tell of all trials"]
    if not can_refit(predictor):
        notes.append(f"{predictor_name(predictor)} is not cross-validated: its solver would be asked, and paid, again")
    gaps = {solver_of(one): energy_gap(one, known) for one in asked.values() if is_qubo(one)}
    if gaps:
        words = ", ".join(f"{gap:.2%} by {solver}" for solver, gap in gaps.items())
        notes.append(f"relative energy gap to the dual's optimum, median of {counted(len(known), 'fit')}: {words}")
    return rows, notes


def predictor_name(predictor: Any) -> str:
    """The name of a predictor in words.

    >>> predictor_name(LastValue())
    'last value'
    """
    if isinstance(predictor, LastValue):
        return LAST
    if isinstance(predictor, Regression):
        solver = f" by {solver_of(predictor)}" if is_qubo(predictor) else ""
        return f"{predictor.name}{solver} of {predictor.features}"
    return type(predictor).__name__


def _rows(what: str, found: dict[str, Quality]) -> list[list[str]]:
    return [["" if place else what, name, *_cells(one)] for place, (name, one) in enumerate(found.items())]


def _cells(found: Quality) -> list[str]:
    scores = [_decimals(found.r2), _interval(found.r2_interval), _decimals(found.rank), _interval(found.rank_interval)]
    return [f"{found.count:,}", *scores]


def _decimals(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{value:.2f}" if abs(value) < LARGE else f"{value:.1e}"


def _interval(ends: Interval) -> str:
    return "–" if np.isnan(ends[0]) else f"{_decimals(ends[0])} … {_decimals(ends[1])}"


# ---------------------------------------------------------------- replays


def replays_part(study: Study, found: Sequence[Alternative]) -> str:
    """A table of what other rules would have made of the trials: regret, and how many they stop wrongly.

    Args:
        study: the study.
        found: what they would have made.
    """
    if not found:
        return ""
    rows = [
        [
            one.name,
            f"{one.trials:,}",
            f"{one.units:,.0f}",
            f"{one.share:.1%}",
            with_error(one.regret, one.regret_error),
            with_error(one.above, one.above_error),
            f"{one.stopped:.1f}" if one.stopped else "–",
            f"{one.wrongly:.1f}" if one.stopped else "–",
        ]
        for one in found
    ]
    head = ["replays of other rules", "trials", "units", "of all to the end", "regret", "above the best of all"]
    again = ", with replacement" if any(one.trials > study.rule.num_trials for one in found) else ""
    return "\n".join(
        [
            aligned([*head, "stopped", "wrongly"], rows),
            f"means and standard errors of {REPEATS} replays on these curves, of trials drawn at random{again};",
            "regret: the winner's loss less the lowest of the trials that the rule began;",
            "wrongly: those stopped within a round that would have been promoted at its end",
        ]
    )
