"""The price of a gradient on a device: its circuits, shots, jobs and billed seconds.

A job takes about two seconds and, for every shot of every circuit, the delay between shots and the circuit itself. The
delay, 250 µs on most devices and 4 ms on some, is nearly all of it: fewer circuits, fewer shots or a shorter delay save
time, shorter circuits do not.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from qhn.backend.device.chip import Chip
from qhn.backend.device.tiles import num_executions
from qhn.errors import QhnError

JOB_SECONDS = 2.0  # seconds of a job that are billed beside its shots
MAX_JOB_SECONDS = 3 * 3600.0
MAX_EXECUTIONS = 10_000_000  # shots of all circuits of a job
MAX_TWO_QUBIT_GATES = 5_000_000  # two-qubit gates of a circuit
TWIRLED_SHOTS, TWIRLINGS = 64, 32  # at least 64 shots of each of at most 32 random circuits


@dataclass(frozen=True)
class Task:
    """The work of one gradient on a device: everything on which its price depends.

    Attributes:
        num_rows: number of rows of angles.
        shots: number of shots requested for each row.
        duration: duration of the circuit, in seconds.
        two_qubit_gates: number of two-qubit gates of the circuit of one chain.
        rep_delay: delay between shots in seconds.
        max_shots: the largest number of shots of a circuit that the device takes.
        tiles: number of chains that measure side by side.
        calibrate: whether to count readout errors, with two circuits of known bits per job.
        twirling: whether the service inserts random Pauli gates, for which it rounds shots up.
        group: number of rows that belong together, θ itself and then pairs of shifts; None is all of them.
    """

    num_rows: int
    shots: int
    duration: float
    two_qubit_gates: int
    rep_delay: float
    max_shots: int
    tiles: int = 1
    calibrate: bool = False
    twirling: bool = False
    group: int | None = None

    def measuring(self, num_rows: int, shots: int) -> Task:
        """The work of another number of rows of one group, with another number of shots of each."""
        return dataclasses.replace(self, num_rows=num_rows, shots=shots, group=num_rows)

    @property
    def executions(self) -> int:
        """The number of sets of angles that are executed, calibration not included."""
        return num_executions(self.num_rows, self.group or self.num_rows, self.tiles)

    @property
    def shots_taken(self) -> int:
        """The number of shots that each circuit takes, after rounding."""
        return shots_taken(self.shots, twirling=self.twirling)

    @property
    def seconds_per_shot(self) -> float:
        """The time of one shot in seconds: the delay between shots and the circuit."""
        return self.rep_delay + self.duration


@dataclass(frozen=True)
class Price:
    """The circuits, shots, jobs and seconds that a gradient takes.

    Attributes:
        rows: number of rows of angles.
        circuits: number of circuits executed, calibration included: with T tiles and n pairs of shifts 1 + 2·⌈n/T⌉, and
            2 to calibrate.
        shots: number of shots that each circuit takes, after rounding.
        two_qubit_gates: number of two-qubit gates of one circuit, on all its tiles.
        seconds_per_shot: time of one shot in seconds: the delay and the circuit.
        jobs: number of jobs, as few as the limits of the service allow.
        seconds: seconds that are billed, all jobs together.
    """

    rows: int
    circuits: int
    shots: int
    two_qubit_gates: int
    seconds_per_shot: float
    jobs: int
    seconds: float

    @property
    def executions(self) -> int:
        """The number of shots of all circuits."""
        return self.circuits * self.shots


def price(task: Task) -> Price:
    """The price of a task.

    Raises:
        QhnError: if a single circuit is beyond a limit of the service.

    >>> task = Task(num_rows=197, shots=1000, duration=2.4e-6, two_qubit_gates=26, rep_delay=250e-6, max_shots=100_000)
    >>> round(price(task).seconds, 1)
    51.7
    """
    gates = task.tiles * task.two_qubit_gates
    if gates > MAX_TWO_QUBIT_GATES:
        raise QhnError(f"a circuit has {gates:,} two-qubit gates, more than the {MAX_TWO_QUBIT_GATES:,} of a job")
    each, jobs = task.seconds_per_shot, len(parts(task))
    circuits = task.executions + 2 * task.calibrate * jobs
    seconds = job_seconds(jobs, circuits * task.shots_taken, each)
    return Price(task.num_rows, circuits, task.shots_taken, gates, each, jobs, seconds)


def job_seconds(jobs: int, executions: int, seconds_per_shot: float) -> float:
    """The QPU seconds that ``jobs`` jobs with ``executions`` shots in all are expected to take."""
    return jobs * JOB_SECONDS + executions * seconds_per_shot


def whole_seconds(jobs: int, seconds: float) -> float:
    """The QPU seconds that must be left for ``jobs`` equal jobs of ``seconds`` seconds in all.

    The service ends jobs at whole seconds, and runs them only within what is left.

    >>> whole_seconds(2, 5.5)
    6.0
    """
    return float(jobs * math.ceil(seconds / jobs))


def parts(task: Task) -> list[slice]:
    """The executions of each job, as slices; each job has its own calibration circuits.

    Raises:
        QhnError: if a single circuit is beyond a limit of the service.
    """
    extra = 2 * task.calibrate
    return split_into_jobs(task.executions, task.shots_taken, task.seconds_per_shot, task.max_shots, extra)


def rep_delay_of(chip: Chip, asked: float | None) -> float:
    """The delay between shots in seconds: the requested one, or the device's default if that is None.

    Raises:
        ValueError: if the device does not take the requested delay.
    """
    low, high = chip.rep_delay_range
    if asked is None:
        return chip.rep_delay
    if not low <= asked <= high:
        raise QhnError(f"rep_delay must be {low:g} to {high:g} seconds on {chip.name}, got {asked:g}")
    return asked


def shots_taken(shots: int, *, twirling: bool) -> int:
    """The number of shots that the service takes when ``shots`` are requested.

    With twirling it rounds up to equally many shots of each random circuit.

    >>> [shots_taken(shots, twirling=True) for shots in (1000, 2000, 10_000)]
    [1024, 2048, 10016]
    """
    if not twirling:
        return shots
    each = max(TWIRLED_SHOTS, math.ceil(shots / TWIRLINGS))
    return each * math.ceil(shots / each)


def split_into_jobs(
    num_circuits: int, shots: int, seconds_per_shot: float, max_shots: int, extra: int = 0
) -> list[slice]:
    """Divide circuits among jobs, as few as the limits of the service allow, and as equal as can be.

    Args:
        num_circuits: number of circuits to divide.
        shots: number of shots of each circuit.
        seconds_per_shot: time of one shot in seconds.
        max_shots: the largest number of shots of a circuit.
        extra: number of further circuits in every job, such as calibration circuits.

    Raises:
        ValueError: if not even one circuit fits.

    >>> split_into_jobs(25, 1_000_000, 1e-6, 1_000_000)
    [slice(0, 9, None), slice(9, 17, None), slice(17, 25, None)]
    """
    if shots > max_shots:
        raise QhnError(f"{shots:,} shots are more than the {max_shots:,} that the device takes; lower shots")
    seconds = shots * seconds_per_shot
    most = MAX_EXECUTIONS // shots
    if seconds:
        most = min(most, int((MAX_JOB_SECONDS - JOB_SECONDS) // seconds))
    most -= extra
    if most < 1:
        raise QhnError(
            f"one circuit of {shots:,} shots takes {seconds:,.0f} seconds or {shots:,} executions, more than a job's "
            f"{MAX_JOB_SECONDS:,.0f} or {MAX_EXECUTIONS:,}; lower shots"
        )
    jobs = math.ceil(num_circuits / most)
    edges = [math.ceil(num_circuits * job / jobs) for job in range(jobs + 1)]
    return [slice(*edge) for edge in pairwise(edges)]


def savings(
    task: Task, chip: Chip, most_tiles: int, fewest_rows: int, shots_of: Callable[[Task], int] | None = None
) -> dict[str, Price]:
    """The price of a task, its price with each setting that lowers it, and its price with all of them, by name.

    Args:
        task: the task with its present settings.
        chip: calibration of the device.
        most_tiles: the largest number of tiles that is useful on the device.
        fewest_rows: number of rows of an SPSA gradient along one direction, which is cheap, but so noisy that a run
            needs more steps.
        shots_of: rule by which the number of shots follows from the task, and changes with it; None if it is given.
    """

    def changed(one: Task, change: Mapping[str, Any]) -> Task:
        other = dataclasses.replace(one, **change)
        return other if shots_of is None else dataclasses.replace(other, shots=shots_of(other))

    shortest = chip.rep_delay_range[0]
    spsa, fewer = "train.gradient=spsa", math.ceil(task.shots / 4)
    changes: dict[str, dict[str, Any]] = {
        f"device.tiles=auto ({most_tiles})": {"tiles": most_tiles},
        f"device.rep_delay={shortest:g}": {"rep_delay": shortest},
        **({f"train.shots={fewer}": {"shots": fewer}} if shots_of is None else {}),
        spsa: {"num_rows": fewest_rows, "group": fewest_rows},
    }
    now = price(task)
    found, together = {"as it is": now}, task
    for what, change in changes.items():
        alone = price(changed(task, change))
        if alone.seconds < now.seconds:
            if what == spsa and together != task:
                found["all of these"] = price(together)
            found[what] = alone
            together = changed(together, change)
    return found | {f"all of these{' and SPSA' * (spsa in found)}": price(together)}
