"""The search space of binary networks: which bit is which weight, bias or choice, and what the network then computes.

A bitstring of ``num_qubits`` bits is one binary network. Its *fields*, in order: the weights layer by layer (input ×
hidden, row-major, …, hidden → output), the biases (output first, then hidden layers from the last to the first), and
the searched choices (activation, hidden widths, alphabet, bias), each choice of 2^k options reading k bits, most
significant first. A weight is the second number of its alphabet where its bit is 1. Only weights and biases are binary:
activations are real-valued.

Two classes have one output, a sigmoid; K > 2 have K outputs and a softmax over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.errors import QhnError
from qhn.fields import Number, Whole, each, settle, truth
from qhn.problem.network import ACTIVATIONS, Network, class_probabilities, sigmoid, softmax
from qhn.text import shown

BLOCK = 1 << 16  # networks × samples at a time: 512 kB for each unit of a layer, which stay in a core's cache
MAX_WEIGHT = 1e30  # so that sums over several layers, squared, stay finite


@dataclass(frozen=True)
class Field:
    """A run of bits with one meaning: bits ``start`` … ``start + num_bits − 1`` of the bitstring in field order."""

    name: str
    start: int
    num_bits: int
    meaning: str

    @property
    def slice(self) -> slice:
        """The slice of the field's bits."""
        return slice(self.start, self.start + self.num_bits)


@dataclass(frozen=True)
class Symmetries:
    """The changes of bits that change no logit of the networks of a family, or its sign alone.

    Attributes:
        units: the qubits of each hidden unit in use, all in the same order: units may be exchanged.
        signs: the qubits whose bits, all changed together, change the sign of the logit; empty if none do.
        idle: the qubits whose bits change nothing.
    """

    units: tuple[tuple[int, ...], ...]
    signs: tuple[int, ...]
    idle: tuple[int, ...]


