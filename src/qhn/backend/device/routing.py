"""The layout of circuits that are no chain: Qiskit's transpiler finds their qubits and inserts swaps.

It runs with several seeds on the working qubits of the device, and the circuit with the highest estimated fidelity is
kept, by the same estimate as for chains. Swaps move the circuit's qubits, so that one may end, and be measured, on
another qubit of the device than that on which it starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import CXGate
from qiskit.providers import BackendV2
from qiskit.transpiler import Target, generate_preset_pass_manager

from qhn.backend.device.chip import VIRTUAL, Chip
from qhn.backend.device.isa import Patch, in_directions, measured_qubits, onto_device, used_qubits
from qhn.backend.device.layout import usable_part
from qhn.backend.device.load import Load
from qhn.circuit.measurement import with_measurement
from qhn.errors import QhnError

SEEDS = range(1, 9)  # seeds of the transpiler that are tried, first for the qubits and then for the swaps


@dataclass(frozen=True)
class Route:
    """The qubits of a device that take one circuit whose qubits are no chain, with the estimated fidelity.

    Attributes:
        qubits: the device's qubits on which the ansatz's qubits 0, 1, … are measured.
        start: the device's qubits on which the ansatz's qubits 0, 1, … start, before any swap.
        used: all qubits of the device that the circuit uses, ascending; some may only help to swap.
        pairs: the pairs ``(a, b)``, a < b, of the device's qubits on which gates act.
        readout, one_qubit, two_qubit: the products of 1 − error over all readouts, one-qubit gates and two-qubit gates.
    """

    qubits: tuple[int, ...]
    start: tuple[int, ...]
    used: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    readout: float
    one_qubit: float
    two_qubit: float

    @property
    def exact(self) -> bool:
        """Whether it is certain that no choice of qubits is better; it never is."""
        return False

    @property
    def fidelity(self) -> float:
        """The estimated probability that nothing goes wrong in a shot."""
        return self.readout * self.one_qubit * self.two_qubit

    def facts(self) -> dict[str, Any]:
        """What a record keeps of the route beside its measured qubits, as JSON values."""
        return {"start": list(self.start), "used": list(self.used), "pairs": [list(pair) for pair in self.pairs]}


def routed(
    circuit: QuantumCircuit, device: BackendV2, chip: Chip, *, exclude: Iterable[int] = (), start: Sequence[int] = ()
) -> tuple[QuantumCircuit, Route, Load]:
    """Compile a circuit onto the qubits of a device that the transpiler finds, and route its gates by swaps.

    The same start gives the same circuit, as long as the calibration is the same.

    Args:
        circuit: a circuit without measurement.
        device: the device whose instructions are used.
        chip: calibration of the device. What does not work (error 1), and faulty qubits, are never used.
        exclude: qubits of the device not to use.
        start: the device's qubits on which the circuit's qubits 0, 1, … start; empty to have them chosen.

    Returns:
        The compiled circuit on all qubits of the device, with qubit j of the circuit measured into bit j of the
        register ``meas``; its route; and its numbers of gates on the route's used qubits and pairs.

    Raises:
        ValueError: if the device has too few connected working qubits, or a qubit of ``start`` is none of them.
    """
    return routed_with_measurements(with_measurement(circuit), device, chip, exclude=exclude, start=start)


def routed_with_measurements(
    circuit: QuantumCircuit,
    device: BackendV2,
    chip: Chip,
    *,
    exclude: Iterable[int] = (),
    start: Sequence[int] = (),
    seeds: Sequence[int] = SEEDS,
) -> tuple[QuantumCircuit, Route, Load]:
    """Compile a circuit as :func:`routed` does, with the measurements that it has.

    Args:
        circuit: a circuit that is measured into the register ``meas``.
        device: the device whose instructions are used.
        chip: calibration of the device. What does not work (error 1), and faulty qubits, are never used.
        exclude: qubits of the device not to use.
        start: the device's qubits on which the circuit's qubits 0, 1, … start; empty to have them chosen.
        seeds: seeds of the transpiler that are tried, first for the qubits and then for the swaps.

    Returns:
        The compiled circuit on all qubits of the device; its route, whose ``qubits`` are those that are measured into
        bits 0, 1, …; and its numbers of gates on the route's used qubits and pairs.

    Raises:
        ValueError: if the device has too few connected working qubits, or a qubit of ``start`` is none of them.
    """
    part = usable_part(chip, circuit.num_qubits, exclude)
    if start:
        _check_start(chip, part, circuit.num_qubits, start)
    target = Patch(device, chip, part).target

    def best(layout: Sequence[int] | None) -> tuple[QuantumCircuit, list[int]]:
        return max((_transpiled(circuit, target, seed, layout) for seed in seeds), key=fidelity)

    def fidelity(found: tuple[QuantumCircuit, list[int]]) -> float:
        return _route(chip, onto_device(found[0], part, chip.num_qubits), ())[0].fidelity

    place = {qubit: index for index, qubit in enumerate(part)}
    layout = [place[qubit] for qubit in start] or best(None)[1]
    isa = onto_device(best(layout)[0], part, chip.num_qubits)
    return isa, *_route(chip, isa, tuple(part[index] for index in layout))


def route_of(
    chip: Chip,
    load: Load,
    *,
    qubits: Iterable[int],
    start: Iterable[int],
    used: Iterable[int],
    pairs: Iterable[Sequence[int]],
) -> Route:
    """The route of given qubits of the chip, with its estimated fidelity.

    Args:
        chip: calibration of the device.
        load: numbers of gates on each qubit of ``used`` and on each pair of ``pairs``.
        qubits: the qubits on which the ansatz's qubits 0, 1, … are measured.
        start: the qubits on which they start.
        used: all qubits in use, ascending.
        pairs: the pairs of qubits on which gates act.
    """
    measured, touched = tuple(qubits), tuple(used)
    coupled = tuple((min(pair), max(pair)) for pair in pairs)
    errors = chip.pairs
    two = np.array([errors[pair] for pair in coupled])
    return Route(
        qubits=measured,
        start=tuple(start),
        used=touched,
        pairs=coupled,
        readout=float(np.prod(1 - chip.readout_error[list(measured)])),
        one_qubit=float(np.prod((1 - chip.one_qubit_error[list(touched)]) ** np.array(load.one_qubit))),
        two_qubit=float(np.prod((1 - two) ** np.array(load.two_qubit))),
    )


def _transpiled(
    circuit: QuantumCircuit, target: Target, seed: int, layout: Sequence[int] | None
) -> tuple[QuantumCircuit, list[int]]:
    """The compiled circuit, and the qubits on which the circuit's qubits start."""
    uniform = _uniform(target)
    passes = generate_preset_pass_manager(
        optimization_level=3, target=uniform or target, initial_layout=layout, seed_transpiler=seed
    )
    isa = passes.run(circuit)
    start = isa.layout.initial_index_layout(filter_ancillas=True)
    if uniform is not None:
        own = generate_preset_pass_manager(
            optimization_level=1, target=target, initial_layout=list(range(target.num_qubits)), seed_transpiler=seed
        )
        isa = own.run(in_directions(isa, target, range(target.num_qubits)))
    return isa, start


