"""Whether looking ahead saves shots: descents predicted from jets of a few angles, against the program's optimizers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qhn.arrays import Bools, Floats, Integers
from qhn.carleman.jets import EnergyJet, num_circuits
from qhn.carleman.look_ahead import PairModel, Predictor, descended
from qhn.config import RunConfig
from qhn.config.file import load_config
from qhn.estimator.exact import ExactEstimator
from qhn.optimize.lbfgs import minimize
from qhn.paper.courses import exact_of, ideal
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.look_ahead_claims import in_words, judge
from qhn.paper.look_ahead_pictures import LINEAR, Gains, Setting, gains_of_rules
from qhn.paper.look_ahead_rules import AGAINST, RULES, Meter, Rule, along_each, displaced
from qhn.paper.pictures import write_rows
from qhn.paper.plan import LOOK_AHEAD
from qhn.paper.section import Writer
from qhn.sweep.survey import Rate

CHUNK = 10  # starts of a job
MARKS = (0.25, 0.5, 0.75, 1.0)  # shares of the rows at which E is compared
TASKS: dict[str, tuple[str, dict[str, int], float | None]] = {  # preset, settings, E − C* that solves it
    "figure-1": ("figure-1", {}, None),
    "gaussian-activation": ("gaussian-activation", {}, LOOK_AHEAD.near),
    "gaussian-activation, product state": ("gaussian-activation", {"ansatz.num_layers": 0}, LOOK_AHEAD.near),
    "mnist-01": ("mnist-01", {}, None),
}
SHOTS = (0, 300)  # of a row; 0 for the exact E
PREDICTED = "gaussian-activation"  # the task of single predictions
AHEAD, ANGLES = 10, (4, 10)  # steps and angles of single predictions
NEAR_MINIMUM = LOOK_AHEAD.near_minimum  # radians by which each angle is displaced from a minimum


@dataclass(frozen=True)
class Trained:
    """What training by a rule came to at the marks of its budget, from several starts, by the ideal circuit.

    Attributes:
        gap: E − C* at the marks, ``[starts, marks]``.
        optimal: whether the most probable network is optimal at the marks, ``[starts, marks]``.
        jobs: number of batches of rows that a training took, ``[starts]``.
        rows: number of rows that it measured, ``[starts]``; the last step may go beyond the budget.
    """

    gap: Floats
    optimal: Bools
    jobs: Integers
    rows: Integers

    def solved(self, epsilon: float | None, mark: int = -1) -> Rate:
        """The rate of starts that are solved at a mark: E − C* is below epsilon, or for None the network is optimal."""
        found = self.optimal[:, mark] if epsilon is None else self.gap[:, mark] < epsilon
        return Rate(int(found.sum()), len(found))


Job = tuple[RunConfig, str, int, range, bool]  # task, rule, shots of a row, seeds, whether it begins near a minimum


def trained(job: Job) -> Trained:
    """Train starts by a rule for as many rows as the default takes.

    Near a minimum a start lies 0.1 radians a side from that which L-BFGS finds, and the budget is a third.
    """
    config, rule, shots, seeds, near = job
    exact = exact_of(config)
    budget = config.train.steps * num_circuits(int(exact.ansatz.active.sum()), 0) // (3 if near else 1)
    gaps, likely, counts = [], [], []
    for seed in seeds:
        meter = Meter(config, shots, budget, seed)
        gap, optimal = ideal(exact, _at_marks(meter, RULES[rule], _start(exact, seed, near)))
        gaps.append(gap)
        likely.append(optimal)
        counts.append((meter.jobs, meter.rows))
    jobs, rows = np.array(counts, dtype=np.int64).T
    return Trained(np.array(gaps), np.array(likely), jobs, rows)


def _start(exact: ExactEstimator, seed: int, near: bool) -> Floats:
    """Uniform angles; near a minimum those that L-BFGS makes of them, displaced."""
    rng = np.random.default_rng(seed)
    theta: Floats = rng.uniform(0, 2 * np.pi, exact.ansatz.num_parameters)
    if near:
        found = minimize(exact.value_and_grad, theta[None]).theta[0]
        theta = found + NEAR_MINIMUM * rng.choice([-1.0, 1.0], len(theta))
    return theta


def _at_marks(meter: Meter, rule: Rule, theta: Floats) -> Floats:
    """The angles that a training had come to when each mark of its rows was reached, ``[marks, num_parameters]``."""
    reached = [theta] * len(MARKS)
    for following in rule(meter, theta):
        reached = [following if meter.spent <= mark else old for mark, old in zip(MARKS, reached, strict=True)]
    return np.array([*reached[:-1], following])


def looking_ahead(lab: Lab) -> Writer:
    """The section on single predictions, and on training with them at equal shots."""
    page = Writer("Does looking ahead save shots?")
    starts = lab.seeds or LOOK_AHEAD.starts
    page.text(
        "From the derivatives of E by a few angles a descent along them is predicted, and one E is measured "
        "where it ends; if it does not agree, half as many steps are tried. First single predictions of "
        f"{AHEAD} steps of gradient descent, with a learning rate of one over the largest curvature, on the angles of "
        f"the largest amplitudes of `{PREDICTED}` (medians over starts, exact E): from uniform angles, and from "
        f"angles {NEAR_MINIMUM} radians a side from a minimum. *Error* is that of the displacement, relative; "
        "*decrease* is that of E, relative to what the true steps achieve. A descent that is predicted to leave a full "
        "turn counts as none at all: error 1, decrease 0."
    )
    _predictions(page, lab, min(starts, 20))
    page.text(
        f"Then training, {starts} starts, the same for all rules, each with as many rows of angles as the default "
        f"takes, near a minimum a third; *rows* are those measured, since a last step is not cut short. Shots are "
        f"normal noise of the exact variance of {SHOTS[-1]} shots a row. "
        "*Solved* is meant as in the section on QPU seconds; on `figure-1` and `mnist-01` the most probable network "
        "must be optimal. Rates have 95 % Wilson intervals. Jobs are batches of rows that must wait for each other: on "
        "a device each takes two seconds beside its shots. *Gains* are by how much the E at the end is lower than that "
        "of Adam and of sinusoid jumps from the same start: their means, with 95 % intervals, each on its own."
    )
    page.plan(LOOK_AHEAD)
    settings: list[Setting] = list(itertools.product(TASKS, SHOTS, (False, True)))
    found = {setting: _training(lab, setting, starts) for setting in settings}
    gains = {
        setting: {rule: {other: _gained(one, by_rule[other]) for other in AGAINST} for rule, one in by_rule.items()}
        for setting, by_rule in found.items()
    }
    for setting, by_rule in found.items():
        _table(page, setting, by_rule, gains[setting])
    page.picture(
        lambda: gains_of_rules(lab.folder / "look-ahead.png", gains),
        "By how much lower E ends with looking ahead than with Adam (filled) and with sinusoid jumps (open), from the "
        f"same starts: means with 95 % intervals, each on its own. The axis is linear up to {LINEAR:g}. E − C* of "
        "every start at a quarter, half, three quarters and all of its rows is in look-ahead-starts.csv.",
    )
    write_rows(lab.folder / "look-ahead-starts.csv", _of_starts(found))
    judge(page, gains)
    return page


def _of_starts(found: Mapping[Setting, Mapping[str, Trained]]) -> list[dict[str, Any]]:
    """What every start came to, a row for each start of each rule in each setting."""
    return [
        {"task": task, "shots": shots, "start": "near a minimum" if near else "uniform", "rule": rule, "seed": seed}
        | {"jobs": int(one.jobs[seed]), "rows": int(one.rows[seed])}
        | {f"gap_{mark:g}": float(gap) for mark, gap in zip(MARKS, one.gap[seed], strict=True)}
        | {f"optimal_{mark:g}": int(best) for mark, best in zip(MARKS, one.optimal[seed], strict=True)}
        for (task, shots, near), by_rule in found.items()
        for rule, one in by_rule.items()
        for seed in range(len(one.gap))
    ]


def _predictions(page: Writer, lab: Lab, starts: int) -> None:
    """Add the errors of single predictions of some steps."""
    exact = exact_of(_config(PREDICTED, {}))
    rows, data = [], []
    for near in (False, True):
        for num_angles in ANGLES:
            found = [_predicted(exact, _start(exact, seed, near), num_angles) for seed in range(starts)]
            for name in found[0]:
                error, decrease = np.median([one[name] for one in found], axis=0)
                circuits = num_circuits(num_angles, 2 if "third" in name else 1) + 1
                where = "near a minimum" if near else "uniform"
                rows.append(
                    (where, num_angles, name, circuits, 2 * AHEAD * num_angles, f"{error:.1e}", f"{decrease:.3f}")
                )
                data += [
                    {"start": where, "angles": num_angles, "model": name, "seed": seed}
                    | dict(zip(("error", "decrease"), one[name], strict=True))
                    for seed, one in enumerate(found)
                ]
    write_rows(lab.folder / "look-ahead-predictions.csv", data)
    page.table(("from", "angles", "model", "circuits", "of true steps", "error", "decrease"), rows)


def _predicted(exact: ExactEstimator, theta: Floats, num_angles: int) -> dict[str, tuple[float, float]]:
    """The relative error of the displacement that each model predicts, and the share of the decrease it achieves."""
    whole = EnergyJet(lambda rows: exact(rows).mean, exact.ansatz, theta)
    jet = whole.restricted(np.sort(np.argsort(-np.hypot(*along_each(whole)))[:num_angles]))
    second, third = jet.polynomial(1), jet.polynomial(2)
    rate = 1 / np.abs(np.linalg.eigvalsh(second.hessian)).max()
    at = list(jet.angles)
    true = theta.copy()
    for _ in range(AHEAD):
        true[at] -= rate * exact.value_and_grad(true).grad[at]
    moved, fallen = true[at] - theta[at], exact(theta).mean - exact(true).mean
    models: dict[str, Predictor] = {
        "Taylor, second derivatives": second,
        "Taylor, third derivatives": third,
        "pairs": PairModel.of(jet),
    }
    found = {}
    for name, model in models.items():
        displacement = _bounded(model, num_angles, rate)
        decrease = exact(theta).mean - exact(displaced(theta, jet, displacement)).mean
        error = np.linalg.norm(displacement - moved) / np.linalg.norm(moved)
        found[name] = (float(error), float(decrease / fallen))
    return found


def _bounded(model: Predictor, num_angles: int, rate: float) -> Floats:
    """The displacement that a model predicts; 0 if its descent leaves a full turn, as those of cubics do."""
    with np.errstate(over="ignore", invalid="ignore"):
        end = descended(model, num_angles, rate, AHEAD)[-1]
    return end if (np.abs(end) < 2 * np.pi).all() else np.zeros(num_angles)


def _config(preset: str, settings: Mapping[str, int]) -> RunConfig:
    return load_config(preset, {"train.backend": "exact", **settings})


def _training(lab: Lab, setting: Setting, starts: int) -> dict[str, Trained]:
    """What training by each rule came to in a setting."""
    task, shots, near = setting
    preset, settings, _ = TASKS[task]
    config = _config(preset, settings)
    parts = [range(first, min(first + CHUNK, starts)) for first in range(0, starts, CHUNK)]
    jobs = [(config, rule, shots, part, near) for rule in RULES for part in parts]
    results = lab.map(trained, jobs, in_words(setting))
    return {rule: _joined([one for job, one in zip(jobs, results, strict=True) if job[1] == rule]) for rule in RULES}


def _table(page: Writer, setting: Setting, found: Mapping[str, Trained], gains: Gains) -> None:
    """Add what training by each rule came to in a setting, and its gain over each of the program's own rules."""
    _, _, epsilon = TASKS[setting[0]]
    rows = [
        (
            rule, f"{one.jobs.mean():.0f}", f"{one.rows.mean():,.0f}",
            str(one.solved(epsilon, MARKS.index(0.5))), str(one.solved(epsilon)),
            f"{np.median(one.gap[:, MARKS.index(0.5)]):.4f}", f"{np.median(one.gap[:, -1]):.4f}",
            *("–" if rule == other else gain.words(4) for other, gain in gains[rule].items()),
        )
        for rule, one in found.items()
    ]  # fmt: skip
    page.text(f"**{in_words(setting)}**:")
    head = ("rule", "jobs", "rows", "solved at half", "solved", "median E − C* at half", "median E − C*")
    page.table((*head, *(f"gain over {other}" for other in AGAINST)), rows)


def _gained(one: Trained, other: Trained) -> Difference:
    """How much lower one rule ends than another from the same starts, with p-values small enough for their family.

    The family has 4 rules × 16 settings × 2 peers = 128 tests. The smallest p-value of 2,000 resamples, 1/1,000, could
    satisfy none of them; that of 20,000, which take a third of a second, can.
    """
    return Difference.of_resamples(other.gap[:, -1] - one.gap[:, -1], LOOK_AHEAD.resamples)


def _joined(parts: Sequence[Trained]) -> Trained:
    """The starts of several parts, one after the other."""
    names = ("gap", "optimal", "jobs", "rows")
    return Trained(*(np.concatenate([getattr(one, name) for one in parts]) for name in names))
