"""Whether looking ahead saves shots: descents predicted from jets of a few angles, against the program's optimizers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from qhn.arrays import Bools, Floats, Integers
from qhn.carleman.jets import EnergyJet, num_circuits
from qhn.carleman.look_ahead import PairModel, Predictor, descended, look_ahead
from qhn.config import RunConfig
from qhn.config.file import load_config
from qhn.estimator.exact import ExactEstimator
from qhn.exact.engine import energy_of
from qhn.exact.protocol import ExactEnergy
from qhn.optimize.lbfgs import minimize
from qhn.optimize.optimizer import Adam
from qhn.paper.claims import in_all, verdict_of
from qhn.paper.courses import exact_of, ideal
from qhn.paper.frugal import NEAR
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.noisytraining import OURS
from qhn.paper.section import Writer
from qhn.sweep.survey import Rate

STARTS, CHUNK = 40, 10
MARKS = (0.25, 0.5, 0.75, 1.0)  # shares of the rows at which E is compared
TASKS: dict[str, tuple[str, dict[str, int], float | None]] = {  # preset, settings, E − C* that solves it
    "figure-1": ("figure-1", {}, None),
    "gaussian-activation": ("gaussian-activation", {}, NEAR),
    "gaussian-activation, product state": ("gaussian-activation", {"ansatz.num_layers": 0}, NEAR),
    "mnist-01": ("mnist-01", {}, None),
}
SHOTS = (0, 300)  # of a row; 0 for the exact E
STEPS = 20  # steps of descent that a jump predicts at most
PREDICTED = "gaussian-activation"  # the task of single predictions
AHEAD, ANGLES = 10, (4, 10)  # steps and angles of single predictions
NEAR_MINIMUM = 0.1  # radians by which each angle is displaced from a minimum


class Meter:
    """E of rows of angles with normal shot noise of the exact variance, and a count of what was measured.

    Args:
        config: the configuration of the task.
        shots: number of shots of a row; 0 for E without noise.
        budget: number of rows after which training ends.
        seed: seed of the noise.

    Attributes:
        rows: number of rows that were measured.
        jobs: number of batches in which they were measured.
    """

    def __init__(self, config: RunConfig, shots: int, budget: int, seed: int) -> None:
        self.exact = exact_of(config)
        self._squares = _squares_of(config)
        self.shots, self.budget, self.rows, self.jobs = shots, budget, 0, 0
        self._rng = np.random.default_rng([seed, shots])

    def __call__(self, thetas: Floats) -> tuple[Floats, Floats]:
        """E and its standard error at rows of angles: ``[B, num_parameters]`` → ``[B]`` each."""
        self.rows, self.jobs = self.rows + len(thetas), self.jobs + 1
        mean = self.exact(thetas).mean
        if not self.shots:
            return mean, np.zeros(len(mean))
        error = np.sqrt(np.maximum(self._squares(thetas) - mean**2, 0.0) / self.shots)
        return mean + error * self._rng.normal(size=len(mean)), error

    @property
    def spent(self) -> float:
        """The share of the rows that has been measured."""
        return self.rows / self.budget

    def jet(self, theta: Floats, angles: Integers | None = None) -> EnergyJet:
        """The jet of E at angles, whose circuits are counted here."""
        return EnergyJet(self, self.exact.ansatz, theta, angles)


@cache
def _squares_of(config: RunConfig) -> ExactEnergy:
    """The function that computes the mean of C², made once in a process."""
    exact = exact_of(config)
    return energy_of(exact.ansatz.unrolled, np.square(exact.landscape.costs))


Rule = Callable[[Meter, Floats], Iterator[Floats]]  # the angles after each step, from those before the first
Move = Callable[[float, Floats, Floats], Floats]  # of all angles, from the share of rows spent and both derivatives


def adam() -> Move:
    """The moves of the program's default, Adam, whose learning rate falls to 0 over the budget."""
    state = None

    def move(spent: float, slope: Floats, curvature: Floats) -> Floats:
        nonlocal state
        here = np.zeros_like(slope)
        optimizer = Adam(learning_rate=0.5 * max(1 - spent, 0.01), decay_steps=None)
        there, state = optimizer.update(here, slope, state or optimizer.init(here))
        return there

    return move


