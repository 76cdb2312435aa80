"""Swift-Hyperband: Hyperband that predicts, in the middle of each round, which trials need not reach its end.

At the decision point of a round all of its trials are paused. A few of them go on in any case: from their curves a
predictor learns how a loss at the end of the round follows from a curve up to its decision point. Of the others only
those go on whose predicted loss is below a quantile of the losses that those few have reached. Trials that have failed
are stopped, and nothing is learned from them.

Sources: Wulff, García Amboage et al., *Quantum Machine Intelligence* 6, 59 (2024); Baker et al., *Accelerating neural
architecture search using performance prediction* (2017), on which it builds. The trials that go on in any case are
those of the lowest numbers, so that the result does not depend on which of them ends first.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Number, Whole, settle
from qhn.learning_curves.predictors import Predictor
from qhn.scheduling.curves import Curves, Decision, KnownCurves, Verdict
from qhn.scheduling.hyperband import promote, with_trials
from qhn.scheduling.schedule import Bracket, hyperband_brackets, settle_sizes, share_of
from qhn.scheduling.scheduler import Stage, Stages


@dataclass(frozen=True)
class SwiftHyperband:
    """Hyperband with one decision point a round, at which a predictor stops trials.

    Attributes:
        max_resource: the most resource R that a trial takes, in units.
        predictor: the predictor.
        eta: the factor η: the best of every η trials goes on to the next round, and is trained η times as long.
        training_curves: number of curves from which the predictor learns at least.
        full_share: share of the trials of the next round that go on at the decision point in any case.
        known: share of a round at which its decision point lies.
        quantile: the quantile of the losses of the trials that went on in any case, below which a predicted loss is
            good enough.
        earlier: curves of earlier trials on the same problem, from which the predictor learns as well.

    Raises:
        QhnError: at construction, if a number is out of bounds.
    """

    max_resource: int
    predictor: Predictor
    eta: int = 2
    training_curves: int = 15
    full_share: float = 0.5
    known: float = 0.5
    quantile: float = 0.25
    earlier: KnownCurves | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        settle_sizes(self)
        settle(
            self,
            training_curves=Whole(2),
            full_share=Number(above=0, high=1),
            known=Number(above=0, below=1),
            quantile=Number(low=0, high=1),
        )
        length = self.max_resource if self.earlier is None else self.earlier.curves.shape[1]
        if length < self.max_resource:
            raise QhnError(f"earlier curves must have at least {self.max_resource} units, got {length}")

    @cached_property
    def brackets(self) -> tuple[Bracket, ...]:
        """The brackets, that with the most trials first: those of Hyperband."""
        return hyperband_brackets(self.max_resource, self.eta)

    @property
    def num_trials(self) -> int:
        """The number of trials of all brackets."""
        return sum(bracket.trials for bracket in self.brackets)

    @property
    def most_units(self) -> int:
        """The resource that all trials take together if none is stopped within a round, in units."""
        return sum(bracket.units for bracket in self.brackets)

    def begin(self, curves: Curves, decisions: list[Decision]) -> Sequence[Stages]:
        """The generator of the stages of all brackets, which learn from each other's curves.

        Raises:
            QhnError: if earlier curves have more or fewer hyper-parameters than the trials.
        """
        if self.earlier is not None:
            known, needed = self.earlier.settings.shape[1], curves.settings([0]).shape[1]
            if known != needed:
                raise QhnError(f"the trials have {needed} hyper-parameters as numbers, and the earlier curves {known}")
        return [_Course(self, curves, decisions).stages()]


@dataclass(frozen=True)
class _Lessons:
    """Curves from which a predictor learns: their beginnings, the hyper-parameters, and the losses at their ends."""

    beginnings: Floats
    settings: Floats
    finals: Floats


class _Course:
    """The course of the rule on the curves of a study."""

    def __init__(self, rule: SwiftHyperband, curves: Curves, decisions: list[Decision]) -> None:
        self._rule, self._curves, self._decisions = rule, curves, decisions
        self._full: dict[int, list[int]] = {}  # trials that went on in any case, by the resource that they reached

    def stages(self) -> Stages:
        """The stages of all brackets, one after the other."""
        for number, (bracket, trials) in enumerate(with_trials(self._rule.brackets)):
            before = 0
            for place, (one, kept) in enumerate(zip(bracket.rounds, bracket.kept, strict=True)):
                trials = yield from self._round(Stage(number, place, one.resource, trials), before, kept)
                before = one.resource

    def _round(self, last: Stage, before: int, kept: int) -> Generator[Stage, None, tuple[int, ...]]:
        """The stages of a round, and the trials that are promoted.

        Args:
            last: all trials of the round, until its end.
            before: the resource at the beginning of the round, in units.
            kept: number of trials that are promoted.
        """
        at = replace(last, until=before + share_of(self._rule.known, last.until - before))
        yield at
        first = self._begin_full(at, last.until, kept)
        if at.until == last.until:  # in a round of one unit all have reached its end
            return promote(last.trials, kept, last, self._curves, self._decisions)
        yield replace(last, trials=first)
        chosen = self._choose(at, last.until, first, kept)
        yield replace(last, trials=chosen)
        return promote((*first, *chosen), kept, last, self._curves, self._decisions)

    def _begin_full(self, at: Stage, resource: int, kept: int) -> tuple[int, ...]:
        """The trials that go on from a decision point in any case: of those that have not failed the lowest numbers."""
        full = self._full.setdefault(resource, [])
        missing = self._rule.training_curves - len(self._lessons(at.until, resource).finals)
        sound = [trial for trial in at.trials if not self._curves.has_failed(trial)]
        first = sound[: max(share_of(self._rule.full_share, kept), missing)]
        full += first
        if at.until < resource:
            self._decisions += [_decision(at, trial, Verdict.FULL) for trial in first]
        return tuple(first)

    def _choose(self, at: Stage, resource: int, first: Sequence[int], kept: int) -> tuple[int, ...]:
        """The trials that go on from a decision point because of what is predicted, in the order of their numbers.

        If there are too few curves to learn from, all go on that have not failed.

        Args:
            at: the stage that ends at the decision point.
            resource: the resource at the end of the round, in units.
            first: the trials that have gone on in any case, and have reached it.
            kept: number of trials that are promoted at the end of the round.
        """
        others = [trial for trial in at.trials if trial not in first]
        sound = [trial for trial in others if not self._curves.has_failed(trial)]
        lessons = self._lessons(at.until, resource)
        threshold = _quantile([self._curves.loss(trial, resource) for trial in first], self._rule.quantile)
        if len(lessons.finals) < self._rule.training_curves:
            predicted, threshold, chosen = dict.fromkeys(sound, math.nan), math.nan, sound
        else:
            predicted = self._predict(sound, at.until, lessons)
            chosen = [trial for trial in sound if predicted[trial] < threshold]
            if len(chosen) + len(first) < kept:
                chosen = sorted(sound, key=lambda trial: (predicted[trial], trial))[: kept - len(first)]
        for trial in others:
            verdict = Verdict.CONTINUED if trial in chosen else Verdict.STOPPED
            found = (predicted[trial], threshold) if trial in predicted else ()  # of one that failed nothing is
            self._decisions.append(_decision(at, trial, verdict, *found))
        return tuple(sorted(chosen))

    def _predict(self, trials: Sequence[int], point: int, lessons: _Lessons) -> dict[int, float]:
        """The predicted loss of each trial; infinite where nothing can be predicted."""
        if not trials:
            return {}
        fitted = self._rule.predictor.fit(lessons.beginnings, lessons.settings, lessons.finals)
        losses = np.asarray(fitted.predict(self._curves.until(trials, point), self._curves.settings(trials)))
        return dict(zip(trials, np.where(np.isnan(losses), math.inf, losses).tolist(), strict=True))

    def _lessons(self, point: int, resource: int) -> _Lessons:
        """The earlier and the full curves, of those that have a loss from a decision point on to the end of a round."""
        full, earlier = self._full[resource], self._rule.earlier
        whole, settings = self._curves.until(full, resource), self._curves.settings(full)
        if earlier is not None:
            whole = np.concatenate([earlier.curves[:, :resource], whole])
            settings = np.concatenate([earlier.settings, settings]) if full else earlier.settings
        usable = np.isfinite(whole[:, point - 1 :]).all(axis=1)
        return _Lessons(whole[usable, :point], settings[usable], whole[usable, -1])


def _quantile(losses: Sequence[float], share: float) -> float:
    """A quantile of losses, some of which may be infinite; infinite without any."""
    above = np.quantile(losses, share, method="higher") if losses else math.inf
    return math.inf if math.isinf(above) else float(np.quantile(np.minimum(losses, above), share))


def _decision(
    at: Stage, trial: int, verdict: Verdict, predicted: float = math.nan, threshold: float = math.nan
) -> Decision:
    return Decision(at.bracket, at.round, at.until, trial, verdict, predicted, threshold)
