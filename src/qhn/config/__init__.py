"""The configuration of a run: validated, frozen, and hashed into the run's id.

A configuration has the tables ``[data]``, ``[network]``, ``[ansatz]``, ``[train]`` and ``[device]``. Everything in it
that changes the numbers of a step enters :attr:`RunConfig.run_id`; the stop rules do not, so a run can be extended.
What a configuration leaves out, and what its id leaves out, are the defaults of its own naming
(:mod:`qhn.config.defaults`), not those of the version that reads it. :mod:`qhn.config.file` reads it from TOML.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, model_validator

from qhn.arrays import Floats
from qhn.backend import Backend, Journal, LayoutSettings, Settings, open_backend
from qhn.backend.machines import is_ideal
from qhn.circuit.ansatz import Ansatz, gate_angles
from qhn.config.ansatz import AnsatzConfig, HypernetworkConfig, QpyFileConfig, table_of
from qhn.config.data import Data
from qhn.config.defaults import FIRST, NAMING, defaults_of, filled, without_defaults
from qhn.config.device import DeviceConfig
from qhn.config.instance import InstanceConfig
from qhn.config.network import NetworkConfig
from qhn.config.problem import ProblemConfig
from qhn.config.section import Section
from qhn.config.train import StopRules, TrainConfig
from qhn.errors import QhnError
from qhn.optimize.strategy import Strategy
from qhn.problem.cost import BinnProblem, Problem, networks_of
from qhn.seeds import Key, Purpose
from qhn.text import in_line

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qhn.backend.device.price import Task


class RunConfig(Section):
    """The configuration of one run: problem, circuit, training and machine.

    Attributes:
        naming: version of the defaults, which a value that is left out has and which are not hashed into the run's id.
            It is no key of a file: a recorded configuration has that under which it was made, any other the newest.
        experiment: name of the experiment and of the directory of its runs; no part of the run's id.
        data: table ``[data]``, the data set; None if the problem is another than networks on data.
        cost: table ``[problem]``, a cost in place of networks and data; None if there is none.
        instance: table ``[instance]`` of a recorded run whose problem is a Python object; otherwise None.
        network: table ``[network]``, the family of binary neural networks.
        ansatz: table ``[ansatz]``, the circuit.
        train: table ``[train]``: backend, shots, gradient, optimizer, objective, seed and stop rules.
        device: table ``[device]``: layout, delays and error mitigation on a device, and settings of simulators.

    Raises:
        ValidationError: at construction, if a value is wrong or settings contradict each other;
            :func:`qhn.config.file.load_config` turns it into one sentence.

    >>> config = RunConfig(experiment="mine", data={"name": "gaussian-mixture"}, network={"hidden": [3]})
    >>> config.problem().num_qubits
    13
    """

    model_config = ConfigDict(serialize_by_alias=True)

    STOP_RULES: ClassVar[frozenset[str]] = frozenset(StopRules.model_fields)

    naming: int = Field(default=NAMING, ge=FIRST, le=NAMING)
    experiment: str = Field(default="experiment", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    data: Data | None = None
    cost: ProblemConfig | None = Field(default=None, alias="problem")
    instance: InstanceConfig | None = None
    network: NetworkConfig = NetworkConfig()
    ansatz: AnsatzConfig = HypernetworkConfig()
    train: TrainConfig = TrainConfig()
    device: DeviceConfig = DeviceConfig()

    @model_validator(mode="wrap")
    @classmethod
    def _with_the_defaults_of_its_naming(cls, tree: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        naming = tree.get("naming", NAMING) if isinstance(tree, dict) else NAMING
        if type(naming) is not int or naming not in range(FIRST, NAMING):  # the newest has the defaults of the classes
            return handler(tree)
        train = tree.get("train")
        if isinstance(train, dict) and is_ideal(train.get("backend")):
            tree = tree | {"train": {"shots": None} | train}
        config = handler(filled(tree, naming))
        _unset(config, tree)
        return config

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        train, device = self.train, self.device
        device.check(train.backend, defaults_of(self.naming)["device"][""], has_shots=train.shots is not None)
        objective = train.objective.build()
        if device.mitigation != "none" and not objective.is_mean:
            raise QhnError(
                f"device.mitigation corrects means, and the objective, {objective.label}, is none; leave "
                "train.objective at mean, or device.mitigation at none"
            )
        return self

    @property
    def run_id(self) -> str:
        """Ten hexadecimal digits that name the configuration without its stop rules, and its data by content.

        Values that are defaults of its naming are not hashed, and the naming is: the id depends neither on the defaults
        of the version that reads the configuration, nor on the settings that were added since.
        """
        return self._id(self.naming, exclude={"experiment": True, "train": set(self.STOP_RULES)})

    @property
    def stop_rules_id(self) -> str:
        """Ten hexadecimal digits that name the stop rules alone."""
        rules = self.train.model_dump(mode="json", include=set(self.STOP_RULES))
        return _digest(without_defaults(rules, self.naming, "train"))

    @property
    def problem_id(self) -> str:
        """Ten hexadecimal digits that name the data and the networks alone, the same under every naming."""
        return self._id(FIRST, exclude={"experiment": True, "train": True, "ansatz": True, "device": True})

    def _id(self, naming: int, exclude: dict[str, Any]) -> str:
        values = self.model_dump(mode="json", exclude=exclude | {"naming": True})
        tree = without_defaults(values, naming)
        for table in ("data", "problem", "ansatz"):
            for place in ("file", "directory"):  # the digest names the contents
                tree.get(table, {}).pop(place, None)
        for word in ("type", "noun"):  # the digest names the problem
            tree.get("instance", {}).pop(word, None)
        for word in ("source", "workers", "time_limit", "noun"):  # where and how a function is evaluated, and its words
            tree.get("problem", {}).pop(word, None)
        tree.get("train", {}).get("optimizer", {}).pop("force", None)  # it permits an optimizer, and changes no number
        tree.get("train", {}).get("initial", {}).pop("run", None)  # the angles themselves are hashed
        tree = {name: table for name, table in tree.items() if table != {}}  # empty once the excluded settings are gone
        return _digest(tree | {"schema": naming})

    def given(self, problem: Problem) -> RunConfig:
        """A copy of the configuration for a problem that is a Python object, in place of data and networks.

        Raises:
            QhnError: if it is no problem, or does not say what a setting of the objective follows from.
        """
        network = RunConfig(naming=self.naming).network  # with the defaults of the naming
        tables = {
            "data": None,
            "cost": None,
            "network": network,
            "instance": InstanceConfig.of(problem),
            "train": self.train.model_copy(update={"objective": self.train.objective.given(problem)}),
        }
        return self.model_copy(update=tables)

    def problem(self, trust: bool = False) -> Problem:
        """Load the problem: the cost of each bitstring, as a network on the data or as the table ``[problem]`` has it.

        Args:
            trust: whether a program of the user's that the table ``[problem]`` names may be run.

        Raises:
            ValueError, FileNotFoundError: if the data cannot be read or do not fit the networks, the problem is a
                Python object, or it would run a program that is not trusted.
        """
        if self.cost is not None:
            _check_trusted(self.cost, trust)
            return self.cost.load()
        if self.data is None:
            kind = f"a {self.instance.type}, " if self.instance else ""
            raise QhnError(f"the problem of this run is {kind}a Python object; give it as problem=…, from Python")
        dataset = self.data.load()
        space = self.network.space(dataset.num_features, dataset.num_classes)
        weights = None if self.network.class_weight == "none" else self.network.class_weight
        return BinnProblem(space, dataset, self.network.loss, weights)

    def networks(self) -> BinnProblem:
        """The problem, which must be one of networks on data; nothing else is loaded.

        Raises:
            ValueError, FileNotFoundError: if it is another, or :meth:`problem` fails.
        """
        if self.data is None:
            raise QhnError("this needs networks on data, and the problem of the run is another")
        return networks_of(self.problem())

    def circuit(self, problem: Problem, trust: bool = False) -> Ansatz:
        """The ansatz for the bitstrings of a problem, one qubit a bit.

        Args:
            problem: the problem.
            trust: whether a program of the user's that the table ``[ansatz]`` names may be run.

        Raises:
            QhnError: if the kind of ansatz does not fit the problem, or it would run a program that is not trusted.
        """
        _check_trusted(self.ansatz, trust)
        return self.ansatz.build(problem)

    def on(self, backend: object) -> RunConfig:
        """A copy of the configuration for another machine.

        Args:
            backend: a backend or sampler that is a Python object, which is given a name; or the name of a machine.

        Raises:
            QhnError: if it is no backend or sampler of Qiskit, or a setting has no effect on it.
        """
        from qhn.backend.vendor.plug_in import give  # imported late, as few runs need it

        name = backend if isinstance(backend, str) else give(backend)
        tree = self.model_dump(mode="json", exclude_unset=True)
        return RunConfig.model_validate(tree | {"train": tree.get("train", {}) | {"backend": name}})

    def trained(self, ansatz: QuantumCircuit | Ansatz) -> RunConfig:
        """A copy of the configuration for a circuit that is a Python object, which becomes its table ``[ansatz]``.

        Raises:
            QhnError: if it is no circuit that can be trained.
        """
        return self.model_copy(update={"ansatz": table_of(ansatz)})

    def without_code(self, trust: bool) -> RunConfig:
        """A copy of the configuration in which a circuit that is read by running a program is the text of the circuit.

        So its record is resumed and shown without the program.

        Raises:
            QhnError: if there is such a program and it is not trusted, or it gives no circuit that can be trained.
        """
        if not isinstance(self.ansatz, QpyFileConfig):
            return self
        _check_trusted(self.ansatz, trust)
        return self.trained(self.ansatz.read())

    @property
    def machine_settings(self) -> Settings:
        """The settings with which the machine is opened, in the type that its kind takes."""
        return self.device.settings(self.train.machine)

    def backend(self, journal: Journal | None = None, qubits: tuple[tuple[int, ...], ...] = ()) -> Backend:
        """Open the machine of the run.

        Args:
            journal: log in which a QPU notes its jobs.
            qubits: chains of a device's qubits to use, one per tile; empty to let them be chosen.

        Raises:
            QhnError: if there is no such backend, or the settings do not fit it.
            BackendError: if the machine or its service cannot be reached.
        """
        settings = self.machine_settings
        if qubits and isinstance(settings, LayoutSettings):
            settings = dataclasses.replace(settings, qubits=qubits)
        return open_backend(self.train.backend, settings, journal)

    def initial_theta(self, ansatz: Ansatz) -> Floats:
        """The angles θ of the first step, ``[num_parameters]`` in radians, drawn with the run's seed."""
        return self.train.initial.build().draw(ansatz, Key(self.train.seed, Purpose.INITIAL_THETA).generator())

    def strategy(self, ansatz: Ansatz, task: Task | None = None) -> Strategy:
        """What the steps of the run measure, and how they move θ.

        Args:
            ansatz: the circuit of the run.
            task: the work of any gradient on the device of the run, from whose price ``train.shots = "auto"`` follows;
                None if the machine is no device, or not known yet.

        Raises:
            QhnError: if a setting takes E for a sinusoid of each angle, and one turns several gates or one by a factor.
        """
        if self.train.taker_of_curvature and len(ansatz.shared_angles):
            raise QhnError(
                f"{self.train.taker_of_curvature} takes E for a sinusoid of each angle, and angle "
                f"{ansatz.shared_angles[0]} of this circuit turns several gates, or one by a factor; use another"
            )
        train, every = self.train, self.device.drift_every
        return Strategy(
            train.optimizer.build(),
            train.gradient.build(ansatz),
            train.angles.build(),
            train.shots_rule(ansatz, task),
            None if every is None else gate_angles(ansatz, self.initial_theta(ansatz)),
            every,
        )


def _check_trusted(table: Section, trust: bool) -> None:
    """Refuse to run a program that a table names, unless it is trusted.

    Raises:
        QhnError: if there is such a program, and ``trust`` is False.
    """
    if table.code and not trust:
        raise QhnError(
            f"this would run {in_line(table.code)}, a program; if you know what it does, give "
            f"{in_line(table.code_is_run_by)}"
        )


def _digest(tree: dict[str, Any]) -> str:
    """Ten hexadecimal digits that name JSON values."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:10]


def _unset(section: Section, tree: dict[str, Any]) -> None:
    """Take values that were filled in for what they are: not given.

    Args:
        section: the table with all values.
        tree: the values of the table that were given.
    """
    for key in sorted(section.model_fields_set):
        name = type(section).model_fields[key].alias or key
        value, given = getattr(section, key), tree.get(name, {})
        if name not in tree:
            section.model_fields_set.discard(key)
        if isinstance(value, Section) and isinstance(given, (dict, str)):
            _unset(value, {"name": given} if isinstance(given, str) else given)
