"""The table ``[network]``: the family of networks whose weights and choices are searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from qhn.config.section import Section
from qhn.errors import QhnError
from qhn.problem.class_weights import weights_by_label
from qhn.problem.search_space import SearchSpace
from qhn.text import shown


def _one_or_many(value: Any) -> Any:
    """A single option as a list of one; lists as they are."""
    return value if isinstance(value, (list, tuple)) else [value]


def _class_weight(value: Any) -> Any:
    """Weights of classes as a table by the text of their labels; ``"none"`` and ``"balanced"`` as they are."""
    if isinstance(value, Mapping):
        try:
            return weights_by_label(value)
        except QhnError as error:
            raise QhnError(f"network.{error}") from None
    if value not in ("none", "balanced"):
        raise QhnError(
            "network.class_weight must be 'none', 'balanced', or a table with the weight of each class, such as "
            f"{{ no = 1, yes = 20 }}, got {shown(value)}"
        )
    return value


def _alphabets(value: Any) -> Any:
    """A single pair of weights ``[-1, 1]`` as the list ``[[-1, 1]]``; other values as they are."""
    if isinstance(value, (list, tuple)) and value and not isinstance(value[0], (list, tuple)):
        if len(value) != 2:
            raise QhnError(f"network.alphabet must be two numbers, or a list of such pairs, got {shown(value)}")
        return [value]
    return value


class NetworkConfig(Section):
    """Table ``[network]``: the family of networks; see :class:`qhn.problem.search_space.SearchSpace`.

    Attributes with several options are searched: they must have 2^k options, which take k qubits.

    Attributes:
        hidden: width of each hidden layer, from the inputs up, or a list of its possible widths: ``[4, 8]`` is two
            hidden layers, of 4 and of 8 units, and ``[[4, 8]]`` one of 4 or 8; empty without a hidden layer.
        alphabet: pair of weight values, or several such pairs; bit 1 is the second of a pair.
        bias: whether the units have biases, or both options.
        activation: activation of the hidden units, or several options.
        loss: ``"mse"`` for the mean squared error, or ``"cross-entropy"``.
        class_weight: weights of the classes in the loss: ``"none"``, ``"balanced"`` for n / (K·n_c), n_c of the n
            training samples being of class c of K, or a table with the weight of each class by its label; see
            :class:`qhn.problem.cost.BinnProblem`.
        qubit_order: ``"forward"``: qubit j is bit j of the encoding; ``"reversed"``: the last bit comes first.
    """

    hidden: tuple[int | tuple[int, ...], ...] = ()
    alphabet: Annotated[tuple[tuple[float, float], ...], BeforeValidator(_alphabets)] = ((-1.0, 1.0),)
    bias: Annotated[tuple[bool, ...], BeforeValidator(_one_or_many)] = (True,)
    activation: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] = ("sigmoid",)
    loss: Literal["mse", "cross-entropy"] = "mse"
    class_weight: Annotated[Literal["none", "balanced"] | dict[str, float], BeforeValidator(_class_weight)] = "none"
    qubit_order: Literal["forward", "reversed"] = "forward"

    @model_validator(mode="after")
    def _is_a_space(self) -> Self:
        self.space(1)
        return self

    def space(self, num_inputs: int, num_classes: int = 2) -> SearchSpace:
        """The search space of networks for data with ``num_inputs`` features and ``num_classes`` classes."""
        # one form of the same widths, so that the digest of a problem does not depend on how they are written
        layers = tuple((widths,) if isinstance(widths, int) else widths for widths in self.hidden)
        return SearchSpace(num_inputs, layers, self.alphabet, self.bias, self.activation, self.qubit_order, num_classes)
