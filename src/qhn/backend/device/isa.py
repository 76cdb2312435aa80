"""Circuits in a device's own instructions: on one chain or on several side by side, checked before they are sent.

The service rejects a circuit that does not fit its device only after the job has waited in the queue, so it is checked
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import ParameterExpression, ParameterVector
from qiskit.providers import BackendV2, QubitProperties
from qiskit.transpiler import InstructionProperties, Target, generate_preset_pass_manager

from qhn.arrays import Bits, Integers
from qhn.backend.device.chip import DEAD, Chip
from qhn.backend.device.described import DescribedDevice
from qhn.circuit.measurement import with_measurement
from qhn.errors import QhnError

TRANSPILER_SEED = 1


def compile_chain(circuit: QuantumCircuit, device: BackendV2, qubits: Sequence[int]) -> QuantumCircuit:
    """Compile a circuit onto given qubits of a device, with qubit j measured into bit j of the register ``meas``.

    Level 3 merges rotations, and removes those that have no effect on the measured bits, but nothing is moved: the
    qubits are those of :func:`~qhn.backend.device.layout.best_chain`.

    Args:
        circuit: a circuit on a chain of ``len(qubits)`` qubits, without measurement.
        device: the device whose instructions are used.
        qubits: the device's qubits for the circuit's qubits 0, 1, …; consecutive ones are neighbours.

    Raises:
        RuntimeError: if the compiler moved a qubit, so that bits would be read as those of others.
    """
    layout = [int(qubit) for qubit in qubits]
    written = with_measurement(in_directions(circuit, device.target, layout))
    for level in (3, 1):  # level 3 makes a swap that it finds among the gates by measuring other qubits
        passes = generate_preset_pass_manager(
            optimization_level=level, backend=device, initial_layout=layout, seed_transpiler=TRANSPILER_SEED
        )
        isa: QuantumCircuit = passes.run(written)
        moved = isa.layout.final_index_layout()
        if moved == layout:
            return isa
    raise RuntimeError(f"Qiskit compiled a circuit for qubits {layout} of {device.name} onto {moved}")


def in_directions(circuit: QuantumCircuit, target: Target, layout: Sequence[int]) -> QuantumCircuit:
    """The circuit with each CX that the device has the other way round written as that one between Hadamards.

    Qiskit turns a CX itself, but not on devices some of whose pairs have another gate instead.
    """
    existing = set(target["cx"] or ()) if "cx" in target.operation_names else set()
    turned = circuit.copy_empty_like()
    for instruction in circuit.data:
        control, *others = at = [layout[circuit.find_bit(qubit).index] for qubit in instruction.qubits]
        if instruction.operation.name == "cx" and tuple(at) not in existing and (*others, control) in existing:
            turned.h(instruction.qubits)
            turned.cx(*instruction.qubits[::-1])
            turned.h(instruction.qubits)
        else:
            turned.append(instruction)
    return turned


def check_isa(circuit: QuantumCircuit, chip: Chip) -> None:
    """Refuse a circuit that the device would reject, or that uses what the calibration reports as out of order.

    Raises:
        ValueError: if an instruction does not exist on its qubits in its direction, is on a faulty qubit, does not work
            (error 1), or is of a kind whose error the device reports nowhere; the message names the first one.
    """
    for instruction in circuit.data:
        name = instruction.operation.name
        qubits = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        if name == "barrier":
            continue
        where = f"{name} on qubit{'s' * (len(qubits) > 1)} {', '.join(map(str, qubits))}"
        broken = sorted(chip.faulty & set(qubits))
        if broken:
            raise QhnError(f"{where} of {chip.name}: it reports qubit {broken[0]} as faulty; exclude it")
        is_measurement = name == "measure" and qubits[0] < chip.num_qubits
        if not is_measurement and (name, qubits) not in chip.gates:
            raise QhnError(f"{chip.name} does not support {where}")
        error, kind = (
            (chip.readout_error[qubits[0]], "readout error")
            if is_measurement
            else (chip.gates[name, qubits].error, f"error of {name}")
        )
        if error >= DEAD and not chip.reports(kind):
            raise QhnError(f"{chip.name} reports no {kind}, so that {where} has no price; use another device")
        if error >= DEAD:
            raise QhnError(f"{chip.name} reports {where} as dead (error 1); exclude a qubit of it")


def side_by_side(circuits: Sequence[QuantumCircuit], num_parameters: int) -> QuantumCircuit:
    """Combine circuits compiled on disjoint qubits of one device into one circuit that measures all at the same time.

    Args:
        circuits: one circuit per tile, all of equally many qubits, with angles named by an index below
            ``num_parameters``.
        num_parameters: number of angles of the ansatz.

    Returns:
        The combined circuit. Angle i of tile t is element ``t * num_parameters + i`` of one vector ``theta``, of which
        compilation may have removed some, and bit j of tile t is bit ``t * num_bits + j`` of one register ``meas``.
    """
    theta = ParameterVector("theta", len(circuits) * num_parameters)
    num_bits = circuits[0].num_clbits
    wide = QuantumCircuit(circuits[0].num_qubits)
    wide.add_register(ClassicalRegister(len(circuits) * num_bits, "meas"))
    measurements = []
    for tile, circuit in enumerate(circuits):
        for instruction in circuit.data:
            gate = instruction.operation
            at = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
            if gate.name == "measure":
                measurements.append((at[0], tile * num_bits + circuit.find_bit(instruction.clbits[0]).index))
            elif gate.name != "barrier":
                if gate.is_parameterized():
                    gate = gate.to_mutable()
                    gate.params = [_renamed(value, theta, tile * num_parameters) for value in gate.params]
                wide.append(gate, at)
    wide.barrier([qubit for qubit, _ in measurements])
    for qubit, bit in measurements:
        wide.measure(qubit, bit)
    return wide


def _renamed(value: Any, theta: ParameterVector, first: int) -> Any:
    if not isinstance(value, ParameterExpression):
        return value
    return value.subs({parameter: theta[first + parameter.index] for parameter in value.parameters})


def calibration_circuits(chains: Sequence[Sequence[int]], device: BackendV2) -> list[QuantumCircuit]:
    """Two circuits that prepare all bits 0 and all bits 1, measured as by :func:`side_by_side` on the chains."""
    qubits = [int(qubit) for chain in chains for qubit in chain]
    return prepared_circuits(np.repeat([[0], [1]], len(qubits), axis=1), qubits, device)


def prepared_circuits(rows: Bits | Integers, qubits: Sequence[int], device: BackendV2) -> list[QuantumCircuit]:
    """Compiled circuits that prepare known bits on qubits of a device, and measure them into the register ``meas``.

    Args:
        rows: the bits of each circuit, ``[num_circuits, len(qubits)]``.
        qubits: the device's qubits that are measured into bits 0, 1, …; of one that occurs twice the bits are equal.
        device: the device.
    """
    passes = generate_preset_pass_manager(
        optimization_level=0, backend=device, initial_layout=list(range(device.num_qubits))
    )
    circuits = []
    for bits in rows:
        circuit = QuantumCircuit(device.num_qubits)
        circuit.add_register(ClassicalRegister(len(qubits), "meas"))
        ones = sorted({qubit for qubit, bit in zip(qubits, bits, strict=True) if bit})
        if ones:
            circuit.x(ones)
        circuit.barrier(sorted(set(qubits)))
        circuit.measure(qubits, range(len(qubits)))
        circuits.append(passes.run(circuit))
    return circuits


def duration(circuit: QuantumCircuit, chip: Chip) -> float:
    """The time from the first gate of a compiled circuit to the end of its measurement, in seconds.

    Durations are those of the calibration.
    """
    clock = [0.0] * circuit.num_qubits
    for instruction in circuit.data:
        name = instruction.operation.name
        qubits = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        takes = 0.0
        if name == "measure":
            takes = chip.measure_duration
        elif name != "barrier":
            takes = chip.gates[name, qubits].duration
        end = max(clock[qubit] for qubit in qubits) + takes
        for qubit in qubits:
            clock[qubit] = end
    return max(clock)


def used_qubits(circuit: QuantumCircuit) -> list[int]:
    """The device's qubits that the circuit's instructions act on, ascending."""
    touched = (i.qubits for i in circuit.data if i.operation.name != "barrier")
    return sorted({circuit.find_bit(qubit).index for qubits in touched for qubit in qubits})


def measured_qubits(circuit: QuantumCircuit) -> tuple[int, ...]:
    """The device's qubits that are measured into bits 0, 1, … of the register ``meas``, the circuit's only one."""
    found = {
        circuit.find_bit(instruction.clbits[0]).index: circuit.find_bit(instruction.qubits[0]).index
        for instruction in circuit.data
        if instruction.operation.name == "measure"
    }
    return tuple(qubit for _, qubit in sorted(found.items()))


def onto_device(circuit: QuantumCircuit, qubits: Sequence[int], num_qubits: int) -> QuantumCircuit:
    """Rewrite a circuit compiled for a :class:`Patch` of these ``qubits`` onto all qubits of the device."""
    whole = QuantumCircuit(num_qubits)
    for register in circuit.cregs:
        whole.add_register(register)
    for instruction in circuit.data:
        whole.append(
            instruction.operation,
            [qubits[circuit.find_bit(qubit).index] for qubit in instruction.qubits],
            instruction.clbits,
        )
    return whole


def onto_patch(circuit: QuantumCircuit, qubits: Sequence[int]) -> QuantumCircuit:
    """Rewrite a compiled circuit onto ``len(qubits)`` qubits, numbered as a :class:`Patch` numbers them."""
    position = {qubit: i for i, qubit in enumerate(qubits)}
    small = QuantumCircuit(len(qubits))
    for register in circuit.cregs:
        small.add_register(register)
    for instruction in circuit.data:
        indices = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        if instruction.operation.name != "barrier":
            small.append(instruction.operation, [position[index] for index in indices], instruction.clbits)
    return small


class Patch(DescribedDevice):
    """Some qubits of a device as a smaller device, without gates that do not work.

    A noise model of all qubits of the device would take seconds per job. Errors and times are those of the
    calibration, in which nothing is left unknown.

    Args:
        device: the device.
        chip: calibration of the device.
        qubits: the qubits of the device that become qubits 0, 1, ….
    """

    def __init__(self, device: BackendV2, chip: Chip, qubits: Sequence[int]) -> None:
        position = {qubit: i for i, qubit in enumerate(qubits)}
        target = Target(
            num_qubits=len(qubits),
            dt=device.target.dt,
            qubit_properties=[QubitProperties(t1=chip.t1[qubit], t2=chip.t2[qubit]) for qubit in qubits],
        )
        for name in device.target.operation_names:
            kept = {
                tuple(position[q] for q in qargs): _properties(chip, name, qargs)
                for qargs in device.target[name] or {}
                if qargs is not None and all(q in position for q in qargs) and _works(chip, name, qargs)
            }
            if kept:
                target.add_instruction(device.target.operation_from_name(name), kept, name=name)
        super().__init__(f"{device.name}[{len(qubits)}]", target)


def _works(chip: Chip, name: str, qubits: tuple[int, ...]) -> bool:
    """Whether an instruction is not reported as out of order (error 1)."""
    gate = chip.gates.get((name, qubits))
    return gate is None or gate.error < DEAD


def _properties(chip: Chip, name: str, qubits: tuple[int, ...]) -> InstructionProperties:
    """The error and duration of an instruction in the calibration; neither of what is no gate and no measurement."""
    if name == "measure":
        return InstructionProperties(duration=chip.measure_duration, error=float(chip.readout_error[qubits[0]]))
    gate = chip.gates.get((name, qubits))
    return InstructionProperties() if gate is None else InstructionProperties(duration=gate.duration, error=gate.error)
