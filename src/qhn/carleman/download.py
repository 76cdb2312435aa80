"""Downloads of the parameters of a descent that was solved as a quantum state: counts in, signed numbers out.

Only the kept parameters are read, since the system holds no others. A download is refused before its shots are paid for
if they would show too few counts, and says afterwards how far it can be trusted: an interval of the shots' error, a
bound on the solver's own, the probability that a sign is wrong, and whether the circuits agree with each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qhn.arrays import Bits, Bools, Floats, Integers
from qhn.carleman.amplitudes import Counted, SignedAmplitudes
from qhn.carleman.interference import Interference, LastCounts
from qhn.carleman.pruning import on_support
from qhn.errors import QhnError
from qhn.fields import Number, Whole

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

MIN_COUNTS = 50.0  # signal counts a parameter: the displacement is known within 7 % of its norm
PILOT = 0.05  # share of the shots that tells whether all of them are enough
MISFIT = 1e-3  # probability of a deviance below which the circuits contradict each other
Measure = Callable[["Sequence[QuantumCircuit]", int], Bits]


class TooFewCountsError(QhnError):
    """The refusal of a download whose counts would say too little.

    Attributes:
        counts: signal counts a parameter that are expected.
        shots_needed: number of shots that would be enough, of all circuits; None if no signal was seen.
    """

    def __init__(self, counts: float, least: float, shots: int, shots_needed: int | None) -> None:
        """The refusal of ``shots`` shots that give ``counts`` counts a parameter where ``least`` are asked for."""
        self.counts = counts
        self.shots_needed = shots_needed
        enough = "take more" if shots_needed is None else f"take about {shots_needed:,}"
        super().__init__(
            f"{shots:,} shots would show about {counts:.3g} counts a parameter, fewer than {least:g}: {enough}, keep "
            "fewer parameters, add idle times, or force the download (in qhn qsgd machine.min_counts = 0)"
        )


@dataclass(frozen=True, eq=False)
class Downloaded:
    """The displacement that a download read, and what it rests on.

    Attributes:
        amplitudes: displacement of the kept parameters with its shot errors.
        counts: raw counts of the circuits. On a noisy device both the flags of success and the outcomes are biased;
            what follows from the counts then is, too, and :attr:`noise_counts` and :attr:`misfit` tell when it shows.
        interference: circuits that were measured.
        confidence: confidence level of the intervals.
        is_simultaneous: whether the confidence level is that of all intervals together, or of each alone.
        min_counts: signal counts a parameter that were asked for.
    """

    amplitudes: SignedAmplitudes
    counts: LastCounts
    interference: Interference
    confidence: float
    is_simultaneous: bool
    min_counts: float

    @property
    def displacement(self) -> Floats:
        """The displacement of the kept parameters after the last step, ``[n]``."""
        return self.amplitudes.values

    def expanded(self, support: Integers, num_parameters: int) -> Floats:
        """The displacement of all parameters, 0 off the support: ``[num_parameters]``.

        Args:
            support: indices of the kept parameters, ``[n]``.
            num_parameters: number of all parameters.

        Raises:
            ValueError: if the support names another number of parameters, or one that is not there.
        """
        return on_support(self.displacement, support, num_parameters)

    @property
    def std_error(self) -> Floats:
        """The standard error of the shots, ``[n]``."""
        return self.amplitudes.std_errors

    @property
    def interval(self) -> Floats:
        """The ends of the interval of each parameter, of the shots alone, ``[n, 2]``."""
        return np.stack([self.amplitudes.low, self.amplitudes.high], axis=1)

    @property
    def interval_with_bias(self) -> Floats:
        """The ends of the intervals, wider by the solver's bound, ``[n, 2]``; infinite where no bound is proven."""
        bias = math.inf if self.solver_bias is None else self.solver_bias
        return np.asarray(self.interval + np.array([-bias, bias]))

    @property
    def solver_bias(self) -> float | None:
        """The bound on what the solver's own error changes in any parameter; None if none is proven.

        It is ε·‖x‖ of the whole solution, of which the displacement is a small part: far from tight.
        """
        bounds = [solver.facts.error_bound for solver in self.interference.solvers]
        epsilons = np.array([bound for bound in bounds if bound is not None and bound < 1])
        if len(epsilons) < len(bounds):
            return None
        return float((epsilons / (1 - epsilons) * np.sqrt(self._square_norms)).max())

    @property
    def sign_error(self) -> Floats:
        """The one-sided p-value of the other sign, ``[n]``: up to .5, and any such value by chance near 0."""
        return self.amplitudes.sign_errors

    @property
    def is_ambiguous(self) -> Bools:
        """Whether the counts allow a value of the other sign far away, since the reference is too small, ``[n]``."""
        regular = 2 * _quantile(self.confidence, len(self.displacement) if self.is_simultaneous else 1)
        low, high = self.amplitudes.low, self.amplitudes.high
        return np.asarray((high - low > 2 * regular * self.std_error) & (low < 0) & (high > 0))

    @property
    def shots(self) -> int:
        """The number of shots of all circuits together."""
        return self.counts.shots * len(self.interference.solvers)

    @property
    def success_share(self) -> float:
        """The share of all shots in which the solver succeeded."""
        return float(self.counts.successes.sum() / self.shots)

    @property
    def weight_of_last(self) -> float:
        """The share p_T of the solution's square norm in the last displacement and its copies, without a reference."""
        references = self.interference.references
        added = np.square(references).sum(axis=1) + 2 * references @ self.displacement
        whole = float((self._square_norms - added).mean())
        return min(max(self._signal, 0.0) / whole, 1.0) if whole > 0 else math.nan

    @property
    def signal_counts(self) -> float:
        """The counts a parameter that the displacement alone would have given, as the shots estimate them."""
        return self.interference.signal_counts(math.sqrt(max(self._signal, 0.0)), self.counts.shots)

    @property
    def noise_counts(self) -> float:
        """The counts that noise adds to each parameter of a circuit if it is uniform, judged from the lift's padding.

        It is nan where the lift needs no padding.
        """
        system = self.interference.system
        places = system.num_times * (system.block - system.dimension)
        return float(self.counts.padding.mean() / places * (1 + system.num_idle)) if places else math.nan

    @property
    def misfit(self) -> float:
        """The probability of counts that contradict each other as much or more, if the circuits do what they should.

        It is small where noise or the solver's error is larger than the shots' error.
        """
        from scipy.stats import chi2

        freedom = len(self.displacement) * (len(self.interference.solvers) - 1)
        return float(chi2.sf(self.amplitudes.deviances.sum(), freedom))

    @property
    def complaints(self) -> tuple[str, ...]:
        """The reasons not to trust the download, a sentence each."""
        found = []
        if self.signal_counts < self.min_counts:
            found.append(f"{self.signal_counts:.3g} counts a parameter were seen, fewer than {self.min_counts:g}")
        if number := int(self.is_ambiguous.sum()):
            found.append(f"the sign of {number} parameters is ambiguous; take a larger reference or more shots")
        if self.noise_counts > math.sqrt(self.counts.last.mean()):
            found.append(
                f"noise adds about {self.noise_counts:.3g} counts to the {self.counts.last.mean():.3g} of a parameter, "
                "more than the error of the shots"
            )
        if self.misfit < MISFIT:
            found.append(
                f"the circuits contradict each other (p = {self.misfit:.1g}); noise or the solver's error is larger "
                "than the error of the shots"
            )
        return tuple(found)

    @property
    def _signal(self) -> float:
        """The square norm of the displacement without the bias that the shots' variance adds to it."""
        return float(np.square(self.displacement).sum() - np.square(self.std_error).sum())

    @property
    def _square_norms(self) -> Floats:
        """The square norm of each circuit's solution, in the unit of displacements, ``[num_circuits]``."""
        return np.asarray(np.square(self.interference.units) * self.counts.successes / self.counts.shots)


