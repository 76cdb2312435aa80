"""Angles at which the outcome of any circuit is certain, against Qiskit's state vectors."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from ansatzes import OTHERS, ansatz, ideal, maxcut, ring
from qhn import bitstrings
from qhn.backend.device.placement import place
from qhn.backend.rehearsal import stored_device
from qhn.backend.service import certain
from qhn.backend.service.certain import certain_outcomes
from qhn.backend.service.selftest import ROWS, SelfTest, known_outcomes
from qhn.backend.settings import DeviceSettings
from qhn.circuit.hypernetwork import hypernetwork
from qhn.circuit.unrolled import circuit_ansatz

CERTAIN = ("real-amplitudes", "real-amplitudes-full", "efficient-su2", "iqp")
RANDOM = ("unitaries", "unitaries-far", "qaoa-ring", "qaoa-path")  # of a cut each set of nodes may be the other


def clifford(num_qubits: int) -> QuantumCircuit:
    """Every rotation of one and two qubits, in both directions, between fixed Clifford gates of all kinds."""
    names = ("rzz", "rxx", "ryy", "rzx", "rzx")
    circuit, angles = QuantumCircuit(num_qubits), iter(ParameterVector("t", 3 * num_qubits + len(names)))
    for gate in ("h", "s", "sx"):
        getattr(circuit, gate)(range(num_qubits))
        for qubit in range(num_qubits):
            getattr(circuit, {"h": "rz", "s": "rx", "sx": "ry"}[gate])(next(angles), qubit)
    for number, name in enumerate(names):
        at = (number % num_qubits, (number + 1) % num_qubits)
        getattr(circuit, name)(next(angles), *(at if number < 4 else at[::-1]))
    circuit.cz(0, 1)
    circuit.iswap(1, 2)
    circuit.ecr(2, 0)
    return circuit


@pytest.mark.parametrize("num_qubits", [3, 5])
@pytest.mark.parametrize("kind", [*CERTAIN, "qaoa-field", "clifford"])
def test_the_outcomes_are_those_of_the_circuit(kind: str, num_qubits: int) -> None:
    others = {
        "qaoa-field": lambda: circuit_ansatz(maxcut(num_qubits, ring(num_qubits), field=1.0)),
        "clifford": lambda: circuit_ansatz(clifford(num_qubits)),
    }
    circuit = others.get(kind, lambda: ansatz(kind, num_qubits))().unrolled
    found = certain_outcomes(circuit, 6)
    assert found is not None
    for theta, bits in zip(*found, strict=True):
        assert ideal(circuit.circuit, theta)[bitstrings.to_integers(bits)] == pytest.approx(1)
        assert (bits != bits[::-1]).any()
    again = certain_outcomes(circuit, 6)
    assert again is not None
    np.testing.assert_array_equal(again[0], found[0])
    assert len({bits.tobytes() for bits in found[1]}) > 1


@pytest.mark.parametrize("kind", RANDOM)
def test_where_nothing_is_certain_nothing_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certain, "MAX_STEPS", 20_000)
    assert certain_outcomes(ansatz(kind, 4).unrolled, 2) is None


def test_a_hypernetwork_is_tested_as_it_was() -> None:
    """Journals hold the digests of these angles."""
    circuit = hypernetwork(3, 1)
    test = SelfTest.of(place(circuit, stored_device("fake_jakarta"), DeviceSettings(tiles=2)))
    thetas, bits = known_outcomes(circuit, 2 * ROWS)
    np.testing.assert_array_equal(test.angles, thetas.reshape(ROWS, -1))
    np.testing.assert_array_equal(test.expected, bits.reshape(ROWS, 2, -1))
    assert not test.is_bare


@pytest.mark.parametrize("kind", OTHERS)
def test_where_nothing_is_certain_or_legible_single_qubits_are_turned(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certain, "MAX_STEPS", 20_000)
    placement = place(ansatz(kind, 4).unrolled, stored_device("fake_torino"), DeviceSettings())
    test = SelfTest.of(placement)
    assert test.is_bare == (kind not in (*CERTAIN, "qaoa-graph"))
    assert test.circuit == (placement.bare if test.is_bare else placement.circuit)
    assert test.expected.shape == (ROWS, 1, 4)
    monkeypatch.setattr("qhn.backend.service.selftest.LEGIBLE", 1.0)
    assert SelfTest.of(placement).is_bare
