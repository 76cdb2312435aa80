"""The curvature along a run in words and as series: measured second derivatives, the exact Hessian, and regimes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qhn.carleman.regimes import Regime
from qhn.carleman.spectrum import Spectrum, exact_spectrum
from qhn.circuit.ansatz import Ansatz
from qhn.config.train import TrainConfig
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.means import with_error
from qhn.run.monitor import AlongStep, Curvature, regime_of, stable_step
from qhn.run.step import Step
from qhn.text import counted

MOST_WORK = 3e9  # angles² times amplitudes of an exact Hessian up to which a page waits for it: a second or two
MOST_HESSIANS, MOST_WORK_OF_ALL = 13, 1.6e10  # of a run
TILE_SPREAD = 0.05  # of the contrast of E between the tiles of a chip, assumed for the curvature along a step
ROUNDING = 1e-12
UNKNOWN = "not known"
FOLLOWS_GRADIENT = ("adam", "sgd", "spsa")  # optimizers whose step depends on the gradient alone


@dataclass(frozen=True)
class CurvatureReport:
    """The report on the curvature of E along a run.

    Attributes:
        train: the settings of the training.
        steps: the steps of the run.
        ansatz: the circuit of the run.
        ideal: the exact estimator of the ideal circuit; None if C of all bitstrings is not known.
        num_tiles: number of tiles on which the machine measured.
    """

    train: TrainConfig
    steps: Sequence[Step]
    ansatz: Ansatz
    ideal: ExactEstimator | None = None
    num_tiles: int = 1

    @cached_property
    def diagonals(self) -> list[Curvature]:
        """What the diagonal of the Hessian said at each step that measured it; at some steps of an exact run."""
        active = self.ansatz.active
        found = [Curvature.of(step, active) for step in self.steps]
        measured = [one for one in found if one is not None]
        if measured or not self.train.is_ideal:
            return measured
        return [Curvature.exact(self._at[number], hessian, active) for number, hessian in self._hessians.items()]

    @cached_property
    def along(self) -> list[AlongStep]:
        """The curvature along each step for which it is known."""
        if self.unknown_along():
            return []
        pairs, spread = zip(self.steps[:-1], self.steps[1:], strict=True), TILE_SPREAD * (self.num_tiles > 1)
        return [found for pair in pairs if (found := AlongStep.of(*pair, spread)) is not None]

    @cached_property
    def spectra(self) -> dict[int, Spectrum]:
        """The exact spectra of the ideal circuit's Hessian of its active angles, by the number of the step."""
        active = np.ix_(self.ansatz.active, self.ansatz.active)
        return {number: exact_spectrum(hessian[active]) for number, hessian in self._hessians.items()}

    @cached_property
    def _at(self) -> dict[int, Step]:
        return {step.step: step for step in self.steps}

    @cached_property
    def _hessians(self) -> dict[int, np.ndarray]:
        """The exact Hessians of the ideal circuit at some steps, the last among them; none if they take too long."""
        if (
            self.ideal is None
            or not self.ansatz.active.any()
            or self.train.objective.name != "mean"
            or self._work > MOST_WORK
        ):
            return {}
        most = min(MOST_HESSIANS, len(self.steps), int(MOST_WORK_OF_ALL / self._work))
        places = np.linspace(len(self.steps) - 1, 0, most).round().astype(int)[::-1]
        return {self.steps[k].step: self.ideal.hessian(self.steps[k].theta) for k in np.unique(places)}

    @property
    def _work(self) -> float:
        """The work that an exact Hessian takes at most: a gradient for each of its shifts."""
        return 2.0**self.ansatz.num_qubits * self.ansatz.unrolled.num_parameters**2

    @property
    def is_drawn(self) -> bool:
        """Whether anything is known of the curvature that could be drawn."""
        return bool(self.diagonals or self.spectra or self.along)

    def unknown_diagonal(self) -> str:
        """Why the run measures no second derivatives, in words; empty if it does."""
        if self.train.gradient.name != "parameter-shift":
            return f"not known: {self.train.gradient.name} measures no second derivatives"
        if self.train.objective.name != "mean":
            return f"not known: the rows of {self.train.objective.name} give no second derivatives"
        if self.train.is_ideal and self.ideal is None:
            return "not known: the cost of all bitstrings is not, and an exact run measures no shifted E"
        if self.train.is_ideal and self._work > MOST_WORK:
            return f"not computed: an exact Hessian takes {2 * int(self.ansatz.unrolled.active.sum()):,} gradients"
        if not self.train.is_ideal and self.ansatz.shared_angles.size:
            return "not known: an angle turns several gates, or one by a factor, and E is no sinusoid of it"
        return ""

    def unknown_along(self) -> str:
        """Why no curvature is known along steps, in words; empty if there is."""
        train = self.train
        if train.gradient.name != "parameter-shift":
            return f"not known: {train.gradient.name} measures a random part of the gradient"
        if train.shots is None:
            return ""
        if train.objective.name != "mean":
            return f"not known: a step of {train.objective.name} depends on the bits that give its value"
        if train.optimizer.name not in FOLLOWS_GRADIENT:
            return f"not known: a step of {train.optimizer.name} depends on the E that it starts from"
        return ""

    def lines(self) -> list[str]:
        """Lines for the page, of the last step."""
        return ["curvature, in units of C per squared radian"] + [
            f"  {name:<30}{value}" for name, value in self._rows()
        ]

    def _rows(self) -> list[tuple[str, str]]:
        return [*self._rows_of_diagonal(), *self._rows_of_spectrum(), *self._rows_along()]

    def _rows_of_diagonal(self) -> list[tuple[str, str]]:
        if not self.diagonals:
            return [("second derivatives", self.unknown_diagonal() or "not known")]
        last = self.diagonals[-1]
        by = "by the diagonal" if last.is_exact else "by the diagonal, with 95 %"
        of = f", {counted(last.num_angles, 'angle')}" + " measured" * (last.num_angles < int(self.ansatz.active.sum()))
        rows = [("trace of the Hessian", with_error(last.trace, last.trace_std_error) + of)]
        if np.isnan(last.positive_mass):
            return [*rows, ("bounds by the diagonal", "not known: this record holds no errors of second derivatives")]
        rows += [
            ("sum of positive eigenvalues", f"≥ {_shown(last.positive_mass)} {by}"),
            ("sum of negative eigenvalues", f"≤ {_shown(-last.negative_mass)} {by}"),
            ("largest, smallest eigenvalue", f"≥ {_shown(last.largest)}, ≤ {_shown(last.smallest)} {by}"),
        ]
        if not self.ansatz.shared_angles.size:
            few, many = last.fewest_inactive, last.most_inactive
            number = f"{few:,}" if few == many else f"{few:,} to {many:,}"
            rows.append(
                ("inactive angles", f"{number} of {last.num_angles:,}, A = √(g² + H²) below 0.1 of its largest")
            )
        return rows

    def _rows_of_spectrum(self) -> list[tuple[str, str]]:
        if not self.spectra:
            return []
        spectrum = self.spectra[self.steps[-1].step]
        whose = "" if self.train.is_ideal else " of the ideal circuit"
        ends = f"{spectrum.smallest:.3g} to {spectrum.largest:.3g}"
        masses = f"positive {spectrum.positive.value:.3g}, negative {_shown(-spectrum.negative.value)}"
        return [
            ("exact Hessian", f"eigenvalues{whose} {ends}; {masses}"),
            ("", _verdict(spectrum)),
        ]

    def _rows_along(self) -> list[tuple[str, str]]:
        if not self.along:
            return [("along the steps", self.unknown_along() or "not known: no angle moved")]
        last = self.along[-1]
        rate = f", η = {last.rate:.3g}" if np.isfinite(last.rate) else ", uphill"
        stable = ""
        if last.interval[0] > 0:
            stable = f", stable up to 2/λ = {2 / last.curvature:.3g}"
        regimes = Counter(one.regime for one in self.along)
        measured = f"{with_error(last.curvature, last.std_error)}{rate}{stable}: {last.regime or UNKNOWN}"
        counts = [f"{regimes[kind]:,} {kind or UNKNOWN}" for kind in (*Regime, None) if regimes[kind]]
        return [(f"along step {last.step}", measured), ("along all steps", ", ".join(counts))]


def _verdict(spectrum: Spectrum) -> str:
    """The regime of gradient descent close to the θ of an exact Hessian, and for which learning rates it holds."""
    if regime_of(spectrum) is Regime.DIVERGENT:
        return f"gradient descent: {Regime.DIVERGENT} at any η, by the negative eigenvalues"
    return f"gradient descent with η below 2/λmax = {stable_step(spectrum):.3g}: {regime_of(spectrum)}"


def _shown(value: float) -> str:
    """A number with three digits; what rounding left of 0 is 0."""
    return f"{value:.3g}" if abs(value) > ROUNDING else "0"
