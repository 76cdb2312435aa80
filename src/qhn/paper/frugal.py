"""The fewest QPU seconds to a solution: rules for steps compared by shots, jobs and seconds of a device."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.backend.device.price import Task, price
from qhn.baseline.classical import Trace
from qhn.config import RunConfig
from qhn.config.file import load_config, with_settings
from qhn.paper.contrast import Contrast
from qhn.paper.courses import Course, by_minimising, by_searching, exact_of, kept_course
from qhn.paper.family import Family
from qhn.paper.frugal_data import rows_of, rows_of_searches
from qhn.paper.inference import Difference, Hypothesis
from qhn.paper.lab import Lab
from qhn.paper.noisytraining import OURS
from qhn.paper.optima import EPSILON
from qhn.paper.pictures import Line, against_price, write_rows
from qhn.paper.plan import FRUGAL
from qhn.paper.section import Writer
from qhn.sweep.survey import Rate

DEVICE = "fake_torino"
CHUNK = 5  # searches of a job
NOISY_STARTS = {"gaussian-activation": FRUGAL.noisy_starts, "mnist-01": FRUGAL.noisy_digit_starts}
NEAR = FRUGAL.near  # E − C*, or C − C*, below which the paper counts the Gaussian tasks as solved
GOALS: dict[str, float | None] = {"gaussian-activation": NEAR, "gaussian-width": NEAR, "mnist-01": None}
DEFAULT, CONSTANT, MINIMISED, PRODUCT = "default", "Adam, constant", "L-BFGS, no shots", "product state"
SPSA = "SPSA"
RULES: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "default, 100 shots": {"train.shots": 100},
    "default, 300 shots": {"train.shots": 300},
    "sinusoid jumps": {"train.optimizer": "sinusoid"},
    "SGD, decaying": {"train.optimizer": "sgd"},
    "sparse angles": {"train.angles": "sparse"},
    SPSA: {"train.gradient": "spsa", "train.optimizer": "spsa"},
    CONSTANT: {
        "train.optimizer": {"name": "adam", "learning_rate": 0.2, "beta1": 0.9, "decay_steps": "none"},
        "train.shots": 1000,
    },
    PRODUCT: {"ansatz.num_layers": 0},
}
LENGTHS = (30, 90)  # steps of shorter and longer runs of the default, over which its learning rate falls
LENGTHS_OF = "gaussian-activation"
NOISY: dict[str, list[dict[str, Any]]] = {
    "gaussian-activation": [
        {"train.shots": 200, "train.steps": 76, "device.mitigation": mitigation} for mitigation in ("none", "readout")
    ],
    "mnist-01": [{"train.shots": 800, "train.steps": 50, "device.mitigation": "none"}],
}
SEARCHES = ("random", "descent", "annealing", "product")


@dataclass(frozen=True)
class Found:
    """What was found on one task.

    Attributes:
        task: name of the task.
        epsilon: the E − C* below which the task is solved; None if the most probable network must be optimal.
        courses: the course of training by each rule.
        tasks: the work of a measurement by each rule on six tiles, or as many as are useful, and on one.
        longer: the default in runs of other lengths, by the number of steps.
    """

    task: str
    epsilon: float | None
    courses: Mapping[str, Course]
    tasks: Mapping[str, tuple[Task, Task]]
    longer: Mapping[int, Course]

    def end(self, rule: str) -> Rate:
        """The rate of starts that the last step of a rule has solved."""
        return self.courses[rule].rates(self.epsilon)[-1]

    def seconds(self, rule: str) -> float:
        """The QPU seconds of all steps of a rule on tiles, self-test included."""
        return float(self.courses[rule].bill(self.tasks[rule][0])[0][-1])

    def solved(self, rule: str, seconds: float = np.inf) -> Floats:
        """Whether a rule has solved each start by a number of QPU seconds on tiles, ``[starts]``: 1, or 0 if not."""
        course = self.courses[rule]
        done = int((course.bill(self.tasks[rule][0])[0] <= seconds).sum())
        steps = course.solved(self.epsilon).astype(np.float64)
        return steps[:, done - 1] if done else np.zeros(len(steps))

    def by(self, rule: str, seconds: float) -> Rate:
        """The rate of starts that a rule has solved by a number of QPU seconds on tiles."""
        solved = self.solved(rule, seconds)
        return Rate(int(solved.sum()), len(solved))

    def to_a_solution(self, rule: str) -> str:
        """The QPU seconds of whole runs until one has solved its start, with their interval, in words."""
        seconds, rate = self.seconds(rule), self.end(rule)
        shares = (rate.value, *reversed(rate.interval))
        mean, low, high = (f"{seconds / share:,.0f}" if share > 0 else "∞" for share in shares)
        return f"{mean} ({low}–{high})" if seconds else "–"


def frugal(lab: Lab) -> Writer:
    """The section on rules for steps by what they cost on a device, with shot noise and with that of a device."""
    page = Writer("The fewest QPU seconds to a solution")
    starts = lab.seeds or FRUGAL.starts
    page.text(
        f"{starts} starts from uniform θ, the same for all rules; 2 layers, eq5. Shots are drawn from the ideal "
        "circuit, without other noise. A start is **solved** if the ideal E at the θ which a step measured is less "
        "than 0.03 above C* (`gaussian-activation`, `gaussian-width`), or if the most probable network of the ideal "
        "circuit there is optimal (`mnist-01`). On `mnist-01` the second lowest C lies only "
        f"{_second_level(_config('mnist-01', lab)):.5f} above C*, so that an E − C* below {EPSILON:g}, which the paper "
        "counts as solved, takes almost all of the probability at C* itself, and the gradient along a bit that decides "
        "between the two levels is at most half their distance: far below the noise of a few hundred shots, in which "
        "no rule can see it. Which of the two is the most probable network is still a matter of single bits."
    )
    page.text(
        f"**QPU seconds** are those of the price formula on `{DEVICE}`: 2 s a job, one job a step, and for each shot "
        "of each circuit 250 µs and the circuit itself; the self-test is one job more. *Tiled* runs use as many chains "
        "of qubits side by side as lower the price. *Shots* are those of all rows of angles. The default takes as many "
        "shots a row as the price of a gradient on tiles suggests; the untiled price is of the same shots. "
        f"*{CONSTANT}* is the default of earlier versions: learning rate 0.2, β₁ 0.9, 1,000 shots. {SPSA} makes as "
        "many steps as the seconds of a default run allow. Learning rate, β₁ and decay of the default were chosen on "
        "other starts of `gaussian-activation`; all other rules have the defaults of the program, and nothing was "
        "tuned for a task. Intervals are 95 % Wilson intervals. *QPU s to a solution* are those of whole "
        "runs from new starts, failed ones included, until one has succeeded; their interval is that of the rate."
    )
    page.plan(FRUGAL)
    found = [_study(lab, task, starts) for task in GOALS]
    for one in found:
        _table(page, one)
    page.picture(
        lambda: against_price(lab.folder / "frugal.png", {one.task: _lines(one) for one in found}),
        "Share of starts solved at each step, against what the run had cost by then; error bars: 95 % intervals at the "
        "last step. Grey: L-BFGS on the exact E, without shots.",
    )
    _lengths(page, found[0])
    _sooner(page, found)
    rows = [row for one in found for row in _of_starts(one)] + _noisy(page, lab, starts)
    searches = _classical(page, lab, found, starts)
    write_rows(lab.folder / "frugal-starts.csv", rows)
    write_rows(lab.folder / "frugal-searches.csv", searches)
    page.text(
        "What every start came to is in `frugal-starts.csv`, and what every search found in `frugal-searches.csv`."
    )
    return page


def _of_starts(found: Found) -> list[dict[str, Any]]:
    """What each start of a task came to by each rule, and by defaults of other lengths."""
    seconds = found.seconds(DEFAULT)
    rows = [
        rows_of(found.task, rule, course, found.epsilon, None if rule == MINIMISED else found.solved(rule, seconds))
        for rule, course in found.courses.items()
    ]
    rows += [
        rows_of(found.task, f"{DEFAULT} of {steps} steps", course, found.epsilon)
        for steps, course in found.longer.items()
    ]
    return list(itertools.chain.from_iterable(rows))


def _config(task: str, lab: Lab, settings: Mapping[str, Any] | None = None) -> RunConfig:
    """The configuration of a task on the ideal circuit with shots, and other settings."""
    files = {"data.directory": str(lab.mnist)} if lab.mnist and task.startswith("mnist") else {}
    return load_config(task, {"train.backend": "exact", "train.shots": "auto"} | files | dict(settings or {}))


def _second_level(config: RunConfig) -> float:
    """How far the second lowest C lies above the lowest."""
    landscape = exact_of(config).landscape
    above_it = landscape.sorted_costs - landscape.optimum
    return float(above_it[above_it > landscape.width][0])


def _on_the_device(config: RunConfig, tiles: int | str) -> Task:
    """The work of a measurement of the configuration's circuit on the device, with its error mitigation."""
    there = with_settings(config, {"train.backend": DEVICE, "device.tiles": tiles})
    placement = there.backend().compile(exact_of(config).ansatz.unrolled).placement
    assert placement is not None, "a rehearsed device has qubits"
    return placement.task(1, 1, 1)


