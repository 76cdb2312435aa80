"""The table ``[train]``: machine, shots, objective, first angles, seed, and when to stop.

The tables in it that say what a step measures and how it moves θ are in :mod:`qhn.config.strategy`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union

from pydantic import BeforeValidator, Field, create_model, field_validator, model_validator
from pydantic_core import PydanticKnownError

from qhn.backend import MACHINES, Machine, machine_of
from qhn.backend.machines import is_ideal
from qhn.circuit.angles import MAX_ANGLE
from qhn.circuit.ansatz import Ansatz
from qhn.circuit.initial import WIDTH, Given, Initial, Normal, Superposition, Uniform
from qhn.config.section import Section, named
from qhn.config.strategy import (
    AdamConfig,
    AllAnglesConfig,
    AnglesConfig,
    DecayingConfig,
    GradientConfig,
    LbfgsConfig,
    OptimizerConfig,
    ParameterShiftConfig,
)
from qhn.errors import QhnError
from qhn.fields import is_number
from qhn.optimize.shots import FEWEST_SHOTS, GeometricShots, Shots, priced_shots
from qhn.problem.aggregation import Aggregation, check_shots
from qhn.problem.cost import Problem
from qhn.problem.objective import OBJECTIVES, Kind, as_objective

if TYPE_CHECKING:
    from qhn.backend.device.price import Task


def _number_of_shots(value: Any) -> int | str | None:
    """A number of shots as it may be written: an integer of at least 1, ``"auto"``, or ``"none"`` for None."""
    if value is None or value == "none":
        return None
    if value == "auto":
        return "auto"
    if not is_number(value) or not math.isfinite(value) or value != int(value):
        raise PydanticKnownError("int_type")
    if value < 1:
        raise PydanticKnownError("greater_than_equal", {"ge": 1})
    return int(value)


class ObjectiveConfig(Section):
    """Table ``[train.objective]``; each kind in :data:`qhn.problem.objective.OBJECTIVES` adds its own keys.

    Attributes:
        name: name of the kind of objective.
    """

    name: str

    def build(self) -> Aggregation:
        """The objective with these settings."""
        return OBJECTIVES[self.name].make(**self.model_dump(exclude={"name"}))

    def given(self, problem: Problem) -> Self:
        """A copy of the table with the settings that follow from a problem, since the problem is not recorded.

        Args:
            problem: the problem, a Python object.

        Raises:
            QhnError: if the problem does not say what a setting follows from.
        """
        built = as_objective(self.build(), problem)
        left_out = [key for key in OBJECTIVES[self.name].settings if getattr(self, key) is None]
        return self.model_copy(update={key: getattr(built, key) for key in left_out})

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        self.build()
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _objective, (self.model_dump(), self.model_fields_set)


def _objective_section(name: str, kind: Kind) -> type[ObjectiveConfig]:
    """The table of one kind of objective; the mean is the default, so that its name may be left out."""
    fields: dict[str, Any] = {
        setting: (float | None if default is None else type(default), default)
        for setting, default in kind.settings.items()
    }
    fields["name"] = (Literal[name], "mean" if name == "mean" else ...)
    return create_model(f"ObjectiveConfig_{name}", __base__=ObjectiveConfig, **fields)


def _objective(values: dict[str, Any], given: set[str]) -> ObjectiveConfig:
    """The table of an objective with all its values, by which pickle finds its class in other processes."""
    return OBJECTIVE_SECTIONS[values["name"]].model_construct(given, **values)


OBJECTIVE_SECTIONS = {name: _objective_section(name, kind) for name, kind in OBJECTIVES.items()}


class UniformConfig(Section):
    """Table ``[train.initial]`` with ``name = "uniform"``: first angles drawn uniformly.

    Attributes:
        name: ``"uniform"``.
        low: lower bound of the angles in radians.
        high: upper bound of the angles in radians.
    """

    name: Literal["uniform"] = "uniform"
    low: float = Field(default=0.0, ge=-MAX_ANGLE, le=MAX_ANGLE)
    high: float = Field(default=2 * math.pi, ge=-MAX_ANGLE, le=MAX_ANGLE)

    def build(self) -> Initial:
        """The distribution of the first angles."""
        return Uniform(self.low, self.high)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise QhnError(f"train.initial.low must be below high, got {self.low:g} and {self.high:g}")
        return self


class NormalConfig(Section):
    """Table ``[train.initial]`` with ``name = "normal"``: first angles drawn normally about 0.

    Attributes:
        name: ``"normal"``.
        width: standard deviation of the angles in radians.
    """

    name: Literal["normal"]
    width: float = Field(default=0.1, ge=0, le=WIDTH.high)

    def build(self) -> Initial:
        """The distribution of the first angles."""
        return Normal(self.width)


class SuperpositionConfig(Section):
    """Table ``[train.initial]`` with ``name = "superposition"``; see :class:`qhn.circuit.initial.Superposition`.

    Attributes:
        name: ``"superposition"``.
        width: standard deviation in radians about the angles that make all bitstrings equally likely.
    """

    name: Literal["superposition"]
    width: float = Field(default=0.1, ge=0, le=WIDTH.high)

    def build(self) -> Initial:
        """The distribution of the first angles."""
        return Superposition(self.width)


class FromRunConfig(Section):
    """Table ``[train.initial]`` with ``name = "run"``: first angles are those at which another run ended.

    Attributes:
        name: ``"run"``.
        run: id of the other run, for information only.
        theta: the angles ``[num_parameters]`` in radians.
    """

    name: Literal["run"]
    run: str
    theta: tuple[Annotated[float, Field(ge=-MAX_ANGLE, le=MAX_ANGLE)], ...]

    def build(self) -> Initial:
        """The distribution of the first angles."""
        return Given(self.theta, self.run)


if TYPE_CHECKING:
    AnyObjective = ObjectiveConfig
else:
    AnyObjective = Annotated[Annotated[Union[*OBJECTIVE_SECTIONS.values()], Field(discriminator="name")], named("mean")]
InitialConfig = Annotated[
    Annotated[UniformConfig | NormalConfig | SuperpositionConfig | FromRunConfig, Field(discriminator="name")],
    named("uniform"),
]


class StopRules(Section):
    """Keys of ``[train]`` that say when a run stops; no part of the run's id, so that raising one extends the run.

    Attributes:
        steps: largest number of steps, at most a million.
        target: value of the objective at or below which the run stops.
        plateau: number of steps in a row without a fall of the objective below its lowest by more than its error, after
            which the run stops.
        patience: number of steps in a row without a fall of the validation cost below its lowest, by however little,
            after which the run stops.
        max_shots: largest number of shots in all.
        max_qpu_seconds: largest number of QPU seconds in all; no step begins that could be billed beyond it. Rehearsals
            count the seconds that a device would bill.
        max_jobs: largest number of jobs in all; rehearsals count the jobs that a device would take.
        max_evaluations: largest number of different bitstrings evaluated in all; no step begins that could exceed it.
        tolerance: size of the largest component of an exact gradient, in the unit of the costs, at or below which the
            run stops; none, the default, takes 1e-6 of how far a typical cost lies above the optimum.

    A run keeps the rules it was last given; ``"none"`` lifts one that is none by default.
    """

    steps: int = Field(default=60, ge=1, le=1_000_000)
    target: float | None = None
    plateau: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)
    max_shots: int | None = Field(default=None, ge=1)
    max_qpu_seconds: float | None = Field(default=None, gt=0)
    max_jobs: int | None = Field(default=None, ge=1)
    max_evaluations: int | None = Field(default=None, ge=1)
    tolerance: float | None = Field(default=None, ge=0)

    @field_validator(
        *("tolerance", "target", "plateau", "patience", "max_shots", "max_qpu_seconds", "max_jobs", "max_evaluations"),
        mode="before",
    )
    @classmethod
    def _none_lifts_a_rule(cls, value: Any) -> Any:
        return None if value == "none" else value


class ShotScheduleConfig(Section):
    """Table ``[train.shot_schedule]``: shots per row that grow geometrically from ``first`` to ``train.shots``.

    Attributes:
        first: number of shots per row of angles in the first step.
        over: number of steps after which it is ``train.shots``.
    """

    first: int = Field(ge=1)
    over: int = Field(ge=1)


class TrainConfig(StopRules):
    """Table ``[train]``: machine, shots, gradient, optimizer, objective, first angles, seed, and the stop rules.

    Attributes:
        backend: name of the machine: ``exact``, ``aer``, ``aer-mps``, ``depolarising``, ``fake_<device>``,
            ``ibm_<device>``, a machine of an installed plug-in, ``module:factory``, the function of a module of the
            user's own that returns one, or ``twin_<machine>``, the noise of another machine by its present calibration.
        shots: number of measured bitstrings per row of angles. ``"auto"`` follows from the price of a job on a device
            (:func:`qhn.optimize.shots.priced_shots`), and is 300 elsewhere. None, written ``"none"``, computes E
            without shots; it is the default on backend ``exact``, and possible on simulators that know the distribution
            of their bits.
        gradient: table ``[train.gradient]`` or a name, the rule for the gradient.
        optimizer: table ``[train.optimizer]`` or a name, the optimizer.
        angles: table ``[train.angles]`` or a name, the selection of the angles that a step shifts.
        objective: table ``[train.objective]`` or a name, the function of the costs to minimise.
        initial: table ``[train.initial]`` or a name, the distribution of the first angles.
        shot_schedule: table ``[train.shot_schedule]``, fewer shots in the first steps; None for ``shots`` in each.
        seed: seed of the first angles, of the shots and of random directions.
    """

    backend: str = "aer"
    shots: Annotated[int | Literal["auto"] | None, BeforeValidator(_number_of_shots)] = "auto"
    gradient: GradientConfig = ParameterShiftConfig()
    optimizer: OptimizerConfig = AdamConfig()
    angles: AnglesConfig = AllAnglesConfig()
    objective: AnyObjective = OBJECTIVE_SECTIONS["mean"](name="mean")
    initial: InitialConfig = UniformConfig()
    shot_schedule: ShotScheduleConfig | None = None
    seed: int = Field(default=7, ge=0)

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
        self._check_derivatives()
        schedule = self.shot_schedule
        if schedule is not None and (not isinstance(self.shots, int) or schedule.first > self.shots):
            raise QhnError(
                f"train.shot_schedule.first is {schedule.first}, and train.shots, at which it ends, is "
                f"{self.shots or 'none'}; give --shots, as many or more"
            )
        if self.shots is not None:
            fewest = self.shots if schedule is None else schedule.first
            check_shots(self.objective.build(), FEWEST_SHOTS if fewest == "auto" else fewest)
        if self.shots is not None and isinstance(self.optimizer, LbfgsConfig) and not self.optimizer.force:
            raise QhnError(
                "train.optimizer = 'lbfgs' takes the noise of sampled gradients for curvature; use --backend exact "
                "without shots, or adam, or set train.optimizer.force = true"
            )
        return self

    @property
    def decay_steps(self) -> int | None:
        """The number of steps over which the learning rate falls to 0; None if it does not, or by another rule."""
        return self.optimizer.decay_steps if isinstance(self.optimizer, DecayingConfig) else None

    @property
    def taker_of_curvature(self) -> str:
        """The setting that takes second derivatives by each angle, as the user writes it; empty if none does."""
        if self.angles.name == "sparse":
            return "train.angles = 'sparse'"
        return "train.optimizer = 'sinusoid'" if self.optimizer.name == "sinusoid" else ""

    def _check_derivatives(self) -> None:
        """Refuse settings that take second derivatives by each angle where these are not measured."""
        is_sparse = self.angles.name == "sparse"
        for key, value, needed, has in (
            ("shots", "none", "a number", self.shots is not None or not (is_sparse or self.is_ideal)),
            ("gradient", self.gradient.name, "parameter-shift", self.gradient.name == "parameter-shift"),
            ("objective", self.objective.name, "mean", self.objective.name == "mean"),
            ("optimizer", self.optimizer.name, "adam, sgd or sinusoid", self.optimizer.name != "lbfgs"),
        ):
            if self.taker_of_curvature and not has:
                raise QhnError(
                    f"{self.taker_of_curvature} takes the second derivatives that parameter shift of a mean measures; "
                    f"train.{key} is {value}, set it to {needed}"
                )

    @property
    def machine(self) -> Machine:
        """The kind of machine that ``backend`` names."""
        return machine_of(self.backend)

    @property
    def has_priced_shots(self) -> bool:
        """Whether the number of shots follows from the price of a job."""
        return self.machine.is_priced and self.shots == "auto"

    @property
    def is_ideal(self) -> bool:
        """Whether E is computed without shots and without noise."""
        return self.machine.is_ideal and self.shots is None

    def shots_rule(self, ansatz: Ansatz, task: Task | None = None) -> Shots:
        """The rule that says how many shots each row of angles takes in a step.

        Args:
            ansatz: the circuit of the run.
            task: the work of any gradient on the device of the run; None if the machine is no device.

        >>> from qhn.circuit.hypernetwork import product_state
        >>> config = TrainConfig(shots=800, shot_schedule={"first": 100, "over": 3})
        >>> config.shots_rule(product_state(2)).at(1)
        200
        """
        if self.shots is None:
            return GeometricShots.constant(0)
        if self.shots == "auto":
            num_rows = self.gradient.build(ansatz).num_rows
            return GeometricShots.constant(priced_shots(None if task is None else task.measuring(num_rows, shots=1)))
        if self.shot_schedule is None:
            return GeometricShots.constant(self.shots)
        return GeometricShots(self.shot_schedule.first, self.shots, self.shot_schedule.over)