def download(
    interference: Interference,
    measure: Measure,
    shots: int,
    *,
    norm: float | None = None,
    min_counts: float = MIN_COUNTS,
    forced: bool = False,
    confidence: float = 0.95,
    simultaneous: bool = False,
) -> Downloaded:
    """The last displacement of a descent, read from measured bits.

    Args:
        interference: circuits to measure.
        measure: function that measures circuits in a number of shots each: bits ``[num_circuits, shots, num_clbits]``.
        shots: number of shots of all circuits together; each circuit gets an equal part of them.
        norm: Euclidean norm of the displacement, if it is known before, as by solving the system classically; None to
            learn from a pilot of a twentieth of the shots whether they will do. The pilot's counts are part of the
            download; it calls ``measure`` once more, which must draw new random numbers.
        min_counts: signal counts a parameter below which the download is refused (:meth:`Interference.signal_counts`).
        forced: whether to measure all shots even so.
        confidence: confidence level of the intervals, in (0, 1).
        simultaneous: whether all intervals together have the confidence level, by Bonferroni's inequality.

    Raises:
        TooFewCountsError: if the shots would show too few counts, unless ``forced``.
        ValueError: if a number is out of its bounds.
    """
    circuits = interference.circuits
    each = Whole(len(circuits))("shots", shots) // len(circuits)
    confidence = Number(above=0, below=1)("confidence", confidence)
    least = Number(low=0)("min_counts", min_counts)
    if norm is not None and not forced:
        check_counts(interference, Number(low=0)("norm", norm), each, least)

    def read(counts: LastCounts) -> Downloaded:
        found = Counted(counts.last, counts.shots, interference.references, interference.units)
        z = _quantile(confidence, interference.system.num_parameters if simultaneous else 1)
        return Downloaded(found.estimate(z), counts, interference, confidence, simultaneous, least)

    pilot = math.ceil(PILOT * each)
    if norm is not None or forced or pilot == each:
        return read(interference.counts(measure(circuits, each)))
    first = interference.counts(measure(circuits, pilot))
    check_counts(interference, math.sqrt(max(read(first)._signal, 0.0)), each, least)
    return read(first.plus(interference.counts(measure(circuits, each - pilot))))


def check_counts(interference: Interference, norm: float, shots: int, least: float) -> None:
    """Refuse a number of shots that shows too few counts of a displacement.

    Args:
        interference: circuits to measure.
        norm: Euclidean norm of the displacement.
        shots: number of shots of each circuit.
        least: signal counts a parameter that are asked for.

    Raises:
        TooFewCountsError: if the shots would show fewer.
    """
    counts = interference.signal_counts(norm, shots)
    if counts < least:
        number = len(interference.solvers)
        needed = math.ceil(least / counts * shots) * number if counts else None
        raise TooFewCountsError(counts, least, shots * number, needed)


def _quantile(confidence: float, number: int) -> float:
    """The half width, in standard deviations, of each of some intervals that hold together at a confidence level."""
    from scipy.special import ndtri

    return float(-ndtri((1 - confidence) / number / 2))