def sinusoid() -> Move:
    """The moves towards the minima of the sinusoids of all angles, whose share falls to 0 over the budget."""
    return lambda spent, slope, curvature: 0.5 * (1 - spent) * np.arctan2(-slope, curvature)


def stepwise(moves: Callable[[], Move], num_angles: int = 0) -> Rule:
    """Steps from a gradient each, in which the angles that could lower E most look ahead.

    They go where a jet of them predicts a descent to end, if a measurement agrees, and move like the others if not.
    """

    def rule(meter: Meter, theta: Floats) -> Iterator[Floats]:
        move = moves()
        while (spent := meter.spent) < 1:
            jet = meter.jet(theta)
            slope, curvature = _along_each(jet)
            displacement = move(spent, slope, curvature)
            if num_angles:
                chosen = np.sort(np.argsort(-_gain(slope, curvature))[:num_angles])
                jump = look_ahead(jet.restricted(chosen.tolist()), STEPS).displacement
                if jump.any():
                    displacement[chosen] = jump
            theta = _displaced(theta, jet, displacement)
            yield theta

    return rule


def blocks(num_angles: int) -> Rule:
    """Jumps of a few angles at a time: those that could lower E most when a gradient was last measured."""

    def rule(meter: Meter, theta: Floats) -> Iterator[Floats]:
        while meter.spent < 1:
            whole = meter.jet(theta)
            order = np.argsort(-_gain(*_along_each(whole)))
            for block in range(max(len(order) // (2 * num_angles), 1)):  # half of the angles, then a new gradient
                chosen = np.sort(order[block * num_angles : (block + 1) * num_angles])
                angles = np.array(whole.angles)[chosen]
                jet = meter.jet(theta, angles) if block else whole.restricted(chosen.tolist())
                theta = _displaced(theta, jet, look_ahead(jet, STEPS).displacement)
                yield theta
                if meter.spent >= 1:
                    return

    return rule


AGAINST = ("Adam", "sinusoid jumps")
RULES: dict[str, Rule] = {
    "Adam": stepwise(adam),
    "sinusoid jumps": stepwise(sinusoid),
    "Adam, look-ahead on 4": stepwise(adam, 4),
    "Adam, look-ahead on 10": stepwise(adam, 10),
    "sinusoid, look-ahead on 4": stepwise(sinusoid, 4),
    "look-ahead on blocks of 4": blocks(4),
}


def _along_each(jet: EnergyJet) -> tuple[Floats, Floats]:
    """The first and the second derivative by each angle of a jet, ``[num_angles]`` each."""
    jet.measure(0)
    places = range(len(jet.angles))
    first, second = (np.array([jet.derivative({i: order})[0] for i in places]) for order in (1, 2))
    return first, second


def _gain(slope: Floats, curvature: Floats) -> Floats:
    """How far E would fall if one angle alone went to the minimum of its sinusoid."""
    return np.hypot(slope, curvature) - curvature


def _displaced(theta: Floats, jet: EnergyJet, displacement: Floats) -> Floats:
    """Angles of which those of a jet are displaced."""
    moved = theta.copy()
    moved[list(jet.angles)] += displacement
    return moved


@dataclass(frozen=True)
class Trained:
    """What training by a rule came to at the marks of its budget, from several starts, by the ideal circuit.

    Attributes:
        gap: E − C* at the marks, ``[starts, marks]``.
        optimal: whether the most probable network is optimal at the marks, ``[starts, marks]``.
        jobs: number of batches of rows that a training took, ``[starts]``.
    """

    gap: Floats
    optimal: Bools
    jobs: Integers

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
    gaps, likely, jobs = [], [], []
    for seed in seeds:
        meter = Meter(config, shots, budget, seed)
        gap, optimal = ideal(exact, _at_marks(meter, RULES[rule], _start(exact, seed, near)))
        gaps.append(gap)
        likely.append(optimal)
        jobs.append(meter.jobs)
    return Trained(np.array(gaps), np.array(likely), np.array(jobs, dtype=np.int64))


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
    starts = lab.seeds or STARTS
    page.text(
        "From the derivatives of E by a few angles a descent along them is predicted, and one E is measured "
        "where it ends; if it does not agree, half as many steps are tried. First single predictions of "
        f"{AHEAD} steps of gradient descent, with a learning rate of one over the largest curvature, on the angles of "
        f"the largest amplitudes of `{PREDICTED}` (medians over starts, exact E): from uniform angles, and from "
        f"angles {NEAR_MINIMUM} radians a side from a minimum. *Error* is that of the displacement, relative; "
        "*decrease* is that of E, relative to what the true steps achieve."
    )
    _predictions(page, min(starts, 20))
    page.text(
        f"Then training, {starts} starts, the same for all rules, each with as many rows of angles as the default "
        f"takes, near a minimum a third. Shots are normal noise of the exact variance of {SHOTS[-1]} shots a row. "
        "*Solved* is meant as in the section on QPU seconds; on `figure-1` and `mnist-01` the most probable network "
        "must be optimal. Rates have 95 % Wilson intervals. Jobs are batches of rows that must wait for each other: on "
        "a device each takes two seconds beside its shots. *Gain* is by how much the E at the end is lower than that "
        "of the better of Adam and sinusoid jumps from the same start: its mean, with a 95 % interval."
    )
    gains: dict[str, dict[str, Difference]] = {}
    for task, shots, near in itertools.product(TASKS, SHOTS, (False, True)):
        what = f"{task}, {shots or 'no'} shots, from {'near a minimum' if near else 'uniform angles'}"
        gains[what] = _training(page, lab, task, shots, starts, near, what)
    _verdicts(page, gains)
    return page


def _predictions(page: Writer, starts: int) -> None:
    """Add the errors of single predictions of some steps."""
    exact = exact_of(_config(PREDICTED, {}))
    rows = []
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
    page.table(("from", "angles", "model", "circuits", "of true steps", "error", "decrease"), rows)


def _predicted(exact: ExactEstimator, theta: Floats, num_angles: int) -> dict[str, tuple[float, float]]:
    """The relative error of the displacement that each model predicts, and the share of the decrease it achieves."""
    whole = EnergyJet(lambda rows: exact(rows).mean, exact.ansatz, theta)
    jet = whole.restricted(np.sort(np.argsort(-np.hypot(*_along_each(whole)))[:num_angles]))
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
        decrease = exact(theta).mean - exact(_displaced(theta, jet, displacement)).mean
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


def _training(
    page: Writer, lab: Lab, task: str, shots: int, starts: int, near: bool, what: str
) -> dict[str, Difference]:
    """Add what training by each rule came to, and return the gain of each look-ahead."""
    preset, settings, epsilon = TASKS[task]
    config = _config(preset, settings)
    parts = [range(first, min(first + CHUNK, starts)) for first in range(0, starts, CHUNK)]
    jobs = [(config, rule, shots, part, near) for rule in RULES for part in parts]
    results = lab.map(trained, jobs, what)
    found = {rule: _joined([one for job, one in zip(jobs, results, strict=True) if job[1] == rule]) for rule in RULES}
    best = min((found[rule].gap[:, -1] for rule in AGAINST), key=np.mean)
    gains = {rule: Difference.of_resamples(best - one.gap[:, -1]) for rule, one in found.items()}
    rows = [
        (
            rule, f"{one.jobs.mean():.0f}", str(one.solved(epsilon, MARKS.index(0.5))), str(one.solved(epsilon)),
            f"{np.median(one.gap[:, MARKS.index(0.5)]):.4f}", f"{np.median(one.gap[:, -1]):.4f}",
            gains[rule].words(4),
        )
        for rule, one in found.items()
    ]  # fmt: skip
    page.text(f"**{what}**:")
    page.table(("rule", "jobs", "solved at half", "solved", "median E − C* at half", "median E − C*", "gain"), rows)
    return {rule: gain for rule, gain in gains.items() if rule not in AGAINST}


def _joined(parts: Sequence[Trained]) -> Trained:
    """The starts of several parts, one after the other."""
    return Trained(*(np.concatenate([getattr(one, name) for one in parts]) for name in ("gap", "optimal", "jobs")))


def _verdicts(page: Writer, gains: Mapping[str, Mapping[str, Difference]]) -> None:
    """Add the claims that looking ahead saves shots."""
    for rule in (name for name in RULES if name not in AGAINST):
        page.claim(
            OURS,
            f"With equal rows, *{rule}* ends at a lower E than the better of Adam and sinusoid jumps, wherever tried",
            verdict_of(in_all([found[rule].holds for found in gains.values()])),
            "; ".join(f"{what}: {found[rule].words(4)}" for what, found in gains.items()),
        )
