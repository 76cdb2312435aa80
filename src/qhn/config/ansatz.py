"""The table ``[ansatz]`` of a configuration: the circuit whose angles are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qhn.circuit.hypernetwork import Hypernetwork, Order
from qhn.config.section import Section, named
from qhn.problem.cost import Problem


class HypernetworkConfig(Section):
    """Table ``[ansatz]`` with ``name = "hypernetwork"``; see :func:`qhn.circuit.hypernetwork.hypernetwork`.

    Attributes:
        name: ``"hypernetwork"``.
        num_layers: number of layers of two blocks each; 0 is the product state.
        order: time order of the gates in a block, ``"eq5"`` or ``"authors"``.
    """

    name: Literal["hypernetwork"] = "hypernetwork"
    num_layers: int = Field(default=2, ge=0)
    order: Order = "eq5"

    def build(self, problem: Problem) -> Hypernetwork:
        """The circuit for the bitstrings of a problem."""
        return Hypernetwork(problem.num_qubits, self.num_layers, self.order)


class ProductConfig(Section):
    """Table ``[ansatz]`` with ``name = "product"``, which has no other keys: independent qubits, without entanglement.

    Attributes:
        name: ``"product"``.
    """

    name: Literal["product"]

    def build(self, problem: Problem) -> Hypernetwork:
        """The circuit for the bitstrings of a problem."""
        return Hypernetwork(problem.num_qubits, 0)


ANSATZ_SECTIONS = (HypernetworkConfig, ProductConfig)
AnsatzConfig = Annotated[
    Annotated[HypernetworkConfig | ProductConfig, Field(discriminator="name")], named("hypernetwork")
]
