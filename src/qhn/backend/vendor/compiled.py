"""Circuits in the instructions of a vendor's machine, with their angles left open where it can be compiled so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2
from qiskit.transpiler import generate_preset_pass_manager

from qhn.arrays import Floats
from qhn.backend.aer import publish
from qhn.backend.device.isa import TRANSPILER_SEED
from qhn.backend.service.request import Pub
from qhn.backend.vendor.results import bound_circuits
from qhn.errors import QhnError


@dataclass(frozen=True)
class Compiler:
    """The compilation of circuits for a machine.

    Attributes:
        name: name of the machine, for messages.
        device: the backend whose instructions are used; None of a sampler that takes any circuit.
    """

    name: str
    device: BackendV2 | None

    def compiled(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """A circuit, measured into the register ``meas``, in the machine's instructions; of a mere sampler as it is.

        Raises:
            ValueError: if the machine has too few qubits, or Qiskit cannot compile the circuit for it.
        """
        return self.all_compiled([circuit])[0]

    def all_compiled(self, circuits: Sequence[QuantumCircuit]) -> list[QuantumCircuit]:
        """Circuits in the machine's instructions, as :meth:`compiled` returns each of them.

        Raises:
            ValueError: if the machine has too few qubits, or Qiskit cannot compile a circuit for it.
        """
        if self.device is None:
            return list(circuits)
        most, needed = self.device.num_qubits, max((circuit.num_qubits for circuit in circuits), default=0)
        if most is not None and needed > most:
            raise QhnError(f"{self.name} has {most} qubits, the circuit needs {needed}")
        passes = generate_preset_pass_manager(
            optimization_level=3, backend=self.device, seed_transpiler=TRANSPILER_SEED
        )
        try:
            return [passes.run(circuit) for circuit in circuits]
        except QiskitError as error:
            raise QhnError(f"Qiskit cannot compile the circuit for {self.name}: {error}") from None

    def template(self, circuit: QuantumCircuit) -> Template:
        """The template of a circuit with open angles, compiled if that is possible before they are known.

        Some instruction sets, such as Clifford gates and T, have a circuit only for known angles.

        Raises:
            ValueError: if the machine has too few qubits, or known angles do not help either.
        """
        try:
            return Template(self, self.compiled(circuit), is_compiled=True)
        except QhnError:
            self.compiled(circuit.assign_parameters(np.ones(circuit.num_parameters)))
            return Template(self, circuit, is_compiled=False)


@dataclass(frozen=True)
class Template:
    """A circuit with open angles, from which PUBs for a machine are made.

    Attributes:
        compiler: the compilation for the machine.
        circuit: the circuit.
        is_compiled: whether it is in the machine's instructions; otherwise each set of angles is compiled.
    """

    compiler: Compiler
    circuit: QuantumCircuit
    is_compiled: bool

    def pubs(self, thetas: Floats) -> list[Pub]:
        """PUBs for rows of angles ``[num_rows, num_parameters]``: one for all, or one for each row."""
        open_circuit = publish(self.circuit, thetas)
        if self.is_compiled:
            return [open_circuit]
        return [(bound,) for bound in self.compiler.all_compiled(bound_circuits([open_circuit]))]
