"""Compiled circuits measure what the ansatz measures, each tile for itself; what a device rejects is refused before."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector
from qiskit_ibm_runtime import fake_provider

import reference
from qhn.backend.aer import publish
from qhn.backend.device.chip import GateFacts, chip_of
from qhn.backend.device.isa import (
    Patch,
    calibration_circuits,
    check_isa,
    compile_chain,
    duration,
    onto_patch,
    side_by_side,
    used_qubits,
)
from qhn.backend.device.layout import best_chain, disjoint_chains
from qhn.backend.device.load import load_of
from qhn.circuit.hypernetwork import hypernetwork, product_state


def probabilities(circuit: QuantumCircuit, qubits: tuple[int, ...]) -> np.ndarray:
    """Of the measured bits of a bound circuit, exactly."""
    small = onto_patch(circuit, qubits)
    bits = [0] * len(qubits)
    for instruction in small.get_instructions("measure"):
        bits[small.find_bit(instruction.clbits[0]).index] = small.find_bit(instruction.qubits[0]).index
    return Statevector(small.remove_final_measurements(inplace=False)).probabilities(bits)


def bind(circuit: QuantumCircuit, theta: np.ndarray) -> QuantumCircuit:
    circuit, rows = publish(circuit, theta[None])
    return circuit.assign_parameters(rows[0])


@pytest.mark.parametrize("name", ["FakeManilaV2", "FakeCasablancaV2", "FakeTorino", "FakeSherbrooke", "FakeAlmadenV2"])
@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_a_compiled_chain_measures_what_the_ansatz_does(name: str, order: str, rng: np.random.Generator) -> None:
    device, ansatz = getattr(fake_provider, name)(), hypernetwork(5, 2, order)
    chip = chip_of(device)
    chain = best_chain(chip, load_of(ansatz))
    isa = compile_chain(ansatz.pruned, device, chain.qubits)
    check_isa(isa, chip)
    assert used_qubits(isa) == sorted(chain.qubits)
    assert sum(len(gate.qubits) == 2 for gate in isa.data) == sum(load_of(ansatz).two_qubit)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    exact = reference.probabilities(reference.literal_circuit(5, 2, order, theta))
    np.testing.assert_allclose(probabilities(bind(isa, theta), chain.qubits), exact, atol=1e-12)


@pytest.mark.parametrize(("num_qubits", "order"), [(3, "eq5"), (4, "authors")])
def test_tiles_side_by_side_keep_their_angles_and_bits(num_qubits: int, order: str, rng: np.random.Generator) -> None:
    device, ansatz = fake_provider.FakeTorino(), hypernetwork(num_qubits, 2, order)
    chip = chip_of(device)
    chains = disjoint_chains(chip, load_of(ansatz), 3)
    wide = side_by_side([compile_chain(ansatz.pruned, device, c.qubits) for c in chains], ansatz.num_parameters)
    check_isa(wide, chip)
    assert [(register.name, register.size) for register in wide.cregs] == [("meas", 3 * num_qubits)]
    thetas = rng.uniform(0, 2 * np.pi, (3, ansatz.num_parameters))
    bound = bind(wide, thetas.ravel())
    assert not bound.parameters
    joint = probabilities(bound, tuple(qubit for chain in chains for qubit in chain.qubits))
    joint = joint.reshape(3 * (2**num_qubits,))  # the last tile varies slowest
    for tile, theta in enumerate(thetas):
        exact = reference.probabilities(reference.literal_circuit(num_qubits, 2, order, theta))
        others = tuple(axis for axis in range(3) if axis != 2 - tile)
        np.testing.assert_allclose(joint.sum(axis=others), exact, atol=1e-12)


def test_eleven_tiles_sort_by_number_and_not_by_name() -> None:
    """RY(π) on qubit 0 of tile t = 10: names theta[2], theta[20] sort wrongly as text."""
    device, ansatz = fake_provider.FakeTorino(), product_state(1)
    chains = [(qubit,) for qubit in range(11)]
    wide = side_by_side([compile_chain(ansatz.pruned, device, chain) for chain in chains], ansatz.num_parameters)
    theta = np.zeros(22)
    theta[20] = np.pi
    measured = probabilities(bind(wide, theta), tuple(range(11)))
    assert measured[1 << 10] == pytest.approx(1)


@pytest.mark.parametrize("name", ["FakeTorino", "FakeAlmadenV2"])
def test_calibration_circuits_prepare_known_bits(name: str) -> None:
    device = getattr(fake_provider, name)()
    chains = [(6, 7), (3, 2)]
    for circuit, value in zip(calibration_circuits(chains, device), (0, 15), strict=True):
        check_isa(circuit, chip_of(device))
        assert circuit.num_qubits == device.num_qubits
        assert probabilities(circuit, (6, 7, 3, 2))[value] == pytest.approx(1)
        places = {
            circuit.find_bit(i.clbits[0]).index: circuit.find_bit(i.qubits[0]).index
            for i in circuit.get_instructions("measure")
        }
        assert [places[bit] for bit in range(4)] == [6, 7, 3, 2]


def test_what_a_device_would_reject_is_refused() -> None:
    chip = chip_of(fake_provider.FakeTorino())
    far, foreign, dead, fine = (QuantumCircuit(133, 1) for _ in range(4))
    far.cz(0, 2)
    foreign.h(0)
    dead.cz(15, 19)
    fine.cz(0, 1)
    fine.barrier()
    fine.measure(1, 0)
    with pytest.raises(ValueError, match="fake_torino does not support cz on qubits 0, 2"):
        check_isa(far, chip)
    with pytest.raises(ValueError, match="fake_torino does not support h on qubit 0"):
        check_isa(foreign, chip)
    with pytest.raises(ValueError, match=r"reports cz on qubits 15, 19 as dead \(error 1\)"):
        check_isa(dead, chip)
    check_isa(fine, chip)
    with pytest.raises(ValueError, match="it reports qubit 1 as faulty; exclude it"):
        check_isa(fine, dataclasses.replace(chip, faulty=frozenset({1})))
    gates = chip.gates | {("cz", (0, 1)): GateFacts(1.0, 0.0)}
    with pytest.raises(ValueError, match="dead"):
        check_isa(fine, dataclasses.replace(chip, gates=gates))
    sherbrooke = chip_of(fake_provider.FakeSherbrooke())
    (one_way,) = (qubits for name, qubits in sherbrooke.gates if name == "ecr" and set(qubits) == {0, 1})
    wrong_way = QuantumCircuit(127)
    wrong_way.ecr(*one_way[::-1])
    with pytest.raises(ValueError, match="does not support ecr"):
        check_isa(wrong_way, sherbrooke)


@pytest.mark.parametrize("name", ["FakeTorino", "FakeSherbrooke"])
def test_duration_is_the_clients(name: str) -> None:
    device, ansatz = getattr(fake_provider, name)(), hypernetwork(6, 2)
    chip = chip_of(device)
    isa = compile_chain(ansatz.pruned, device, best_chain(chip, load_of(ansatz)).qubits)
    assert duration(isa, chip) == pytest.approx(isa.estimate_duration(device.target), rel=1e-9)


def test_a_patch_holds_the_instructions_of_its_qubits() -> None:
    device = fake_provider.FakeTorino()
    patch = Patch(device, chip_of(device), [6, 7, 8])
    assert patch.num_qubits == 3
    assert patch.target["cz"][(0, 1)].error == device.target["cz"][(6, 7)].error
    assert (0, 2) not in patch.target["cz"]
