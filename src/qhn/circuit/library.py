"""Kinds of ansatz of the field, by name: those of Qiskit's library, and instantaneous quantum polynomial circuits.

A kind is a row of :data:`KINDS`: a function that makes it, its settings with their defaults and rules, and whether it
is made of the cost. The configuration's tables follow from the rows, so that another kind is another row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from qhn.circuit.unrolled import CircuitAnsatz, circuit_ansatz
from qhn.errors import QhnError
from qhn.fields import Rule, Whole, each
from qhn.text import did_you_mean, shown

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Terms = Mapping[tuple[int, ...], float]  # a polynomial of spins σ = 2·bit − 1: the factor of each set of qubits
MAX_LAYERS = 10_000


@dataclass(frozen=True)
class OneOf:
    """The rule of a word.

    Attributes:
        words: the words that are allowed.

    >>> OneOf("linear", "full")("entanglement", "full")
    'full'
    """

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)

    def __call__(self, name: str, value: Any) -> str:
        """The value as a text.

        Raises:
            QhnError: if it is none of the words; the message names the nearest one.
        """
        if value not in self.words:
            hint = did_you_mean(str(value), self.words, otherwise=f"choose {', '.join(self.words)}")
            raise QhnError(f"there is no {name} {shown(value)}; {hint}")
        return str(value)


@dataclass(frozen=True)
class Setting:
    """A setting of a kind of ansatz.

    Attributes:
        default: the value where none is given.
        rule: the check of a value.
        type: the type of the values.
    """

    default: Any
    rule: Rule
    type: Any


@dataclass(frozen=True)
class Kind:
    """A kind of ansatz as a configuration names it.

    Attributes:
        make: builds its circuit from the number of qubits, the terms of the cost if it is made of them, and settings.
        settings: the settings by their names.
        of_cost: whether the circuit is made of the cost.
    """

    make: Callable[..., QuantumCircuit]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    of_cost: bool = False

    def ansatz(self, name: str, num_qubits: int, terms: Terms | None = None, **settings: Any) -> CircuitAnsatz:
        """The ansatz with these settings.

        Args:
            name: the name of the kind.
            num_qubits: the number of qubits.
            terms: the cost as a polynomial of spins, of a kind that is made of it.
            settings: values of settings; the others have their defaults.

        Raises:
            QhnError: if a value breaks its rule, or the circuit has no angle.
        """
        chosen = {key: setting.rule(key, settings.get(key, setting.default)) for key, setting in self.settings.items()}
        given = [num_qubits, terms] if self.of_cost else [num_qubits]
        facts = ", ".join(f"{key} {'+'.join(v) if isinstance(v, tuple) else v}" for key, v in chosen.items())
        return circuit_ansatz(self.make(*given, **chosen), name, facts)


def _real_amplitudes(num_qubits: int, num_layers: int, entanglement: str) -> QuantumCircuit:
    """Layers of RY and CX, whose amplitudes are real."""
    from qiskit.circuit.library import real_amplitudes

    return real_amplitudes(num_qubits, entanglement=entanglement, reps=num_layers)


def _efficient_su2(num_qubits: int, num_layers: int, entanglement: str, gates: Sequence[str]) -> QuantumCircuit:
    """Layers of rotations about the given axes and CX."""
    from qiskit.circuit.library import efficient_su2

    return efficient_su2(num_qubits, su2_gates=list(gates), entanglement=entanglement, reps=num_layers)


def _qaoa(num_qubits: int, terms: Terms, num_layers: int) -> QuantumCircuit:
    """The quantum approximate optimisation algorithm: evolutions under the cost and under X on each qubit, in turn.

    The cost is shifted and scaled to mean 0 and standard deviation 1 over all bitstrings, so that angles of order one
    matter whatever its unit is.
    """
    from qiskit.circuit.library import qaoa_ansatz
    from qiskit.quantum_info import SparsePauliOp

    kept = {qubits: factor for qubits, factor in terms.items() if qubits and factor}
    if not kept:
        raise QhnError("qaoa is made of the cost, and that of this problem is the same for all bitstrings")
    spread = float(np.sqrt(sum(factor**2 for factor in kept.values())))
    paulis = [("Z" * len(qubits), list(qubits), (-1) ** len(qubits) * f / spread) for qubits, f in kept.items()]
    return qaoa_ansatz(SparsePauliOp.from_sparse_list(paulis, num_qubits), reps=num_layers)


def _iqp(num_qubits: int, num_layers: int, entanglement: str) -> QuantumCircuit:
    """Layers of RZ on each qubit and RZZ on pairs of them, between Hadamards: all gates of a layer commute."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector

    pairs = _pairs(num_qubits, entanglement)
    theta = iter(ParameterVector("θ", num_layers * (num_qubits + len(pairs))))
    circuit = QuantumCircuit(num_qubits, name="IQP")
    for _ in range(num_layers):
        circuit.h(range(num_qubits))
        for qubit in range(num_qubits):
            circuit.rz(next(theta), qubit)
        for pair in pairs:
            circuit.rzz(next(theta), *pair)
    circuit.h(range(num_qubits))
    return circuit


def _pairs(num_qubits: int, entanglement: str) -> list[tuple[int, int]]:
    """The pairs of qubits that a layer couples, in the order in which a chain needs the fewest layers of gates."""
    if entanglement == "full":
        return [(j, k) for j in range(num_qubits) for k in range(j + 1, num_qubits)]
    neighbours = [(j, j + 1) for start in (0, 1) for j in range(start, num_qubits - 1, 2)]
    return [*neighbours, (0, num_qubits - 1)] if entanglement == "circular" and num_qubits > 2 else neighbours


def _layers(default: int, least: int) -> Setting:
    return Setting(default, Whole(least, MAX_LAYERS), int)


# Pairwise needs CX gates of two layers only, on a chain of neighbours: short circuits, and short light cones. In exact
# trainings of gaussian-activation, six starts each, none of the others ends clearly lower.
ENTANGLEMENT = Setting("pairwise", OneOf("pairwise", "linear", "reverse_linear", "circular", "full"), str)
ROTATIONS = Setting(("ry", "rz"), each(OneOf("rx", "ry", "rz")), tuple[str, ...])

KINDS = {
    "real-amplitudes": Kind(_real_amplitudes, {"num_layers": _layers(2, 0), "entanglement": ENTANGLEMENT}),
    "efficient-su2": Kind(
        _efficient_su2, {"num_layers": _layers(2, 0), "entanglement": ENTANGLEMENT, "gates": ROTATIONS}
    ),
    "qaoa": Kind(_qaoa, {"num_layers": _layers(2, 1)}, of_cost=True),
    "iqp": Kind(
        _iqp,
        {
            "num_layers": _layers(1, 1),
            "entanglement": Setting("linear", OneOf("linear", "circular", "full"), str),
        },
    ),
}
