"""The configuration of a classifier's training: its parameters by the keys of a run, and what ``"auto"`` stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qhn.config import RunConfig
from qhn.config.ansatz import BY_NAME
from qhn.config.file import with_settings
from qhn.config.instance import InstanceConfig
from qhn.errors import QhnError
from qhn.problem.cost import BinnProblem
from qhn.text import shown

AUTO = "auto"
BUDGETS = ("max_shots", "max_qpu_seconds", "max_evaluations")
KEYS = {  # the keys of a configuration by the parameter of the classifier that sets them
    **{name: f"network.{name}" for name in ("hidden", "alphabet", "bias", "activation", "loss")},
    **{name: f"train.{name}" for name in ("backend", "shots", "gradient", "optimizer", "objective", "steps", *BUDGETS)},
    "class_weight": "network.class_weight",
    "ansatz": "ansatz",
    "num_layers": "ansatz.num_layers",
    "random_state": "train.seed",
}
AUTOMATIC = ("shots", "gradient")  # parameters that may be "auto"
TABLES = ("network", "ansatz", "train", "device")  # of which keys may be in the settings

# Sampling evaluates up to 60 steps × 61 rows × 100 shots = 366,000 networks, and all of 20 qubits are 2.9 times as many
MAX_EXACT_QUBITS = 20
SHOTS = 100
MAX_SHIFTED_ROWS = 200  # of a gradient by parameter shift: 25 qubits and two layers
DIRECTIONS = 30


def config_of(parameters: Mapping[str, Any], seed: int) -> RunConfig:
    """The configuration of a training on data that are not known yet; ``"auto"`` is left to :func:`fitted_to`.

    Args:
        parameters: the parameters of a classifier by name.
        seed: the seed of the training.

    Raises:
        QhnError: if a parameter or a setting has a wrong value, or a setting is a parameter or none of a classifier.
    """
    names = [name for name in KEYS if name not in ("class_weight", "ansatz", "num_layers", "random_state")]
    given = {KEYS[name]: parameters[name] for name in names if name not in AUTOMATIC or not _is_auto(parameters[name])}
    given |= {"train.seed": seed} | _ansatz(parameters["ansatz"], parameters["num_layers"])
    unknown = InstanceConfig(type=BinnProblem.__name__, num_qubits=1)
    return with_settings(RunConfig(experiment="classifier", instance=unknown), given | _checked(parameters["settings"]))


def fitted_to(problem: BinnProblem, config: RunConfig, parameters: Mapping[str, Any]) -> RunConfig:
    """The configuration with the shots and the gradient that ``"auto"`` stands for.

    Backend ``exact`` computes E without shots up to 20 qubits, and takes 100 shots of each row of angles beyond them.
    A gradient of shots is that of parameter shift up to 200 rows of angles, and beyond them that of SPSA along 30
    random directions, which takes 61.

    Args:
        problem: the networks on the data.
        config: the configuration of the training.
        parameters: the parameters of the classifier by name.
    """
    automatic = [name for name in AUTOMATIC if _is_auto(parameters[name])]
    if "shots" in automatic and config.train.is_ideal and problem.num_qubits > MAX_EXACT_QUBITS:
        config = with_settings(config, {"train.shots": SHOTS})
    if "gradient" not in automatic or config.train.shots is None or config.train.taker_of_curvature:
        return config
    if config.train.gradient.build(config.circuit(problem)).num_rows <= MAX_SHIFTED_ROWS:
        return config
    return with_settings(config, {"train.gradient": {"name": "spsa", "num_directions": DIRECTIONS}})


def _is_auto(value: Any) -> bool:
    """Whether the value of a parameter is the word ``auto``."""
    return isinstance(value, str) and value == AUTO


def _ansatz(ansatz: Any, num_layers: Any) -> dict[str, Any]:
    """The settings of the circuit by key; none for a circuit that is a Python object."""
    if isinstance(ansatz, Mapping):
        return {"ansatz": dict(ansatz)}
    if not isinstance(ansatz, str):
        return {}
    section = BY_NAME.get(ansatz)  # None is refused by the configuration
    has_layers = section is not None and "num_layers" in section.model_fields
    return {"ansatz": {"name": ansatz} | ({"num_layers": num_layers} if has_layers else {})}


def _checked(settings: Any) -> dict[str, Any]:
    """The settings beside the parameters, by dotted key.

    Raises:
        QhnError: if they are no mapping, or the key of one is that of a parameter or not one of a classifier.
    """
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise QhnError(f"settings must be a dictionary such as {{'train.patience': 5}}, got {shown(settings)}")
    for key in settings:
        owner = next((name for name, own in KEYS.items() if own == key), None)
        if owner is not None:
            raise QhnError(f"settings hold {shown(key)}, which is the parameter {owner}; give {owner}=…")
        if str(key) != "experiment" and str(key).partition(".")[0] not in TABLES:
            raise QhnError(f"settings hold {shown(key)}, and may hold those of {', '.join(TABLES)}, as train.target")
    return {str(key): value for key, value in settings.items()}