@cache
def _tasks_of(config: RunConfig) -> tuple[Task, Task]:
    """The work of a measurement on as many tiles as are useful, and on one."""
    return _on_the_device(config, "auto"), _on_the_device(config, 1)


def _study(lab: Lab, task: str, starts: int) -> Found:
    """Train all starts of a task by all rules."""
    configs: dict[str, RunConfig] = {}
    tasks: dict[str, tuple[Task, Task]] = {}
    for rule, settings in RULES.items():
        num_layers = {name: value for name, value in settings.items() if name == "ansatz.num_layers"}
        tasks[rule] = _tasks_of(_config(task, lab, num_layers))
        configs[rule] = _priced(_config(task, lab, settings), tasks[rule][0])
    budget = configs[DEFAULT].train.steps * _step_seconds(configs[DEFAULT], tasks[DEFAULT][0])
    steps = int(budget / _step_seconds(configs[SPSA], tasks[SPSA][0]))
    configs[SPSA] = with_settings(configs[SPSA], {"train.steps": steps})
    lengths = {f"{n} steps": _of_length(configs[DEFAULT], n) for n in LENGTHS if task == LENGTHS_OF}
    courses = _train(lab, configs | lengths, starts, f"frugal, {task}")
    (ideal,) = lab.map(by_minimising, [(_config(task, lab), range(starts))], f"frugal, {task}, {MINIMISED}")
    longer = {int(name.split()[0]): courses.pop(name) for name in lengths}
    tasks[MINIMISED] = tasks[DEFAULT]
    return Found(task, GOALS[task], courses | {MINIMISED: ideal}, tasks, longer)