def _uniform(target: Target) -> Target | None:
    """The device as if it had CX on all pairs, both ways; None if all its pairs have the same gates anyway.

    Qiskit cannot route a circuit on a device some of whose pairs have CX one way and others have another gate.
    """
    pairs: dict[tuple[int, ...], set[str]] = {}
    errors: dict[tuple[int, ...], Any] = {}
    alike = Target(num_qubits=target.num_qubits, dt=target.dt, qubit_properties=target.qubit_properties)
    for name in target.operation_names:
        places = {qubits: known for qubits, known in (target[name] or {}).items() if qubits is not None}
        if any(len(qubits) == 2 for qubits in places):
            for qubits, known in places.items():
                pairs.setdefault(tuple(sorted(qubits)), set()).add(name)
                errors |= dict.fromkeys((qubits, qubits[::-1]), known)
        elif places:
            alike.add_instruction(target.operation_from_name(name), places, name=name)
    if len({frozenset(names) for names in pairs.values()}) < 2:
        return None
    alike.add_instruction(CXGate(), errors)
    return alike


def _route(chip: Chip, isa: QuantumCircuit, start: tuple[int, ...]) -> tuple[Route, Load]:
    """The route and the load of a compiled circuit on all qubits of the device."""
    counts: Counter[tuple[int, ...]] = Counter()
    for instruction in isa.data:
        if instruction.operation.name not in ("barrier", "measure", *VIRTUAL):
            counts[tuple(sorted(isa.find_bit(qubit).index for qubit in instruction.qubits))] += 1
    used, pairs = used_qubits(isa), sorted(at for at in counts if len(at) == 2)
    load = Load(tuple(counts[(qubit,)] for qubit in used), tuple(counts[pair] for pair in pairs))
    return route_of(chip, load, qubits=measured_qubits(isa), start=start, used=used, pairs=pairs), load


def _check_start(chip: Chip, part: Sequence[int], num_qubits: int, start: Sequence[int]) -> None:
    """Refuse qubits to start on that are too few or too many, occur twice, or do not work."""
    if len(start) != num_qubits:
        raise QhnError(f"the circuit needs {num_qubits} qubits, got {len(start)}")
    for qubit, count in Counter(start).items():
        if count > 1:
            raise QhnError(f"qubit {qubit} is asked for {count} times")
        if qubit not in part:
            raise QhnError(f"qubit {qubit} of {chip.name} is not connected to its other working qubits")
