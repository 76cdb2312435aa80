"""The results of a survey: the distribution of losses at the end over initialisations, in each group of trials.

A survey tells what a sweep of all of its trials would tell, though most of them were stopped. Whatever it says of a
group, it says of all trials of the group: the ends of stopped ones are imputed (:mod:`qhn.search.imputation`). There
are no statistics of the finished trials of a study whose trials were stopped because they did badly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.learning_curves.predictors import Predictor
from qhn.search.imputation import Imputation, Trials, impute
from qhn.search.study import Study
from qhn.search.survey_rule import SurveyRule
from qhn.search.two_phase import Estimate
from qhn.sweep.survey import short_names
from qhn.text import spell

Table = dict[str, NDArray[Any]]  # a column by name


@dataclass(frozen=True)
class SurveyGroup:
    """The trials of a survey that differ in their seed only.

    Attributes:
        values: the hyper-parameters by name.
        trials: the numbers of the trials, in the order of the rows of all arrays.
        curves: the losses of the trials at every unit, ``[n, max_resource]``; nan from where a trial was stopped.
        imputation: what is known and predicted of the ends.
        optimum: the lowest loss that is possible, C*; nan where it is not known.
    """

    values: Mapping[str, Any]
    trials: range
    curves: Floats
    imputation: Imputation
    optimum: float

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def whole(self) -> int:
        """The number of trials that were trained to the end."""
        return int(self.imputation.is_whole.sum())

    @property
    def failed(self) -> int:
        """The number of trials that are known to have failed."""
        return int(np.isinf(self.known_ends).sum())

    @property
    def known_ends(self) -> Floats:
        """The losses at the end, ``[n]``: infinite for a trial that failed, nan for one that was stopped."""
        imputed = self.imputation
        whole = np.where(np.isfinite(imputed.ends), imputed.ends, np.inf)
        return np.where(~imputed.has_begun_well, np.inf, np.where(imputed.is_whole, whole, np.nan))

    @cached_property
    def mean(self) -> Estimate:
        """The mean loss at the end over the trials that do not fail."""
        return self.imputation.mean()

    @cached_property
    def median(self) -> Estimate:
        """The median loss at the end, of which that of failed trials is infinite."""
        return self.imputation.quantile(0.5)

    def success(self, epsilon: float) -> Estimate:
        """The share of trials whose loss at the end is closer to the optimum C* than a distance.

        Args:
            epsilon: the distance.

        Raises:
            QhnError: if the optimum is not known.
        """
        if math.isnan(self.optimum):
            raise QhnError("success needs the optimum C*, which is not known for a problem as large as this one")
        return self.imputation.rate_below(self.optimum + epsilon)

    def end(self, trial: int) -> float:
        """The loss of a trial at the end, which is infinite if it failed.

        Args:
            trial: the number of the trial.

        Raises:
            QhnError: if it was stopped before.
        """
        end = float(self.known_ends[self.trials.index(trial)])
        if math.isnan(end):
            raise QhnError(f"trial {trial} was stopped before its end, which is only predicted (imputation.predicted)")
        return end


class Survey:
    """The results of a study in mode survey.

    Args:
        study: the study, whose rule is a :class:`qhn.search.survey_rule.SurveyRule`, and whose trials are all trained
            as far as it says.
        predictor: the predictor of the ends of stopped trials.
        epsilon: distances from the optimum, for each of which there is a success rate.
        optima: the lowest possible loss C* of each group; nan where it is not known. Without it, none is known.

    Attributes:
        study: the study.
        rule: the rule of the study.
        epsilon: the distances from the optimum; none if it is not known for all groups.
        groups: the groups, in the order of their numbers.

    Raises:
        QhnError: if the trials that ended are no fair sample of all: if they were chosen by their losses, or some are
            not trained as far as they are to be.
    """

    def __init__(
        self,
        study: Study,
        predictor: Predictor,
        epsilon: Sequence[float] = (),
        optima: Sequence[float] | None = None,
    ) -> None:
        if not isinstance(study.rule, SurveyRule):
            raise QhnError(
                f"a study by {type(study.rule).__name__} stops trials that do badly, so those that ended are better "
                "than all, and their statistics are biased; for the distribution of all trials use mode = 'survey'"
            )
        self.study, self.rule = study, study.rule
        if not study.is_done:
            raise QhnError("some trials of the survey are not trained yet, and those that end first are no fair sample")
        known = [math.nan] * self.rule.groups if optima is None else [float(optimum) for optimum in optima]
        self.epsilon = () if np.isnan(known).any() else tuple(epsilon)
        self.groups = [
            SurveyGroup(study.values(trials[0]), trials, self._curves(trials), imputation, optimum)
            for trials, imputation, optimum in zip(
                map(self.rule.trials, range(self.rule.groups)),
                impute(self._trials(), predictor, known),
                known,
                strict=True,
            )
        ]

    @property
    def names(self) -> list[str]:
        """The short names of the hyper-parameters in which groups differ."""
        return short_names(list(self.groups[0].values))

    def labels(self, group: SurveyGroup) -> dict[str, Any]:
        """The hyper-parameters of a group, as text or numbers, by short name."""
        return dict(zip(self.names, map(spell, group.values.values()), strict=True))

    def groups_table(self) -> Table:
        """A table with a row per group: numbers of trials, and estimates of all with the ends of their intervals.

        Columns that begin with ``sweep_`` are the ends of the interval for the trials of the survey alone; the others
        are for all initialisations.
        """
        rows = []
        for group in self.groups:
            row = self.labels(group) | {
                "trials": len(group),
                "whole": group.whole,
                "imputed": len(group) - group.whole,
                "failed": group.failed,
                "optimum": group.optimum,
            }
            estimates = {"mean": group.mean, "median": group.median}
            estimates |= {f"success_{epsilon:g}": group.success(epsilon) for epsilon in self.epsilon}
            for name, estimate in estimates.items():
                row |= _columns(name, estimate)
            rows.append(row)
        return _table(rows)

    def trials_table(self) -> Table:
        """A table with a row per trial: whether its end is known or imputed, what it is, and between what it may lie.

        Of an imputed end, the limits are those of its central 90 % predictive interval.
        """
        rows = []
        for group in self.groups:
            known, predicted = group.known_ends, group.imputation.predicted
            lows, highs = group.imputation.predictive_interval()
            for row, trial in enumerate(group.trials):
                is_imputed = bool(np.isnan(known[row]))
                end, low, high = (predicted[row], lows[row], highs[row]) if is_imputed else (known[row],) * 3
                what = {"trial": trial, "end_is": "imputed" if is_imputed else "known"}
                ends = {"reached": self.study.curves.reached(trial), "end": end, "end_low": low, "end_high": high}
                rows.append(what | self.labels(group) | ends)
        return _table(rows)

    def _curves(self, trials: Sequence[int]) -> Floats:
        curves = np.full((len(trials), self.rule.max_resource), np.nan)
        for row, trial in enumerate(trials):
            known = self.study.curves.of(trial)
            curves[row, : len(known)] = known
        return curves

    def _trials(self) -> Trials:
        """The trials of all groups as arrays."""
        numbers = range(self.rule.num_trials)
        is_whole = np.array([self.rule.is_whole(trial) for trial in numbers])
        curves = self.study.curves
        ends = [curves.loss(trial, self.rule.max_resource) if is_whole[trial] else math.nan for trial in numbers]
        return Trials(
            beginnings=curves.until(numbers, self.rule.decision_point),
            settings=curves.settings(numbers),
            ends=np.array(ends),
            is_whole=is_whole,
            group=np.array(numbers) // self.rule.trials_per_group,
        )


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    """Cells of a table for an estimate and the ends of both intervals."""
    (low, high), (sweep_low, sweep_high) = estimate.interval, estimate.sweep_interval
    ends = {f"{name}_low": low, f"{name}_high": high}
    return {name: estimate.value} | ends | {f"sweep_{name}_low": sweep_low, f"sweep_{name}_high": sweep_high}


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
