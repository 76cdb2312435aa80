"""The plan of a run: its problem, its circuit, its first angles – everything that is known without a machine."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.arrays import Floats
from qhn.budget.forecast import Forecast
from qhn.circuit.ansatz import Ansatz
from qhn.config import RunConfig
from qhn.config.python_problem import PythonConfig
from qhn.errors import QhnError
from qhn.problem.capabilities import validation_of
from qhn.problem.cost import Problem
from qhn.run.checks import check_budget, check_evaluations, check_size, check_validation, first_evaluations
from qhn.run.record import Record


@dataclass(frozen=True)
class Plan:
    """A run that can be made, as far as this is known without a machine.

    Attributes:
        config: the configuration of the run.
        problem: the problem, which gives the cost C of each bitstring.
        ansatz: the circuit whose measurements give bitstrings.
        theta: the first angles in radians, ``[num_parameters]``.
        validation: the problem whose cost is the validation cost; None without validation data.
    """

    config: RunConfig
    problem: Problem
    ansatz: Ansatz
    theta: Floats
    validation: Problem | None


def prepare(config: RunConfig, problem: Problem | None = None, *, named: bool = False, trust: bool = False) -> Plan:
    """The plan of a run: data loaded, circuit and first angles made, everything checked that needs no machine.

    Args:
        config: the configuration of the run. If the problem is a Python object, the configuration must name it
            (:meth:`RunConfig.given`).
        problem: the problem as a Python object; None for the problem that the configuration describes.
        named: whether the user has named the configuration, so that a function of theirs in it may be run; not if it is
            that of a record.
        trust: whether every program that the configuration names may be run.

    Raises:
        QhnError: if the data cannot be read, something is too large, missing, or does not fit, or a program would be
            run that may not.
        FileNotFoundError: if a file of data is missing.

    >>> from qhn.config.file import load_config
    >>> plan = prepare(load_config("figure-1"))
    >>> plan.ansatz.num_qubits, len(plan.theta) == plan.ansatz.num_parameters
    (4, True)
    """
    if problem is None:
        problem = config.problem(trust=named or trust)
    ansatz = config.circuit(problem, trust=trust)
    validation = validation_of(problem)
    check_size(config, ansatz, problem)
    check_validation(config, validation)
    return Plan(config, problem, ansatz, config.initial_theta(ansatz), validation)


def named_again(config: RunConfig, python: str | None) -> RunConfig:
    """The configuration of a record with its function of the user's where it is now, as the user names it.

    Args:
        config: the configuration of a record.
        python: ``"module:function"``; None if it is not named, which changes nothing.

    Raises:
        QhnError: if the run evaluates no function, or another one, or its source file has changed.
    """
    if python is None:
        return config
    if not isinstance(config.cost, PythonConfig):
        raise QhnError(f"this run evaluates no function of yours; leave {python} away")
    return config.model_copy(update={"cost": config.cost.named_again(python)})


def check(config: RunConfig) -> None:
    """Refuse a run that cannot be made as it is configured; no machine is opened.

    Args:
        config: the configuration of the run.

    Raises:
        QhnError: if the data cannot be read, something is too large, missing, or does not fit, or the budget is too
            small for a step.
        FileNotFoundError: if a file of data is missing.
    """
    plan = prepare(config, named=True)
    if not config.train.machine.is_priced:  # on a device the price depends on its calibration
        forecast = Forecast(config, plan.ansatz)
        check_budget(config, forecast.step())
        check_evaluations(config, plan.ansatz, first_evaluations(forecast))


def with_stop_rules_of(config: RunConfig, record: Record) -> RunConfig:
    """The recorded configuration with the stop rules that ``config`` sets; one it leaves out stays as recorded.

    If ``train.steps`` is below the number that a finished run has taken, it is ignored, so that showing an extended run
    does not shorten it.

    Args:
        config: the configuration with the stop rules to take over.
        record: the record of the run.

    Raises:
        QhnError: if ``train.steps`` is below the number of steps that an unfinished run has taken.
    """
    given = {name: getattr(config.train, name) for name in RunConfig.STOP_RULES & config.train.model_fields_set}
    taken, planned = record.checkpoint().num_steps, record.config.train.steps
    if config.train.steps < taken:
        if taken < planned:
            raise QhnError(
                f"train.steps is {config.train.steps}, but the run has taken {taken} of {planned} steps; ask for more, "
                f"or go on with qhn resume {record.config.run_id}"
            )
        given.pop("steps", None)
    return record.config.model_copy(update={"train": record.config.train.model_copy(update=given)})
