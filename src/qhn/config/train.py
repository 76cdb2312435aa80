"""``[train]``: machine, shots, gradient, optimizer, objective, first angles, seed, and when to stop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union

from pydantic import BeforeValidator, Field, create_model, field_validator, model_validator

from qhn.backend import MACHINES, Machine, machine_of
from qhn.backend.machines import is_ideal
from qhn.circuit.hypernetwork import Ansatz
from qhn.circuit.initial import Given, Initial, Normal, Superposition, Uniform
from qhn.config.section import Section
from qhn.errors import QhnError
from qhn.estimator.gradient import Gradient, ParameterShift, Spsa
from qhn.optimize.lbfgs import Lbfgs
from qhn.optimize.optimizer import Adam, Optimizer, Sgd, SpsaGains
from qhn.problem.objective import OBJECTIVES, Aggregation, Kind


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


class ObjectiveConfig(Section):
    """The settings of an objective: its name in :data:`qhn.problem.objective.OBJECTIVES`, and those of its kind."""

    name: str

    def build(self) -> Aggregation:
        return OBJECTIVES[self.name].make(**self.model_dump(exclude={"name"}))

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        self.build()
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _objective, (self.model_dump(exclude_unset=True) | {"name": self.name},)


def _objective_section(name: str, kind: Kind) -> type[ObjectiveConfig]:
    """The section of one kind of objective; the mean is the default, so that its name may be left out."""
    fields: dict[str, Any] = {setting: (type(default), default) for setting, default in kind.settings.items()}
    fields["name"] = (Literal[name], "mean" if name == "mean" else ...)
    return create_model(f"ObjectiveConfig_{name}", __base__=ObjectiveConfig, **fields)


def _objective(settings: dict[str, Any]) -> ObjectiveConfig:
    """The section of an objective with those settings; so that workers, which get a copy, find its class."""
    return OBJECTIVE_SECTIONS[settings["name"]](**settings)


OBJECTIVE_SECTIONS = {name: _objective_section(name, kind) for name, kind in OBJECTIVES.items()}


class UniformConfig(Section):
    name: Literal["uniform"] = "uniform"
    low: float = 0.0
    high: float = 2 * math.pi

    def build(self) -> Initial:
        return Uniform(self.low, self.high)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise QhnError(f"train.initial.low must be below high, got {self.low:g} and {self.high:g}")
        if not math.isfinite(self.high - self.low):
            raise QhnError(
                f"train.initial.high - low must be a finite number of radians, got {self.low:g} and {self.high:g}"
            )
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


class FromRunConfig(Section):
    """The angles at which another run ended; ``run`` says which it was, and only ``theta`` matters."""

    name: Literal["run"]
    run: str
    theta: tuple[float, ...]

    def build(self) -> Initial:
        return Given(self.theta, self.run)


GradientConfig = Annotated[
    Annotated[ParameterShiftConfig | SpsaGradientConfig, Field(discriminator="name")], _named("parameter-shift")
]
OptimizerConfig = Annotated[
    Annotated[AdamConfig | SgdConfig | SpsaOptimizerConfig | LbfgsConfig, Field(discriminator="name")], _named("adam")
]
if TYPE_CHECKING:
    AnyObjective = ObjectiveConfig
else:
    AnyObjective = Annotated[
        Annotated[Union[*OBJECTIVE_SECTIONS.values()], Field(discriminator="name")], _named("mean")
    ]
InitialConfig = Annotated[
    Annotated[UniformConfig | NormalConfig | SuperpositionConfig | FromRunConfig, Field(discriminator="name")],
    _named("uniform"),
]


class StopRules(Section):
    """When to stop. They are no part of a run's identity: raising one extends the run.

    Attributes:
        steps: at most so many; a million is the most that may be planned.
        target: stop when the objective is at or below this.
        plateau: stop when the objective has not fallen below its lowest by more than its error for so many steps.
        patience: stop when the validation cost has not fallen below its lowest, by however little, for so many steps.
        max_shots: never take more shots than this in all.
        max_qpu_seconds: never begin a step that a QPU would bill beyond so many seconds in all. Rehearsals count what
            they would be billed.
        max_jobs: never submit more jobs than this in all; likewise.
        tolerance: stop when no component of an exact gradient is larger.

    A run keeps the rules it was last given; ``"none"`` lifts one that is none by default.
    """

    steps: int = Field(default=60, ge=1, le=1_000_000)
    target: float | None = None
    plateau: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)
    max_shots: int | None = Field(default=None, ge=1)
    max_qpu_seconds: float | None = Field(default=None, gt=0)
    max_jobs: int | None = Field(default=None, ge=1)
    tolerance: float = Field(default=1e-6, ge=0)

    @field_validator("target", "plateau", "patience", "max_shots", "max_qpu_seconds", "max_jobs", mode="before")
    @classmethod
    def _none_lifts_a_rule(cls, value: Any) -> Any:
        return None if value == "none" else value


class ShotScheduleConfig(Section):
    """Few shots early, when the way down is steep, and more later: geometric from ``first`` to ``train.shots``.

    Attributes:
        first: shots a row of the first step.
        over: steps after which it is ``train.shots``.
    """

    first: int = Field(ge=1)
    over: int = Field(ge=1)


class TrainConfig(StopRules):
    """``[train]``: machine, shots, gradient, optimizer, objective, initial θ, seed, and the stop rules.

    ``shots`` is None on backend ``exact`` unless it is given: E is then exact. On backends that know their noise,
    ``"none"`` gives the noisy E without shots.
    """

    backend: str = "aer"
    shots: int | None = Field(default=1000, ge=1)
    gradient: GradientConfig = ParameterShiftConfig()
    optimizer: OptimizerConfig = AdamConfig()
    objective: AnyObjective = OBJECTIVE_SECTIONS["mean"](name="mean")
    initial: InitialConfig = UniformConfig()
    shot_schedule: ShotScheduleConfig | None = None
    seed: int = Field(default=7, ge=0)

    @field_validator("shots", mode="before")
    @classmethod
    def _none_is_no_shots(cls, value: Any) -> Any:
        return None if value == "none" else value

    @model_validator(mode="before")
    @classmethod
    def _exact_without_shots(cls, value: Any) -> Any:
        if isinstance(value, dict) and is_ideal(value.get("backend")):
            return {"shots": None} | value
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.shots is None and not self.machine.knows_distribution:
            without = [machine.spelling for machine in MACHINES if machine.knows_distribution]
            raise QhnError(
                f"train.shots must be at least 1 on backend {self.backend}; {', '.join(without[:-1])} and "
                f"{without[-1]} do without"
            )
        if self.is_ideal and self.gradient.name != "parameter-shift":
            raise QhnError(
                f"train.gradient = {self.gradient.name!r} estimates a gradient from few shots, and backend exact "
                "knows it; give --shots, or leave train.gradient at parameter-shift"
            )
        schedule = self.shot_schedule
        if schedule is not None and (self.shots is None or schedule.first > self.shots):
            raise QhnError(
                f"train.shot_schedule.first is {schedule.first}, and train.shots, at which it ends, is "
                f"{self.shots or 'none'}; begin with fewer"
            )
        if self.shots is not None and isinstance(self.optimizer, LbfgsConfig) and not self.optimizer.force:
            raise QhnError(
                "train.optimizer = 'lbfgs' takes the noise of sampled gradients for curvature; use --backend exact "
                "without shots, or adam, or set train.optimizer.force = true"
            )
        return self

    @property
    def machine(self) -> Machine:
        """The kind of machine that the backend is."""
        return machine_of(self.backend)

    @property
    def is_ideal(self) -> bool:
        """Whether E is exact and without noise."""
        return self.machine.is_ideal and self.shots is None

    def shots_at(self, step: int) -> int:
        """Shots a row at a step; 0 without shots.

        >>> TrainConfig(shots=800, shot_schedule={"first": 100, "over": 3}).shots_at(1)
        200
        """
        if self.shots is None:
            return 0
        schedule = self.shot_schedule
        if schedule is None or step >= schedule.over:
            return self.shots
        share = step / schedule.over
        return round(math.exp((1 - share) * math.log(schedule.first) + share * math.log(self.shots)))
