"""The configuration of a quantum gradient descent: the tables of its TOML file, and the id of its record."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from qhn.backend import Machine, machine_of
from qhn.carleman.closure import Closure
from qhn.carleman.download import MIN_COUNTS
from qhn.carleman.glm import Loss
from qhn.config.data import Data
from qhn.config.device import DeviceConfig
from qhn.config.section import Section, named
from qhn.errors import QhnError
from qhn.fields import is_number
from qhn.sweep.files import directory_name
from qhn.text import shown

VERSION = 1  # of the meaning of the keys, which the id of a record contains
BUDGETS = ("max_qpu_seconds", "max_jobs", "max_shots")


class ModelConfig(Section):
    """Table ``[model]``: the generalised linear model; see :mod:`qhn.carleman.glm`.

    Attributes:
        loss: ``"logistic"``, ``"mse"`` or ``"sigmoid-mse"``; with ``"mse"`` a column of numbers may be the label.
        weight_decay: strength of the weight decay.
        bias: whether the model has a bias, which may be pruned like any other parameter.
        standardise: whether every input is shifted and scaled to mean 0 and standard deviation 1 over the samples.
    """

    loss: Loss = "logistic"
    weight_decay: float = Field(default=0.01, ge=0)
    bias: bool = True
    standardise: bool = True


class DenseConfig(Section):
    """Table ``[dense]``: the training of all parameters, on a classical computer, from which pruning begins.

    Attributes:
        steps: number of steps of gradient descent from θ = 0.
        learning_rate: the learning rate of these steps.
    """

    steps: int = Field(default=10, ge=1, le=1_000_000)
    learning_rate: float = Field(default=1.0, gt=0)


class PruneConfig(Section):
    """Table ``[prune]``: which parameters are kept; see :mod:`qhn.carleman.pruning`.

    Attributes:
        keep: number of parameters of largest magnitude that are kept.
        method: ``"one-shot"``, or ``"gradual"``, in rounds with training between them.
        rounds: number of rounds of gradual pruning.
        steps: number of training steps between two rounds, with the learning rate of ``[dense]``.
    """

    keep: int = Field(default=4, ge=1)
    method: Literal["one-shot", "gradual"] = "one-shot"
    rounds: int = Field(default=3, ge=2, le=100)
    steps: int = Field(default=5, ge=1, le=1_000_000)


class DescentConfig(Section):
    """Table ``[descent]``: the descent of the kept parameters, which a quantum computer solves segment by segment.

    Attributes:
        learning_rate: the learning rate η.
        steps: number T of steps of a segment, between an upload and the next download.
        segments: number of segments.
        batch: number of samples that are drawn for each step; 0 for all of them in every step.
        seed: seed of the batches and of the shots.
    """

    learning_rate: float = Field(default=1.0, gt=0)
    steps: int = Field(default=7, ge=1, le=4096)
    segments: int = Field(default=4, ge=1, le=10_000)
    batch: int = Field(default=0, ge=0)
    seed: int = Field(default=7, ge=0)


def _auto_or_positive(value: Any) -> Any:
    if value != "auto" and not (is_number(value) and value > 0):
        raise QhnError(f"lift.scale must be a number above 0, or 'auto', got {shown(value)}")
    return value


class LiftConfig(Section):
    """Table ``[lift]``: the Carleman linearisation of a segment; see :mod:`qhn.carleman.closure`.

    Attributes:
        order: truncation order N.
        degree: degree d of the gradient's Taylor polynomial, at most N; None, written ``"none"``, for N, at most 3.
        closure: ``"exact"``, or ``"euler"``, which is of first order in the learning rate.
        scale: unit of displacements; ``"auto"`` for 2·T·η·‖∇L‖, twice the farthest that the descent could get.
        ahead: how far from the start the point of expansion lies along the negative gradient, as a share of that
            farthest way. At 0 the descent starts from it; 0.5 is about the middle of the descent, where truncation
            errors are several times smaller, and so is the part of the solution that is read.
        idle: least number of times after the last step, which repeat the last state and so raise the probability to
            read it; the number of all times is the next power of two.
        force: whether a saddle or a divergent descent is solved nevertheless.
    """

    order: int = Field(default=2, ge=1, le=8)
    degree: int | None = Field(default=None, ge=1, le=8)
    closure: Closure = "exact"
    scale: Annotated[float | Literal["auto"], BeforeValidator(_auto_or_positive)] = "auto"
    ahead: float = Field(default=0.0, ge=0, le=1)
    idle: int = Field(default=0, ge=0, le=4096)
    force: bool = False

    @field_validator("degree", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return None if value == "none" else value

    @model_validator(mode="after")
    def _degree_fits(self) -> LiftConfig:
        if self.degree is not None and self.degree > self.order:
            raise QhnError(
                f"lift.degree {self.degree} is above lift.order {self.order}, whose lift has no such power; raise "
                "the order"
            )
        return self

    @property
    def chosen_degree(self) -> int:
        """The degree of the gradient's polynomial."""
        return min(self.order, 3) if self.degree is None else self.degree


