"""A device as its recorded calibration describes it, for which circuits are compiled without asking the machine."""

from __future__ import annotations

from typing import Any

from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import BackendV2, Options
from qiskit.transpiler import InstructionProperties, Target

from qhn.backend.device.chip import Chip
from qhn.errors import QhnError


class RecordedDevice(BackendV2):  # type: ignore[misc]  # qiskit has no types
    """The instructions of a calibration, with their errors and durations; it runs nothing.

    Args:
        chip: the calibration, which :func:`qhn.backend.device.chip.chip_of` returns of the device.

    Raises:
        ValueError: at construction, if it has a gate that is none of Qiskit's standard gates.
    """

    def __init__(self, chip: Chip) -> None:
        super().__init__(name=chip.name)
        self.chip = chip  # which has more than the target, such as both errors of a readout
        known = get_standard_gate_name_mapping()
        self._target = Target(num_qubits=chip.num_qubits)
        for name in dict.fromkeys(name for name, _ in chip.gates):
            if name not in known:
                raise QhnError(f"{chip.name} has the gate {name}, which only its own client knows")
            places = {
                qubits: InstructionProperties(error=gate.error, duration=gate.duration)
                for (kind, qubits), gate in chip.gates.items()
                if kind == name
            }
            self._target.add_instruction(known[name], places, name=name)
        readout = {
            (qubit,): InstructionProperties(error=float(error), duration=chip.measure_duration)
            for qubit, error in enumerate(chip.readout_error)
        }
        self._target.add_instruction(known["measure"], readout)

    @property
    def target(self) -> Target:
        """The instructions of the device."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """The largest number of circuits of a job, unlimited."""
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        """Refuse to run circuits: a recorded device only describes them."""
        raise RuntimeError("a recorded device runs nothing")