def _priced(config: RunConfig, task: Task) -> RunConfig:
    """The configuration with the number of shots that a device would choose by the price of its jobs."""
    if config.train.shots != "auto":
        return config
    there = with_settings(config, {"train.backend": DEVICE})
    return with_settings(config, {"train.shots": there.strategy(exact_of(config).ansatz, task).shots.at(0)})


def _step_seconds(config: RunConfig, task: Task) -> float:
    """The QPU seconds of a step that measures all rows."""
    (measurement, *_) = config.strategy(exact_of(config).ansatz).measurements(0)
    return price(task.measuring(measurement.num_rows, measurement.shots)).seconds


def _of_length(config: RunConfig, steps: int) -> RunConfig:
    """The configuration of a run of another length, over which its learning rate falls."""
    return with_settings(config, {"train.steps": steps, "train.optimizer.decay_steps": steps})


def _train(lab: Lab, configs: Mapping[str, RunConfig], starts: int, what: str) -> dict[str, Course]:
    """The course of training of all starts by name of the configuration."""
    return {name: kept_course(lab, config, starts, f"{what}, {name}") for name, config in configs.items()}


def _table(page: Writer, found: Found) -> None:
    """Add a table of what each rule took to its last step, and how many starts it solved."""
    head = ("rule", "shots a row", "steps", "shots", "jobs", "QPU s tiled", "QPU s untiled", "solved")
    last = ("QPU s to a solution, tiled", "median E − C*")
    rows = []
    for rule, course in found.courses.items():
        (tiled, jobs), (untiled, _) = (course.bill(task) for task in found.tasks[rule])
        length = ("–", "–") if rule == MINIMISED else (int(course.shots[0, -1]), course.gap.shape[1])
        rows.append(
            (
                rule, *length, f"{course.taken()[-1] / 1e6:.2f} M", f"{jobs[-1]:.0f}", f"{tiled[-1]:.0f}",
                f"{untiled[-1]:.0f}", str(found.end(rule)), found.to_a_solution(rule),
                f"{np.median(course.gap[:, -1]):.4f}",
            )
        )  # fmt: skip
    page.text(f"`{found.task}`, {found.tasks[DEFAULT][0].tiles} tiles ({found.tasks[PRODUCT][0].tiles} of the product "
              "state), after the last step:")  # fmt: skip
    page.table((*head, *last), rows)


