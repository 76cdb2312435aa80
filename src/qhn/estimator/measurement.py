"""What one evaluation of an objective and its gradient measures, as a value that everything else reads."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.estimator.gradient import Gradient


@dataclass(frozen=True)
class Measurement:
    """The rows of angles about θ that an evaluation measures, and the shots of each.

    The optimizer states it (:mod:`qhn.optimize.strategy`); estimators measure it, forecasts and budgets price it, and
    the record keeps it.

    Attributes:
        rule: the rule for the gradient, which says which angles are shifted and so which rows are measured.
        shots: number of measured bitstrings of each row; 0 if E is computed without shots.

    >>> import numpy as np
    >>> from qhn.estimator.gradient import ParameterShift
    >>> one = Measurement(ParameterShift(np.array([True, False, True])), shots=100)
    >>> one.num_rows, one.num_shots
    (5, 500)
    """

    rule: Gradient
    shots: int

    @property
    def num_rows(self) -> int:
        """The number of rows of angles, θ itself included."""
        return self.rule.num_rows

    @property
    def num_shots(self) -> int:
        """The number of shots of all rows, where each row is measured by itself."""
        return self.num_rows * self.shots
