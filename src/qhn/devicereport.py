"""What a run on a device, or a rehearsal, says of it: qubits, what was applied, price, and what its noise should do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.ansatz import Ansatz
from qhn.backend import DeviceSettings, open_backend
from qhn.noisy import Noisy
from qhn.quote import layout_words, price_words
from qhn.readout import inverted
from qhn.record import Record

Floats = NDArray[np.float64]
APPLIED = ("noise", "rep_delay", "readout_errors", "dynamical_decoupling", "twirling")


@dataclass(frozen=True)
class DeviceReport:
    """A run whose last session used a device.

    Attributes:
        record: of the run.
        ansatz: its circuit.
        facts: what the session's sampler said of itself.
    """

    record: Record
    ansatz: Ansatz
    facts: dict[str, Any]

    @classmethod
    def of(cls, record: Record, ansatz: Ansatz) -> DeviceReport | None:
        """That of a run, or None if it used no device."""
        sessions = record.manifest()
        if not sessions or "tiles" not in sessions[-1]["backend"]:
            return None
        return cls(record, ansatz, sessions[-1]["backend"])

    @property
    def is_rehearsal(self) -> bool:
        """Whether the device is a stored one."""
        return str(self.facts["name"]).startswith("fake_")

    def lines(self) -> list[str]:
        """Qubits, what was really applied, and the price, for the run's page."""
        words = [f"{name.replace('_', ' ')} {self.facts[name]}" for name in APPLIED if name in self.facts]
        words.append(f"mitigation {self.record.config.device.mitigation}")
        lines = [f"  device      {layout_words(self.facts)}", f"  applied     {', '.join(words)}"]
        if "price" in self.facts:
            billed = " on a QPU; nothing was billed for this rehearsal" * self.is_rehearsal
            lines.append(f"  price       {price_words(self.facts['price'])}{billed}")
        return lines

    def twin_energies(self, theta: Floats, costs: Floats) -> tuple[float, float | None] | None:
        """E of the noisy twin of the first tile at θ, without shots; None if there is none.

        Without mitigation, and as readout inversion at the true rates makes it, None if nothing is mitigated.
        """
        if not self.is_rehearsal:
            return None
        config = self.record.config.device
        mitigated = config.mitigation != "none"
        chain = tuple(self.facts["tiles"][0]["qubits"])
        settings = DeviceSettings(qubits=(chain,), calibrate=mitigated, max_bond=config.max_bond)
        sampler = open_backend(self.facts["name"], settings).compile(self.ansatz)
        assert isinstance(sampler, Noisy)
        raw = float(sampler.energies(theta[None], costs)[0])
        if not mitigated:
            return raw, None
        chip, _, _ = self._placed
        network = self.ansatz.relabelled if self.facts["circuit"] == "executed" else slice(None)
        table = inverted(costs[network], chip.readout[list(chain)])[network]
        return raw, float(sampler.energies(theta[None], table)[0])

    @cached_property
    def _placed(self) -> tuple[Any, Any, list[Any]]:
        """Chip, load and chains, from the record."""
        from qhn.backend.chip import Chip
        from qhn.backend.layout import chain_of, load_of

        tree = self.record.calibration()
        assert tree is not None  # a device is recorded with its calibration
        chip = Chip.from_json(tree)
        load = load_of(self.ansatz, fold=self.facts["circuit"] == "executed")
        return chip, load, [chain_of(chip, load, tile["qubits"]) for tile in self.facts["tiles"]]

    def layout(self) -> str:
        """The chains as a table: their estimated fidelities, what they are made of, and what was not used."""
        from qhn.backend.layout import report

        chip, load, chains = self._placed
        return report(chip, load, chains, exclude=self.record.config.device.exclude)

    def figure(self, path: Path) -> Path:
        """The chains on the chip."""
        from qhn.chipmap import chip_map

        chip, _, chains = self._placed
        return chip_map(path, chip, chains)
