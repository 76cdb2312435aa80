"""Circuits that are no chain: which qubits the transpiler may take, and what is kept of its choice."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.transpiler import generate_preset_pass_manager

from ansatzes import ansatz
from qhn.backend.device.chip import chip_of
from qhn.backend.device.isa import used_qubits
from qhn.backend.device.load import Load
from qhn.backend.device.placement import place
from qhn.backend.device.routing import Route, route_of
from qhn.backend.rehearsal import stored_device
from qhn.backend.settings import DeviceSettings
from qhn.circuit.measurement import with_measurement
from qhn.errors import QhnError


def placed(kind: str, num_qubits: int, name: str, **settings: object) -> tuple[Route, object]:
    placement = place(ansatz(kind, num_qubits).unrolled, stored_device(name), DeviceSettings(**settings))
    (route,) = placement.chains
    assert isinstance(route, Route)
    return route, placement


def test_the_fidelity_is_that_of_the_gates_and_readouts_of_the_compiled_circuit() -> None:
    route, placement = placed("qaoa-graph", 5, "fake_torino")
    chip, product = placement.chip, 1.0
    for instruction in placement.circuit.data:
        name = instruction.operation.name
        qubits = tuple(placement.circuit.find_bit(qubit).index for qubit in instruction.qubits)
        if name == "measure":
            product *= 1 - chip.readout_error[qubits[0]]
        elif name in ("sx", "x"):
            product *= 1 - chip.one_qubit_error[qubits[0]]
        elif name == "cz":
            product *= 1 - chip.gates[name, qubits].error
    assert route.fidelity == pytest.approx(product)
    facts = placement.describe()["tiles"][0]
    load = Load(**{name: tuple(counts) for name, counts in placement.describe()["load"].items()})
    kept = {name: facts[name] for name in ("qubits", "start", "used", "pairs")}
    assert route_of(chip, load, **kept) == route  # as a report restores it from the record
    assert placement.task(3, 3, 10).two_qubit_gates == placement.circuit.count_ops()["cz"]


def test_it_is_no_worse_than_one_run_of_the_transpiler() -> None:
    device = stored_device("fake_torino")
    circuit = with_measurement(ansatz("iqp", 6).unrolled.pruned)
    alone = generate_preset_pass_manager(optimization_level=3, backend=device, seed_transpiler=7).run(circuit)
    route, placement = placed("iqp", 6, "fake_torino")
    assert placement.circuit.count_ops()["cz"] <= 1.1 * alone.count_ops()["cz"]
    errors = [chip_of(device).pairs[pair] for pair in route.pairs]
    assert max(errors) < 1


def test_excluded_qubits_are_not_used() -> None:
    best, _ = placed("qaoa-ring", 4, "fake_torino")
    route, placement = placed("qaoa-ring", 4, "fake_torino", exclude=best.used)
    assert not set(best.used) & set(used_qubits(placement.circuit))
    assert str(best.used[0]) in placement.table()
    assert "the circuit is no chain" in placement.table()
    assert route.fidelity < best.fidelity


def test_the_same_start_gives_the_same_circuit_again() -> None:
    """As a resumed run asks for it."""
    circuit, device = ansatz("iqp", 5).unrolled, stored_device("fake_jakarta")
    first = place(circuit, device, DeviceSettings())
    again = place(circuit, device, DeviceSettings(qubits=(first.chains[0].start,)))
    assert again.chains == first.chains
    assert again.circuit == first.circuit


def test_what_cannot_be_routed_is_refused() -> None:
    with pytest.raises(QhnError, match=r"device\.tiles = 2 measures chains .* this circuit is no chain; leave it at 1"):
        placed("iqp", 3, "fake_jakarta", tiles=2)
    with pytest.raises(QhnError, match=r"device\.tiles = 2 measures chains"):
        placed("iqp", 3, "fake_jakarta", qubits=((0, 1, 2), (3, 4, 5)))
    assert len(placed("iqp", 3, "fake_jakarta", tiles="auto")[1].tiles) == 1
    with pytest.raises(QhnError, match="fake_manila has 5 qubits, the circuit needs 6"):
        placed("iqp", 6, "fake_manila")
    with pytest.raises(QhnError, match="fake_kyoto has no part of 3 connected working qubits"):
        placed("iqp", 3, "fake_kyoto")
    with pytest.raises(QhnError, match="the circuit needs 3 qubits, got 2"):
        placed("iqp", 3, "fake_manila", qubits=((0, 1),))
    with pytest.raises(QhnError, match="qubit 1 is asked for 2 times"):
        placed("iqp", 3, "fake_manila", qubits=((0, 1, 1),))
    with pytest.raises(QhnError, match="qubit 9 of fake_manila is not connected to its other working qubits"):
        placed("iqp", 3, "fake_manila", qubits=((0, 1, 9),))


def test_the_bare_circuit_turns_the_measured_qubits() -> None:
    _, placement = placed("iqp", 4, "fake_torino")
    measured = [
        placement.bare.find_bit(instruction.qubits[0]).index
        for instruction in placement.bare.data
        if instruction.operation.name == "measure"
    ]
    assert tuple(measured) == placement.qubits[0]
    assert not any(len(i.qubits) == 2 for i in placement.bare.data if i.operation.name != "barrier")
    assert np.unique([parameter.index for parameter in placement.bare.parameters]).tolist() == [0, 1, 2, 3]
