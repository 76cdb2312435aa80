"""Means of measured costs with their standard errors, and the estimates for rows of angles θ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qhn.arrays import Bits, Floats
from qhn.backend.samples import Samples
from qhn.statistics import mean_and_error

Interval = tuple[Floats, Floats]  # lower ends and upper ends
EXACT = 1e-12  # share of a value below which its error is rounding
SMALL = 1e-4  # an end of an interval below which it is written with an exponent


@dataclass(frozen=True)
class Means:
    """Means of several measured rows, with independent and shared errors that sums and differences propagate.

    Attributes:
        mean: the mean of each row, ``[..., num_rows]``.
        own_error: the independent standard error of each row, from its shots, ``[..., num_rows]``.
        shared: the errors that the rows share, ``[..., num_rows, K]``: by how much each mean would move if the k-th of
            K independent causes, say the rate of one readout error, were larger by its standard deviation.

    >>> plus, minus = (Means(np.array([m]), np.array([0.3]), np.array([[0.4]])) for m in (5.0, 2.0))
    >>> (plus + minus).std_error.round(3), (plus - minus).std_error.round(3)  # what they share cancels
    (array([0.906]), array([0.424]))
    """

    mean: Floats
    own_error: Floats
    shared: Floats

    @classmethod
    def of(cls, values: Floats) -> Means:
        """Means and standard errors over the shots of measured values ``[..., num_rows, shots]``."""
        return cls.alone(*mean_and_error(values))

    @classmethod
    def alone(cls, mean: Floats, own_error: Floats) -> Means:
        """Means ``[..., num_rows]`` with independent errors, shaped alike, and no shared ones."""
        return cls(mean, own_error, np.zeros((*mean.shape, 0)))

    @property
    def std_error(self) -> Floats:
        """The standard error of each mean from its independent and shared errors together: ``[..., num_rows]``."""
        error: Floats = np.hypot(self.own_error, np.linalg.norm(self.shared, axis=-1))
        return error

    def reshape(self, *shape: int) -> Means:
        """Means with the axes of ``mean`` reshaped to ``shape``; the axis of shared causes stays last."""
        shared = self.shared.reshape(*shape, self.shared.shape[-1])
        return Means(self.mean.reshape(shape)[()], self.own_error.reshape(shape)[()], shared)

    def __getitem__(self, rows: Any) -> Means:
        return Means(self.mean[..., rows], self.own_error[..., rows], self.shared[..., rows, :])

    def __add__(self, other: Means) -> Means:
        own_error = np.hypot(self.own_error, other.own_error)
        return Means(self.mean + other.mean, own_error, self.shared + other.shared)

    def __sub__(self, other: Means) -> Means:
        return self + -1.0 * other

    def __rmul__(self, factor: float) -> Means:
        return Means(factor * self.mean, abs(factor) * self.own_error, factor * self.shared)


@dataclass(frozen=True)
class Estimates:
    """Estimated means of costs for rows of angles θ; arrays with one entry per row, or scalars for a single θ.

    Attributes:
        mean: E = ⟨C⟩ (arXiv:2301.08292, Eq. 7), corrected for readout errors if mitigation is on.
        std_error: standard error of E, uncertainty of the correction included; 0 for exact values.
        objective: value of the objective; equal to ``mean`` unless it is a CVaR.
        objective_std_error: standard error of the objective.
        samples: measured bits of all rows, in their order; None for exact values.
        best_cost: lowest cost that the estimator has evaluated, over all its calls.
        best_bits: bitstring of the lowest cost ``[num_qubits]``.
        distinct: number of different bitstrings evaluated by the estimator, over all its calls. An exact estimator has
            evaluated all there are, so that its ``best_cost`` is the optimum.
        raw: mean without the correction of readout errors; None if they are not corrected.
        raw_std_error: standard error of the uncorrected mean, or None.
        discarded: largest share of a state's weight that truncation in a simulation left out; 0 without truncation.
            What that does to E is not known.
        interval: lower and upper ends of a 95 % interval of E (:func:`qhn.statistics.mean_interval`), shaped as
            ``mean``; None if no range of the costs is known, so that rare bitstrings are not excluded. Exact values
            are both ends themselves.
        raw_interval: lower and upper ends of a 95 % interval of the uncorrected mean, or None.
    """

    mean: Floats
    std_error: Floats
    objective: Floats
    objective_std_error: Floats
    samples: Samples | None
    best_cost: float
    best_bits: Bits
    distinct: int
    raw: Floats | None = None
    raw_std_error: Floats | None = None
    discarded: float = 0.0
    interval: Interval | None = None
    raw_interval: Interval | None = None

    @property
    def shots(self) -> int:
        """The number of measured bitstrings per row; 0 for exact values."""
        return self.samples.shots if self.samples else 0

    def __str__(self) -> str:
        means = zip(
            np.ravel(self.mean), np.ravel(self.std_error), rows_of(self.interval, np.size(self.mean)), strict=True
        )
        found = ", ".join(stated(float(mean), float(error), interval) for mean, error, interval in means)
        facts = [
            f"E = {found}",
            truncated(self.discarded),
            f"best C = {self.best_cost:.6g}",
            f"{self.distinct:,} distinct",
        ]
        return "; ".join(fact for fact in facts if fact)


def rows_of(interval: Interval | None, num_rows: int) -> list[tuple[float, float] | None]:
    """The interval of each row; None for each if there are none.

    Args:
        interval: lower and upper ends, ``[...]``, of ``num_rows`` entries; None if no range of the costs is known.
        num_rows: number of rows.
    """
    if interval is None:
        return [None] * num_rows
    low, high = (np.ravel(ends).tolist() for ends in interval)
    return list(zip(low, high, strict=True))


def with_error(value: float, error: float) -> str:
    """Text ``value ± error``, rounded to two significant digits of the error.

    >>> with_error(0.212345, 0.00351), with_error(0.25, 0.0)
    ('0.2123 ± 0.0035', '0.25')
    """
    if error <= EXACT * abs(value):  # exact, or the same cost measured again and again
        return f"{value:.6g}"
    if not np.isfinite(error):
        return f"{value:.3g} ± ?"
    digits = _digits(error)
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def stated(value: float, error: float, interval: tuple[float, float] | None) -> str:
    """Text for a result that is stated as final: with its 95 % interval, or else with its plain standard error.

    Args:
        value: the measured mean.
        error: plain standard error of the mean.
        interval: ends of the mean's 95 % interval; None if no range of the costs is known.

    >>> stated(0.2123, 0.003, (0.2061, 0.2304)), stated(0.2123, 0.0035, None)
    ('0.2123 −0.0062 +0.018 (95 %)', '0.2123 ± 0.0035 (rare bitstrings not excluded)')
    """
    if interval is None:
        return f"{with_error(value, error)} (rare bitstrings not excluded)"
    below, above = value - interval[0], interval[1] - value
    ends = [end for end in (below, above) if end > EXACT * abs(value)]
    if not ends:
        return f"{value:.6g}"
    digits = min(_digits(min(ends)), _digits(max(ends)) + 2)
    return f"{value:.{digits}f} −{_significant(below)} +{_significant(above)} (95 %)"


def truncated(discarded: float) -> str:
    """What is known of the error of a truncated simulation, in words; empty if nothing was truncated.

    >>> truncated(0.00321), truncated(0.0)
    ('truncated, discarded weight 0.0032', '')
    """
    return f"truncated, discarded weight {discarded:.2g}" if discarded else ""


def _digits(error: float) -> int:
    """The number of decimal places that two significant digits of an error take."""
    return max(0, 1 - int(np.floor(np.log10(error))))


def _significant(end: float) -> str:
    """An end of an interval with two significant digits."""
    return f"{end:.{_digits(end)}f}" if end >= SMALL else f"{max(end, 0.0):.2g}"
