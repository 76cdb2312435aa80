"""Swift-Hyperband: Hyperband that predicts, in the middle of each round, which trials need not reach its end.

At the decision point of a round all of its trials are paused. A few of them go on in any case: from their curves a
predictor learns how a loss at the end of the round follows from a curve up to its decision point. Of the others only
those go on whose predicted loss is below a quantile of the losses that those few have reached.

Sources: Wulff, García Amboage et al., *Quantum Machine Intelligence* 6, 59 (2024); Baker et al., *Accelerating neural
architecture search using performance prediction* (2017), on which it builds. The trials that go on in any case are
those of the lowest numbers, so that the result does not depend on which of them ends first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from qhn.arrays import Floats
from qhn.fields import Number, Whole, settle
from qhn.learning_curves.predictors import Predictor
from qhn.search.curves import Curves, Decision, Verdict
from qhn.search.hyperband import promote, with_trials
from qhn.search.schedule import Bracket, check_sizes, hyperband_brackets
from qhn.search.scheduler import Stage, Stages


@dataclass(frozen=True)
class KnownCurves:
    """Whole learning curves from which predictors can learn.

    Attributes:
        curves: losses at every unit of resource, ``[n, max_resource]``.
        settings: the hyper-parameters as numbers, ``[n, k]``.
    """

    curves: Floats
    settings: Floats


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
        check_sizes(self.max_resource, self.eta)
        settle(
            self,
            training_curves=Whole(2),
            full_share=Number(low=0, high=1),
            known=Number(above=0, below=1),
            quantile=Number(low=0, high=1),
        )

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
        """The generator of the stages of all brackets, which learn from each other's curves."""
        return [self._stages(curves, decisions)]

    def _stages(self, curves: Curves, decisions: list[Decision]) -> Stages:
        full: dict[int, list[int]] = {}  # trials that went on in any case, by the resource that they reached
        for number, (bracket, trials) in enumerate(with_trials(self.brackets)):
            before = 0
            following = [*(later.trials for later in bracket.rounds[1:]), 1]
            for place, (one, kept) in enumerate(zip(bracket.rounds, following, strict=True)):
                point = before + math.ceil((one.resource - before) * self.known)
                at, last = Stage(number, place, point, trials), Stage(number, place, one.resource, trials)
                yield at
                known = full.setdefault(one.resource, [])
                enough = max(math.ceil(self.full_share * kept), self.training_curves - self._num_known(known))
                first, others = trials[:enough], trials[enough:]
                known += first
                if point < one.resource:  # in a round of one unit all have reached its end
                    decisions += [_decision(at, trial, Verdict.FULL) for trial in first]
                    yield replace(last, trials=first)
                    chosen = self._choose(at, one.resource, first, others, kept, known, curves, decisions)
                    yield replace(last, trials=chosen)
                    trials = (*first, *chosen)
                trials = promote(trials, kept, last, curves, decisions)
                before = one.resource

    def _choose(
        self,
        at: Stage,
        resource: int,
        first: Sequence[int],
        others: Sequence[int],
        kept: int,
        known: Sequence[int],
        curves: Curves,
        decisions: list[Decision],
    ) -> tuple[int, ...]:
        """The trials that go on from a decision point because of what is predicted, in the order of their numbers."""
        if not others:
            return ()
        beginnings, settings, finals = self._to_learn_from(known, at.until, resource, curves)
        fitted = self.predictor.fit(beginnings, settings, finals)
        predicted = fitted.predict(curves.until(others, at.until), curves.settings(others))
        threshold = _quantile([curves.loss(trial, resource) for trial in first], self.quantile)
        found = dict(zip(others, predicted.tolist(), strict=True))
        chosen = {trial for trial, loss in found.items() if loss < threshold}
        if len(chosen) + len(first) < kept:
            chosen = set(sorted(others, key=lambda trial: (found[trial], trial))[: kept - len(first)])
        for trial, loss in found.items():
            verdict = Verdict.CONTINUED if trial in chosen else Verdict.STOPPED
            decisions.append(_decision(at, trial, verdict, loss, threshold))
        return tuple(trial for trial in others if trial in chosen)

    def _num_known(self, known: Sequence[int]) -> int:
        return len(known) + (0 if self.earlier is None else len(self.earlier.curves))

    def _to_learn_from(
        self, known: Sequence[int], point: int, resource: int, curves: Curves
    ) -> tuple[Floats, Floats, Floats]:
        """The beginnings, settings and final losses of all curves that reach a resource and have not failed."""
        whole, settings = curves.until(known, resource), curves.settings(known)
        if self.earlier is not None:
            whole = np.concatenate([self.earlier.curves[:, :resource], whole])
            settings = np.concatenate([self.earlier.settings, settings])
        usable = np.isfinite(whole[:, point - 1 :]).all(axis=1)
        return whole[usable, :point], settings[usable], whole[usable, -1]


def _quantile(losses: Sequence[float], share: float) -> float:
    """A quantile of losses, some of which may be infinite; infinite without any."""
    if not losses:
        return math.inf
    with np.errstate(invalid="ignore"):  # between two infinite losses
        found = float(np.quantile(losses, share))
    return math.inf if math.isnan(found) else found


def _decision(
    at: Stage, trial: int, verdict: Verdict, predicted: float = math.nan, threshold: float = math.nan
) -> Decision:
    return Decision(at.bracket, at.round, at.until, trial, verdict, predicted, threshold)
