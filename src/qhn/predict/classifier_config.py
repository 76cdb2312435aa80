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
from qhn.problem.datasets import Dataset
from qhn.text import shown

TABLES = {  # the parameters of a classifier by the table of a configuration whose keys they are
    "network": ("hidden", "alphabet", "bias", "activation", "loss"),
    "train": ("backend", "shots", "optimizer", "gradient", "objective", "steps")
    + ("max_shots", "max_qpu_seconds", "max_evaluations"),
}
MAX_EXACT_QUBITS = 20  # up to which "auto" computes all costs: with 20 qubits half the time of sampling
MAX_SHIFTED_ROWS = 200  # of a gradient by parameter shift, beyond which "auto" takes SPSA
SPSA = {"name": "spsa", "num_directions": 10}
AUTO = "auto"


def config_of(parameters: Mapping[str, Any], seed: int) -> RunConfig:
    """The configuration of a training, without the problem; ``"auto"`` stands for the defaults of a run.

    Args:
        parameters: the parameters of a classifier by name.
        seed: seed of the training.

    Raises:
        QhnError: if a parameter or a setting has a wrong value, or a setting is a parameter or part of another table.

    >>> parameters = {"hidden": (2,), "ansatz": "hypernetwork", "num_layers": 1, "steps": 9, "settings": None}
    >>> config_of(parameters, seed=3).ansatz.num_layers
    1
    """
    given = {
        f"{table}.{name}": parameters[name] for table, names in TABLES.items() for name in names if name in parameters
    }
    given = {key: value for key, value in given.items() if key not in AUTOMATIC or value != AUTO}
    given |= _ansatz(parameters["ansatz"], parameters["num_layers"]) | {"train.seed": seed}
    unknown = InstanceConfig(type=BinnProblem.__name__, num_qubits=1)  # until the data are known
    config = RunConfig(experiment="classifier", instance=unknown)
    return with_settings(config, given | _checked(parameters["settings"], given))


AUTOMATIC = ("train.shots", "train.gradient")  # keys that "auto" leaves to the size of the problem


def _ansatz(ansatz: Any, num_layers: Any) -> dict[str, Any]:
    """The settings of the circuit; none for one that is given as a Python object."""
    if isinstance(ansatz, str):
        section = BY_NAME.get(ansatz)
        has_layers = section is None or "num_layers" in section.model_fields
        return {"ansatz": {"name": ansatz} | ({"num_layers": num_layers} if has_layers else {})}
    return {"ansatz": dict(ansatz)} if isinstance(ansatz, Mapping) else {}


def _checked(settings: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings beside the parameters, by dotted key.

    Raises:
        QhnError: if they are no mapping, or one of them is a parameter or does not belong to a classifier.
    """
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise QhnError(f"settings must be a dictionary such as {{'train.patience': 5}}, got {shown(settings)}")
    for key in map(str, settings):
        table, _, name = key.partition(".")
        if table not in ("network", "ansatz", "train", "device", "experiment"):
            raise QhnError(f"settings take keys of [network], [ansatz], [train] and [device], got {shown(key)}")
        if key in given or key == "ansatz" or key in (f"{t}.{n}" for t, names in TABLES.items() for n in names):
            raise QhnError(f"settings hold {shown(key)}, which is a parameter; give {name or table}=…")
        if key == "train.seed":
            raise QhnError("settings hold 'train.seed', which follows from random_state; give random_state=…")
    return {str(key): value for key, value in settings.items()}


def fitted_to(config: RunConfig, parameters: Mapping[str, Any], problem: BinnProblem) -> RunConfig:
    """The configuration with the shots and the gradient that ``"auto"`` stands for, by the size of the problem.

    Backend ``exact`` computes E without shots up to 20 qubits, and beyond them draws 300 shots of each row of angles.
    Where shots are drawn and a gradient by parameter shift takes more than 200 rows, SPSA along 10 random directions
    takes its place, with 21 rows.

    Args:
        config: the configuration of the training.
        parameters: the parameters of the classifier by name.
        problem: the networks and the data.
    """
    settings: dict[str, Any] = {}
    if parameters["shots"] == AUTO and config.train.is_ideal and problem.num_qubits > MAX_EXACT_QUBITS:
        settings["train.shots"] = AUTO
        config = with_settings(config, settings)
    if parameters["gradient"] != AUTO or config.train.shots is None or config.train.taker_of_curvature:
        return config
    ansatz = config.circuit(problem)
    if config.train.gradient.build(ansatz).num_rows <= MAX_SHIFTED_ROWS:
        return config
    return with_settings(config, settings | {"train.gradient": SPSA})


def problem_of(config: RunConfig, data: Dataset) -> BinnProblem:
    """The networks of a configuration on a data set.

    Args:
        config: the configuration of the training.
        data: the samples.

    Raises:
        QhnError: if the loss does not fit the networks.
    """
    return BinnProblem(config.network.space(data.num_features, data.num_classes), data, config.network.loss)
