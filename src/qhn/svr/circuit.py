"""Solving a QUBO by a hypernetwork: a circuit is trained on the energies, and the bits measured of it are solutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits
from qhn.circuit.ansatz import gate_angles
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import QhnError
from qhn.predict.classifier_training import finished
from qhn.problem.quadratic import QuadraticProblem
from qhn.run.training import Training
from qhn.seeds import Key, Purpose
from qhn.svr.task import Found, Task
from qhn.text import shown

TABLES = ("ansatz", "train", "device")  # of which keys may be options
SHOTS = 100  # of each step's circuit, where the steps take none
MOST_SHIFTED_ROWS = 200  # of a gradient by parameter shift; SPSA takes fewer
DIRECTIONS = 30
# The lowest energies of 120 bits, mean of two sets of samples, where simulated annealing reaches −9.82: with 50 shots
# a product state −9.5 (with the mean as objective −8.7), one layer −8.6, two −6.7; without shots −8.8, −8.9 and −9.2.
SAMPLED = {
    "train.backend": "exact",
    "ansatz.num_layers": 0,
    "train.shots": SHOTS,
    "train.objective": {"name": "cvar", "alpha": 0.2},
}
COMPUTED = {"train.backend": "exact", "ansatz.num_layers": 2}


def trained(task: Task) -> Found:
    """The bitstrings of the lowest energies that were measured while a circuit was trained on the energies.

    The best of all shots is lower than the mean energy E that the trained circuit has, and says little of it: random
    shots have a best one, too. The result's ``info`` holds E as ``energy``. By default a product state is trained on
    the exact engine, with 100 shots a row of angles, on the mean of the lowest fifth of the energies; without shots
    (``{"train.shots": None}``) E of a circuit of two layers is computed, and each step's circuit measured afterwards.

    Args:
        task: the task, whose options are settings of a run by dotted key.

    Raises:
        QhnError: if a setting is wrong, or the machine cannot run the circuit.
        BackendError: if the machine fails.
    """
    config = config_of(task)
    seed = task.seed if task.is_repeatable else None
    training = finished(task.problem, config, {"ansatz": "", "results": task.results, "random_state": seed})
    if config.train.shots is None:
        training.evaluations.cost(_samples(training))
    bits, _ = training.evaluations.lowest(task.num_solutions)
    return Found(bits, _info(training))


def config_of(task: Task) -> RunConfig:
    """The configuration of the training, with defaults for what the options leave open.

    Args:
        task: the task, whose options replace them.

    Raises:
        QhnError: if an option is no setting of a circuit, its training or its machine, or has a wrong value.
    """
    options = _checked(task.options)
    settings = _defaults(options) | options | {"train.seed": task.seed}
    config = with_settings(RunConfig(experiment="svr").given(task.problem), settings)
    has_gradient = any(name.startswith("train.gradient") for name in options)
    return config if has_gradient else _with_affordable_gradient(config, task.problem)


def _defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the options leave open: of a circuit that is sampled, or of one whose E is computed."""
    is_sampled = options.get("train.shots", SHOTS) not in (None, "none")
    settings = SAMPLED if is_sampled else COMPUTED
    has_circuit = bool(options.keys() & {"ansatz", "ansatz.name", "ansatz.file"})
    return {name: value for name, value in settings.items() if not (has_circuit and name.startswith("ansatz"))}


def _with_affordable_gradient(config: RunConfig, problem: QuadraticProblem) -> RunConfig:
    """The configuration with SPSA in place of a parameter shift of many rows of angles that shots are taken of."""
    if config.train.shots is None or config.train.taker_of_curvature:
        return config
    if config.train.gradient.build(config.circuit(problem)).num_rows <= MOST_SHIFTED_ROWS:
        return config
    return with_settings(config, {"train.gradient": {"name": "spsa", "num_directions": DIRECTIONS}})


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as settings by dotted key.

    Raises:
        QhnError: if one is the seed, or not one of a circuit, its training or its machine.
    """
    for key in options:
        if key == "train.seed":
            raise QhnError("options hold 'train.seed', which is random_state; give random_state=…")
        table, dot, _ = str(key).partition(".")
        if table not in TABLES or not (dot or table == "ansatz"):
            raise QhnError(
                f"options of solver 'hypernetwork' are settings such as 'train.steps' of {', '.join(TABLES)}, got "
                f"{shown(key)}"
            )
    return {str(key): value for key, value in options.items()}


def _samples(training: Training) -> Bits:
    """Bits that the circuit of each step yields, of a training that took no shots: ``[n, num_qubits]``."""
    from qhn.exact.engine import has_only_means  # with numba

    circuit, config = training.ansatz.unrolled, training.config
    if config.train.is_ideal and has_only_means(circuit):
        return np.empty((0, circuit.num_qubits), dtype=np.uint8)
    angles = np.array([gate_angles(training.ansatz, step.theta) for step in training.steps()])
    key = Key(config.train.seed, Purpose.EVALUATION)
    measured = config.backend().compile(circuit).sample(angles, SHOTS, key).measured
    return bitstrings.to_bits(measured).reshape(-1, circuit.num_qubits)


def _info(training: Training) -> dict[str, Any]:
    """What a training tells of itself: E, steps, shots, why it ended, and where its record is."""
    last = training.steps()[-1]
    return {
        "energy": last.mean,
        "steps": last.step + 1,
        "shots": last.shots,
        "distinct": training.evaluations.distinct,
        "outcome": "" if training.outcome is None else training.outcome.message,
        "record": None if training.record is None else training.record.directory,
    }
