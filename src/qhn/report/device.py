"""Reports on the device of a run or rehearsal: qubits, error suppression, price, and E by its noise model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.circuit.ansatz import GateCircuit
from qhn.errors import QhnError
from qhn.estimator.readout import inverted_for
from qhn.report.attempt import attempt
from qhn.report.drift import Drift
from qhn.report.jobs import ledger_of
from qhn.run.machine import NOT_OF_THE_VENDOR
from qhn.run.record import Record
from qhn.run.session import BackendFacts

APPLIED = ("noise", "rep_delay", "readout_errors", "dynamical_decoupling", "twirling")


@dataclass(frozen=True)
class TwinEnergies:
    """The mean cost E of a noisy twin, which simulates a device by its calibration, without shots.

    Attributes:
        plain: E in a run without mitigation of readout errors, whose circuit ends in its last CX brick.
        same_bits: E of the circuit that ran, without mitigation.
        mitigated: E of the circuit that ran, mitigated with the readout errors of the calibration; None if the run is
            not mitigated.
        is_exact: whether the simulation dropped no part of the state.
        discarded: the largest share of a state's weight that it dropped.
    """

    plain: float
    same_bits: float
    mitigated: float | None
    is_exact: bool
    discarded: float = 0.0


@dataclass(frozen=True)
class DeviceReport:
    """The report on a run whose last session used a device.

    Attributes:
        record: the record of the run.
        ansatz: the circuit of the run.
        facts: the backend's description of itself in the last session.
    """

    record: Record
    ansatz: GateCircuit
    facts: BackendFacts

    @classmethod
    def of(cls, record: Record, ansatz: GateCircuit) -> DeviceReport | None:
        """The report on a run, or None if its last session used no device.

        Args:
            record: the record of the run.
            ansatz: the circuit of the run.
        """
        sessions = record.sessions()
        if not sessions or not sessions[-1].backend.tiles:
            return None
        return cls(record, ansatz, sessions[-1].backend)

    @property
    def is_rehearsal(self) -> bool:
        """Whether the device is simulated by a calibration of it, so that nothing is billed."""
        machine = self.record.config.train.machine
        return machine.knows_distribution and not machine.bills

    @property
    def _has_other_prices(self) -> bool:
        """Whether the device bills, but no QPU seconds."""
        machine = self.record.config.train.machine
        return machine.bills and not machine.bills_seconds

    def lines(self) -> list[str]:
        """Lines for the page: qubits, suppression and mitigation as applied, calibration gaps, price, bills, drift."""
        words = [f"{name.replace('_', ' ')} {self.facts.facts[name]}" for name in APPLIED if name in self.facts.facts]
        words.append(f"mitigation {self.record.config.device.mitigation}")
        if self.facts.folded:
            words.append("last CX brick applied to the bits")
        lines = [f"  device      {self.facts.layout_words()}", f"  applied     {', '.join(words)}"]
        lines += [f"  assumed     {gap.words()}" for gap in self._placed[0].assumed]
        if self.facts.price:
            billed = " on a QPU; nothing was billed for this rehearsal" * self.is_rehearsal
            billed += NOT_OF_THE_VENDOR * self._has_other_prices
            lines.append(f"  price       {self.facts.price.words()}{billed}")
        if known := self._billed():
            lines.append(f"  billed      {known}")
        if self.drift:
            moved = "; sessions used different qubits" * (len(self._layouts()) > 1)
            lines.append(f"  drift       {self.drift.words()}{moved}")
        return lines

    @cached_property
    def drift(self) -> Drift | None:
        """The drift of E at the first θ along the run; None if no step measured it."""
        return Drift.of(self.record.steps())

    def _layouts(self) -> set[str]:
        """The different choices of qubits with which sessions advanced the run, as text."""
        return {str(session.backend.qubits) for session in self.record.sessions()}

    def _billed(self) -> str:
        """The QPU seconds and jobs that the run has spent, in words; empty without jobs."""
        record = self.record
        known = ledger_of(record)
        if not known.spent.jobs:
            return ""
        if self._has_other_prices:
            return f"{known.spent.shots:,} shots, for which the vendor has prices of its own; qhn jobs names the jobs"
        limit = record.config.train.max_qpu_seconds
        of = "" if limit is None else f" of {limit:,g}"
        spent = known.spent
        words = f"{spent.seconds:,.1f}{of} QPU s in {spent.jobs:,} job{'s' * (spent.jobs != 1)}"
        if known.lost.jobs:
            words += f", {known.lost.seconds:,.1f} of them in {known.lost.jobs:,} that led to no step"
        if known.begun.jobs:
            words += f", {known.begun.seconds:,.1f} in {known.begun.jobs:,} on the way"
        jobs = record.journal.history().jobs().values()
        unknown = sum(job.billed is None for job in jobs)
        if unknown:
            words += f"; {unknown:,} bill{'s' * (unknown != 1)} not yet known, counted at the price"
        low = sum(job.billed is not None and job.spent.seconds > job.billed for job in jobs)
        if low:
            words += f"; {low:,} ended at the limit, counted at the price until the bill is read a day later"
        if known.tests.jobs:
            words += f", {known.tests.seconds:,.1f} for the self-test"
        if known.idle.seconds:
            words += f", {known.idle.seconds:,.1f} for sessions between their jobs"
        return f"nothing; {words} would have been billed" if self.is_rehearsal else words

    def twin_energies(self, angles: Floats, costs: Floats) -> TwinEnergies | None:
        """The mean costs E of the noisy twin of the first tile, by the recorded calibration.

        It is None on a QPU, and for a circuit that is no chain, which has no twin.

        Args:
            angles: angles of the gates in radians, ``[num_gate_angles]``.
            costs: costs C of all bitstrings, ``[2**num_qubits]``, indexed with qubit 0 as the least significant bit.
        """
        if not self.is_rehearsal or self._is_routed:
            return None
        from qhn.backend.device.placement import compiled_for
        from qhn.backend.device.recorded import RecordedDevice
        from qhn.backend.noise.channels import ChipNoise
        from qhn.backend.noise.twin import Twin

        config = self.record.config.device
        chip, _, chains = self._placed
        if config.simulator == "aer":  # whose readout errors are symmetric
            chip = replace(chip, readout=np.repeat(chip.readout_error[:, None], 2, axis=1))
        device, noise = RecordedDevice(chip), ChipNoise(chip)

        def twin(folded: bool) -> Twin:
            circuit = compiled_for(self.ansatz, device, chains[0].qubits, folded=folded)
            return Twin(circuit, noise, max_bond=config.max_bond)

        ran = twin(folded=False)
        plain = float(ran.energies(angles[None], costs)[0])
        if config.mitigation == "none":
            return TwinEnergies(plain, plain, None, ran.is_exact, ran.discarded_weight)
        dropped, folded = ran.discarded_weight, self.facts.folded
        ran = twin(folded=True) if folded else ran
        network = self.ansatz.relabelled if folded else np.arange(len(costs))
        rates = chip.readout[list(chains[0].qubits)]
        tables = costs, inverted_for(self.ansatz, costs, rates, folded=folded)
        same_bits, mitigated = (float(ran.energies(angles[None], table[network])[0]) for table in tables)
        return TwinEnergies(plain, same_bits, mitigated, ran.is_exact, max(dropped, ran.discarded_weight))

    @cached_property
    def _placed(self) -> tuple[Any, Any, list[Any]]:
        """The chip, the numbers of gates of the circuit and the chains of qubits or the route, from the record."""
        from qhn.backend.device.chip import Chip
        from qhn.backend.device.layout import chain_of
        from qhn.backend.device.load import Load
        from qhn.backend.device.routing import route_of

        tree = self.record.calibration()
        if tree is None:
            raise QhnError(f"{self.record.directory} has no calibration of {self.facts.name}, which its folder holds")
        chip = Chip.from_json(tree)
        load = Load(**{name: tuple(counts) for name, counts in self.facts.load.items()})
        if self._is_routed:
            return chip, load, [route_of(chip, load, qubits=tile.qubits, **tile.route) for tile in self.facts.tiles]
        return chip, load, [chain_of(chip, load, tile.qubits, exact=tile.exact) for tile in self.facts.tiles]

    @property
    def _is_routed(self) -> bool:
        """Whether the circuit is no chain, so that the transpiler chose its qubits and inserted swaps."""
        return any(tile.route for tile in self.facts.tiles)

    def layout(self) -> str:
        """A table in text of the qubits in use: estimated fidelities, errors of the qubits, and qubits left out."""
        from qhn.backend.device.region import report

        chip, load, chains = self._placed
        config = self.record.config.device
        return report(chip, load, chains, exclude=config.exclude, searched=not config.qubits)

    def figures(self, folder: Path) -> list[Path]:
        """Draw the qubits in use on a map of the chip, and the drift if it was measured.

        Args:
            folder: the directory for the pictures and their data.

        Returns:
            The paths of the PNG files; one that cannot be drawn is left out, and a warning says why.
        """
        chip, _, chains = self._placed
        paths = []
        with attempt("layout.png"):
            from qhn.report.chip_map import chip_map

            paths.append(chip_map(folder / "layout.png", chip, chains))
        if self.drift and self.drift.freedom:
            with attempt("drift.png"):
                from qhn.report.figures import drift_curve

                paths.append(drift_curve(folder, self.drift))
        return paths
