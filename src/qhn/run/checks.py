"""Checks before a run begins, which refuse one that is too large, has no budget, or waits for what does not exist."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qhn.backend.journal import LOST
from qhn.backend.machines import MACHINES, machine_of, spelled
from qhn.backend.sampler import check_bits
from qhn.backend.terms import Amount, Conduct
from qhn.budget.forecast import Forecast
from qhn.budget.limits import check_first
from qhn.circuit.ansatz import Ansatz
from qhn.config import RunConfig
from qhn.config.strategy import SpsaGradientConfig
from qhn.errors import QhnError, RecordError
from qhn.estimator.polynomial import PolynomialEstimator
from qhn.optimize.shots import MOST_SHOTS
from qhn.problem.cost import NO_VALIDATION, Problem
from qhn.problem.landscape import check_enumerable, polynomial_for_table
from qhn.problem.objective import as_objective
from qhn.run.record import Record

MAX_ANGLES = 2**27  # angles in all rows of one gradient: 1 GiB


def check_size(config: RunConfig, ansatz: Ansatz, problem: Problem) -> None:
    """Refuse a gradient whose rows of angles or measured bits, or a table of all costs, would fill the memory.

    Args:
        config: the configuration of the run.
        ansatz: the circuit of the run.
        problem: the cost of its bitstrings.

    Raises:
        QhnError: if a gradient has too many angles or measured bits; if backend exact cannot draw the bits of the
            circuit; or if a run without shots has too many qubits for a table of all costs, and is not one of a
            polynomial cost on an ideal circuit. The message names the size.
    """
    objective = as_objective(config.train.objective.build(), problem)
    if config.train.shots is None:
        if config.train.is_ideal and polynomial_for_table(problem) is not None:
            PolynomialEstimator(ansatz, problem, objective=objective)
        else:
            check_enumerable(ansatz.num_qubits)
        return
    if config.train.machine.is_ideal:
        from qhn.exact.engine import check_sampled  # with numba, for which other machines do not wait

        check_sampled(ansatz.unrolled)
    strategy = config.strategy(ansatz)
    num_rows = strategy.measurements(0)[0].num_rows
    check_bits(num_rows, MOST_SHOTS if config.train.has_priced_shots else strategy.shots.most, ansatz.num_qubits)
    num_angles = ansatz.unrolled.num_parameters
    if num_rows * num_angles > MAX_ANGLES:
        raise QhnError(
            f"one gradient takes {num_rows:,} rows of {num_angles:,} angles, more than {MAX_ANGLES:,} in "
            "all; use fewer layers or qubits, or train.gradient = 'spsa'"
        )


def check_validation(config: RunConfig, validation: Problem | None) -> None:
    """Refuse the stop rule ``train.patience``, which needs a validation cost, if there are no validation data.

    Args:
        config: the configuration of the run.
        validation: the problem whose cost is the validation cost; None without validation data.

    Raises:
        QhnError: if ``train.patience`` is set and ``validation`` is None.
    """
    if config.train.patience is not None and validation is None:
        raise QhnError(f"train.patience waits for a lower validation cost, but {NO_VALIDATION}")


def check_budget(config: RunConfig, needed: Amount) -> None:
    """Refuse a budget that the first step exceeds, or a budget of QPU seconds or jobs for a run that takes none.

    Args:
        config: the configuration of the run.
        needed: the most that the first step can take: QPU seconds, jobs and shots.

    Raises:
        QhnError: if the first step exceeds a budget, or a budget limits what the machine does not count; the message
            names the budget and what the step takes.

    >>> from qhn.config.file import load_config
    >>> check_budget(load_config("figure-1", {"train.max_shots": 1000}), Amount(shots=1500))
    Traceback (most recent call last):
        ...
    qhn.errors.QhnError: train.max_shots is 1,000, the first step takes 1,500 shots; raise it or lower train.shots
    """
    check_first(config.train, needed, config.train.backend)


def check_evaluations(config: RunConfig, ansatz: Ansatz, needed: int) -> None:
    """Refuse ``train.max_evaluations`` if the first step could exceed it.

    Args:
        config: the configuration of the run.
        ansatz: the circuit of the run.
        needed: the most bitstrings that the first step can evaluate.

    Raises:
        QhnError: if the first step could exceed it; the message says how many it takes and what would fit.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> from qhn.config.file import load_config
    >>> config = load_config("figure-1", {"train.max_evaluations": 12})
    >>> try:
    ...     check_evaluations(config, hypernetwork(4, 2), needed=16)
    ... except QhnError as error:
    ...     print(str(error).partition("; ")[2])
    what fits: train.gradient = 'spsa' with train.shots = 4
    """
    limit = config.train.max_evaluations
    if limit is None or needed <= limit:
        return
    fitting = "; what fits: " + ", or ".join(found) if (found := _what_fits(config, ansatz, limit)) else ""
    raise QhnError(
        f"train.max_evaluations is {limit:,}, the first step evaluates up to {needed:,} bitstrings"
        + (fitting or "; raise it: not even one shot a row fits")
    )


def _what_fits(config: RunConfig, ansatz: Ansatz, limit: int) -> list[str]:
    """The settings of shots and gradient with which a step evaluates no more than ``limit`` bitstrings."""
    train, gradients = config.train, config.train.optimizer.build().max_evaluations
    rules = [("", train.gradient.build(ansatz))]
    if train.gradient.name != "spsa" and not train.taker_of_curvature:
        rules.append(("train.gradient = 'spsa' with ", SpsaGradientConfig(name="spsa").build(ansatz)))
    shots = [(words, limit // (gradients * rule.num_rows)) for words, rule in rules]
    return [f"{words}train.shots = {most}" for words, most in shots if most]


def check_conduct(backend: str, conduct: Conduct) -> None:
    """Refuse options about jobs and self-tests on a machine that has neither.

    Args:
        backend: name of the machine.
        conduct: what is asked for.

    Raises:
        QhnError: if anything is asked for on a machine that computes in this process; the message names the backend.
    """
    if conduct.options and not machine_of(backend).bills:
        takers = spelled(machine for machine in MACHINES if machine.bills)
        raise QhnError(f"{conduct.options[0]} goes with {takers} and plug-ins that bill, not with {backend}")


def check_journal(record: Record) -> None:
    """Refuse a record whose journal of jobs was lost: what was spent, and which jobs are on their way, is then unknown.

    Args:
        record: the record of a run; one on a machine that bills nothing needs no journal.

    Raises:
        RecordError: if the journal is not that of the sessions in the manifest, or lacks a job that a step used.
    """
    if not record.config.train.machine.bills:
        return
    history, sessions = record.journal.history(), record.sessions()
    names = {session.backend.record for session in sessions} - {""}
    noted = history.jobs()
    missing = [job_id for entry in record.timing() for job_id in entry["job_ids"] if job_id not in noted]
    if missing:
        complaint = f"does not know the job {missing[0]}, which a step used"
    elif sessions and not history.entries():
        complaint = f"has no entry, although the run began on {record.config.train.backend} at {sessions[0].time}"
    elif names and history.record not in names:
        complaint = "is that of another run"
    else:
        return
    raise RecordError(f"{record.journal.path} {complaint}; {LOST}")


class BudgetNeeded(QhnError):
    """The error of a paid run that was asked for without a budget.

    Args:
        backend: name of the backend whose shots are paid for.
        needed: what each step should take, the self-test of the device included in the first; at least one step.
        price: QPU seconds that all steps together should take; 0 on machines that bill no seconds.
        table: table of the configuration that holds the budget.

    Attributes:
        backend: name of the backend whose shots are paid for.
        num_steps: number of steps that were asked for.
        first: what the first step takes, the self-test of the device included; a smaller budget is refused.
        price: QPU seconds that all steps together should take; 0 on machines that bill no seconds.
        shots: number of shots that all steps together take.
    """

    def __init__(self, backend: str, needed: Sequence[Amount], price: float, table: str = "train") -> None:
        self.backend, self.num_steps, self.first, self.price = backend, len(needed), needed[0], price
        self.shots = shots = sum(one.shots for one in needed)
        machine = machine_of(backend)
        in_seconds = price > 0 and (machine.bills_seconds or not machine.bills)
        budget = f"max_qpu_seconds={math.ceil(price)}" if in_seconds else f"max_shots={shots}"
        seconds = f"{price:,.1f} QPU seconds and " if in_seconds else ""
        cheaper = "; qhn estimate says what would make them cheaper" * (table == "train" and in_seconds)
        super().__init__(
            f"a run on {backend} is paid for and needs a budget, such as --set {table}.{budget}; its {len(needed):,} "
            f"steps should take {seconds}{shots:,} shots. At a terminal it is asked for, and --yes agrees{cheaper}"
        )


def check_paid(forecast: Forecast, *, record: bool) -> None:
    """Refuse to spend paid shots without a record or a budget.

    Args:
        forecast: the forecast of a run on a machine whose shots are paid for.
        record: whether the run is recorded.

    Raises:
        QhnError: if the run is not recorded.
        BudgetNeeded: if neither QPU seconds nor shots are limited; the message names what the steps take.
    """
    train = forecast.config.train
    if not record:
        raise unrecorded(train.backend)
    if train.max_qpu_seconds is None and train.max_shots is None:
        raise BudgetNeeded(train.backend, forecast.steps, forecast.seconds)


def unrecorded(backend: str) -> QhnError:
    """The error of a paid run that would not be recorded.

    Args:
        backend: name of the backend whose shots are paid for.
    """
    return QhnError(f"a run on {backend} is paid for and must be recorded; leave record=True")


def first_evaluations(forecast: Forecast) -> int:
    """The most bitstrings that the first step can evaluate: as many as it can meet, and not more than there are."""
    most: int = 2**forecast.ansatz.num_qubits
    return min(forecast.bitstrings(forecast.strategy.measurements(0)), most)


def check_start(forecast: Forecast, *, paid: bool, record: bool) -> None:
    """Refuse a run that its machine cannot make within its budget, before anything is written or sent.

    Args:
        forecast: the forecast of the run.
        paid: whether the shots of the machine are paid for.
        record: whether the run is recorded.

    Raises:
        QhnError: if the first step exceeds a budget, or a paid run is not recorded.
        BudgetNeeded: if a paid run has no budget.
    """
    if paid:
        check_paid(forecast, record=record)
    check_budget(forecast.config, forecast.steps[0])
    check_evaluations(forecast.config, forecast.ansatz, first_evaluations(forecast))