class SolverConfig(Section):
    """Table ``[solver]``: what solves the linear system of a segment.

    Attributes:
        name: ``"qsvt"`` or ``"hhl"``, as a circuit, or ``"classical"`` by forward substitution.
        epsilon: relative error that QSVT is asked for.
        phase_qubits: qubits of the phase register of HHL.
        encoding: block encoding of QSVT, ``"dilation"`` or ``"structured"``.
    """

    name: Literal["qsvt", "hhl", "classical"] = "qsvt"
    epsilon: float = Field(default=0.001, ge=1e-10, le=0.5)
    phase_qubits: int = Field(default=9, ge=3, le=14)
    encoding: Literal["dilation", "structured"] = "dilation"


class MachineConfig(Section):
    """Table ``[machine]``: where the circuits are measured, and what they may cost.

    Attributes:
        backend: name of the machine; see :mod:`qhn.backend`.
        shots: number of shots of a segment, over all its circuits; None, written ``"none"``, for exact amplitudes,
            which only ``"exact"`` knows.
        min_counts: counts a parameter below which a download is refused, since it would say too little;
            0 refuses none.
        max_qpu_seconds: largest number of QPU seconds that are spent; None without a limit.
        max_jobs: largest number of jobs; None without a limit.
        max_shots: largest number of shots; None without a limit.
    """

    backend: str = "exact"
    shots: int | None = Field(default=None, ge=1)
    min_counts: float = Field(default=MIN_COUNTS, ge=0)
    max_qpu_seconds: float | None = Field(default=None, gt=0)
    max_jobs: int | None = Field(default=None, ge=1)
    max_shots: int | None = Field(default=None, ge=1)

    @field_validator("shots", *BUDGETS, mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return None if value == "none" else value

    @property
    def kind(self) -> Machine:
        """The kind of machine."""
        return machine_of(self.backend)


class QsgdConfig(Section):
    """The whole configuration of a quantum gradient descent.

    Attributes:
        name: name of the experiment, after which the directory of its records is called.
        data: the data set.
        model: the model that is trained.
        dense: the training before pruning.
        prune: choice of the parameters that are kept.
        descent: the descent of the kept parameters.
        lift: linearisation of a segment.
        solver: solver of the linear system.
        machine: machine that measures circuits, and budgets.
        device: how a device is used.

    >>> config = QsgdConfig(name="mine", data={"name": "mnist-4x4"}, descent={"segments": 2})
    >>> config.run_id == config.model_copy(update={"descent": DescentConfig(segments=9)}).run_id
    True
    """

    name: str = "descent"
    data: Data
    model: ModelConfig = ModelConfig()
    dense: DenseConfig = DenseConfig()
    prune: PruneConfig = PruneConfig()
    descent: DescentConfig = DescentConfig()
    lift: LiftConfig = LiftConfig()
    solver: Annotated[SolverConfig, named("qsvt")] = SolverConfig()
    machine: MachineConfig = MachineConfig()
    device: DeviceConfig = DeviceConfig()

    @field_validator("name")
    @classmethod
    def _names_a_directory(cls, name: str) -> str:
        return directory_name(name)

    @model_validator(mode="after")
    def _fits_together(self) -> QsgdConfig:
        kind, shots = self.machine.kind, self.machine.shots
        if self.solver.name == "classical" and (shots is not None or not kind.is_ideal):
            raise QhnError("solver classical has no circuit to measure; choose qsvt or hhl, or leave backend and shots")
        if shots is None and not kind.is_ideal:
            raise QhnError(f"backend {self.machine.backend} measures shots; give a number of them, such as 10000")
        self.device.check(self.machine.backend, DeviceConfig().model_dump(mode="json"), has_shots=shots is not None)
        return self

    @property
    def run_id(self) -> str:
        """Ten hexadecimal digits that name the configuration and its data by content.

        They depend on all that changes the numbers of a segment, and so neither on the number of segments nor on the
        budgets: a descent can be extended.
        """
        apart: dict[str, Any] = {"name": True, "descent": {"segments"}, "machine": set(BUDGETS), "lift": {"force"}}
        tree = self.model_dump(mode="json", exclude=apart)
        for place in ("file", "directory"):  # a digest names the contents
            tree["data"].pop(place, None)
        return hashlib.sha256(json.dumps(tree | {"version": VERSION}, sort_keys=True).encode()).hexdigest()[:10]
