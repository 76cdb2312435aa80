"""What a resource estimate of quantum gradient descent is asked about, checked at the door.

Where a value may be left out, the one that favours the quantum computer is taken, so that a verdict against it holds
all the more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from qhn.carleman.condition_model import MAX_CONDITION, extrapolated_condition
from qhn.carleman.loading import LOADING
from qhn.carleman.regimes import Regime
from qhn.errors import QhnError
from qhn.fields import Number, Rule, Whole, optional, settle, truth
from qhn.text import did_you_mean, shown

MAX_COUNT = 10**18  # of parameters, of steps, of terms


@dataclass(frozen=True)
class Rates:
    """The speeds that turn counts into seconds.

    Attributes:
        t_gate_seconds: time of one logical T gate; T gates run one after the other. The default, 1 µs, is optimistic:
            it is one round of error correction on superconducting qubits, where a logical gate takes tens.
        flops: floating-point operations that the classical computer does in a second; the default, 1e12, is a
            part of what one graphics processor reaches on sparse data.
    """

    t_gate_seconds: float = 1e-6
    flops: float = 1e12

    def __post_init__(self) -> None:
        settle(self, t_gate_seconds=Number(low=1e-30, high=1e30), flops=Number(low=1e-30, high=1e30))


@dataclass(frozen=True)
class ResourceQuestion:
    """What an estimate is asked about.

    Attributes:
        num_parameters: number n of parameters of the map.
        order: truncation N of the Carleman lift.
        num_steps: number T of steps of gradient descent.
        kappa: condition number κ of the history system as it is solved, with its idle copies; or None.
        regime: name of the regime, in place of κ, from whose measured points κ is extrapolated: ``"dissipative"``,
            ``"almost dissipative"`` or ``"divergent"``.
        epsilon: relative error of the solver, and again of what is read, ‖δu(T)‖/‖u(T)‖.
        sparsity: number s of terms of each degree in a component of the gradient; a degree that has fewer monomials
            has as many terms as those, so that the number of monomials of degree d is the dense case.
        degree: degree d of the gradient as a polynomial; None for that of the lift, N.
        kept: number of parameters that are read at the end; None for all n.
        idle: number of idle copies of the last state.
        decay: ratio ‖u(T)‖/‖u(0)‖; 1, no decay, is the best case for the read-out.
        success_probability: probability p_T that one run yields a parameter of u(T); None to bound it from above.
        subnormalisation: factor α/‖A‖ by which the block encoding multiplies κ; 1 is the ideal, a dilation, and a
            sparse encoding has up to its number of nonzeros in a row.
        encoding_ancillas: ancillas of the block encoding.
        stochastic: whether every step has a map of its own, as in stochastic gradient descent.
        loading: model of data loading, one of ``"none"``, ``"qrom"``, ``"select-swap"``, ``"hypothetical-qram"``.
        rates: speeds that turn counts into seconds.

    Raises:
        QhnError: at construction, if a value is out of its bounds, or κ is given twice or not at all.
    """

    num_parameters: int
    order: int
    num_steps: int
    kappa: float | None = None
    regime: str | None = None
    epsilon: float = 0.01
    sparsity: int = 1
    degree: int | None = None
    kept: int | None = None
    idle: int = 0
    decay: float = 1.0
    success_probability: float | None = None
    subnormalisation: float = 1.0
    encoding_ancillas: int = 1
    stochastic: bool = False
    loading: str = "none"
    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        settle(self, num_parameters=Whole(least=1, most=MAX_COUNT))
        up_to_n = Whole(least=1, most=self.num_parameters)
        settle(
            self,
            order=Whole(least=1, most=64),
            num_steps=Whole(least=1, most=MAX_COUNT),
            kappa=optional(Number(low=1, high=MAX_CONDITION)),
            epsilon=Number(low=1e-12, high=0.5),
            degree=optional(Whole(least=1, most=64)),
            kept=optional(up_to_n),
            idle=Whole(least=0, most=MAX_COUNT),
            decay=Number(low=1e-30, high=1),
            success_probability=optional(Number(low=1e-150, high=1)),
            subnormalisation=Number(low=1, high=1e18),
            encoding_ancillas=Whole(least=1, most=10**6),
            stochastic=truth,
            loading=_one_of(LOADING),
            regime=optional(_one_of(Regime)),
            rates=_rates,
        )
        dense = math.comb(self.num_parameters + self.polynomial_degree - 1, self.polynomial_degree)
        settle(self, sparsity=Whole(least=1, most=min(dense, MAX_COUNT)))
        _check_condition(self)

    @property
    def condition(self) -> float:
        """The condition number κ that was given, or the extrapolation for the regime."""
        if self.kappa is not None:
            return self.kappa
        assert self.regime is not None
        return extrapolated_condition(Regime(self.regime), self.num_steps, self.idle)

    @property
    def effective_condition(self) -> float:
        """The condition number that the solver meets: κ times the subnormalisation of the block encoding."""
        return self.condition * self.subnormalisation

    @property
    def num_read(self) -> int:
        """The number K of parameters that are read at the end."""
        return self.num_parameters if self.kept is None else self.kept

    @property
    def polynomial_degree(self) -> int:
        """The degree d of the gradient."""
        return self.order if self.degree is None else self.degree

    @property
    def terms(self) -> tuple[int, ...]:
        """The number of terms of each degree 1 … d in a component of the gradient.

        >>> ResourceQuestion(4, order=2, num_steps=3, kappa=2, sparsity=10).terms
        (4, 10)
        """
        degrees = range(1, self.polynomial_degree + 1)
        return tuple(min(self.sparsity, math.comb(self.num_parameters + j - 1, j)) for j in degrees)


def _one_of(options: Iterable[str]) -> Rule:
    """The rule of a name out of several."""
    known = tuple(map(str, options))

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            hint = did_you_mean(str(value), known)
            raise QhnError(f"{name} must be one of {', '.join(known)}, got {shown(value)}{hint and '; '}{hint}")
        return str(value)

    return check


def _rates(name: str, value: Any) -> Rates:
    if not isinstance(value, Rates):
        raise QhnError(f"{name} must be Rates(t_gate_seconds, flops), got {shown(value)}")
    return value


def _check_condition(question: ResourceQuestion) -> None:
    """Refuse a κ that is missing, given twice, or beyond every solver."""
    if (question.kappa is None) == (question.regime is None):
        given = "neither" if question.kappa is None else f"kappa {question.kappa:g} and regime {question.regime!r}"
        raise QhnError(f"give either kappa or a regime from which it is extrapolated, got {given}")
    if question.condition > MAX_CONDITION:
        raise QhnError(
            f"the condition number of a {question.regime} system of {question.num_steps:,} steps is above "
            f"{MAX_CONDITION:g}, beyond every solver; take fewer steps between two re-uploads"
        )
