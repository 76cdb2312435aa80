"""Solving a segment's system and reading its last displacement: exactly, classically, or from measured bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qhn.arrays import Floats
from qhn.backend import CircuitPrice
from qhn.backend.settings import NoSettings
from qhn.carleman.download import Downloaded, check_counts, download
from qhn.carleman.interference import Interference
from qhn.carleman.linear_solver import Solver, SolverCircuit
from qhn.errors import QhnError
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.segment import Read, Solved
from qhn.quantum_sgd.upload import Upload
from qhn.run.circuit_machine import CircuitMachine
from qhn.seeds import Key

MAX_CHIP_QUBITS = 6  # of a solver's circuit on a device: 4 take about 100 two-qubit gates, 7 more than 10,000
ROUNDING = 1e-7  # relative: how far above the computed condition number the bound is that circuits are built for


@dataclass(frozen=True, eq=False)
class Reading:
    """A segment's displacement as it was found.

    Attributes:
        theta: kept parameters after the segment, ``[num_kept]``.
        variance: variance of the shots' error of each parameter, ``[num_kept]``; zeros without shots.
        solved: circuits; None if the system was solved classically.
        read: what the bits say; None without shots.
        bias: bound on the norm of what the solver's own error changes in the parameters; None if none is proven.
    """

    theta: Floats
    variance: Floats
    solved: Solved | None = None
    read: Read | None = None
    bias: float | None = 0.0


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

        On an ideal machine the reference is as small as the number of shots allows, which leaves more of them to the
        displacement: on the digits 3.3 times as many with 100,000. Noise cancels only with a large reference.

        Raises:
            QhnError: if the solver has none, or they would be too large.
        """
        rules = self.config.machine
        shots = rules.shots if rules.kind.settings is NoSettings else None
        return Interference.of(self.upload.system, self.solver, shots)

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

    def build(self) -> SolverCircuit | None:
        """The circuit of the solver alone, whose amplitudes are read if there are no shots; None if there is none.

        Raises:
            QhnError: if it would be too large.
        """
        return None if self.config.solver.name == "classical" else self._circuit

    @cached_property
    def _circuit(self) -> SolverCircuit:
        system = self.upload.system
        return self.solver(system.matrix, system.right_side)

    @property
    def shots_each(self) -> int:
        """The number of shots of each circuit."""
        shots = self.config.machine.shots
        assert shots is not None
        return max(1, shots // len(self.circuits.solvers))

    @property
    def predicted_norm(self) -> float:
        """The norm of the displacement that is read, by classical Carleman linearisation."""
        return float(np.linalg.norm(self.upload.carleman() - self.upload.reference))

    def check_counts(self) -> None:
        """Refuse shots that would say too little of the displacement, before they are paid for.

        Raises:
            TooFewCountsError: if they would.
        """
        check_counts(self.circuits, self.predicted_norm, self.shots_each, self.config.machine.min_counts)

    def price(self, machine: CircuitMachine) -> CircuitPrice:
        """The price of the segment's circuits on a machine, before anything is submitted; compiled once.

        Raises:
            QhnError: if they have too many qubits for a device.
        """
        qubits = self.circuits.solvers[0].num_qubits
        if machine.kind.has_chip and qubits > MAX_CHIP_QUBITS:
            raise QhnError(
                f"the circuits have {qubits} qubits, and with more than {MAX_CHIP_QUBITS} take thousands of two-qubit "
                "gates on a device, whose bits are then noise; measure them on aer, or descend as three-qubits does"
            )
        if self._prices.get(machine) is None:
            self._prices[machine] = machine.price(self.circuits.circuits, self.shots_each)
        return self._prices[machine]

    @cached_property
    def _prices(self) -> dict[CircuitMachine, CircuitPrice]:
        return {}

    def read(self, machine: CircuitMachine | None) -> Reading:
        """Solve the system and read the parameters after the segment.

        Args:
            machine: what measures circuits; None without shots.

        Raises:
            ValueError: if the circuits are too large, or the shots show too little.
            BackendError: if the machine fails.
        """
        if machine is not None:
            return self._measured(machine)
        circuit = self.build()
        return self._classically() if circuit is None else self._exactly(circuit)

    def _classically(self) -> Reading:
        theta = self.upload.carleman()
        return Reading(theta, np.zeros_like(theta))

    def _exactly(self, circuit: SolverCircuit) -> Reading:
        system = self.upload.system
        vector, success = circuit.amplitudes()
        theta = self.upload.landed(system.last(vector))
        solved = _solved((circuit,), success, system.weight_of_last(vector))
        bound = circuit.facts.error_bound
        length = self.upload.step.scale * float(np.linalg.norm(vector)) / np.sqrt(1 + system.num_idle)
        bias = None if bound is None or bound >= 1 else bound / (1 - bound) * length
        return Reading(theta, np.zeros_like(theta), solved, bias=bias)

    def _measured(self, machine: CircuitMachine) -> Reading:
        price, key = self.price(machine), Key(self.config.descent.seed, step=self.number, run=self.config.run_id)
        found = download(
            self.circuits,
            lambda circuits, shots: machine.measure(circuits, shots, key).bits,
            self.shots_each * len(self.circuits.solvers),
            norm=self.predicted_norm,  # which refuses too few shots before any is paid for
            min_counts=self.config.machine.min_counts,
        )
        theta = self.upload.landed(found.displacement)
        solved = _solved(self.circuits.solvers, found.success_share, found.weight_of_last, price)
        return Reading(theta, np.square(found.std_error), solved, _read(found, self.upload), found.solver_bias)


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