def _lines(found: Found) -> list[Line]:
    """The lines of a task in the picture: one for each rule."""
    lines = []
    for rule, course in found.courses.items():
        tiled, untiled = (course.bill(task)[0] for task in found.tasks[rule])
        prices = {"QPU seconds, tiled": tiled, "QPU seconds, untiled": untiled, "shots": course.taken()}
        lines.append(Line(rule, prices, course.rates(found.epsilon)))
    return lines


def _lengths(page: Writer, found: Found) -> None:
    """Add how the default depends on the number of steps that it is planned for."""
    longer = dict(sorted([*found.longer.items(), (found.courses[DEFAULT].gap.shape[1], found.courses[DEFAULT])]))
    task = found.tasks[DEFAULT][0]
    half = {steps: course.rates(found.epsilon)[steps // 2 - 1] for steps, course in longer.items()}
    listed = ", ".join(
        f"{steps} steps ({course.bill(task)[0][-1]:.0f} QPU s) {course.rates(found.epsilon)[-1]}"
        for steps, course in longer.items()
    )
    page.text(
        f"A learning rate that falls to 0 solves at its end: halfway the default of {max(half)} steps has solved "
        f"{half[max(half)]}, at its end {longer[max(half)].rates(found.epsilon)[-1]}. By the length for which a run is "
        f"planned (`{found.task}`, with `steps` and `decay_steps` alike): {listed}."
    )


def _sooner(page: Writer, found: Sequence[Found]) -> None:
    """Add the claims that the default solves more than the earlier one in the same seconds, and most starts."""
    family, first = Family("rules for steps at equal QPU seconds"), found[0]
    gains = {one.task: _alone(one) for one in found}
    family.add(
        OURS,
        "In the QPU seconds of a default run, tiled, constant Adam with 1,000 shots solves fewer starts",
        {f"`{task}`, of starts that one rule alone solved": test for task, test in gains.items()},
        evidence="; ".join(
            f"`{one.task}`, {one.seconds(DEFAULT):.0f} s: {one.end(DEFAULT)} against "
            f"{one.by(CONSTANT, one.seconds(DEFAULT))}, paired difference "
            f"{Difference.of_means(one.solved(DEFAULT) - one.solved(CONSTANT, one.seconds(DEFAULT)))}; of the starts "
            f"that one rule alone solved, the default did {gains[one.task].words}; by its end, "
            f"{one.seconds(CONSTANT):.0f} s, constant Adam has {one.end(CONSTANT)}"
            for one in found
        ),
    )
    most = Difference.contrast(Contrast.of(DEFAULT, first.end(DEFAULT)) - FRUGAL.half)
    family.add(
        OURS,
        f"With shot noise alone, a default run solves more than half of the starts of `{first.task}`",
        replace(most.above(), words=str(first.end(DEFAULT))),
        evidence=f"{first.end(DEFAULT)} in {first.seconds(DEFAULT):.0f} QPU seconds; L-BFGS on the exact E from the "
        f"same starts {first.end(MINIMISED)}",
    )
    family.judge(page)


def _alone(found: Found) -> Hypothesis:
    """The statement that of the starts that one rule alone solves the default solves most.

    Both rules begin at the same angles, so that their starts are pairs, and those that both solve or miss say nothing
    (McNemar's test, by the Wilson interval of the share). Without a start of one rule alone nothing is decided.
    """
    default, other = (found.solved(rule, found.seconds(DEFAULT)) for rule in (DEFAULT, CONSTANT))
    first, either = int((default > other).sum()), int((default != other).sum())
    if not either:
        return Hypothesis("none", 1.0, 1.0)
    rate = Rate(first, either)
    return replace(Difference.contrast(Contrast.of(DEFAULT, rate) - 0.5).above(), words=f"{rate} of {either}")


def _noisy(page: Writer, lab: Lab, starts: int) -> list[dict[str, Any]]:
    """Add training with the noise of a device, and on the laptop from the same starts; return what each came to."""
    page.text(
        f"**With the noise of `{DEVICE}`** (gates, relaxation and readout by its stored calibration, each tile with "
        "its own fidelity): the default rule, its learning rate falling over all steps. *Solved* is meant as above, of "
        "the ideal circuit at the θ that was found with noise. *On the laptop* is L-BFGS on the exact E from the same "
        "starts, with which a device could begin (`--warm-start ideal`)."
    )
    rows, data = [], []
    for task, ways in NOISY.items():
        few = min(starts, NOISY_STARTS[task])
        configs = {
            way["device.mitigation"]: _of_length(
                _config(task, lab, {"train.backend": DEVICE, "device.tiles": "auto"} | way), way["train.steps"]
            )
            for way in ways
        }
        courses = _train(lab, configs, few, f"frugal, {task}, {DEVICE}")
        (ideal,) = lab.map(by_minimising, [(_config(task, lab), range(few))], f"frugal, {task}, {MINIMISED}")
        for mitigation, course in courses.items():
            steps, shots = course.gap.shape[1], int(course.shots[0, -1])
            seconds, jobs = course.bill(_on_the_device(configs[mitigation], "auto"))
            how = f"{steps} steps × {shots} shots, mitigation {mitigation}"
            end = course.rates(GOALS[task])[-1]
            rows.append((task, how, few, f"{jobs[-1]:.0f}", f"{seconds[-1]:.0f}", end, np.median(course.gap[:, -1])))
            data += rows_of(task, f"{DEVICE}, {how}", course, GOALS[task])
        end = ideal.rates(GOALS[task])[-1]
        rows.append((task, "on the laptop, L-BFGS without shots", few, "0", "0", end, np.median(ideal.gap[:, -1])))
    head = ("task", "training", "starts", "jobs", "QPU s tiled", "solved", "median E − C*, ideal")
    page.table(head, [(*row[:-1], f"{row[-1]:.4f}") for row in rows])
    page.text(
        "These circuits are simulated in milliseconds: where that is possible, all of the work can be classical, and "
        "the QPU seconds to the same E are 0. The figures above are for training that does without."
    )
    return data


def _classical(page: Writer, lab: Lab, found: Sequence[Found], starts: int) -> list[dict[str, Any]]:
    """Add classical searches with as many different networks as the default evaluated; return what each found."""
    page.text(
        "**Classical searches** of as many different networks as a default run evaluated (median over starts), and the "
        f"best network that the run sampled. *Near* is C − C* of at most {NEAR:g}. The best sampled C is not E: it "
        "says that one of many thousand shots was good, and not that training has succeeded."
    )
    parts = [range(first, min(first + CHUNK, starts)) for first in range(0, starts, CHUNK)]
    head = ["task", "search", "different networks", "best C near", "best C optimal"]
    head += ["networks to the optimum, median", "solved, as above"]
    rows: list[tuple[str, ...]] = []
    data: list[dict[str, Any]] = []
    evaluated: list[int] = []
    for one in found:
        course, config = one.courses[DEFAULT], _config(one.task, lab)
        landscape = exact_of(config).landscape
        most = int(np.median(course.distinct))
        evaluated.append(most)
        of_all = f"{most:,} of {len(landscape.costs):,}"
        jobs = [(config, method, most, part) for method in SEARCHES for part in parts]
        found_by = lab.map(by_searching, jobs, f"frugal, {one.task}, classical searches")
        traces: list[Trace] = list(itertools.chain.from_iterable(found_by))
        data += rows_of_searches(one.task, traces, landscape.optimum, landscape.width)
        limits = (NEAR, landscape.width)
        sampled = [_rate(course.best, limit) for limit in limits]
        rows.append((one.task, f"{DEFAULT}, best sampled", of_all, *sampled, "–", str(one.end(DEFAULT))))
        for method in SEARCHES:
            of_method = [trace for trace in traces if trace.method == method]
            best = np.array([trace.best_cost for trace in of_method]) - landscape.optimum
            until = np.median([trace.count_to(landscape.optimum + landscape.width) for trace in of_method])
            counted = f"{until:,.0f}" if np.isfinite(until) else "∞"
            rows.append((one.task, method, of_all, *(_rate(best, limit) for limit in limits), counted, "–"))
    page.table(head, rows)
    until = np.array([row["networks_to_the_optimum"] for row in data])
    page.text(
        f"{np.isfinite(until).sum():,} of these {len(until):,} searches found the optimum, half of them within "
        f"{np.median(until):,.0f} different networks, of which a default run evaluates {min(evaluated):,} to "
        f"{max(evaluated):,} in the median: nothing here is an advantage of a circuit."
    )
    return data


def _rate(values: Any, limit: float) -> str:
    """The rate of values that are at most a limit, in words."""
    return str(Rate(int((values <= limit).sum()), len(values)))
