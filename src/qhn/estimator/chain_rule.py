"""Rules for the gradient of circuits whose angles turn several gates: rows of the gates' angles, and the chain rule.

Machines run the unrolled circuit, whose every angle φ belongs to one gate (:mod:`qhn.circuit.ansatz`). So the rows that
a rule makes are rows of φ. Parameter shift moves one gate at a time, ∂E/∂φ is exact for each, and ∂E/∂θ = Aᵀ·∂E/∂φ.
SPSA moves θ itself, and needs as few rows as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.circuit.ansatz import AngleMap, Ansatz
from qhn.estimator.gradient import Gradient, ParameterShift, Spsa, ValueAndGrad
from qhn.estimator.means import Estimates, Means
from qhn.problem.aggregation import Aggregation
from qhn.seeds import Key


def parameter_shift(ansatz: Ansatz) -> Gradient:
    """The parameter-shift rule for an ansatz, one pair of rows for each of its gates that has an effect."""
    shift, angle_map = ParameterShift(ansatz.unrolled.active), ansatz.angle_map
    return shift if angle_map is None else ChainRule(shift, angle_map, ansatz.active, ansatz.shared_angles.size > 0)


def spsa(ansatz: Ansatz, perturbation: float, decay: float, num_directions: int) -> Gradient:
    """Simultaneous perturbation of an ansatz's angles θ; arguments are those of :class:`Spsa`."""
    rule = Spsa(ansatz.active, perturbation, decay, num_directions)
    return rule if ansatz.angle_map is None else InGateAngles(rule, ansatz.angle_map)


@dataclass(frozen=True)
class ChainRule:
    """A rule for the angles φ of gates whose derivatives are put together to those by θ.

    Attributes:
        rule: the rule for the angles of the gates.
        angle_map: the angles of the gates as a function of θ.
        active: mask ``bool[num_parameters]`` of the angles θ whose gradient is asked for; that of all others is 0.
        is_shared: whether an angle turns several gates, or one by a factor: then E is no sinusoid of it, and there are
            no second derivatives.
    """

    rule: ParameterShift
    angle_map: AngleMap
    active: Bools
    is_shared: bool

    def on(self, angles: Bools) -> ChainRule:
        """A rule of this kind on those of its angles θ that a mask ``bool[num_parameters]`` holds."""
        kept = self.active & angles
        return replace(self, rule=self.rule.on(self.angle_map.gates_of(kept)), active=kept)

    @property
    def num_rows(self) -> int:
        """The number of rows: θ itself, and two for each gate."""
        return self.rule.num_rows

    def shifted(self, theta: Floats, key: Key) -> Floats:
        """The rows of gate angles: θ ``[..., num_parameters]`` → ``[..., num_rows, num_gate_angles]``."""
        return self.rule.shifted(self.angle_map(theta), key)

    def combine_means(
        self, rows: Means, unshifted: Means, estimates: Estimates, objective: Aggregation, theta: Floats, key: Key
    ) -> ValueAndGrad:
        """Value and gradient by θ; see :meth:`qhn.estimator.gradient.Gradient.combine_means`."""
        found = self.rule.combine_means(rows, unshifted, estimates, objective, theta, key)
        slopes = self.rule.slopes(rows)
        shared = np.moveaxis(self.angle_map.pull_back(np.moveaxis(slopes.shared, -1, -2)), -1, -2)
        by_theta = Means(
            self.angle_map.pull_back(slopes.mean), self.angle_map.pull_back_errors(slopes.own_error), shared
        )
        hessian = hessian_error = trace_std_error = None
        if found.hessian_diag is not None and found.hessian_diag_std_error is not None and not self.is_shared:
            squares = replace(self.angle_map, matrix=self.angle_map.matrix.power(2))
            hessian = squares.pull_back(found.hessian_diag)
            hessian_error = squares.pull_back_errors(found.hessian_diag_std_error)
            angles_of_gate = np.asarray(squares.matrix.sum(axis=1))
            trace_std_error = self.rule.trace_std_error(rows, unshifted, estimates, angles_of_gate)
        return replace(
            found,
            grad=by_theta.mean * self.active,
            grad_std_error=by_theta.std_error * self.active,
            hessian_diag=hessian,
            hessian_diag_std_error=hessian_error,
            trace_std_error=trace_std_error,
        )


@dataclass(frozen=True)
class InGateAngles:
    """A rule for θ whose rows are given as angles of the gates.

    Attributes:
        rule: the rule for θ.
        angle_map: the angles of the gates as a function of θ.
    """

    rule: Spsa
    angle_map: AngleMap

    @property
    def active(self) -> Bools:
        """The mask ``bool[num_parameters]`` of the angles that are shifted."""
        return self.rule.active

    def on(self, angles: Bools) -> InGateAngles:
        """A rule of this kind on those of its angles that a mask ``bool[num_parameters]`` holds."""
        return replace(self, rule=self.rule.on(angles))

    @property
    def num_rows(self) -> int:
        """The number of rows of one gradient, θ itself included."""
        return self.rule.num_rows

    def shifted(self, theta: Floats, key: Key) -> Floats:
        """The rows of gate angles: θ ``[..., num_parameters]`` → ``[..., num_rows, num_gate_angles]``."""
        return self.angle_map(self.rule.shifted(theta, key))

    def combine_means(
        self, rows: Means, unshifted: Means, estimates: Estimates, objective: Aggregation, theta: Floats, key: Key
    ) -> ValueAndGrad:
        """Value and gradient by θ; see :meth:`qhn.estimator.gradient.Gradient.combine_means`."""
        return self.rule.combine_means(rows, unshifted, estimates, objective, theta, key)