@dataclass(frozen=True)
class SearchSpace:
    """All binary networks of a family, numbered by bitstrings.

    Attributes:
        num_inputs: number of features.
        hidden: the width of each hidden layer, from the inputs up, or a tuple of its possible widths, ascending:
            ``(4, 8)`` is two hidden layers, of 4 and of 8 units, and ``((4, 8),)`` one of 4 or 8. Empty without a
            hidden layer.
        alphabets: the possible pairs of weight values; bit 1 is the second of the pair.
        bias: whether the units have biases; ``(False, True)`` searches it.
        activations: the possible activations of the hidden units, or of the output if there is no hidden layer.
        qubit_order: ``"forward"``: qubit j is field bit j; ``"reversed"``: qubit j is field bit num_qubits − 1 − j.
        num_classes: the number of classes; two are told apart by one output, more have one output each.

    Every attribute with more than one option is searched and must have 2^k options, which take k qubits.

    Raises:
        ValueError: at construction, if an attribute is not of this form.

    >>> space = SearchSpace(2, hidden=(3,), activations=("sigmoid", "relu"))
    >>> space.num_qubits
    14
    >>> space.decode([1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1]).weights[0]
    array([[ 1.,  1., -1.],
           [-1.,  1.,  1.]])
    >>> SearchSpace(2, hidden=(8, 4), num_classes=3).decode([0] * 75).shape
    '2-8-4-3'
    """

    num_inputs: int
    hidden: tuple[int | tuple[int, ...], ...] = ()
    alphabets: tuple[tuple[float, float], ...] = ((-1.0, 1.0),)
    bias: tuple[bool, ...] = (True,)
    activations: tuple[str, ...] = ("sigmoid",)
    qubit_order: Literal["forward", "reversed"] = "forward"
    num_classes: int = 2

    def __post_init__(self) -> None:
        settle(
            self,
            num_inputs=Whole(1),
            num_classes=Whole(2),
            hidden=each(_widths),
            alphabets=each(each(Number(-MAX_WEIGHT, MAX_WEIGHT))),
            bias=each(truth),
            activations=each(_activation),
        )
        offered: list[tuple[str, tuple[Any, ...]]] = [("hidden", widths) for widths in self.layers]
        offered += [(name, getattr(self, name)) for name in ("alphabets", "bias", "activations")]
        for name, options in offered:
            count = len(options)
            if count & (count - 1) or count == 0:
                raise QhnError(f"{name} must offer 1, 2, 4, … options, a power of two, got {count}")
            if len(set(options)) < count:
                raise QhnError(f"{name} must offer different options, got {list(options)}")
        for widths in self.layers:
            if list(widths) != sorted(widths):
                raise QhnError(f"hidden widths must be ascending, got {list(widths)}")
        for alphabet in self.alphabets:
            if len(alphabet) != 2 or alphabet[0] == alphabet[1]:
                raise QhnError(f"an alphabet must be two different numbers, got {list(alphabet)}")
        if self.num_classes > 2 and not self.layers and self.activations != ("sigmoid",):
            raise QhnError(
                "with hidden = [] and more than two classes the output is a softmax, which has no other activation; "
                f"leave activation at 'sigmoid', got {list(self.activations)}"
            )
        if self.qubit_order not in ("forward", "reversed"):
            raise QhnError(f"qubit_order must be forward or reversed, got {self.qubit_order!r}")

    @property
    def layers(self) -> tuple[tuple[int, ...], ...]:
        """The possible widths of each hidden layer, from the inputs up."""
        return tuple(widths if isinstance(widths, tuple) else (widths,) for widths in self.hidden)

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        """The numbers of inputs, of units of each hidden layer at its largest width, and of outputs."""
        outputs = 1 if self.num_classes == 2 else self.num_classes
        return (self.num_inputs, *(max(widths) for widths in self.layers), outputs)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields of a bitstring, with their names and meanings, in field order."""
        alphabets = " or ".join(f"{{{a:g}, {b:g}}}" for a, b in self.alphabets)
        planned: list[tuple[str, int, str]] = []
        last = len(self.layers) + 1
        for layer, (below, units) in enumerate(pairwise(self._sizes), 1):
            source, target = ("k" if layer == last > 1 else "i"), ("c" if layer == last else "k")
            place = f" at bit {source}·{units} + {target}" if layer < last or units > 1 else ""
            arrow = f"{self._unit(layer - 1, source)} → {self._unit(layer, target)}"
            planned.append((f"weights {layer}", below * units, arrow + place))
        if any(self.bias):
            for layer in range(last, 0, -1):
                meaning = self._unit(layer, "c" if layer == last else "k")
                planned.append((f"bias {layer}", self._sizes[layer], meaning))
        planned = [(name, bits, f"{meaning}, in {alphabets}") for name, bits, meaning in planned]
        choices: list[tuple[str, tuple[Any, ...]]] = [
            ("activation", self.activations),
            *((self._width_name(layer), widths) for layer, widths in enumerate(self.layers, 1)),
            ("alphabet", self.alphabets),
            ("bias", self.bias),
        ]
        for name, options in choices:
            if len(options) > 1:
                num_bits = (len(options) - 1).bit_length()
                table = [f"{i:0{num_bits}b} → {_option_text(option)}" for i, option in enumerate(options)]
                planned.append((f"choice of {name}", num_bits, ", ".join(table)))
        result, start = [], 0
        for name, num_bits, meaning in planned:
            result.append(Field(name, start, num_bits, meaning))
            start += num_bits
        return tuple(result)

    def _unit(self, layer: int, letter: str) -> str:
        """The name of a unit of a layer; layer 0 is the inputs."""
        if layer == 0:
            return f"input {letter}"
        if layer == len(self.layers) + 1:
            return "output" if self.num_classes == 2 else f"output {letter}"
        return f"hidden {letter}" if len(self.layers) == 1 else f"hidden {layer}.{letter}"

    def _width_name(self, layer: int) -> str:
        """The name of the choice of a hidden layer's width, numbered unless no other layer's width is searched."""
        searched = [number for number, widths in enumerate(self.layers, 1) if len(widths) > 1]
        return "width" if searched == [layer] else f"width {layer}"

    @property
    def num_qubits(self) -> int:
        """The number of bits of a network, one qubit each."""
        return self.fields[-1].start + self.fields[-1].num_bits

    def summary(self) -> str:
        """A table in text with one line per field: its qubits, its name, its meaning."""
        count = f" = {2**self.num_qubits:,}" if self.num_qubits <= 40 else ""
        lines = [f"{self.num_qubits} qubits, 2^{self.num_qubits}{count} networks"]
        for f in self.fields:
            first, last = f.start, f.start + f.num_bits - 1
            if self.qubit_order == "reversed":
                first, last = self.num_qubits - 1 - first, self.num_qubits - 1 - last
            qubits = f"{first}" if first == last else f"{first}…{last}"
            lines.append(f"  qubit {qubits:<8} {f.name:<22} {f.meaning}")
        return "\n".join(lines)

    def additive_groups(self) -> list[tuple[int, ...]] | None:
        """Groups of qubits that act on the logit jointly; given the choices, the logit is a sum over these groups.

        With a hidden layer there is one group per hidden unit (its weights, its bias, its weight to the output) and one
        of the output's bias; without a hidden layer every weight and the bias is a group by itself. None is returned
        with several hidden layers or outputs.
        """
        if len(self.layers) > 1 or self.num_classes > 2:
            return None
        place = {f.name: f.start for f in self.fields}
        if self.layers:
            width = self._sizes[1]
            groups = [[place["weights 1"] + i * width + k for i in range(self.num_inputs)] for k in range(width)]
            for k in range(width):
                groups[k].append(place["weights 2"] + k)
                groups[k] += [place["bias 1"] + k] if "bias 1" in place else []
            groups += [[place["bias 2"]]] if "bias 2" in place else []
        else:
            groups = [[bit] for bit in range(self.num_qubits) if bit not in self._choice_bits]
        return [tuple(self._qubit(bit) for bit in group) for group in groups]

    def output_groups(self) -> list[tuple[int, ...]] | None:
        """The qubits on which each output depends, beside the choices, where no two share one: without hidden layers.

        None is returned with hidden layers.
        """
        if self.layers:
            return None
        place, outputs = {f.name: f.start for f in self.fields}, self._sizes[-1]
        groups = []
        for output in range(outputs):
            bits = [place["weights 1"] + i * outputs + output for i in range(self.num_inputs)]
            bits += [place["bias 1"] + output] if "bias 1" in place else []
            groups.append(tuple(self._qubit(bit) for bit in bits))
        return groups

    def symmetries(self, bits: Bits) -> Symmetries:
        """The changes of bits that change no logit, or its sign alone, of networks of one hidden layer or none.

        Args:
            bits: a bitstring ``[num_qubits]``; of the networks that share its choices.

        >>> SearchSpace(2, hidden=(2,)).symmetries(np.zeros(9, dtype=np.uint8))
        Symmetries(units=((0, 2, 4, 7), (1, 3, 5, 8)), signs=(4, 5, 6), idle=())
        """
        p = self._parameters(bits[None])
        low, high = self.alphabets[p.alphabet[0]]
        qubits = {f.name: tuple(map(self._qubit, range(f.start, f.start + f.num_bits))) for f in self.fields}
        groups = (self.additive_groups() or []) if self.layers else []
        width = int(p.widths[0][0]) if self.layers else 0
        idle = {qubit for group in groups[width : max((0, *self._sizes[1:-1]))] for qubit in group}
        if not p.has_bias[0]:
            idle.update(qubit for name, found in qubits.items() if name.startswith("bias ") for qubit in found)
        last = len(self.layers) + 1
        signs = qubits[f"weights {last}"] + qubits.get(f"bias {last}", ())
        return Symmetries(tuple(groups[:width]), signs if low == -high else (), tuple(sorted(idle)))

    @property
    def choice_qubits(self) -> tuple[int, ...]:
        """The qubits that choose between activations, widths, alphabets or biases."""
        return tuple(self._qubit(bit) for bit in self._choice_bits)

    @property
    def _choice_bits(self) -> list[int]:
        chosen = [f for f in self.fields if f.name.startswith("choice of ")]
        return [bit for f in chosen for bit in range(f.start, f.start + f.num_bits)]

    def _qubit(self, bit: int) -> int:
        return self.num_qubits - 1 - bit if self.qubit_order == "reversed" else bit

    def field_bits(self, bits: Bits) -> dict[str, str]:
        """The bits of each field of one bitstring ``[num_qubits]`` as text, by the name of the field."""
        ordered = bits[::-1] if self.qubit_order == "reversed" else bits
        return {f.name: bitstrings.text(ordered[f.slice]) for f in self.fields}

    def decode(self, bits: ArrayLike) -> Network:
        """The network that one bitstring ``[num_qubits]`` encodes.

        Raises:
            ValueError: if ``bits`` is not one bitstring of ``num_qubits`` bits.
        """
        array = bitstrings.as_bits(bits, self.num_qubits)
        if array.ndim != 1:
            raise QhnError(f"decode takes one bitstring of shape [{self.num_qubits}], got {list(array.shape)}")
        p = self._parameters(array[None])
        widths = (self.num_inputs, *(int(width[0]) for width in p.widths), self._sizes[-1])
        return Network(
            weights=tuple(
                w[0, :out, :into].T.copy() for w, (into, out) in zip(p.weights, pairwise(widths), strict=True)
            ),
            biases=tuple(b[0, :out].copy() for b, out in zip(p.biases, widths[1:], strict=True)),
            activation=self.activations[p.activation[0]],
            alphabet=self.alphabets[p.alphabet[0]],
            classes=np.arange(self.num_classes),
            mean=np.zeros(self.num_inputs),
            scale=np.ones(self.num_inputs),
        )

    def forward(self, bits: Bits, x: Floats) -> Floats:
        """The logits of networks on samples: bits ``[B, num_qubits]``, samples ``[S, num_inputs]`` → ``[B, S]``.

        A logit is the output unit's value before its activation; K > 2 classes have ``[B, S, K]``, before the softmax.
        The call takes ``8·B·S·(H + H')`` bytes, H and H' the numbers of units of two consecutive layers (inputs aside)
        where their sum is largest: callers cut B into blocks. A unit of the first hidden layer that several networks
        share is computed once.
        """
        return self._in_order(self._sums(self._parameters(bits), x))

    def largest_logits(self, x: Floats) -> Floats:
        """A bound of the magnitude of the logits of all networks on each sample ``[S, num_inputs]``: ``[S]``."""
        weight = max(abs(number) for alphabet in self.alphabets for number in alphabet)
        bias = weight * any(self.bias)
        bound: Floats = weight * np.abs(x).sum(axis=1) + bias
        for width in self._sizes[1:-1]:
            unit = np.maximum(bound, 1.0) if "relu" in self.activations else np.ones(len(x))
            bound = weight * width * unit + bias
        return bound

    def output(self, bits: Bits, x: Floats) -> Floats:
        """The outputs of networks on samples: bits ``[B, num_qubits]``, samples ``[S, num_inputs]`` → ``[B, S]``.

        An output is near 0 for the first class and near 1 for the second. With K > 2 classes the outputs are the
        probability of each class: ``[B, S, K]``.
        """
        p = self._parameters(bits)
        z = self._in_order(self._sums(p, x))
        if self.num_classes > 2:
            return softmax(z)
        return sigmoid(z) if self.layers else self._activate(z, p.activation)

    def probabilities(self, bits: Bits, x: Floats) -> Floats:
        """The probability of each class: bits ``[B, num_qubits]``, samples ``[S, num_inputs]`` → ``[B, S, K]``.

        With two classes it is 1 − p and p, p the output; one that is not a probability, such as that of a relu, is
        clipped to [0, 1].
        """
        return class_probabilities(self.output(bits, x), self.num_classes)

    def _in_order(self, z: Floats) -> Floats:
        """Move the axis of outputs last, ``[B, S, outputs]``, or drop it if there is one output, ``[B, S]``."""
        return z[:, 0] if self.num_classes == 2 else np.swapaxes(z, 1, 2)

    def _sums(self, p: _Parameters, x: Floats) -> Floats:
        """The logits of networks on samples: ``[B, outputs, S]``."""
        if p.unit_bits is None:
            flat = p.weights[0].reshape(-1, self.num_inputs)  # one product for all networks
            return (flat @ x.T + p.biases[0].reshape(-1, 1)).reshape(*p.biases[0].shape, len(x))
        names, shape = bitstrings.keys(bitstrings.pack(p.unit_bits)), p.biases[0].shape
        _, first, unit = np.unique(names, return_index=True, return_inverse=True)
        network, place = np.divmod(first, shape[1])
        sums = p.weights[0][network, place] @ x.T + p.biases[0][network, place][:, None]
        h = self._activate(sums, p.activation[network])[unit.reshape(shape)]
        for weights, biases in zip(p.weights[1:-1], p.biases[1:-1], strict=True):
            h = self._activate(weights @ h + biases[..., None], p.activation)
        return p.weights[-1] @ h + p.biases[-1][..., None]

    def _activate(self, z: Floats, activation: NDArray[np.intp]) -> Floats:
        if len(self.activations) == 1:
            return ACTIVATIONS[self.activations[0]](z)
        for index, name in enumerate(self.activations):
            rows = activation == index
            z[rows] = ACTIVATIONS[name](z[rows])
        return z

    def _parameters(self, bits: Bits) -> _Parameters:
        """The weights, biases and choices that bitstrings ``[B, num_qubits]`` encode."""
        ordered = bits[:, ::-1] if self.qubit_order == "reversed" else bits
        num = len(ordered)
        raw = {f.name: ordered[:, f.slice] for f in self.fields}

        def choice(name: str) -> NDArray[np.intp]:
            index = np.zeros(num, dtype=np.intp)
            for column in raw.get(f"choice of {name}", ordered[:, :0]).T:
                index = 2 * index + column
            return index

        alphabet = choice("alphabet")
        low, high = np.array(self.alphabets).T[:, alphabet][:, :, None]
        has_bias = np.array(self.bias)[choice("bias")]
        widths = [np.array(w)[choice(self._width_name(layer))] for layer, w in enumerate(self.layers, 1)]
        weights, biases = [], []
        unit_bits = None
        for layer, (below, units) in enumerate(pairwise(self._sizes), 1):
            weight_bits = raw[f"weights {layer}"].reshape(num, below, units).transpose(0, 2, 1)
            bias_bits = raw.get(f"bias {layer}", np.zeros((num, units), dtype=np.uint8))
            weights.append(np.where(weight_bits, high[..., None], low[..., None]))
            biases.append(np.where(bias_bits, high, low) * has_bias[:, None])
            if layer == 1 and self.layers:
                chosen = [bits for name, bits in raw.items() if name.startswith("choice of ")]
                choices = np.concatenate([ordered[:, :0], *chosen], axis=1)
                choices = np.broadcast_to(choices[:, None], (num, units, choices.shape[1]))
                unit_bits = np.concatenate([weight_bits, bias_bits[..., None], choices], axis=-1)
            if layer > 1 and len(self.layers[layer - 2]) > 1:
                weights[-1] *= (np.arange(below) < widths[layer - 2][:, None])[:, None]
        activation = choice("activation")
        return _Parameters(tuple(weights), tuple(biases), activation, alphabet, has_bias, tuple(widths), unit_bits)


@dataclass(frozen=True)
class _Parameters:
    """The weights, biases and choices of B networks, with one entry per layer."""

    weights: tuple[Floats, ...]  # [B, units, units below], zero from units beyond the chosen width
    biases: tuple[Floats, ...]  # [B, units]
    activation: NDArray[np.intp]  # [B], as alphabet
    alphabet: NDArray[np.intp]
    has_bias: NDArray[np.bool_]  # [B]
    widths: tuple[NDArray[np.intp], ...]  # [B] a hidden layer
    unit_bits: Bits | None  # [B, units, bits]: all that the units of the first hidden layer depend on


def _widths(name: str, value: Any) -> int | tuple[int, ...]:
    """The width of a hidden layer, or the tuple of its possible widths."""
    width = Whole(1)
    return each(width)(name, value) if np.ndim(value) or isinstance(value, (list, tuple)) else width(name, value)


def _activation(name: str, value: Any) -> str:
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise QhnError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {shown(value)}")
    return value


def _option_text(option: Any) -> str:
    if isinstance(option, tuple):
        return f"{{{option[0]:g}, {option[1]:g}}}"
    return str(option)
