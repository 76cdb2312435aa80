"""The price of a study on a QPU: what its trials can be billed together, and what is left of its budget.

Nothing is spent before the user has agreed to a number of QPU seconds for the whole study. A trial is then a run with a
budget of its own: what the other runs of the study have left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qhn.backend import BackendError
from qhn.backend.terms import Amount
from qhn.budget.forecast import Forecast, qpu_time
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.report.jobs import ledger_of
from qhn.run.plan import prepare
from qhn.run.record import Record
from qhn.search.config import StudyPlan
from qhn.search.resource import Grid
from qhn.sweep.batch import shared_by_members


class OverBudget(BackendError):
    """The budget of a study has too few QPU seconds left for the next step of a trial."""


@dataclass(frozen=True)
class StudyPrice:
    """The QPU seconds of a study by the present calibration.

    Attributes:
        backend: name of the QPU.
        trials: number of trials that can begin; each makes a self-test of the device.
        self_test: QPU seconds of a self-test.
        units: the most resource that all trials take together, in units.
        expected: QPU seconds of the study if no trial is stopped within a round, and every kind of trial goes as far as
            any other.
        most: the most QPU seconds that it can be billed: the dearest trials are promoted, and bills are rounded up.
    """

    backend: str
    trials: int
    self_test: float
    units: int
    expected: float
    most: float

    def words(self) -> str:
        """One line with the expected and the largest price."""
        tests = f"{self.trials:,} self-tests included"
        return (
            f"{self.backend}: the study should take {qpu_time(self.expected)}, {tests}, at most {qpu_time(self.most)}"
        )


def bills(plan: StudyPlan) -> bool:
    """Whether the trials of a study run on a QPU that is paid for.

    Raises:
        QhnError: if only some of them do, or what is billed is not known in QPU seconds.
    """
    for config in plan.configs.values():
        if config.train.machine.bills and not config.train.machine.bills_seconds:
            raise QhnError(
                f"a study has a budget of QPU seconds, and what {config.train.backend} bills is not known; train runs "
                "one by one there, each with train.max_shots"
            )
    machines = {config.train.machine.bills for config in plan.configs.values()}
    if len(machines) > 1:
        raise QhnError("some trials run on a QPU and others do not; give each study one machine")
    return machines.pop()


def price_of(plan: StudyPlan, grid: Grid) -> StudyPrice:
    """The price of a study on a QPU.

    Args:
        plan: the plan of the study.
        grid: the common grid of resource.

    Raises:
        QhnError: if the QPU cannot run a trial.
        BackendError: if its service cannot be reached.
    """
    trials = list(grid.kind_of)
    known: dict[str, tuple[list[Amount], list[Amount], Amount]] = {}
    for trial in trials:
        key = shared_by_members(plan.configs[trial])
        if key not in known:
            known[key] = _amounts(plan.configs[trial], grid.most_steps(trial))
    kinds = [(trial, *known[shared_by_members(plan.configs[trial])]) for trial in trials]
    test, units = max(test.seconds for *_, test in kinds), plan.config.rule().most_units
    mean = math.fsum(_per_unit(grid, trial, plain) for trial, plain, _, _ in kinds) / len(kinds)
    worst = max(_per_unit(grid, trial, whole) for trial, _, whole, _ in kinds)
    tests = len(trials) * test
    backend = plan.configs[trials[0]].train.backend
    return StudyPrice(
        backend, len(trials), test, units, tests + units * mean, len(trials) * math.ceil(test) + units * worst
    )


def _amounts(config: RunConfig, steps: int) -> tuple[list[Amount], list[Amount], Amount]:
    """What the steps of a run take, as expected and in whole seconds, and the self-test."""
    ansatz = prepare(config, named=True).ansatz
    forecast = Forecast(config, ansatz, config.backend().compile(ansatz.unrolled).placement)
    measured = [forecast.strategy.measurements(step) for step in range(steps)]
    plain = [forecast.amount(one) for one in measured]
    return plain, [forecast.amount(one, whole=True) for one in measured], forecast.self_test()


def _per_unit(grid: Grid, trial: int, amounts: Sequence[Amount]) -> float:
    """The QPU seconds of a trial for a unit of resource, at the resource at which they are most."""
    units = range(1, grid.max_resource + 1)
    return max(sum(one.seconds for one in amounts[: grid.steps(trial, unit)]) / unit for unit in units)


def spent_by(records: Sequence[Path]) -> float:
    """The QPU seconds that runs have been billed, or are expected to be billed for jobs on their way.

    Args:
        records: the directories of the runs; those that do not exist have spent nothing.

    Raises:
        RecordError: if a record is damaged.
    """
    return sum(ledger_of(Record.load(path)).spent.seconds for path in records if (path / "config.json").exists())
