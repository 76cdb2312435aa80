"""What a run is asked to do: validated, frozen, and hashed into the run's identity.

A configuration has the tables ``[data]``, ``[network]``, ``[ansatz]`` and ``[train]``. Everything in it that changes
the numbers of a step enters :attr:`RunConfig.run_id`; the stop rules do not, so a run can be extended.
:mod:`qhn.configfile` reads it from TOML.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from qhn.ansatz import Ansatz, Order
from qhn.backend import check_name
from qhn.binn import SearchSpace
from qhn.datasets import Dataset, digits_8x8, gaussian_mixture, load_file, mnist_4x4
from qhn.gradient import Gradient, ParameterShift, Spsa
from qhn.idx import idx_bytes, read_mnist
from qhn.initial import Initial, Normal, Superposition, Uniform
from qhn.lbfgs import Lbfgs
from qhn.objective import Objective
from qhn.optimizer import Adam, Optimizer, Sgd, SpsaGains
from qhn.problem import BinnProblem
from qhn.seeds import Key, Purpose

SCHEMA = 1  # of the files in a run's directory


class Section(BaseModel):
    """A table of the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# ---------------------------------------------------------------- [data]


class MixtureData(Section):
    """``name = "gaussian-mixture"``: see :func:`qhn.datasets.gaussian_mixture`."""

    name: Literal["gaussian-mixture"]
    samples: int = Field(default=1000, ge=1)
    validation_samples: int = Field(default=1000, ge=0)
    means_scale: float = 1.0
    seed: int = Field(default=1, ge=0)

    def load(self) -> Dataset:
        return gaussian_mixture(
            self.samples, seed=self.seed, validation_samples=self.validation_samples, means_scale=self.means_scale
        )


class MnistData(Section):
    """``name = "mnist-4x4"``: see :func:`qhn.datasets.mnist_4x4`.

    ``sha256`` is of the 4×4 pixels and labels in ``directory`` – as IDX files, in alphabetical order – and filled in
    when the configuration is loaded.
    """

    name: Literal["mnist-4x4"]
    digits: tuple[int, ...] = (0, 1)
    directory: Path | None = None
    validation_fraction: float = Field(default=0.0, ge=0, lt=1)
    seed: int = Field(default=1, ge=0)
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _hash_the_images(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("directory") and not value.get("sha256"):
            path = Path(value["directory"]).absolute()
            return value | {"directory": path, "sha256": _images_digest(path)}
        return value

    def load(self) -> Dataset:
        if self.directory and self.sha256 and _images_digest(self.directory) != self.sha256:
            raise ValueError(f"the images in {self.directory} have changed since the run was configured")
        return mnist_4x4(
            self.digits, directory=self.directory, validation_fraction=self.validation_fraction, seed=self.seed
        )


class DigitsData(Section):
    """``name = "digits-8x8"``: see :func:`qhn.datasets.digits_8x8`."""

    name: Literal["digits-8x8"]
    digits: tuple[int, ...] = (3, 8)
    validation_fraction: float = Field(default=0.0, ge=0, lt=1)
    seed: int = Field(default=1, ge=0)

    def load(self) -> Dataset:
        return digits_8x8(self.digits, validation_fraction=self.validation_fraction, seed=self.seed)


class FileData(Section):
    """``file = …``: see :func:`qhn.datasets.load_file`.

    ``sha256`` is of the bytes of the file and filled in when the configuration is loaded.
    """

    file: Path
    label: str = "label"
    validation_fraction: float = Field(default=0.25, ge=0, lt=1)
    standardise: bool = True
    seed: int = Field(default=1, ge=0)
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _hash_the_file(cls, value: Any) -> Any:
        if isinstance(value, dict) and "file" in value and not value.get("sha256"):
            path = Path(value["file"]).absolute()
            if not path.is_file():
                raise ValueError(f"data file {value['file']} {'is not a file' if path.exists() else 'does not exist'}")
            return value | {"file": path, "sha256": file_digest(path)}
        return value

    def load(self) -> Dataset:
        if self.sha256 and self.file.is_file() and file_digest(self.file) != self.sha256:
            raise ValueError(f"{self.file} has changed since the run was configured; its bytes no longer match sha256")
        return load_file(
            self.file,
            self.label,
            validation_fraction=self.validation_fraction,
            standardise=self.standardise,
            seed=self.seed,
        )


def _data_kind(value: Any) -> str:
    if isinstance(value, FileData) or (isinstance(value, dict) and "file" in value):
        return "file"
    return str(value.get("name") if isinstance(value, dict) else getattr(value, "name", None))


Data = Annotated[
    Annotated[MixtureData, Tag("gaussian-mixture")]
    | Annotated[MnistData, Tag("mnist-4x4")]
    | Annotated[DigitsData, Tag("digits-8x8")]
    | Annotated[FileData, Tag("file")],
    Discriminator(_data_kind),
]

# ---------------------------------------------------------------- [network] and [ansatz]


def _one_or_many(value: Any) -> Any:
    """A single option stands for a list of one."""
    return value if isinstance(value, (list, tuple)) else [value]


def _alphabets(value: Any) -> Any:
    """``[-1, 1]`` stands for ``[[-1, 1]]``."""
    if isinstance(value, (list, tuple)) and value and not isinstance(value[0], (list, tuple)):
        if len(value) != 2:
            raise ValueError(f"network.alphabet must be two numbers, or a list of such pairs, got {value!r}")
        return [value]
    return value


class NetworkConfig(Section):
    """``[network]``: the family of networks; see :class:`qhn.binn.SearchSpace`."""

    hidden: tuple[int | tuple[int, ...], ...] = ()
    alphabet: Annotated[tuple[tuple[float, float], ...], BeforeValidator(_alphabets)] = ((-1.0, 1.0),)
    bias: Annotated[tuple[bool, ...], BeforeValidator(_one_or_many)] = (True,)
    activation: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] = ("sigmoid",)
    loss: Literal["mse", "cross-entropy"] = "mse"
    qubit_order: Literal["forward", "reversed"] = "forward"

    @model_validator(mode="after")
    def _is_a_space(self) -> Self:
        self.space(1)
        return self

    def space(self, num_inputs: int, num_classes: int = 2) -> SearchSpace:
        """The search space on data with that many features and classes."""
        layers = tuple((widths,) if isinstance(widths, int) else widths for widths in self.hidden)
        return SearchSpace(num_inputs, layers, self.alphabet, self.bias, self.activation, self.qubit_order, num_classes)


