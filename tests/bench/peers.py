"""Other simulators, asked for the same number: E and its gradient with all active angles, for any table of costs.

Each peer gets the pruned circuit, its own fastest way to a gradient, and whatever can be prepared beforehand; only the
evaluation is timed. One that is not installed is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qhn.circuit.ansatz import GateCircuit
from qhn.estimator.gradient import ParameterShift
from qhn.seeds import Key

Result = tuple[float, np.ndarray]


@dataclass(frozen=True)
class Task:
    """E and gradient of ``costs`` (qubit 0 least significant) at ``theta``; a batch for those that take one."""

    ansatz: GateCircuit
    costs: np.ndarray
    thetas: np.ndarray

    @property
    def theta(self) -> np.ndarray:
        return self.thetas[0]

    @property
    def active(self) -> list[int]:
        """The angles in the order of the pruned circuit's gates."""
        return [gate.angle for gate in self.ansatz.gates(prune=True) if gate.angle is not None]

    def scatter(self, grad: np.ndarray) -> np.ndarray:
        full = np.zeros(self.ansatz.num_parameters)
        full[self.active] = grad
        return full


def lightning(task: Task) -> Callable[[], Result]:
    """The adjoint method of PennyLane's lightning.qubit, through its device, without the overhead of a QNode."""
    import pennylane as qml
    from scipy.sparse import csr_matrix, diags

    last = task.ansatz.num_qubits - 1
    make = {"rx": qml.RX, "ry": qml.RY, "rz": qml.RZ, "rzz": qml.IsingZZ}
    fixed = {"cx": qml.CNOT, "h": qml.Hadamard}
    operations = []
    for gate in task.ansatz.gates(prune=True):
        wires = [last - qubit for qubit in gate.qubits]  # wire 0 is the most significant bit
        if gate.angle is None:
            operations.append(fixed[gate.name](wires))
        else:
            operations.append(make[gate.name](task.theta[gate.angle], wires))
    table = qml.SparseHamiltonian(csr_matrix(diags(task.costs)), wires=range(last + 1))
    tape = qml.tape.QuantumScript(operations, [qml.expval(table)], trainable_params=range(len(task.active)))
    device = qml.device("lightning.qubit", wires=last + 1)
    adjoint = qml.devices.ExecutionConfig(gradient_method="adjoint")

    def evaluate() -> Result:
        value, grad = device.execute_and_compute_derivatives([tape], adjoint)
        return float(np.squeeze(value)), task.scatter(np.ravel(grad))

    return evaluate


def qulacs(task: Task) -> Callable[[], Result]:
    """Backpropagation of Qulacs, from the state and the state multiplied by its costs."""
    from qulacs import ParametricQuantumCircuit, QuantumState

    num_qubits = task.ansatz.num_qubits
    circuit = ParametricQuantumCircuit(num_qubits)
    add = {
        "rx": circuit.add_parametric_RX_gate,
        "ry": circuit.add_parametric_RY_gate,
        "rz": circuit.add_parametric_RZ_gate,
        "rzz": lambda first, second, angle: circuit.add_parametric_multi_Pauli_rotation_gate(
            [first, second], [3, 3], angle
        ),
    }
    fixed = {"cx": circuit.add_CNOT_gate, "h": circuit.add_H_gate}
    for gate in task.ansatz.gates(prune=True):
        if gate.angle is None:
            fixed[gate.name](*gate.qubits)
        else:
            add[gate.name](*gate.qubits, -task.theta[gate.angle])  # its rotations turn the other way
    state, weighted = QuantumState(num_qubits), QuantumState(num_qubits)

    def evaluate() -> Result:
        state.set_zero_state()
        circuit.update_quantum_state(state)
        amplitudes = state.get_vector()
        weighted.load(task.costs * amplitudes)
        grad = -2 * np.array(circuit.backprop_inner_product(weighted))
        return float(task.costs @ (amplitudes.real**2 + amplitudes.imag**2)), task.scatter(grad)

    return evaluate


