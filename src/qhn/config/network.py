"""``[network]`` and ``[ansatz]``: the family of networks, and the circuit that yields them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from qhn.circuit.hypernetwork import Order
from qhn.config.section import Section
from qhn.errors import QhnError
from qhn.problem.search_space import SearchSpace
from qhn.text import shown


def _one_or_many(value: Any) -> Any:
    """A single option stands for a list of one."""
    return value if isinstance(value, (list, tuple)) else [value]


def _alphabets(value: Any) -> Any:
    """``[-1, 1]`` stands for ``[[-1, 1]]``."""
    if isinstance(value, (list, tuple)) and value and not isinstance(value[0], (list, tuple)):
        if len(value) != 2:
            raise QhnError(f"network.alphabet must be two numbers, or a list of such pairs, got {shown(value)}")
        return [value]
    return value


class NetworkConfig(Section):
    """``[network]``: the family of networks; see :class:`qhn.problem.search_space.SearchSpace`."""

    hidden: tuple[int | tuple[int, ...], ...] = ()
    alphabet: Annotated[tuple[tuple[float, float], ...], BeforeValidator(_alphabets)] = ((-1.0, 1.0),)
    bias: Annotated[tuple[bool, ...], BeforeValidator(_one_or_many)] = (True,)
    activation: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] = ("sigmoid",)
    loss: Literal["mse", "cross-entropy"] = "mse"
    qubit_order: Literal["forward", "reversed"] = "forward"

    @model_validator(mode="after")
    def _is_a_space(self) -> Self:
        self.space(1)
        return self

    def space(self, num_inputs: int, num_classes: int = 2) -> SearchSpace:
        """The search space on data with that many features and classes."""
        layers = tuple((widths,) if isinstance(widths, int) else widths for widths in self.hidden)
        return SearchSpace(num_inputs, layers, self.alphabet, self.bias, self.activation, self.qubit_order, num_classes)


class AnsatzConfig(Section):
    """``[ansatz]``: the circuit; see :func:`qhn.circuit.hypernetwork.hypernetwork`."""

    num_layers: int = Field(default=2, ge=0)
    order: Order = "eq5"
