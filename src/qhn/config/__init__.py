"""What a run is asked to do: validated, frozen, and hashed into the run's identity.

A configuration has the tables ``[data]``, ``[network]``, ``[ansatz]``, ``[train]`` and ``[device]``. Everything in it
that changes the numbers of a step enters :attr:`RunConfig.run_id`; the stop rules do not, so a run can be extended.
:mod:`qhn.config.file` reads it from TOML.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from qhn.arrays import Floats
from qhn.backend import Backend, DeviceSettings, Journal, Settings, open_backend
from qhn.circuit.hypernetwork import Ansatz
from qhn.config.data import Data
from qhn.config.device import DeviceConfig
from qhn.config.instance import InstanceConfig
from qhn.config.network import AnsatzConfig, NetworkConfig
from qhn.config.section import Section
from qhn.config.train import StopRules, TrainConfig
from qhn.errors import QhnError
from qhn.estimator.gradient import Gradient, WithDrift
from qhn.problem.cost import BinnProblem, Problem
from qhn.seeds import Key, Purpose

SCHEMA = 1  # of the files in a run's directory


class RunConfig(Section):
    """One run.

    Raises:
        pydantic.ValidationError: at construction, on a wrong value; ``load_config`` turns it into one sentence.

    >>> config = RunConfig(experiment="mine", data={"name": "gaussian-mixture"}, network={"hidden": [3]})
    >>> config.problem().num_qubits
    13
    """

    STOP_RULES: ClassVar[frozenset[str]] = frozenset(StopRules.model_fields)

    experiment: str = Field(default="experiment", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    data: Data | None = None
    instance: InstanceConfig | None = None
    network: NetworkConfig = NetworkConfig()
    ansatz: AnsatzConfig = AnsatzConfig()
    train: TrainConfig = TrainConfig()
    device: DeviceConfig = DeviceConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        train, device = self.train, self.device
        device.check(train.backend, train.shots)
        objective = train.objective.build()
        if device.mitigation != "none" and not objective.is_mean:
            raise QhnError(
                f"device.mitigation corrects means, and a {objective.label} is none; leave train.objective at mean, or "
                "device.mitigation at none"
            )
        return self

    @property
    def run_id(self) -> str:
        """Ten hexadecimal digits that name the configuration without its stop rules, and its data by content.

        Values at their default do not enter, so that a setting added later leaves the names of earlier runs alone.
        """
        return self._name(exclude={"experiment": True, "train": set(self.STOP_RULES)})

    @property
    def stop_rules_id(self) -> str:
        """Ten hexadecimal digits that name the stop rules alone."""
        rules = self.train.model_dump(mode="json", include=set(self.STOP_RULES), exclude_defaults=True)
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:10]

    @property
    def problem_id(self) -> str:
        """Ten hexadecimal digits that name the data and the networks alone."""
        return self._name(exclude={"experiment": True, "train": True, "ansatz": True, "device": True})

    def _name(self, exclude: Any) -> str:
        tree = self.model_dump(mode="json", exclude=exclude, exclude_defaults=True)
        for place in ("file", "directory"):  # the digest names what is there
            tree.get("data", {}).pop(place, None)
        for word in ("type", "noun"):  # likewise
            tree.get("instance", {}).pop(word, None)
        tree.get("train", {}).get("optimizer", {}).pop("force", None)  # it allows, and changes nothing
        tree.get("train", {}).get("initial", {}).pop("run", None)  # the angles name what they are
        tree = {name: table for name, table in tree.items() if table != {}}  # one whose only settings are excluded
        tree["schema"] = SCHEMA
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:10]

    def given(self, problem: Problem) -> RunConfig:
        """The same run on a problem that is a Python object, in place of data and networks."""
        instance = InstanceConfig.of(problem)
        return self.model_copy(update={"data": None, "network": NetworkConfig(), "instance": instance})

    def problem(self) -> BinnProblem:
        """The cost of bitstrings: loads the data.

        Raises:
            ValueError, FileNotFoundError: if the data cannot be read or does not fit the networks.
        """
        if self.data is None:
            kind = f"a {self.instance.type}, " if self.instance else ""
            raise QhnError(f"the problem of this run is {kind}a Python object; give it as problem=…, from Python")
        dataset = self.data.load()
        space = self.network.space(dataset.num_features, dataset.num_classes)
        return BinnProblem(space, dataset, self.network.loss)

    def circuit(self, num_qubits: int) -> Ansatz:
        """The ansatz for that many qubits."""
        return Ansatz(num_qubits, self.ansatz.num_layers, self.ansatz.order)

    @property
    def machine_settings(self) -> Settings:
        """How the machine is to be used, in the type of its kind."""
        return self.device.settings(self.train.machine)

    def backend(self, journal: Journal | None = None, qubits: tuple[tuple[int, ...], ...] = ()) -> Backend:
        """The machine of the run, opened.

        Args:
            journal: where a QPU notes its jobs.
            qubits: of a device, the chains to use instead of those that would be chosen; none for no preference.

        Raises:
            QhnError, BackendError: as :func:`qhn.backend.open_backend`.
        """
        settings = self.machine_settings
        if qubits and isinstance(settings, DeviceSettings):
            settings = dataclasses.replace(settings, qubits=qubits)
        return open_backend(self.train.backend, settings, journal)

    def initial_theta(self, ansatz: Ansatz) -> Floats:
        """The first θ ``[num_parameters]`` in radians, from the run's seed."""
        return self.train.initial.build().draw(ansatz, Key(self.train.seed, Purpose.INITIAL_THETA).generator())

    def gradient_at(self, ansatz: Ansatz, step: int, evaluation: int = 0) -> Gradient:
        """The rule for the gradients of a step; the first also measures at the first θ, if that is its turn."""
        rule = self.train.gradient.build(ansatz)
        if evaluation == 0 and self.device.has_drift(step):
            return WithDrift(rule, self.initial_theta(ansatz))
        return rule
