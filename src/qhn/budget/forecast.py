"""Forecast of the QPU seconds, jobs and shots that a run needs, step by step, before anything is submitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qhn.backend.device.placement import Placement
from qhn.backend.device.price import MAX_EXECUTIONS, Task, job_seconds, price, whole_seconds
from qhn.backend.events import Entry
from qhn.backend.service.selftest import ROWS, SHOTS, is_due
from qhn.backend.terms import Amount
from qhn.circuit.ansatz import Ansatz
from qhn.config import RunConfig
from qhn.estimator.measurement import Measurement
from qhn.optimize.strategy import Strategy
from qhn.problem.landscape import MAX_ENUMERABLE_QUBITS


@dataclass(frozen=True)
class Forecast:
    """Forecast of the QPU seconds, jobs and shots of each step of a run, and of the self-test before the first step.

    On a QPU the seconds of a step are rounded up (:func:`qhn.backend.device.price.whole_seconds`), so that a budget
    which covers them is never exceeded. On simulators that are no device only shots are counted.

    Attributes:
        config: the configuration of the run.
        ansatz: the circuit of the run.
        placement: the circuit's qubits on a device, which are of no account where its shots have no price; None if the
            machine has no chip.
    """

    config: RunConfig
    ansatz: Ansatz
    placement: Placement | None = None

    @property
    def _priced(self) -> Placement | None:
        """The qubits of a device whose shots have a price; None on any other machine."""
        return self.placement if self.config.train.machine.is_priced else None

    @cached_property
    def strategy(self) -> Strategy:
        """What the steps of the run measure, with shots by the price of a job where the configuration asks for that."""
        return self.config.strategy(self.ansatz, None if self._priced is None else self._priced.task(1, 1, 1))

    @property
    def num_gradients(self) -> int:
        """The largest number of gradients that a step measures: more than one in a line search."""
        return self.strategy.optimizer.max_evaluations

    def task(self, measurement: Measurement) -> Task:
        """The rows, shots and circuits of a measurement, from which its price on the device follows."""
        return self._on_a_device().task(measurement.num_rows, measurement.num_rows, measurement.shots)

    def amount(self, measurements: Sequence[Measurement], *, whole: bool = False) -> Amount:
        """The QPU seconds, jobs and shots of several measurements; with ``whole`` in whole seconds per job.

        On machines that are no device only shots are counted.

        Raises:
            QhnError: if a measurement exceeds a limit of the service.
        """
        if self._priced is None or not measurements[0].shots:
            jobs = len(measurements) if self.config.train.machine.bills else 0  # one for each, which has no price
            return Amount(jobs=jobs, shots=sum(one.num_shots for one in measurements))
        return sum((amount_of(self.task(one), whole=whole) for one in measurements), Amount())

    def bitstrings(self, measurements: Sequence[Measurement]) -> int:
        """The most different bitstrings that several measurements can meet: one a shot, or all without shots.

        On tiles the row at θ itself is measured on each of them. Where a table of all costs would be too large, E
        without shots follows from a polynomial, and one bitstring a measurement is evaluated.
        """
        if not measurements[0].shots:
            num_qubits = self.ansatz.num_qubits
            return 2**num_qubits if num_qubits <= MAX_ENUMERABLE_QUBITS else len(measurements)
        if self._priced is None:
            return sum(one.num_shots for one in measurements)
        return sum(map(bitstrings_of, map(self.task, measurements)))

    def step(self, step: int = 0) -> Amount:
        """The most that a step takes in seconds, jobs and shots, calibration circuits included."""
        return self.amount(self.strategy.measurements(step), whole=self.config.train.machine.bills)

    def self_test(self, self_tests: Iterable[Entry] = ()) -> Amount:
        """The seconds, jobs and shots of the self-test that is due on a machine that bills.

        They are 0 if one in ``self_tests`` has passed, and its seconds are 0 where shots have no price.
        """
        if not self.config.train.machine.bills or not is_due(self_tests):
            return Amount()
        if self._priced is None:
            return Amount(jobs=1, shots=ROWS * SHOTS)
        return self_test_amount(self._priced.seconds_per_shot)

    @cached_property
    def steps(self) -> list[Amount]:
        """The most that each step of the run takes; the self-test of a QPU is counted with the first step."""
        needed = [self.step(step) for step in range(self.config.train.steps)]
        needed[0] += self.self_test()
        return needed

    @cached_property
    def step_seconds(self) -> list[float]:
        """The expected QPU seconds of each step at its largest number of gradients and angles, not rounded up."""
        return [self.amount(self.strategy.measurements(step)).seconds for step in range(self.config.train.steps)]

    @property
    def seconds(self) -> float:
        """The expected QPU seconds of the whole run, self-test included; 0 if the machine is no device."""
        if self._priced is None or self.config.train.shots is None:
            return 0.0
        return self.self_test().seconds + sum(self.step_seconds)

    def priced(self) -> PricedRun | None:
        """The price of the run as its record keeps it; None without shots, or if the machine is no device."""
        if self._priced is None or self.config.train.shots is None:
            return None
        task = self.task(self.strategy.measurements(0)[0])
        first = price(task)
        return PricedRun(
            task=task,
            circuits=first.circuits,
            shots=first.shots,
            jobs=first.jobs,
            gradients=self.num_gradients,
            qpu_seconds_of_a_step=round(self.step_seconds[0], 2),
            steps=len(self.step_seconds),
            qpu_seconds_of_the_run=round(sum(self.step_seconds), 1),
        )

    def _on_a_device(self) -> Placement:
        assert self._priced is not None, "only a device has a price"
        return self._priced


@dataclass(frozen=True)
class PricedRun:
    """The price of a run as its record keeps it: enough to say what a step takes without opening the device again.

    Attributes:
        task: the work of the first gradient, from which the price of any other on the same qubits follows.
        circuits: circuits that the first gradient executes, calibration included.
        shots: shots of each circuit of the first gradient, as they are really taken.
        jobs: jobs of the first gradient.
        gradients: gradients that a step measures at most.
        qpu_seconds_of_a_step: QPU seconds of the first step.
        steps: steps of the run.
        qpu_seconds_of_the_run: QPU seconds of all steps at their largest number of angles, without the self-test.
    """

    task: Task
    circuits: int
    shots: int
    jobs: int
    gradients: int
    qpu_seconds_of_a_step: float
    steps: int
    qpu_seconds_of_the_run: float

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, tree: Mapping[str, Any] | None) -> PricedRun | None:
        """The inverse of :meth:`to_json`; None if ``tree`` is None or lacks a value."""
        try:
            task = None if tree is None else Task(**tree["task"]) if "task" in tree else _earlier_task(tree)
            names = [field.name for field in dataclasses.fields(cls) if field.name != "task"]
            return None if tree is None or task is None else cls(task=task, **{name: tree[name] for name in names})
        except (KeyError, TypeError):
            return None

    def amount(self, measurements: Sequence[Measurement], *, whole: bool) -> Amount:
        """The QPU seconds, jobs and shots of several measurements; with ``whole`` in whole seconds per job."""
        tasks = (self.task.measuring(one.num_rows, one.shots) for one in measurements)
        return sum((amount_of(task, whole=whole) for task in tasks), Amount())

    def bitstrings(self, measurements: Sequence[Measurement]) -> int:
        """The most different bitstrings that several measurements can meet."""
        return sum(bitstrings_of(self.task.measuring(one.num_rows, one.shots)) for one in measurements)

    def self_test(self, config: RunConfig, self_tests: Iterable[Entry]) -> Amount:
        """The seconds, jobs and shots of the self-test that is due on a QPU; 0 if one in ``self_tests`` has passed."""
        due = config.train.machine.bills and is_due(self_tests)
        return self_test_amount(self.task.seconds_per_shot) if due else Amount()

    def words(self) -> str:
        """One sentence with the circuits, shots and QPU seconds of the first step and of the whole run."""
        shots = f"{self.circuits:,} circuits × {self.shots:,} shots"
        return (
            f"the first step takes {shots}, {self.qpu_seconds_of_a_step:,.1f} QPU s, "
            f"all {self.steps:,} steps {qpu_time(self.qpu_seconds_of_the_run)}"
        )


def _earlier_task(tree: Mapping[str, Any]) -> Task | None:
    """The work of a gradient by the price that earlier versions recorded; None if it fits no number of tiles."""
    known = {"num_rows": tree["rows"], "shots": tree["shots"], "two_qubit_gates": tree["two_qubit_gates"]}
    for calibrate in (False, True):
        for tiles in range(1, tree["rows"] + 1):
            task = Task(
                **known | {"two_qubit_gates": tree["two_qubit_gates"] // tiles},
                duration=0.0,
                rep_delay=tree["seconds_per_shot"],
                max_shots=MAX_EXECUTIONS,
                tiles=tiles,
                calibrate=calibrate,
            )
            if task.executions + 2 * calibrate * tree["jobs"] == tree["circuits"]:
                return task
    return None


def amount_of(task: Task, *, whole: bool) -> Amount:
    """The QPU seconds, jobs and shots of one task; with ``whole`` in whole seconds per job, as a QPU needs them.

    Raises:
        QhnError: if the task exceeds a limit of the service.
    """
    one = price(task)
    return Amount(whole_seconds(one.jobs, one.seconds) if whole else one.seconds, one.jobs, one.executions)


def bitstrings_of(task: Task) -> int:
    """The most different bitstrings that one task can meet: one a shot of each row, and of θ on the other tiles."""
    return task.shots_taken * (task.num_rows + task.tiles - 1)


def self_test_amount(seconds_per_shot: float) -> Amount:
    """The QPU seconds, jobs and shots of one self-test (:mod:`qhn.backend.service.selftest`)."""
    executions = ROWS * SHOTS
    return Amount(job_seconds(1, executions, seconds_per_shot), 1, executions)


def qpu_time(seconds: float) -> str:
    """QPU seconds in words, with minutes or hours beside them where there are many.

    >>> qpu_time(600)
    '600.0 QPU seconds (10 min)'
    """
    longer = "" if seconds < 120 else f" ({seconds / 60:,.0f} min)" if seconds < 7200 else f" ({seconds / 3600:,.1f} h)"
    return f"{seconds:,.1f} QPU seconds{longer}"