class AnsatzConfig(Section):
    """``[ansatz]``: the circuit; see :func:`qhn.ansatz.hypernetwork`."""

    num_layers: int = Field(default=2, ge=0)
    order: Order = "eq5"


# ---------------------------------------------------------------- [train]


def _named(default: str) -> BeforeValidator:
    """``"adam"`` stands for ``{ name = "adam" }``, and a table without a name for the default kind."""

    def validate(value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        return {"name": default} | value if isinstance(value, dict) else value

    return BeforeValidator(validate)


class ParameterShiftConfig(Section):
    name: Literal["parameter-shift"] = "parameter-shift"

    def build(self, ansatz: Ansatz) -> Gradient:
        return ParameterShift(ansatz.active)


class SpsaGradientConfig(Section):
    name: Literal["spsa"]
    perturbation: float = Field(default=0.2, gt=0)
    decay: float = Field(default=0.101, ge=0)
    num_directions: int = Field(default=1, ge=1)

    def build(self, ansatz: Ansatz) -> Gradient:
        return Spsa(ansatz.active, self.perturbation, self.decay, self.num_directions)


class AdamConfig(Section):
    name: Literal["adam"] = "adam"
    learning_rate: float = Field(default=0.2, gt=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.99, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)

    def build(self) -> Optimizer:
        return Adam(self.learning_rate, self.beta1, self.beta2, self.epsilon)


class SgdConfig(Section):
    name: Literal["sgd"]
    learning_rate: float = Field(default=1.0, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)

    def build(self) -> Optimizer:
        return Sgd(self.learning_rate, self.momentum)


class SpsaOptimizerConfig(Section):
    name: Literal["spsa"]
    learning_rate: float = Field(default=5.0, gt=0)
    decay: float = Field(default=0.602, ge=0)
    stability: float = Field(default=10.0, ge=0)

    def build(self) -> Optimizer:
        return SpsaGains(self.learning_rate, self.decay, self.stability)


class LbfgsConfig(Section):
    """``force`` lets it loose on sampled gradients, whose noise it takes for curvature."""

    name: Literal["lbfgs"]
    memory: int = Field(default=10, ge=1)
    max_line_search: int = Field(default=20, ge=2)
    force: bool = False

    def build(self) -> Optimizer:
        return Lbfgs(self.memory, self.max_line_search)


class MeanConfig(Section):
    name: Literal["mean"] = "mean"

    def build(self) -> Objective:
        return Objective()


class CvarConfig(Section):
    name: Literal["cvar"]
    alpha: float = Field(default=0.2, gt=0, le=1)

    def build(self) -> Objective:
        return Objective(self.alpha)


class UniformConfig(Section):
    name: Literal["uniform"] = "uniform"
    low: float = 0.0
    high: float = 2 * math.pi

    def build(self) -> Initial:
        return Uniform(self.low, self.high)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"train.initial.low must be below high, got {self.low:g} and {self.high:g}")
        return self


class NormalConfig(Section):
    name: Literal["normal"]
    width: float = Field(default=0.1, ge=0)

    def build(self) -> Initial:
        return Normal(self.width)


class SuperpositionConfig(Section):
    name: Literal["superposition"]
    width: float = Field(default=0.1, ge=0)

    def build(self) -> Initial:
        return Superposition(self.width)


