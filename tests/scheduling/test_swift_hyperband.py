"""Swift-Hyperband against a replay of its published pseudo-code, line by line and without any of our generators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.learning_curves.predictors import predictor
from qhn.scheduling.curves import KnownCurves, Verdict
from qhn.scheduling.hyperband import Hyperband
from qhn.scheduling.swift_hyperband import SwiftHyperband, _quantile
from scheduling.pools import Line, drive, random_curves, reached, with_faults


@dataclass
class Setting:
    R: int
    eta: int = 2
    d: int = 15
    k: float = 0.5
    known: float = 0.5
    quantile: float = 0.25


def replayed(setting: Setting, curves: Floats, settings: Floats, earlier: KnownCurves | None) -> tuple[list[int], int]:
    """How far each trial is trained, and the best of those that reach R, by the pseudo-code; no trial fails."""
    R, eta, d = setting.R, setting.eta, setting.d
    ahead = [] if earlier is None else list(zip(earlier.curves, earlier.settings, strict=True))
    D: dict[int, list[tuple[Floats, Floats]]] = {}
    trained, begun = [0] * len(curves), 0
    s_max = 0
    while eta ** (s_max + 1) <= R:
        s_max += 1
    for s in range(s_max, -1, -1):
        n = math.ceil(Fraction((s_max + 1) * eta**s, s + 1))
        T = list(range(begun, begun + n))
        begun += n
        r_prev = 0
        for i in range(s + 1):
            n_i = n // eta**i
            r_i = round(Fraction(R * eta**i, eta**s))
            n_next = n_i // eta if i < s else 1
            p = r_prev + math.ceil(Fraction(str(setting.known)) * (r_i - r_prev))
            for trial in T:
                trained[trial] = p
            known = D.setdefault(r_i, [(curve[:r_i], numbers) for curve, numbers in ahead])
            m = min(len(T), max(math.ceil(Fraction(str(setting.k)) * n_next), d - len(known)))
            full, others = sorted(T)[:m], sorted(T)[m:]
            for trial in full:
                trained[trial] = r_i
                known.append((curves[trial, :r_i], settings[trial]))
            if p < r_i:
                S = []
                if others:
                    assert len(known) >= d
                    M = Line().fit(
                        np.array([curve[:p] for curve, _ in known]),
                        np.array([numbers for _, numbers in known]),
                        np.array([curve[r_i - 1] for curve, _ in known]),
                    )
                    predicted = dict(zip(others, M.predict(curves[others, :p], settings[others]), strict=True))
                    thr = np.quantile([curves[trial, r_i - 1] for trial in full], setting.quantile)
                    S = [trial for trial in others if predicted[trial] < thr]
                    if len(S) + m < n_next:
                        S = sorted(others, key=lambda trial: (predicted[trial], trial))[: n_next - m]
                for trial in S:
                    trained[trial] = r_i
                T = full + S
            T = sorted(T, key=lambda trial: (curves[trial, r_i - 1], trial))[: max(n_i // eta, 1)]
            r_prev = r_i
    ended = [trial for trial in range(begun) if trained[trial] == R]
    return trained, min(ended, key=lambda trial: (curves[trial, R - 1], trial))


SETTINGS = [
    Setting(1),
    Setting(2),
    Setting(35),
    Setting(100),
    Setting(81, eta=3),
    Setting(64, eta=4, d=5),
    Setting(35, d=2),
    Setting(35, d=200),  # more than there are trials: nobody is stopped
    Setting(35, k=1.0, d=2),
    Setting(35, k=0.07, d=2),
    Setting(35, known=0.1, d=4),
    Setting(35, known=0.9, d=4),
    Setting(35, quantile=0.0, d=4),
    Setting(35, quantile=1.0, d=4),
    Setting(50, eta=3, d=3, k=0.3, known=0.3, quantile=0.4),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("num_earlier", [0, 3, 30])
@pytest.mark.parametrize("k", [0, 2])
def test_it_is_its_pseudo_code(setting: Setting, num_earlier: int, k: int, rng: np.random.Generator) -> None:
    earlier = KnownCurves(random_curves(rng, num_earlier, setting.R + 5), rng.random((num_earlier, k)))
    earlier_or_none = earlier if num_earlier else None
    rule = SwiftHyperband(
        setting.R, Line(), setting.eta, setting.d, setting.k, setting.known, setting.quantile, earlier_or_none
    )
    for places in (1, 12):  # with and without ties
        curves = random_curves(rng, rule.num_trials, setting.R).round(places)
        settings = rng.random((rule.num_trials, k))
        done = drive(rule, curves, settings, workers=int(rng.integers(1, 9)))
        trained, winner = replayed(setting, curves, settings, earlier_or_none)
        assert reached(done) == trained
        assert (done.units, done.best()) == (sum(trained), winner)


def test_it_saves_units_against_hyperband_and_never_takes_more(rng: np.random.Generator) -> None:
    rule, plain = SwiftHyperband(100, Line()), Hyperband(100, 2)
    curves = random_curves(rng, rule.num_trials, 100)
    assert (rule.num_trials, rule.most_units) == (163, 3213) == (plain.num_trials, plain.most_units)
    assert 0.7 < drive(rule, curves).units / 3213 < 0.97


def test_failed_trials_are_stopped_and_teach_nothing(rng: np.random.Generator) -> None:
    class Sound(Line):
        def fit(self, curves: Floats, settings: Floats, finals: Floats) -> object:  # type: ignore[override]
            assert len(finals) >= 5
            assert np.isfinite(finals).all()
            assert np.isfinite(curves[:, -1]).all()
            assert not np.isinf(curves).any()
            return super().fit(curves, settings, finals)

    rule = SwiftHyperband(35, Sound(), training_curves=5)
    for share in (0.1, 0.3, 0.45):
        curves = with_faults(rng, random_curves(rng, rule.num_trials, 35), share)
        done = drive(rule, curves, workers=5)
        assert done.is_done
        for decision in done.decisions:
            if decision.verdict in (Verdict.FULL, Verdict.CONTINUED, Verdict.PROMOTED):
                assert not np.isinf(curves[decision.trial, decision.resource - 1])
            if np.isinf(curves[decision.trial, decision.resource - 1]):
                assert decision.verdict in (Verdict.STOPPED, Verdict.DROPPED)


def test_nobody_is_stopped_by_a_prediction_while_too_few_curves_are_known() -> None:
    """The first ten trials fail between the decision point and the end of the first round."""
    rule = SwiftHyperband(32, Line(), training_curves=10)
    curves = np.tile(np.linspace(0, 1, rule.num_trials)[:, None], (1, 32))
    assert [(one.trials, one.resource) for one in rule.brackets[0].rounds][:3] == [(32, 1), (16, 2), (8, 4)]
    curves[:10, 3] = np.inf  # the third round is from 2 to 4 units, with its decision point at 3
    first = [d for d in drive(rule, curves).decisions if (d.bracket, d.round, d.resource) == (0, 2, 3)]
    assert {d.verdict for d in first} == {Verdict.FULL}, "8 trials are fewer than 10 curves"
    rule = SwiftHyperband(32, Line(), training_curves=4, full_share=0.1)
    third = [d for d in drive(rule, curves).decisions if (d.bracket, d.round, d.resource) == (0, 2, 3)]
    assert [d.verdict for d in third] == [Verdict.FULL] * 4 + [Verdict.CONTINUED] * 4
    assert all(math.isnan(d.predicted) and math.isnan(d.threshold) for d in third)


def test_a_threshold_among_losses_of_which_some_are_infinite() -> None:
    assert _quantile([1.0, 2.0, math.inf, math.inf, math.inf], 0.25) == 2.0
    assert _quantile([1.0, 2.0, math.inf, math.inf, math.inf], 0.26) == math.inf
    assert _quantile([math.inf] * 3, 0.5) == math.inf
    assert _quantile([], 0.5) == math.inf
    assert _quantile([3.0, 1.0, 2.0], 0.25) == 1.5


@pytest.mark.parametrize("name", ["last", "ridge", "nusvr"])
def test_it_runs_with_the_predictors_of_the_package(name: str, rng: np.random.Generator) -> None:
    if name != "last":
        pytest.importorskip("sklearn")
    rule = SwiftHyperband(35, predictor(name))
    curves = with_faults(rng, random_curves(rng, rule.num_trials, 35), 0.05)
    one, two = drive(rule, curves), drive(rule, curves, workers=7, seed=1)
    assert one.is_done
    assert repr(one.decisions) == repr(two.decisions)
    assert one.units < rule.most_units


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"training_curves": 1}, "training_curves must be at least 2, got 1"),
        ({"full_share": 0}, r"full_share must be a finite number in \(0, 1\], got 0"),
        ({"known": 1}, r"known must be a finite number in \(0, 1\), got 1"),
        ({"quantile": 2}, r"quantile must be a finite number in \[0, 1\], got 2"),
        ({"quantile": "low"}, "quantile must be a number"),
        ({"earlier": KnownCurves(np.ones((3, 4)))}, "earlier curves must have at least 5 units, got 4"),
    ],
)
def test_options_are_refused_at_the_door(options: dict[str, object], message: str) -> None:
    with pytest.raises(QhnError, match=message):
        SwiftHyperband(5, Line(), **options)  # type: ignore[arg-type]


def test_earlier_curves_have_the_hyper_parameters_of_the_trials() -> None:
    rule = SwiftHyperband(5, Line(), earlier=KnownCurves(np.ones((3, 5)), np.ones((3, 2))))
    with pytest.raises(QhnError, match="the trials have 1 hyper-parameters as numbers, and the earlier curves 2"):
        drive(rule, np.ones((rule.num_trials, 5)), np.ones((rule.num_trials, 1)))


class Silent:
    """A predictor that has nothing to say."""

    def fit(self, curves: Floats, settings: Floats, finals: Floats) -> Silent:
        return self

    def predict(self, curves: Floats, settings: Floats) -> Floats:
        return np.full(len(curves), np.nan)


def test_a_prediction_that_is_no_number_is_that_of_a_bad_trial(rng: np.random.Generator) -> None:
    rule = SwiftHyperband(16, Silent(), training_curves=2)
    scheduler = drive(rule, random_curves(rng, rule.num_trials, 16), np.empty((rule.num_trials, 0)))
    predicted = [one.predicted for one in scheduler.decisions if not math.isnan(one.threshold)]
    assert predicted
    assert set(predicted) == {math.inf}
    assert scheduler.is_done
