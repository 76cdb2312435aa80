"""A device made of a calibration alone, for which circuits are compiled as they were when it was calibrated."""

from __future__ import annotations

from typing import Any

from qiskit.circuit import Measure
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import BackendV2, Options, QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from qhn.backend.device.chip import Chip


class CalibratedDevice(BackendV2):  # type: ignore[misc]  # qiskit has no types
    """The gates, errors and times of a recorded calibration as a device of Qiskit, which runs nothing.

    Gates that are none of Qiskit's standard gates are left out: no circuit of this package has them.

    Args:
        chip: the calibration.

    >>> from qhn.backend.device.chip import chip_of
    >>> from qhn.backend.rehearsal import stored_device
    >>> device = CalibratedDevice(chip_of(stored_device("fake_manila")))
    >>> device.name, device.num_qubits, sorted(device.operation_names)
    ('fake_manila', 5, ['cx', 'id', 'measure', 'rz', 'sx', 'x'])
    """

    def __init__(self, chip: Chip) -> None:
        super().__init__(name=chip.name)
        standard = get_standard_gate_name_mapping()
        times = zip(chip.t1, chip.t2, strict=True)
        self._target = Target(
            num_qubits=chip.num_qubits, qubit_properties=[QubitProperties(t1=t1, t2=t2) for t1, t2 in times]
        )
        for name in dict.fromkeys(name for name, _ in chip.gates):
            if name in standard:
                places = {qubits: gate for (kind, qubits), gate in chip.gates.items() if kind == name}
                facts = {
                    qubits: InstructionProperties(duration=gate.duration, error=gate.error)
                    for qubits, gate in places.items()
                }
                self._target.add_instruction(standard[name], facts)
        read = {
            (qubit,): InstructionProperties(duration=chip.measure_duration, error=float(error))
            for qubit, error in enumerate(chip.readout_error)
        }
        self._target.add_instruction(Measure(), read)

    @property
    def target(self) -> Target:
        """The gates of the device, with the errors and durations of the calibration."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """The largest number of circuits of a job, unlimited."""
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        """Refuse to run circuits: a calibration only describes a device."""
        raise RuntimeError("a calibration describes a device; it runs nothing")
