"""The circuits U(θ), as gates and as text, and the distributions from which the first angles are drawn.

The function :func:`qhn.hypernetwork` is in the module of the same name.
"""

from __future__ import annotations

from qhn.circuit.ansatz import AngleMap, Ansatz, Gate, GateCircuit
from qhn.circuit.hypernetwork import Hypernetwork, product_state

__all__ = ["AngleMap", "Ansatz", "Gate", "GateCircuit", "Hypernetwork", "product_state"]
