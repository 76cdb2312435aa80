"""The augmented model: which bit is which weight, bias or choice, and what the network then computes.

A bitstring of ``num_qubits`` bits is one binary network. Its *fields*, in order: the weights (input × hidden,
row-major, then hidden → output), the biases (output, then hidden), and the searched choices (activation, hidden width,
alphabet, bias), each choice of 2^k options reading k bits, most significant first. A weight is the second number of
its alphabet where its bit is 1. Only weights and biases are binary: activations are real-valued.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings
from qhn.bitstrings import Bits
from qhn.network import ACTIVATIONS, Network, sigmoid

Floats = NDArray[np.float64]
BLOCK = 1 << 16  # float64 values per intermediate array: 512 kB, which stay in a core's cache


@dataclass(frozen=True)
class Field:
    """A run of bits with one meaning: ``start`` … ``start + num_bits − 1`` of the bitstring in field order."""

    name: str
    start: int
    num_bits: int
    meaning: str

    @property
    def slice(self) -> slice:
        return slice(self.start, self.start + self.num_bits)


@dataclass(frozen=True)
class SearchSpace:
    """All binary networks of a family, numbered by bitstrings.

    Attributes:
        num_inputs: number of features.
        hidden: the possible widths of the hidden layer, ascending; empty without a hidden layer.
        alphabets: the possible pairs of weight values; bit 1 is the second of the pair.
        bias: whether the units have biases; ``(False, True)`` searches it.
        activations: the possible activations of the hidden units, or of the output if there is no hidden layer.
        qubit_order: ``"forward"``: qubit j is field bit j; ``"reversed"``: qubit j is field bit num_qubits − 1 − j.

    Every attribute with more than one option is searched and must have 2^k options, which take k qubits.

    Raises:
        ValueError: at construction, if an attribute is not of this form.

    >>> space = SearchSpace(2, hidden=(3,), activations=("sigmoid", "relu"))
    >>> space.num_qubits
    14
    >>> space.decode([1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1]).weights[0]
    array([[ 1.,  1., -1.],
           [-1.,  1.,  1.]])
    """

    num_inputs: int
    hidden: tuple[int, ...] = ()
    alphabets: tuple[tuple[float, float], ...] = ((-1.0, 1.0),)
    bias: tuple[bool, ...] = (True,)
    activations: tuple[str, ...] = ("sigmoid",)
    qubit_order: Literal["forward", "reversed"] = "forward"

    def __post_init__(self) -> None:
        if self.num_inputs < 1:
            raise ValueError(f"num_inputs must be at least 1, got {self.num_inputs}")
        for name in ("hidden", "alphabets", "bias", "activations"):
            options = getattr(self, name)
            count = len(options)
            if count & (count - 1) or (count == 0 and name != "hidden"):
                raise ValueError(f"{name} must offer 1, 2, 4, … options, a power of two, got {count}")
            if len(set(options)) < count:
                raise ValueError(f"{name} must offer different options, got {list(options)}")
        if any(width < 1 for width in self.hidden) or list(self.hidden) != sorted(self.hidden):
            raise ValueError(f"hidden widths must be at least 1 and ascending, got {list(self.hidden)}")
        for alphabet in self.alphabets:
            if len(alphabet) != 2 or alphabet[0] == alphabet[1] or not np.isfinite(alphabet).all():
                raise ValueError(f"an alphabet must be two different numbers, got {list(alphabet)}")
        for name in self.activations:
            if name not in ACTIVATIONS:
                raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
        if self.qubit_order not in ("forward", "reversed"):
            raise ValueError(f"qubit_order must be forward or reversed, got {self.qubit_order!r}")

    @property
    def max_width(self) -> int:
        """The number of hidden units that have bits, 0 without a hidden layer."""
        return max(self.hidden, default=0)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The meaning of the bits, in field order."""
        width, alphabets = self.max_width, " or ".join(f"{{{a:g}, {b:g}}}" for a, b in self.alphabets)
        planned: list[tuple[str, int, str]] = []
        if width:
            planned.append(("weights 1", self.num_inputs * width, f"input i → hidden k at bit i·{width} + k"))
            planned.append(("weights 2", width, "hidden k → output"))
        else:
            planned.append(("weights 1", self.num_inputs, "input i → output"))
        if any(self.bias):
            planned += [("bias 2", 1, "output")] if width else []
            planned.append(("bias 1", width or 1, "hidden k" if width else "output"))
        planned = [(name, bits, f"{meaning}, in {alphabets}") for name, bits, meaning in planned]
        choices: list[tuple[str, tuple[Any, ...]]] = [
            ("activation", self.activations),
            ("width", self.hidden),
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

    @property
    def num_qubits(self) -> int:
        """Bits of a network, one qubit each."""
        return self.fields[-1].start + self.fields[-1].num_bits

    def summary(self) -> str:
        """A table with one line a field: its qubits, its name, its meaning."""
        lines = [f"{self.num_qubits} qubits, 2^{self.num_qubits} = {2**self.num_qubits:,} networks"]
        for f in self.fields:
            first, last = f.start, f.start + f.num_bits - 1
            if self.qubit_order == "reversed":
                first, last = self.num_qubits - 1 - first, self.num_qubits - 1 - last
            qubits = f"{first}" if first == last else f"{first}…{last}"
            lines.append(f"  qubit {qubits:<8} {f.name:<22} {f.meaning}")
        return "\n".join(lines)

    def additive_groups(self) -> list[tuple[int, ...]]:
        """Qubits that act on the output's sum together; given the choices, the sum is a sum over these groups.

        With a hidden layer they are one group a unit – its weights, its bias, its weight to the output – and the
        output's bias; without one, every weight and the bias by itself.
        """
        width, place = self.max_width, {f.name: f.start for f in self.fields}
        if width:
            groups = [[place["weights 1"] + i * width + k for i in range(self.num_inputs)] for k in range(width)]
            for k in range(width):
                groups[k].append(place["weights 2"] + k)
                groups[k] += [place["bias 1"] + k] if "bias 1" in place else []
            groups += [[place["bias 2"]]] if "bias 2" in place else []
        else:
            groups = [[bit] for bit in range(self.num_qubits) if bit not in self._choice_bits]
        return [tuple(self._qubit(bit) for bit in group) for group in groups]

    @property
    def choice_qubits(self) -> tuple[int, ...]:
        """Qubits that choose between activations, widths, alphabets or bias."""
        return tuple(self._qubit(bit) for bit in self._choice_bits)

    @property
    def _choice_bits(self) -> list[int]:
        chosen = [f for f in self.fields if f.name.startswith("choice of ")]
        return [bit for f in chosen for bit in range(f.start, f.start + f.num_bits)]

    def _qubit(self, bit: int) -> int:
        return self.num_qubits - 1 - bit if self.qubit_order == "reversed" else bit

    def field_bits(self, bits: Bits) -> dict[str, str]:
        """The bits of each field of one bitstring ``[num_qubits]``, by name."""
        ordered = bits[::-1] if self.qubit_order == "reversed" else bits
        return {f.name: bitstrings.text(ordered[f.slice]) for f in self.fields}

    def decode(self, bits: ArrayLike) -> Network:
        """The network of one bitstring ``[num_qubits]``.

        Raises:
            ValueError: if it is not one bitstring of that many bits.
        """
        array = bitstrings.as_bits(bits, self.num_qubits)
        if array.ndim != 1:
            raise ValueError(f"decode takes one bitstring of shape [{self.num_qubits}], got {list(array.shape)}")
        p = self._parameters(array[None])
        width, alphabet = int(p.width[0]), self.alphabets[p.alphabet[0]]
        weights: tuple[Floats, ...] = (p.weights[0][:width].T.copy(),)
        biases: tuple[Floats, ...] = (p.biases[0][:width].copy(),)
        if self.max_width:
            weights += (p.output_weights[0][:width, None].copy(),)
            biases += (p.output_bias[0][None].copy(),)
        zeros = np.zeros(self.num_inputs)
        return Network(weights, biases, self.activations[p.activation[0]], alphabet, mean=zeros, scale=zeros + 1)

    def forward(self, bits: Bits, x: Floats) -> Floats:
        """What the output unit sums up: bits ``[B, num_qubits]``, samples ``[S, num_inputs]`` → ``[B, S]``.

        This is the value before the output's activation. It takes ``8·B·S`` bytes (with a hidden layer up to H + 1
        times that): callers cut B into blocks. A hidden unit that several networks share is computed once.
        """
        return self._sum(self._parameters(bits), x)

    def output(self, bits: Bits, x: Floats) -> Floats:
        """The networks' outputs, near 0 for the first class and 1 for the second: shapes as :meth:`forward`."""
        p = self._parameters(bits)
        z = self._sum(p, x)
        return sigmoid(z) if self.max_width else self._activate(z, p.activation)

    def _sum(self, p: _Parameters, x: Floats) -> Floats:
        if not self.max_width:
            return p.weights[:, 0] @ x.T + p.biases
        choices = np.broadcast_to(p.choices[:, None], (*p.bias_bits.shape, p.choices.shape[1]))
        unit_bits = np.concatenate([p.weight_bits, p.bias_bits[..., None], choices], axis=-1)
        names = bitstrings.keys(bitstrings.pack(unit_bits)).ravel()
        _, first, unit = np.unique(names, return_index=True, return_inverse=True)
        unit = unit.reshape(p.bias_bits.shape)
        network, place = np.divmod(first, self.max_width)
        sums = p.weights[network, place] @ x.T + p.biases[network, place][:, None]
        hidden = self._activate(sums, p.activation[network])
        z = np.repeat(p.output_bias[:, None], len(x), axis=1)
        for k in range(self.max_width):
            z += p.output_weights[:, k, None] * hidden[unit[:, k]]
        return z

    def _activate(self, z: Floats, activation: NDArray[np.intp]) -> Floats:
        if len(self.activations) == 1:
            return ACTIVATIONS[self.activations[0]](z)
        for index, name in enumerate(self.activations):
            rows = activation == index
            z[rows] = ACTIVATIONS[name](z[rows])
        return z

    def _parameters(self, bits: Bits) -> _Parameters:
        """The numbers that bitstrings ``[B, num_qubits]`` stand for."""
        ordered = bits[:, ::-1] if self.qubit_order == "reversed" else bits
        num, units = len(ordered), self.max_width or 1
        raw = {f.name: ordered[:, f.slice] for f in self.fields}
        zeros = np.zeros((num, units), dtype=np.uint8)

        def choice(name: str) -> NDArray[np.intp]:
            index = np.zeros(num, dtype=np.intp)
            for column in raw.get(f"choice of {name}", zeros[:, :0]).T:
                index = 2 * index + column
            return index

        alphabet = choice("alphabet")
        low, high = np.array(self.alphabets).T[:, alphabet][:, :, None]
        has_bias = np.array(self.bias)[choice("bias")][:, None]
        width = np.array(self.hidden or (1,))[choice("width")]
        weight_bits = raw["weights 1"].reshape(num, self.num_inputs, units).transpose(0, 2, 1)
        bias_bits = raw.get("bias 1", zeros)
        output_weights = np.where(raw.get("weights 2", zeros), high, low)
        return _Parameters(
            weights=np.where(weight_bits, high[..., None], low[..., None]),
            biases=np.where(bias_bits, high, low) * has_bias,
            output_weights=output_weights * (np.arange(units) < width[:, None]),
            output_bias=(np.where(raw.get("bias 2", zeros[:, :1]), high, low) * has_bias)[:, 0],
            activation=choice("activation"),
            alphabet=alphabet,
            width=width,
            weight_bits=weight_bits,
            bias_bits=bias_bits,
            choices=np.concatenate([zeros[:, :0], *(bits for name, bits in raw.items() if "choice" in name)], axis=1),
        )


@dataclass(frozen=True)
class _Parameters:
    """Weights and choices of B networks with H hidden units (H = 1 stands for the output if there are none)."""

    weights: Floats  # [B, H, num_inputs]
    biases: Floats  # [B, H]
    output_weights: Floats  # [B, H], zero beyond the chosen width
    output_bias: Floats  # [B]
    activation: NDArray[np.intp]  # [B], as alphabet and width
    alphabet: NDArray[np.intp]
    width: NDArray[np.intp]
    weight_bits: Bits  # [B, H, num_inputs]
    bias_bits: Bits  # [B, H]
    choices: Bits  # [B, bits of all choices]


def _option_text(option: Any) -> str:
    if isinstance(option, tuple):
        return f"{{{option[0]:g}, {option[1]:g}}}"
    return str(option)
