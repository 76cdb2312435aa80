"""Circuits with measurements: qubit j into bit j of a register ``meas``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def with_measurement(circuit: QuantumCircuit) -> QuantumCircuit:
    """A copy with qubit j measured into bit j of a register ``meas``."""
    copy: QuantumCircuit = circuit.copy()
    copy.measure_all()
    return copy
