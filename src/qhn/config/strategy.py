"""The tables of ``[train]`` that say what a step measures and how it moves θ: gradient, optimizer and angles."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from qhn.circuit.ansatz import Ansatz
from qhn.config.section import Section, named
from qhn.estimator.chain_rule import parameter_shift, spsa
from qhn.estimator.gradient import Gradient
from qhn.optimize.angles import AllAngles, Selection, SparseAngles
from qhn.optimize.lbfgs import Lbfgs
from qhn.optimize.optimizer import Adam, Optimizer, Sgd, Sinusoid, SpsaGains


class ParameterShiftConfig(Section):
    """Table ``[train.gradient]`` with ``name = "parameter-shift"``, which has no other keys."""

    name: Literal["parameter-shift"] = "parameter-shift"

    def build(self, ansatz: Ansatz) -> Gradient:
        """The rule for gradients of the ansatz."""
        return parameter_shift(ansatz)


class SpsaGradientConfig(Section):
    """Table ``[train.gradient]`` with ``name = "spsa"``; see :class:`qhn.estimator.gradient.Spsa`.

    Attributes:
        name: ``"spsa"``.
        perturbation: size of the perturbation in the first step, in radians.
        decay: exponent by which the perturbation shrinks with the steps.
        num_directions: number of random directions per gradient.
    """

    name: Literal["spsa"]
    perturbation: float = Field(default=0.2, gt=0)
    decay: float = Field(default=0.101, ge=0)
    num_directions: int = Field(default=1, ge=1)

    def build(self, ansatz: Ansatz) -> Gradient:
        """The rule for gradients of the ansatz."""
        return spsa(ansatz, self.perturbation, self.decay, self.num_directions)


class DecayingConfig(Section):
    """Keys of optimizers whose learning rate falls linearly towards 0.

    Attributes:
        decay_steps: number of steps over which the learning rate falls; None, written ``"none"``, keeps it constant.
    """

    decay_steps: int | None = Field(default=60, ge=1)

    @field_validator("decay_steps", "epsilon", mode="before", check_fields=False)
    @classmethod
    def _none_is_none(cls, value: Any) -> Any:
        return None if value == "none" else value


class AdamConfig(DecayingConfig):
    """Table ``[train.optimizer]`` with ``name = "adam"``; see :class:`qhn.optimize.optimizer.Adam`.

    Attributes:
        name: ``"adam"``.
        learning_rate: learning rate of the first step, in radians per step.
        beta1: decay of the mean of past gradients, in [0, 1).
        beta2: decay of the mean of past squared gradients, in [0, 1).
        epsilon: number added to the root of the squared gradients against division by 0; None, written ``"none"``, and
            at most, is 1e-6 of the largest.
    """

    name: Literal["adam"] = "adam"
    learning_rate: float = Field(default=0.5, gt=0)
    beta1: float = Field(default=0.6, ge=0, lt=1)
    beta2: float = Field(default=0.99, ge=0, lt=1)
    epsilon: float | None = Field(default=None, gt=0)

    def build(self) -> Optimizer:
        """The optimizer with these settings."""
        return Adam(self.learning_rate, self.beta1, self.beta2, self.epsilon, self.decay_steps)


class SgdConfig(DecayingConfig):
    """Table ``[train.optimizer]`` with ``name = "sgd"``; see :class:`qhn.optimize.optimizer.Sgd`.

    Attributes:
        name: ``"sgd"``.
        learning_rate: first step in radians per unit of gradient.
        momentum: factor by which the sum of gradients decays in a step, in [0, 1).
    """

    name: Literal["sgd"]
    learning_rate: float = Field(default=4.0, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)

    def build(self) -> Optimizer:
        """The optimizer with these settings."""
        return Sgd(self.learning_rate, self.momentum, self.decay_steps)


class SpsaOptimizerConfig(Section):
    """Table ``[train.optimizer]`` with ``name = "spsa"``; see :class:`qhn.optimize.optimizer.SpsaGains`.

    Attributes:
        name: ``"spsa"``.
        learning_rate: step in radians per unit of gradient, before it decays.
        decay: exponent of the decay with the steps.
        stability: number of steps by which the decay is delayed.
    """

    name: Literal["spsa"]
    learning_rate: float = Field(default=5.0, gt=0)
    decay: float = Field(default=0.602, ge=0)
    stability: float = Field(default=10.0, ge=0)

    def build(self) -> Optimizer:
        """The optimizer with these settings."""
        return SpsaGains(self.learning_rate, self.decay, self.stability)


class SinusoidConfig(DecayingConfig):
    """Table ``[train.optimizer]`` with ``name = "sinusoid"``; see :class:`qhn.optimize.optimizer.Sinusoid`.

    Attributes:
        name: ``"sinusoid"``.
        damping: share of the way to its minimum that each angle goes in the first step.
    """

    name: Literal["sinusoid"]
    damping: float = Field(default=0.5, gt=0, le=1)

    def build(self) -> Optimizer:
        """The optimizer with these settings."""
        return Sinusoid(self.damping, self.decay_steps)


class LbfgsConfig(Section):
    """Table ``[train.optimizer]`` with ``name = "lbfgs"``; see :class:`qhn.optimize.lbfgs.Lbfgs`.

    Attributes:
        name: ``"lbfgs"``.
        memory: number of past steps from which curvature is estimated.
        max_line_search: largest number of gradients in one line search.
        force: whether sampled gradients are allowed, whose noise the optimizer takes for curvature.
    """

    name: Literal["lbfgs"]
    memory: int = Field(default=10, ge=1)
    max_line_search: int = Field(default=20, ge=2)
    force: bool = False

    def build(self) -> Optimizer:
        """The optimizer with these settings."""
        return Lbfgs(self.memory, self.max_line_search)


class AllAnglesConfig(Section):
    """Table ``[train.angles]`` with ``name = "all"``, which has no other keys: every active angle in every step."""

    name: Literal["all"] = "all"

    def build(self) -> Selection:
        """The selection with these settings."""
        return AllAngles()


class SparseAnglesConfig(Section):
    """Table ``[train.angles]`` with ``name = "sparse"``; see :class:`qhn.optimize.angles.SparseAngles`.

    Attributes:
        name: ``"sparse"``.
        threshold: share of the largest amplitude below which an angle is not measured for a while.
        rest: number of steps for which it is not measured.
        memory: factor by which the weight of an earlier measurement of an amplitude falls with each step.
    """

    name: Literal["sparse"]
    threshold: float = Field(default=0.1, gt=0, lt=1)
    rest: int = Field(default=5, ge=1)
    memory: float = Field(default=0.8, ge=0, lt=1)

    def build(self) -> Selection:
        """The selection with these settings."""
        return SparseAngles(self.threshold, self.rest, self.memory)


GradientConfig = Annotated[
    Annotated[ParameterShiftConfig | SpsaGradientConfig, Field(discriminator="name")], named("parameter-shift")
]
OptimizerConfig = Annotated[
    Annotated[AdamConfig | SgdConfig | SinusoidConfig | SpsaOptimizerConfig | LbfgsConfig, Field(discriminator="name")],
    named("adam"),
]
AnglesConfig = Annotated[Annotated[AllAnglesConfig | SparseAnglesConfig, Field(discriminator="name")], named("all")]
