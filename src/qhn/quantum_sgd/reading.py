"""Solving a segment's system and reading its last displacement: exactly, classically, or from measured bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from qhn.arrays import Bits, Floats
from qhn.backend import CircuitPrice
from qhn.carleman.download import Downloaded, download
from qhn.carleman.interference import Interference
from qhn.carleman.linear_solver import Solver, SolverCircuit
from qhn.errors import QhnError
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.segment import Read, Solved
from qhn.quantum_sgd.upload import Upload

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

ROUNDING = 1e-7  # relative: how far above the computed condition number the bound is that circuits are built for


class Measures(Protocol):
    """What measures the circuits of a segment."""

    def price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The price of measuring each circuit, before anything is submitted."""
        ...

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, segment: int) -> Bits:
        """The measured bits of each circuit, ``[num_circuits, shots, num_clbits]``."""
        ...


@dataclass(frozen=True, eq=False)
class Reading:
    """A segment's displacement as it was found.

    Attributes:
        theta: kept parameters after the segment, ``[num_kept]``.
        variance: variance of the shots' error of each parameter, ``[num_kept]``; zeros without shots.
        solved: circuits; None if the system was solved classically.
        read: what the bits say; None without shots.
    """

    theta: Floats
    variance: Floats
    solved: Solved | None = None
    read: Read | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """A segment that is ready to be solved and read: its system, and its circuits once they are asked for.

    Attributes:
        config: the configuration.
        number: number of the segment, from 0.
        upload: the system.
    """

    config: QsgdConfig
    number: int
    upload: Upload

    @cached_property
    def circuits(self) -> Interference:
        """The circuits that are measured.

        Raises:
            QhnError: if the solver has none, or they would be too large.
        """
        return Interference.of(self.upload.system, self.solver)

    @property
    def solver(self) -> Solver:
        """The function that builds a solver's circuit from a matrix and a right side.

        Raises:
            QhnError: if the solver has no circuit.
        """
        chosen, system = self.config.solver, self.upload.system
        if chosen.name == "qsvt":
            from qhn.carleman.qsvt import qsvt

            kappa = self.upload.condition * (1 + ROUNDING)
            epsilon, encoding = chosen.epsilon, chosen.encoding
            return lambda _, right_side: qsvt(system, right_side, epsilon, encoding=encoding, kappa=kappa)
        if chosen.name == "hhl":
            from qhn.carleman.hhl import hhl

            return lambda matrix, right_side: hhl(matrix, right_side, phase_qubits=chosen.phase_qubits)
        raise QhnError("solver classical has no circuit; choose qsvt or hhl")

    @property
    def shots_each(self) -> int:
        """The number of shots of each circuit."""
        shots = self.config.machine.shots
        assert shots is not None
        return max(1, shots // len(self.circuits.solvers))

    def price(self, machine: Measures) -> CircuitPrice:
        """The price of the segment's circuits on a machine, before anything is submitted."""
        return machine.price(self.circuits.circuits, self.shots_each)

    def read(self, machine: Measures | None) -> Reading:
        """Solve the system and read the parameters after the segment.

        Args:
            machine: what measures circuits; None without shots.

        Raises:
            ValueError: if the circuits are too large, or the shots show too little.
            BackendError: if the machine fails.
        """
        if self.config.solver.name == "classical":
            theta = self.upload.carleman()
            return Reading(theta, np.zeros_like(theta))
        return self._exactly() if machine is None else self._measured(machine)

    def _exactly(self) -> Reading:
        system = self.upload.system
        circuit = self.solver(system.matrix, system.right_side)
        vector, success = circuit.amplitudes()
        theta = self.upload.landed(system.last(vector))
        return Reading(theta, np.zeros_like(theta), _solved((circuit,), success, system.weight_of_last(vector)))

    def _measured(self, machine: Measures) -> Reading:
        price = self.price(machine)
        predicted = self.upload.carleman() - self.upload.reference
        found = download(
            self.circuits,
            lambda circuits, shots: machine.measure(circuits, shots, self.number),
            self.shots_each * len(self.circuits.solvers),
            norm=float(np.linalg.norm(predicted)),  # which refuses too few shots before any is paid for
            min_counts=self.config.machine.min_counts,
        )
        theta = self.upload.landed(found.displacement)
        solved = _solved(self.circuits.solvers, found.success_share, found.weight_of_last, price)
        return Reading(theta, np.square(found.std_error), solved, _read(found, self.upload))


def _solved(
    solvers: Sequence[SolverCircuit], success: float, weight: float, price: CircuitPrice | None = None
) -> Solved:
    """The facts of a segment's circuits."""
    largest = max(solvers, key=lambda one: one.num_qubits)
    facts, sizes = largest.facts, () if price is None else price.circuits
    return Solved(
        method=facts.method,
        qubits=largest.num_qubits,
        degree=facts.degree,
        queries=facts.queries,
        condition=facts.effective_condition,
        error_bound=facts.error_bound,
        success=float(success),
        weight=float(weight),
        num_circuits=len(sizes),
        depth=max((size.depth for size in sizes), default=None),
        two_qubit_gates=max((size.two_qubit_gates for size in sizes), default=None),
        price="" if price is None else price.words(),
    )


def _read(found: Downloaded, upload: Upload) -> Read:
    """What the bits of a segment say."""
    low, high = upload.landed(found.interval.T)
    return Read(
        shots=found.shots,
        counts=float(found.signal_counts),
        std_error=tuple(found.std_error.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        sign_error=tuple(found.sign_error.tolist()),
        misfit=float(found.misfit),
        complaints=found.complaints,
    )
