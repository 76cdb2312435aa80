"""What is refused before a run begins: too large, without a budget, or waiting for what there is not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qhn.backend.machines import MACHINES, spelled
from qhn.backend.sampler import check_bits
from qhn.backend.terms import Amount
from qhn.budget.forecast import Forecast
from qhn.circuit.hypernetwork import Ansatz
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.problem.cost import NO_VALIDATION, Problem
from qhn.problem.landscape import check_enumerable

MAX_ANGLES = 2**27  # in the rows of one gradient: 1 GiB


def check_size(config: RunConfig, ansatz: Ansatz) -> None:
    """Refuse a gradient whose rows of angles or measured bits, or a table of costs, would fill the memory.

    Raises:
        ValueError: naming what is too large.
    """
    if config.train.shots is None:
        check_enumerable(ansatz.num_qubits)
        return
    num_rows = config.gradient_at(ansatz, 0).num_rows
    check_bits(num_rows, config.train.shots, ansatz.num_qubits)
    if num_rows * ansatz.num_parameters > MAX_ANGLES:
        raise QhnError(
            f"one gradient takes {num_rows:,} rows of {ansatz.num_parameters:,} angles, more than {MAX_ANGLES:,} in "
            "all; use fewer layers or qubits, or train.gradient = 'spsa'"
        )


def check_validation(config: RunConfig, validation: Problem | None) -> None:
    """Refuse to wait for a validation cost that there is not.

    Raises:
        QhnError: if there are no validation data.
    """
    if config.train.patience is not None and validation is None:
        raise QhnError(f"train.patience waits for a lower validation cost, but {NO_VALIDATION}")


def _up(seconds: float) -> str:
    """Rounded up to hundredths, so that it suffices."""
    return f"{math.ceil(100 * seconds - 1e-6) / 100:,.2f}"


def check_budget(config: RunConfig, needed: Amount) -> None:
    """Refuse a budget that the first step exceeds, or that nothing counts against.

    Args:
        config: the run.
        needed: by its first step, at most.

    Raises:
        ValueError: naming both numbers.
    """
    train, chips = config.train, spelled(machine for machine in MACHINES if machine.has_chip)
    for name, limit in (("max_qpu_seconds", train.max_qpu_seconds), ("max_jobs", train.max_jobs)):
        if limit is not None and not needed.jobs:
            raise QhnError(
                f"train.{name} limits shots on {chips}; this run on {train.backend} takes none there; set it to none"
            )
    if train.max_qpu_seconds is not None and train.max_qpu_seconds < needed.seconds:
        raise QhnError(
            f"train.max_qpu_seconds is {train.max_qpu_seconds:g}, the first step takes up to {_up(needed.seconds)}; "
            "raise it, or see with qhn estimate what makes a step cheaper"
        )
    if train.max_jobs is not None and train.max_jobs < needed.jobs:
        raise QhnError(f"train.max_jobs is {train.max_jobs:,}, the first step takes {needed.jobs:,}; raise it")
    if train.max_shots is not None and train.max_shots < needed.shots:
        raise QhnError(
            f"train.max_shots is {train.max_shots:,}, the first step takes {needed.shots:,} shots; raise it or lower "
            "train.shots"
        )


def check_detach(config: RunConfig, detach: bool) -> None:
    """Refuse not to wait for a machine that has no jobs.

    Raises:
        ValueError: naming the backend.
    """
    if detach and not config.train.machine.bills:
        takers = spelled(machine for machine in MACHINES if machine.bills)
        raise QhnError(f"--detach goes with {takers}; {config.train.backend} computes here and now")


class BudgetNeeded(QhnError):
    """A paid run was asked for without a budget.

    Attributes:
        backend: that is paid for.
        num_steps: that were asked for.
        first: what must be left for the first, the self-test of the device included.
        price: QPU seconds that all of it should take.
    """

    def __init__(self, backend: str, needed: Sequence[Amount], price: float) -> None:
        self.backend, self.num_steps, self.first, self.price = backend, len(needed), needed[0], price
        shots = sum(one.shots for one in needed)
        budget = f"max_qpu_seconds={math.ceil(price)}" if price else f"max_shots={shots}"
        seconds = f"{price:,.1f} QPU seconds and " if price else ""
        super().__init__(
            f"a run on {backend} is paid for and needs a budget, such as --set train.{budget}; its {len(needed):,} "
            f"steps should take {seconds}{shots:,} shots. At a terminal it is asked for, and --yes agrees; qhn "
            "estimate says what would make them cheaper"
        )


def check_paid(forecast: Forecast, *, record: bool) -> None:
    """Refuse to spend shots without a record or a budget.

    Args:
        forecast: of a run on a machine whose shots are paid for.
        record: whether the run is recorded.

    Raises:
        QhnError: if it is not recorded.
        BudgetNeeded: naming what the steps take.
    """
    train = forecast.config.train
    if not record:
        raise QhnError(f"a run on {train.backend} is paid for and must be recorded; leave record=True")
    if train.max_qpu_seconds is None and train.max_shots is None:
        raise BudgetNeeded(train.backend, forecast.steps, forecast.seconds)


def check_start(forecast: Forecast, *, paid: bool, record: bool) -> None:
    """Refuse a run that its machine cannot make within its budget, before anything is written or sent.

    Args:
        forecast: of the run.
        paid: whether the shots of the machine are paid for.
        record: whether the run is recorded.

    Raises:
        QhnError: as :func:`check_paid` and :func:`check_budget`.
    """
    if paid:
        check_paid(forecast, record=record)
    check_budget(forecast.config, forecast.steps[0])
