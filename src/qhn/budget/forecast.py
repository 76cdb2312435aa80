"""Forecast of the QPU seconds, jobs and shots that a run needs, step by step, before anything is submitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from qhn.backend.device.placement import Placement
from qhn.backend.device.price import Price, Task, job_seconds, price, shots_taken, whole_seconds
from qhn.backend.events import Entry
from qhn.backend.ibm.selftest import ROWS, SHOTS, is_due
from qhn.backend.terms import Amount
from qhn.circuit.hypernetwork import Ansatz
from qhn.config import RunConfig


@dataclass(frozen=True)
class Forecast:
    """Forecast of the QPU seconds, jobs and shots of each step of a run, and of the self-test before the first step.

    On a QPU the seconds of a step are rounded up (:func:`qhn.backend.device.price.whole_seconds`), so that a budget
    which covers them is never exceeded. On simulators that are no device only shots are counted.

    Attributes:
        config: the configuration of the run.
        ansatz: the circuit of the run.
        placement: the circuit's qubits on a device; None if the machine has no chip.
    """

    config: RunConfig
    ansatz: Ansatz
    placement: Placement | None = None

    @property
    def num_gradients(self) -> int:
        """The largest number of gradients that a step measures: more than one in a line search."""
        return self.config.train.optimizer.build().max_evaluations

    def task(self, step: int, evaluation: int = 0) -> Task:
        """The rows, shots and circuits of one gradient of a step, from which its price on the device follows."""
        placement = self._on_a_device()
        num_rows = self.config.gradient_at(self.ansatz, step, evaluation).num_rows
        return placement.task(num_rows, num_rows, self.config.train.shots_at(step))

    def price(self, step: int, evaluation: int = 0) -> Price:
        """The QPU seconds, jobs and circuits of one gradient of a step on the device.

        Raises:
            QhnError: if the gradient exceeds a limit of the service.
        """
        return price(self.task(step, evaluation), self._on_a_device().chip)

    def gradients(self, step: int, count: int, *, whole: bool = False) -> Amount:
        """The QPU seconds, jobs and shots of ``count`` gradients of a step; with ``whole`` in whole seconds per job.

        Raises:
            QhnError: if a gradient exceeds a limit of the service.
        """
        amounts = []
        for evaluation in range(min(2, count)):  # all gradients after the first have the same price
            one = self.price(step, evaluation)
            seconds = whole_seconds(one.jobs, one.seconds) if whole else one.seconds
            amounts.append(Amount(seconds, one.jobs, one.executions))
        return amounts[0] + amounts[-1].times(count - 1)

    def step(self, step: int = 0) -> Amount:
        """The most that a step takes in seconds, jobs and shots, calibration circuits included."""
        if self.placement is None or self.config.train.shots is None:
            num_rows = self.config.train.gradient.build(self.ansatz).num_rows
            return Amount(shots=self.num_gradients * num_rows * self.config.train.shots_at(step))
        return self.gradients(step, self.num_gradients, whole=self.config.train.machine.bills)

    def self_test(self, self_tests: Iterable[Entry] = ()) -> Amount:
        """The seconds, jobs and shots of the self-test that is due on a QPU; 0 if one in ``self_tests`` has passed."""
        if self.placement is None or not self.config.train.machine.bills:
            return Amount()
        return self_test_amount(self.placement.seconds_per_shot) if is_due(self_tests) else Amount()

    @cached_property
    def steps(self) -> list[Amount]:
        """The most that each step of the run takes; the self-test of a QPU is counted with the first step."""
        needed = [self.step(step) for step in range(self.config.train.steps)]
        needed[0] += self.self_test()
        return needed

    @cached_property
    def step_seconds(self) -> list[float]:
        """The expected QPU seconds of each step at its largest number of gradients, not rounded up."""
        return [self.gradients(step, self.num_gradients).seconds for step in range(self.config.train.steps)]

    @property
    def seconds(self) -> float:
        """The expected QPU seconds of the whole run, self-test included; 0 if the machine is no device."""
        if self.placement is None or self.config.train.shots is None:
            return 0.0
        return self.self_test().seconds + sum(self.step_seconds)

    def priced(self) -> PricedRun | None:
        """The price of the run as its record keeps it; None without shots, or if the machine is no device."""
        if self.placement is None or self.config.train.shots is None:
            return None
        first, other = self.price(0), self.price(0, 1)
        return PricedRun(
            rows=first.rows,
            circuits=first.circuits,
            shots=first.shots,
            two_qubit_gates=first.two_qubit_gates,
            seconds_per_shot=first.seconds_per_shot,
            jobs=first.jobs,
            gradients=self.num_gradients,
            qpu_seconds_of_a_step=round(self.step_seconds[0], 2),
            steps=len(self.step_seconds),
            qpu_seconds_of_the_run=round(sum(self.step_seconds), 1),
            without_drift={"circuits": other.circuits, "jobs": other.jobs} if self.config.device.drift_every else {},
        )

    def _on_a_device(self) -> Placement:
        assert self.placement is not None, "only a device has a price"
        return self.placement


@dataclass(frozen=True)
class PricedRun:
    """The price of a run as its record keeps it: enough to say what a step takes without opening the device again.

    Attributes:
        rows: rows of angles of the first gradient.
        circuits: circuits that the first gradient executes, calibration included.
        shots: shots of each circuit, as they are really taken.
        two_qubit_gates: two-qubit gates of one circuit, on all its tiles.
        seconds_per_shot: delay between shots and duration of the circuit, in seconds.
        jobs: jobs of the first gradient.
        gradients: gradients that a step measures at most.
        qpu_seconds_of_a_step: QPU seconds of the first step.
        steps: steps of the run.
        qpu_seconds_of_the_run: QPU seconds of all steps, without the self-test.
        without_drift: ``circuits`` and ``jobs`` of a gradient that does not measure the drift; empty if none does.
    """

    rows: int
    circuits: int
    shots: int
    two_qubit_gates: int
    seconds_per_shot: float
    jobs: int
    gradients: int
    qpu_seconds_of_a_step: float
    steps: int
    qpu_seconds_of_the_run: float
    without_drift: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON values; an empty ``without_drift`` is left out."""
        return {name: value for name, value in vars(self).items() if value != {}}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any] | None) -> PricedRun | None:
        """The inverse of :meth:`to_json`; None if ``tree`` is None or was written by an older version."""
        try:
            return None if tree is None else cls(**tree)
        except TypeError:
            return None

    def step(self, config: RunConfig, step: int) -> Amount:
        """The most that a step of the run takes in QPU seconds, jobs and shots."""
        shots = shots_taken(config.train.shots_at(step), twirling=config.device.twirling)

        def gradient(circuits: int, jobs: int) -> Amount:
            executions = circuits * shots
            seconds = job_seconds(jobs, executions, self.seconds_per_shot)
            return Amount(whole_seconds(jobs, seconds) if config.train.machine.bills else seconds, jobs, executions)

        first = gradient(self.circuits, self.jobs)
        others = gradient(**self.without_drift) if self.without_drift else first
        return (first if config.device.has_drift(step) else others) + others.times(self.gradients - 1)

    def self_test(self, config: RunConfig, self_tests: Iterable[Entry]) -> Amount:
        """The seconds, jobs and shots of the self-test that is due on a QPU; 0 if one in ``self_tests`` has passed."""
        due = config.train.machine.bills and is_due(self_tests)
        return self_test_amount(self.seconds_per_shot) if due else Amount()

    def words(self) -> str:
        """One sentence with the circuits, shots and QPU seconds of the first step and of the whole run."""
        shots = f"{self.circuits:,} circuits × {self.shots:,} shots"
        return (
            f"the first step takes {shots}, {self.qpu_seconds_of_a_step:,.1f} QPU s, "
            f"all {self.steps:,} steps {qpu_time(self.qpu_seconds_of_the_run)}"
        )


def self_test_amount(seconds_per_shot: float) -> Amount:
    """The QPU seconds, jobs and shots of one self-test (:mod:`qhn.backend.ibm.selftest`)."""
    executions = ROWS * SHOTS
    return Amount(job_seconds(1, executions, seconds_per_shot), 1, executions)


def qpu_time(seconds: float) -> str:
    """QPU seconds in words, with minutes or hours beside them where there are many.

    >>> qpu_time(600)
    '600.0 QPU seconds (10 min)'
    """
    longer = "" if seconds < 120 else f" ({seconds / 60:,.0f} min)" if seconds < 7200 else f" ({seconds / 3600:,.1f} h)"
    return f"{seconds:,.1f} QPU seconds{longer}"