GradientConfig = Annotated[
    Annotated[ParameterShiftConfig | SpsaGradientConfig, Field(discriminator="name")], _named("parameter-shift")
]
OptimizerConfig = Annotated[
    Annotated[AdamConfig | SgdConfig | SpsaOptimizerConfig | LbfgsConfig, Field(discriminator="name")], _named("adam")
]
ObjectiveConfig = Annotated[Annotated[MeanConfig | CvarConfig, Field(discriminator="name")], _named("mean")]
InitialConfig = Annotated[
    Annotated[UniformConfig | NormalConfig | SuperpositionConfig, Field(discriminator="name")], _named("uniform")
]


class StopRules(Section):
    """When to stop. They are no part of a run's identity: raising one extends the run.

    Attributes:
        steps: at most so many.
        target: stop when the objective is at or below this.
        plateau: stop when the objective has not fallen below its lowest by more than its error for so many steps.
        patience: stop when the validation cost has not fallen below its lowest, by however little, for so many steps.
        max_shots: never take more shots than this in all.
        tolerance: stop when no component of an exact gradient is larger.

    A run keeps the rules it was last given; ``"none"`` lifts one of the middle four.
    """

    steps: int = Field(default=60, ge=1)
    target: float | None = None
    plateau: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)
    max_shots: int | None = Field(default=None, ge=1)
    tolerance: float = Field(default=1e-6, ge=0)

    @field_validator("target", "plateau", "patience", "max_shots", mode="before")
    @classmethod
    def _none_lifts_a_rule(cls, value: Any) -> Any:
        return None if value == "none" else value


class TrainConfig(StopRules):
    """``[train]``: machine, shots, gradient, optimizer, objective, initial θ, seed, and the stop rules.

    ``shots`` is None on backend ``exact`` unless it is given: E is then exact.
    """

    backend: str = "aer"
    shots: int | None = Field(default=1000, ge=1)
    gradient: GradientConfig = ParameterShiftConfig()
    optimizer: OptimizerConfig = AdamConfig()
    objective: ObjectiveConfig = MeanConfig()
    initial: InitialConfig = UniformConfig()
    seed: int = Field(default=7, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _exact_without_shots(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("backend") == "exact":
            return {"shots": None} | value
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check_name(self.backend)
        if self.shots is None and self.backend != "exact":
            raise ValueError(f"train.shots must be at least 1 on backend {self.backend}; only exact does without")
        if self.shots is None and self.gradient.name != "parameter-shift":
            raise ValueError(
                f"train.gradient = {self.gradient.name!r} estimates a gradient from few shots, and backend exact "
                "knows it; give --shots, or leave train.gradient at parameter-shift"
            )
        if self.shots is not None and isinstance(self.optimizer, LbfgsConfig) and not self.optimizer.force:
            raise ValueError(
                "train.optimizer = 'lbfgs' takes the noise of sampled gradients for curvature; use --backend exact "
                "without shots, or adam, or set train.optimizer.force = true"
            )
        return self


# ---------------------------------------------------------------- all of it


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
    data: Data
    network: NetworkConfig = NetworkConfig()
    ansatz: AnsatzConfig = AnsatzConfig()
    train: TrainConfig = TrainConfig()

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
        return self._name(exclude={"experiment": True, "train": True, "ansatz": True})

    def _name(self, exclude: Any) -> str:
        tree = self.model_dump(mode="json", exclude=exclude, exclude_defaults=True)
        for place in ("file", "directory"):  # the digest names what is there
            tree["data"].pop(place, None)
        tree.get("train", {}).get("optimizer", {}).pop("force", None)  # it allows, and changes nothing
        tree = {name: table for name, table in tree.items() if table != {}}  # one whose only settings are excluded
        tree["schema"] = SCHEMA
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:10]

    def problem(self) -> BinnProblem:
        """The cost of bitstrings: loads the data.

        Raises:
            ValueError, FileNotFoundError: if the data cannot be read or does not fit the networks.
        """
        dataset = self.data.load()
        space = self.network.space(dataset.num_features, dataset.num_classes)
        return BinnProblem(space, dataset, self.network.loss)

    def circuit(self, num_qubits: int) -> Ansatz:
        """The ansatz for that many qubits."""
        return Ansatz(num_qubits, self.ansatz.num_layers, self.ansatz.order)

    def initial_theta(self, ansatz: Ansatz) -> NDArray[np.float64]:
        """The first θ ``[num_parameters]`` in radians, from the run's seed."""
        return self.train.initial.build().draw(ansatz, Key(self.train.seed, Purpose.INITIAL_THETA).generator())


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _images_digest(directory: Path) -> str:
    """SHA-256 of what :func:`qhn.idx.read_mnist` finds, in hexadecimal."""
    return hashlib.sha256(b"".join(map(idx_bytes, read_mnist(directory).values()))).hexdigest()
