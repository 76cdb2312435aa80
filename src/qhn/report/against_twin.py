"""A run on a device beside what its calibration predicts: E of each step against the noisy twin, and the interval.

The twin is computed exactly, at the θ of each step, with the calibration that the run's record holds. So the shots of
the run are all that is random in the difference, and its size says what the calibration does not know. The interval is
that of rehearsals which were made before the run (:mod:`qhn.run.expectation`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.circuit.ansatz import Ansatz, gate_angles
from qhn.errors import QhnError
from qhn.estimator.means import truncated, with_error
from qhn.report.device import DeviceReport
from qhn.report.plotting import MaxNLocator, in_own_style, save
from qhn.report.style import BLUE, GREY, RED, one_panel, write_csv
from qhn.report.twin_moments import TwinMoments
from qhn.run.expectation import Expectation, kept
from qhn.run.record import Record
from qhn.text import aligned, counted

SIGNIFICANT = 0.003  # p-value below which the twin does not explain the run: three standard deviations


@dataclass(frozen=True)
class AgainstTwin:
    """E of each step of a run as it was measured, and as the twin of the device's calibration has it at the same θ.

    Attributes:
        record: the record of the run.
        device: the report on the device of the last session.
        measured: E as it was measured, without mitigation of readout errors, ``[num_steps]``.
        shots: number of bitstrings of which it is the mean, ``[num_steps]``.
        twin: the mean, variance and excess kurtosis of C on the twin.
        expected: what was expected of the run before it began; None if it was not asked for.
    """

    record: Record
    device: DeviceReport
    measured: Floats
    shots: Floats
    twin: TwinMoments
    expected: Expectation | None = None

    @classmethod
    def of(cls, record: Record, ansatz: Ansatz, costs: Floats | None) -> AgainstTwin:
        """Compute the twin of a run at the θ of each step.

        Args:
            record: the record of the run.
            ansatz: the circuit of the run.
            costs: costs C of all bitstrings, ``[2**num_qubits]``, qubit 0 least significant; None if they are unknown.

        Raises:
            QhnError: if the run has no step, used no device or no shots, its circuit is no chain, or C of all
                bitstrings is not known.
            RecordError: if a calibration is missing from the record.
        """
        steps = record.steps()
        device = DeviceReport.of(record, ansatz.unrolled)
        if not steps:
            raise QhnError(f"run {record.directory} has no complete step yet; qhn resume continues it")
        if device is None or record.config.train.shots is None:
            raise QhnError(
                f"run {record.directory} measured no shots on a device, so it has no calibration to compare with; "
                "compare takes at least two runs, or one on a device"
            )
        if costs is None:
            raise QhnError("C of all bitstrings is not known for this run, and the mean over the twin needs it")
        angles = gate_angles(ansatz, np.array([step.theta for step in steps]))
        twin = TwinMoments.of(record, ansatz.unrolled, angles, costs)
        measured = np.array([step.mean if step.raw_mean is None else step.raw_mean for step in steps])
        shots = np.array([len(record.samples(step.step)) for step in steps], dtype=np.float64)
        folder = record.directory.resolve().parent
        return cls(record, device, measured, shots, twin, kept(folder, record.config.run_id))

    @cached_property
    def std_error(self) -> Floats:
        """The standard error of E from so many shots of the twin, ``[num_steps]``.

        That of the measured bits would be too small wherever rare bitstrings of high cost did not occur.
        """
        error: Floats = np.sqrt(self.twin.variance / self.shots)
        return error

    @cached_property
    def z(self) -> Floats:
        """The difference of each step in standard errors, ``[num_steps]``; nan where C has no spread on the twin."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.std_error > 0, (self.measured - self.twin.mean) / self.std_error, np.nan)

    @property
    def p_value(self) -> float:
        """The probability of differences at least as large, were the twin the device; nan if no error is known.

        The sum of all z² has the mean of a χ² and a larger variance, by the tails of C: 2 + (excess kurtosis)/shots for
        each step. It is taken as a multiple of a χ² of this mean and variance.
        """
        from scipy.stats import chi2  # half a second to import

        known = np.isfinite(self.z)
        if not known.any():
            return float("nan")
        mean, total = float(known.sum()), float((self.z[known] ** 2).sum())
        variance = float((2 + self.twin.excess_kurtosis[known] / self.shots[known]).sum())
        return float(chi2.sf(total * 2 * mean / variance, 2 * mean**2 / variance))

    @property
    def difference(self) -> tuple[float, float]:
        """The mean of E as measured minus E of the twin, weighted by the errors, and its standard error."""
        known = np.isfinite(self.z)
        weights = self.std_error[known] ** -2.0
        return float(np.average((self.measured - self.twin.mean)[known], weights=weights)), float(weights.sum() ** -0.5)

    @cached_property
    def inside(self) -> Bools:
        """Whether E, with the run's mitigation, lies in the expected interval: ``bool[n]`` for the steps expected."""
        if self.expected is None:
            return np.empty(0, dtype=np.bool_)
        low, high = self.expected.interval
        means = np.array([step.mean for step in self.record.steps()])[: len(low)]
        found: Bools = (low[: len(means)] <= means) & (means <= high[: len(means)])
        return found

    # ------------------------------------------------------------ the page

    def page(self) -> str:
        """The comparison as text: a table of the steps, χ², the mean difference, and the facts of the device."""
        config, facts = self.record.config, self.device.facts
        head = f"{config.experiment} {config.run_id} on {facts.layout_words()}"
        lines = [*self._verdict(), *self._provenance(), *self.device.lines()]
        return "\n".join([head, "", self._table(), "", *lines])

    def _table(self) -> str:
        has_interval = len(self.inside) > 0
        head = ["step", "E measured", "E of the twin", "z"] + ["expected, 95 %"] * has_interval
        rows = []
        for step, (measured, twin, z) in enumerate(zip(self.measured, self.twin.mean, self.z, strict=True)):
            stated = with_error(float(twin), float(self.std_error[step]))
            row = [f"{step}", f"{measured:.4f}", stated, "–" if np.isnan(z) else f"{z:+.1f}"]
            rows.append(row + [self._interval(step)] * has_interval)
        return aligned(head, rows)

    def _interval(self, step: int) -> str:
        if self.expected is None or step >= len(self.inside):
            return "–"
        low, high = (ends[step] for ends in self.expected.interval)
        return f"{low:.4f} to {high:.4f}{'' if self.inside[step] else ' ✗'}"

    def _verdict(self) -> list[str]:
        """What the differences say, in lines: χ² of all steps, their mean, and the steps in the interval."""
        lines = [f"  twin        {truncated(self.twin.discarded)}"] if self.twin.discarded else []
        known = np.isfinite(self.z)
        if known.any():
            p, total = self.p_value, float((self.z[known] ** 2).sum())
            verdict = "the calibration explains what was measured" if p >= SIGNIFICANT else "more than shots explain"
            lines.append(f"  sum of z²   {total:.1f} of {counted(int(known.sum()), 'step')}, p = {p:.2g}: {verdict}")
            mean, error = self.difference
            lines.append(f"  difference  {with_error(mean, error)} on average, {mean / error:+.1f} standard errors")
        if self.expected is None:
            return [*lines, "  expected    not asked for before the run (qhn estimate --rehearsals 20)"]
        number = f"{int(self.inside.sum())} of {counted(len(self.inside), 'step')}"
        return [*lines, f"  expected    {number} in the interval of {self.expected.words()}{self._moved()}"]

    def _moved(self) -> str:
        """What has changed since the rehearsals, in words; empty if nothing has."""
        assert self.expected is not None
        moved = {
            "other qubits": self.expected.qubits != self.device.facts.qubits,
            "another calibration": self.expected.calibration != self._date,
        }
        found = " and ".join(what for what, has_moved in moved.items() if has_moved)
        return f"; the run had {found}" if found else ""

    @property
    def _date(self) -> str:
        return str((self.record.calibration() or {}).get("date", ""))

    def _provenance(self) -> list[str]:
        """The calibrations, circuit and self-tests of the run, a line each."""
        sessions = self.record.sessions()
        number = len({session.backend.calibration for session in sessions})
        many = f", the last of {number:,} in {counted(len(sessions), 'session')}" * (number > 1)
        circuit = (sessions[-1].circuit or {}).get("crc32", "not recorded")
        same = "compiled anew it is the same" if self.twin.is_same_circuit else "compiled anew it is another one"
        lines = [f"  calibration {self._date or 'of unknown date'}{many}", f"  circuit     {circuit}, {same}"]
        for test in () if self.device.is_rehearsal else self.record.journal.history().self_tests():
            passed = "passed" if test.complaint is None else f"failed: {test.complaint}"
            versions = ", ".join(f"{name} {version}" for name, version in (test.versions or {}).items())
            lines.append(f"  self-test   {passed}, {test.time}, job {test.job_id}, {versions}")
        return lines

    @in_own_style
    def figure(self, folder: Path) -> Path:
        """Draw E as measured, E of the twin and the expected interval against the step.

        Args:
            folder: the directory for ``twin.png``, its PDF and ``twin.csv``.

        Returns:
            The path of the PNG file.
        """
        figure, axes = one_panel()
        steps = np.arange(len(self.measured))
        columns = {"step": steps, "measured": self.measured, "twin": self.twin.mean, "std_error": self.std_error}
        if self.expected is not None:
            low, high = (np.full(len(steps), np.nan) for _ in range(2))
            for filled, ends in zip((low, high), self.expected.interval, strict=True):
                filled[: len(ends)] = ends[: len(steps)]
            axes.fill_between(steps, low, high, color=GREY, alpha=0.25, linewidth=0, label="rehearsals, 95 %")
            columns |= {"low": low, "high": high}
        label = "twin at the same θ, ± one error"
        axes.errorbar(steps, self.twin.mean, self.std_error, label=label, color=RED, linewidth=0, elinewidth=1)
        axes.plot(steps, self.measured, color=BLUE, linewidth=0, marker="o", markersize=3, label="measured")
        axes.set_xlabel("step")
        axes.set_ylabel("E = ⟨C⟩")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.legend(fontsize=7, frameon=False)
        write_csv(folder / "twin.csv", columns)
        return save(figure, folder / "twin.png")
