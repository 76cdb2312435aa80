"""What is refused before a run begins: too large, without a budget, or waiting for what there is not."""

from __future__ import annotations

from collections.abc import Sequence

from qhn.ansatz import Ansatz
from qhn.backend import SIMULATORS
from qhn.backend.sampler import check_bits
from qhn.config import RunConfig
from qhn.estimator import check_enumerable
from qhn.problem import NO_VALIDATION, BinnProblem
from qhn.quote import shots_of_step

MAX_ANGLES = 2**27  # in the rows of one gradient: 1 GiB


def check(config: RunConfig) -> None:
    """Refuse a run that cannot be made as it is configured, without a machine.

    Raises:
        ValueError: if the data cannot be read, or something is too large, missing, or does not fit.
    """
    problem = config.problem()
    ansatz = config.circuit(problem.num_qubits)
    check_size(config, ansatz)
    check_validation(config, problem)
    check_angles(config, ansatz)
    if config.train.backend in SIMULATORS:
        check_budget(config, shots_of_step(config, ansatz, None))


def check_size(config: RunConfig, ansatz: Ansatz) -> None:
    """Refuse a gradient whose rows of angles or measured bits, or a table of costs, would fill the memory.

    Raises:
        ValueError: naming what is too large.
    """
    if config.train.shots is None:
        check_enumerable(ansatz.num_qubits)
        return
    num_rows = config.train.gradient.build(ansatz).num_rows
    check_bits(num_rows, config.train.shots, ansatz.num_qubits)
    if num_rows * ansatz.num_parameters > MAX_ANGLES:
        raise ValueError(
            f"one gradient takes {num_rows:,} rows of {ansatz.num_parameters:,} angles, more than {MAX_ANGLES:,} in "
            "all; use fewer layers or qubits, or train.gradient = 'spsa'"
        )


def check_validation(config: RunConfig, problem: BinnProblem) -> None:
    """Refuse to wait for a validation cost that there is not.

    Raises:
        ValueError: if there are no validation samples.
    """
    if config.train.patience is not None and not problem.dataset.has_validation:
        raise ValueError(f"train.patience waits for a lower validation cost, but {NO_VALIDATION}")


def check_angles(config: RunConfig, ansatz: Ansatz) -> None:
    """Refuse first angles that do not fit the circuit.

    Raises:
        ValueError: naming both numbers.
    """
    config.initial_theta(ansatz)


def check_budget(config: RunConfig, needed: int) -> None:
    """Refuse a budget that the first step, of ``needed`` shots, exceeds.

    Raises:
        ValueError: naming both numbers.
    """
    budget = config.train.max_shots
    if budget is not None and budget < needed:
        raise ValueError(
            f"train.max_shots is {budget:,}, the first step takes {needed:,} shots; raise it or lower train.shots"
        )


def check_paid(config: RunConfig, needed: Sequence[int], *, record: bool) -> None:
    """Refuse to spend shots without a record or a budget.

    Args:
        config: the run.
        needed: shots of each of its steps.
        record: whether it is recorded.

    Raises:
        ValueError: naming what the steps take.
    """
    name, train = config.train.backend, config.train
    if not record:
        raise ValueError(f"a run on {name} is paid for and must be recorded; leave record=True")
    if train.max_shots is None:
        raise ValueError(
            f"a run on {name} is paid for and needs a budget: --set train.max_shots=…; the first step takes "
            f"{needed[0]:,} shots, the {train.steps} steps asked for {sum(needed):,}; qhn estimate says what they cost"
        )
