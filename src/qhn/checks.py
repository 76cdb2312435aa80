"""What is refused before a run begins: too large, without a budget, or waiting for what there is not."""

from __future__ import annotations

from qhn.ansatz import Ansatz
from qhn.backend import Sampler
from qhn.backend.sampler import check_bits
from qhn.backend.tiles import num_executions
from qhn.config import RunConfig
from qhn.estimator import check_enumerable
from qhn.problem import NO_VALIDATION, BinnProblem

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
    if config.device.tiles != "auto":
        check_budget(config, ansatz, config.device.tiles)


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


def shots_of_step(config: RunConfig, ansatz: Ansatz, num_tiles: int, step: int = 0) -> int:
    """Shots of the machine that a step takes at most; those of calibration circuits count too."""
    num_rows = config.train.gradient.build(ansatz).num_rows
    circuits = num_executions(num_rows, num_rows, num_tiles) + 2 * config.device.settings().calibrate
    return circuits * config.train.optimizer.build().max_evaluations * config.train.shots_at(step)


def num_tiles(sampler: Sampler) -> int:
    """Chains on which a machine measures side by side."""
    return len(sampler.describe().get("tiles", [0]))


def check_budget(config: RunConfig, ansatz: Ansatz, num_tiles: int) -> None:
    """Refuse a budget that a single step exceeds.

    Raises:
        ValueError: naming both numbers.
    """
    needed, budget = shots_of_step(config, ansatz, num_tiles), config.train.max_shots
    if budget is not None and budget < needed:
        shots = config.train.shots_at(0)
        raise ValueError(
            f"train.max_shots is {budget:,}, one step takes {needed // max(1, shots)} circuits × {shots:,} shots = "
            f"{needed:,}; raise it or lower train.shots"
        )


def check_paid(config: RunConfig, ansatz: Ansatz, sampler: Sampler, *, record: bool) -> None:
    """Refuse to spend shots without a record or a budget.

    Raises:
        ValueError: naming what a step takes.
    """
    name, train = config.train.backend, config.train
    if not record:
        raise ValueError(f"a run on {name} is paid for and must be recorded; leave record=True")
    if train.max_shots is None:
        needed = [shots_of_step(config, ansatz, num_tiles(sampler), step) for step in range(train.steps)]
        raise ValueError(
            f"a run on {name} is paid for and needs a budget: --set train.max_shots=…; the first step takes "
            f"{needed[0]:,} shots, the {train.steps} steps asked for {sum(needed):,}; qhn estimate says what they cost"
        )