def qiskit_algorithms(task: Task) -> Callable[[], Result]:
    """The reverse gradient of qiskit-algorithms, with the costs as a sparse matrix; it returns no value."""
    from qiskit.quantum_info import SparsePauliOp, Statevector
    from qiskit_algorithms.gradients import ReverseEstimatorGradient
    from scipy.sparse import csr_matrix, diags

    matrix = csr_matrix(diags(task.costs))

    class Table(SparsePauliOp):
        def to_matrix(self, sparse: bool = False, force_serial: bool = False) -> csr_matrix:  # type: ignore[override]
            return matrix

    circuit = task.ansatz.pruned
    values = [task.theta[parameter.index] for parameter in circuit.parameters]
    places = [parameter.index for parameter in circuit.parameters]
    method, table = ReverseEstimatorGradient(), Table("I" * task.ansatz.num_qubits)
    bound = circuit.assign_parameters(values)
    value = float(Statevector(bound).probabilities() @ task.costs)

    def evaluate() -> Result:
        found = method.run([circuit], [table], [values]).result().gradients[0]
        grad = np.zeros(task.ansatz.num_parameters)
        grad[places] = found
        return value, grad

    return evaluate


def aer_parameter_shift(task: Task) -> Callable[[], Result]:
    """The parameter-shift rule on Aer's exact probabilities, all shifted circuits in one job."""
    from qiskit_aer import AerSimulator

    circuit = task.ansatz.pruned.copy()
    circuit.save_probabilities()
    rows = ParameterShift(task.ansatz.active).shifted(task.theta, Key(0))
    binds = {parameter: rows[:, parameter.index].tolist() for parameter in circuit.parameters}
    simulator = AerSimulator(method="statevector", fusion_threshold=1, fusion_max_qubit=2)

    def evaluate() -> Result:
        results = simulator.run(circuit, parameter_binds=[binds]).result()
        means = np.array([results.data(row)["probabilities"] @ task.costs for row in range(len(rows))])
        grad = np.zeros(task.ansatz.num_parameters)
        grad[task.ansatz.active] = (means[1::2] - means[2::2]) / 2
        return float(means[0]), grad

    return evaluate


def _tensorcircuit_energy(task: Task) -> tuple[object, Callable]:  # type: ignore[type-arg]
    import tensorcircuit as tc

    backend = tc.set_backend("jax")
    tc.set_dtype("complex128")
    num_qubits, costs = task.ansatz.num_qubits, backend.convert_to_tensor(task.costs)
    gates = list(task.ansatz.gates(prune=True))

    def energy(theta):  # type: ignore[no-untyped-def]
        circuit = tc.Circuit(num_qubits)
        for gate in gates:
            places = [num_qubits - 1 - qubit for qubit in gate.qubits]
            if gate.angle is None:
                circuit.cnot(*places)
            else:
                getattr(circuit, gate.name)(*places, theta=theta[gate.angle])
        return backend.real(backend.sum(backend.abs(circuit.state()) ** 2 * costs))

    return backend, energy


def tensorcircuit(task: Task) -> Callable[[], Result]:
    """tensorcircuit-ng on JAX, compiled: reverse mode through its contraction of the circuit."""
    backend, energy = _tensorcircuit_energy(task)
    compiled = backend.jit(backend.value_and_grad(energy))  # type: ignore[attr-defined]
    theta = backend.convert_to_tensor(task.theta)  # type: ignore[attr-defined]

    def evaluate() -> Result:
        value, grad = compiled(theta)
        return float(value), np.asarray(grad)

    return evaluate


def tensorcircuit_batch(task: Task) -> Callable[[], Result]:
    """The same for all rows of the batch in one compiled call; the first row's numbers are returned."""
    import jax

    backend, energy = _tensorcircuit_energy(task)
    compiled = jax.jit(jax.vmap(jax.value_and_grad(energy)))
    thetas = backend.convert_to_tensor(task.thetas)  # type: ignore[attr-defined]

    def evaluate() -> Result:
        value, grad = (np.asarray(found) for found in compiled(thetas))
        return float(value[0]), grad[0]

    return evaluate
