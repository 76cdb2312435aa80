"""A device made of a recorded calibration alone, for which circuits are compiled as they were when it was made."""

from __future__ import annotations

from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from qhn.backend.device.chip import Chip
from qhn.backend.device.described import DescribedDevice
from qhn.errors import QhnError


class RecordedDevice(DescribedDevice):
    """The gates, errors and times of a calibration as a device of Qiskit, which runs nothing.

    Args:
        chip: the calibration, which :func:`qhn.backend.device.chip.chip_of` returns of the device.

    Raises:
        ValueError: at construction, if it has a gate that is none of Qiskit's standard gates.

    >>> from qhn.backend.device.chip import chip_of
    >>> from qhn.backend.rehearsal import stored_device
    >>> device = RecordedDevice(chip_of(stored_device("fake_manila")))
    >>> device.name, device.num_qubits, sorted(device.operation_names)
    ('fake_manila', 5, ['cx', 'id', 'measure', 'rz', 'sx', 'x'])
    """

    def __init__(self, chip: Chip) -> None:
        self.chip = chip  # which has more than the target, such as both errors of a readout
        known = get_standard_gate_name_mapping()
        times = zip(chip.t1, chip.t2, strict=True)
        target = Target(
            num_qubits=chip.num_qubits, qubit_properties=[QubitProperties(t1=t1, t2=t2) for t1, t2 in times]
        )
        for name in dict.fromkeys(name for name, _ in chip.gates):
            if name not in known:
                raise QhnError(f"{chip.name} has the gate {name}, which only its own client knows")
            places = {
                qubits: InstructionProperties(error=gate.error, duration=gate.duration)
                for (kind, qubits), gate in chip.gates.items()
                if kind == name
            }
            target.add_instruction(known[name], places, name=name)
        readout = {
            (qubit,): InstructionProperties(error=float(error), duration=chip.measure_duration)
            for qubit, error in enumerate(chip.readout_error)
        }
        target.add_instruction(known["measure"], readout)
        super().__init__(chip.name, target)
