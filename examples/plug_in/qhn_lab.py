"""Machines of a laboratory for qhn: ``lab_5`` is a ring of 5 qubits, one pair of which is worse than the others.

This file and ``pyproject.toml`` are the whole plug-in. Put in the place of the simulator whatever your laboratory or
vendor gives you: any ``BackendV2`` or V2 sampler of Qiskit.
"""

from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap, InstructionProperties

import qhn

CX, WORST_CX, READOUT = 0.005, 0.08, 0.02  # probabilities of an error


def open_lab(name: str) -> GenericBackendV2:
    """The machine of a name, ``lab_`` and its number of qubits, with the errors of its gates and of its readout.

    Raises:
        QhnError: if there is no machine of that name; qhn shows the message in one line.
    """
    number = name.removeprefix("lab_")
    if not number.isdecimal() or not 3 <= int(number) <= 20:
        raise qhn.QhnError(f"the laboratory has lab_3 to lab_20, and no {name}")
    ring = CouplingMap.from_ring(int(number))
    machine = GenericBackendV2(int(number), basis_gates=["rz", "sx", "x", "cx"], coupling_map=ring, seed=1)
    for pair in ring:
        error = WORST_CX if 0 in pair and 1 in pair else CX
        machine.target.update_instruction_properties("cx", pair, InstructionProperties(4e-7, error))
    for qubit in range(int(number)):
        machine.target.update_instruction_properties("measure", (qubit,), InstructionProperties(1e-6, READOUT))
    return machine
