"""The gate-by-gate engine on any circuit: against Qiskit's state vector, shifted angles and differences."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Statevector, random_unitary

import reference
from qhn.backend import open_backend
from qhn.bitstrings import to_integers
from qhn.circuit.ansatz import Gate
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork
from qhn.circuit.unrolled import UnrolledCircuit, circuit_ansatz
from qhn.errors import QhnError
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.exact import gate_loops
from qhn.exact import program as program_module
from qhn.exact.chain import Chain
from qhn.exact.distribution import Distribution
from qhn.exact.energy import Energy
from qhn.exact.engine import distribution_of, energy_of, sampler_of
from qhn.exact.program import Op, _euler_angles, program_of
from qhn.exact.state_vector import StateVectorDistribution, StateVectorEnergy
from qhn.problem.cost import TableProblem
from qhn.problem.objective import Objective
from qhn.seeds import Key

ONE = ("rx", "ry", "rz")
TWO = ("rxx", "ryy", "rzz", "rzx")
CLIFFORD = {
    "x": np.array([[0, 1], [1, 0]]),
    "y": np.array([[0, -1j], [1j, 0]]),
    "h": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
    "s": np.diag([1, 1j]),
    "sx": np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2,
    "cz": np.diag([1, 1, 1, -1]),
    "swap": np.eye(4)[[0, 2, 1, 3]],
}
MATRICES = {name: matrix.astype(np.complex128) for name, matrix in CLIFFORD.items()}


def circuit_of(num_qubits: int, gates: list[Gate]) -> UnrolledCircuit:
    return UnrolledCircuit(num_qubits, tuple(gates), (None,) * len(gates))


def random_gates(num_qubits: int, num: int, rng: np.random.Generator, num_busy: int | None = None) -> list[Gate]:
    """Gates of all kinds on random qubits, of which those from ``num_busy`` on stay idle."""
    gates: list[Gate] = []
    for _ in range(num):
        kind = rng.integers(5) if num_qubits > 1 else rng.choice([0, 3])
        num_on = 1 if kind == 0 or (kind == 3 and num_qubits == 1) else rng.integers(1, 3) if kind == 3 else 2
        qubits = tuple(rng.permutation(num_busy or num_qubits)[:num_on].tolist())
        angle = sum(gate.angle is not None for gate in gates)
        if kind == 0:
            gates.append(Gate(str(rng.choice(ONE)), qubits, angle))
        elif kind == 1:
            gates.append(Gate(str(rng.choice(TWO)), qubits, angle))
        elif kind == 2:
            gates.append(Gate("cx", qubits))
        elif kind == 3:
            gates.append(Gate("unitary", qubits, matrix=random_unitary(2**num_on, seed=rng).data))
        else:
            names = [name for name, matrix in MATRICES.items() if len(matrix) == 2**num_on]
            name = str(rng.choice(names))
            gates.append(Gate(name, qubits, matrix=MATRICES[name]))
    return gates


def literal(num_qubits: int, gates: list[Gate], angles: np.ndarray) -> QuantumCircuit:
    circuit = QuantumCircuit(num_qubits)
    for gate in gates:
        if gate.angle is not None:
            getattr(circuit, gate.name)(angles[gate.angle], *gate.qubits)
        elif gate.matrix is not None:
            circuit.append(UnitaryGate(gate.matrix), gate.qubits)
        else:
            circuit.cx(*gate.qubits)
    return circuit


def expected_probabilities(num_qubits: int, gates: list[Gate], rows: np.ndarray) -> np.ndarray:
    return np.array([reference.probabilities(literal(num_qubits, gates, row)) for row in rows])


SHAPES = [
    (1, 6, 1),
    (2, 20, 2),
    (3, 40, 3),
    (4, 60, 4),
    (5, 80, 3),
    (6, 80, 6),
    (12, 60, 12),
]  # qubits, gates, qubits in use


@pytest.mark.parametrize(("num_qubits", "num_gates", "num_busy"), SHAPES)
@pytest.mark.parametrize("block_bits", [14, 5, 2])  # the whole state, and several blocks of it
def test_probabilities_means_and_gradients_are_those_of_qiskit(
    num_qubits: int,
    num_gates: int,
    num_busy: int,
    block_bits: int,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(program_module, "BLOCK_BITS", block_bits)
    gates = random_gates(num_qubits, num_gates, rng, num_busy)
    circuit, costs = circuit_of(num_qubits, gates), rng.normal(size=2**num_qubits)
    rows = rng.uniform(-7, 7, (3, circuit.num_parameters))
    expected = expected_probabilities(num_qubits, gates, rows)
    np.testing.assert_allclose(StateVectorDistribution(circuit).probabilities(rows), expected, atol=1e-13)
    energy = StateVectorEnergy(circuit, costs)
    values, grads = energy.value_and_grad(rows)
    np.testing.assert_allclose(values, expected @ costs, atol=1e-13)
    np.testing.assert_array_equal(energy(rows), values)
    shifts = np.pi / 2 * np.eye(circuit.num_parameters)
    for row, grad in zip(rows, grads, strict=True):
        plus, minus = (expected_probabilities(num_qubits, gates, row + side * shifts) @ costs for side in (1, -1))
        np.testing.assert_allclose(grad, (plus - minus) / 2, atol=1e-12)


@pytest.mark.parametrize("name", [*ONE, *TWO])
@pytest.mark.parametrize("qubits", [(0, 1), (1, 0), (4, 2), (3, 4), (0, 4)])
def test_every_rotation_has_the_angle_and_the_order_of_qubits_of_qiskit(
    name: str, qubits: tuple[int, int], rng: np.random.Generator
) -> None:
    mix = [Gate("unitary", (k, (k + 1) % 5), matrix=random_unitary(4, seed=rng).data) for k in (0, 2, 4, 1, 3)]
    gates = [*mix, Gate(name, qubits[: len(name) - 1], 0), *mix]
    circuit, rows = circuit_of(5, gates), np.array([[0.7], [-2.1]])
    found = StateVectorDistribution(circuit).probabilities(rows)
    np.testing.assert_allclose(found, expected_probabilities(5, gates, rows), atol=1e-13)


def test_a_large_circuit_of_diagonal_gates_is_that_of_qiskit(rng: np.random.Generator) -> None:
    """More qubits than a table of phases has, RZ and RZZ on all of them between two layers of RX."""
    num_qubits = 12
    gates = [Gate("h", (k,), matrix=MATRICES["h"]) for k in range(num_qubits)]
    for _ in range(2):
        first = sum(gate.angle is not None for gate in gates)
        kinds: list[tuple[str, tuple[int, ...]]] = [("rz", (k,)) for k in range(num_qubits)]
        kinds += [("rzz", (k, (5 * k + 3) % num_qubits)) for k in range(num_qubits) if (5 * k + 3) % num_qubits != k]
        kinds += [("rx", (k,)) for k in range(num_qubits)]
        gates += [Gate(name, qubits, first + k) for k, (name, qubits) in enumerate(kinds)]
        gates.append(Gate("cz", (1, 11), matrix=MATRICES["cz"]))
    circuit, costs = circuit_of(num_qubits, gates), rng.normal(size=2**num_qubits)
    row = rng.uniform(0, 6, (1, circuit.num_parameters))
    np.testing.assert_allclose(
        StateVectorDistribution(circuit).probabilities(row), expected_probabilities(num_qubits, gates, row), atol=1e-13
    )
    energy = StateVectorEnergy(circuit, costs)
    shifts = np.pi / 2 * np.eye(circuit.num_parameters)
    np.testing.assert_allclose(
        energy.value_and_grad(row)[1][0], (energy(row + shifts) - energy(row - shifts)) / 2, atol=1e-12
    )


def test_diagonal_gates_that_can_meet_are_one_operation() -> None:
    layer = [Gate("rzz", (k, k + 1), k) for k in range(7)] + [Gate("rx", (k,), 7 + k) for k in range(8)]
    more = [gate._replace(angle=15 + (gate.angle or 0)) for gate in layer]
    hadamards = [Gate("h", (k,), matrix=MATRICES["h"]) for k in range(8)]
    kinds = program_of(circuit_of(8, [*hadamards, *layer, *more])).ops[:, 0].tolist()
    assert kinds.count(Op.PHASES) == 3 + (kinds[-1] == Op.PHASES)  # of the H, and one a layer of RZZ
    # gates of qubit after qubit are brought into layers
    mixed = [Gate(name, (k,), 3 * k + step) for k in range(8) for step, name in enumerate(("rx", "rz", "rx"))]
    assert program_of(circuit_of(8, mixed)).ops[:, 0].tolist().count(Op.PHASES) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_fixed_gate_is_a_phase_a_turn_and_a_phase(seed: int) -> None:
    for matrix in (random_unitary(2, seed=seed).data, *(m for m in MATRICES.values() if len(m) == 2)):
        before, turn, after = _euler_angles(matrix)
        half = np.array([[np.cos(turn / 2), -np.sin(turn / 2)], [np.sin(turn / 2), np.cos(turn / 2)]])
        found = np.diag([1, np.exp(1j * after)]) @ half @ np.diag([1, np.exp(1j * before)])
        assert abs(np.vdot(found, matrix)) == pytest.approx(2)


@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize(("num_qubits", "num_layers"), [(1, 1), (4, 0), (5, 2), (11, 3)])
def test_a_hypernetwork_has_the_numbers_of_the_cut_engine(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz: Hypernetwork = hypernetwork(num_qubits, num_layers, order)  # type: ignore[arg-type]
    costs = rng.normal(size=2**num_qubits)
    rows = rng.uniform(0, 6, (3, ansatz.num_parameters))
    cut, whole = Energy(ansatz, costs), StateVectorEnergy(ansatz, costs)
    for ours, theirs in zip(whole.value_and_grad(rows), cut.value_and_grad(rows), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-13)
    for ours, theirs in zip(
        whole.objective_and_grad(rows, Objective(0.3)), cut.objective_and_grad(rows, Objective(0.3)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert whole.scale == cut.scale
    np.testing.assert_array_equal(whole._bits()[whole.table.argmin()], cut._bits()[cut.table.argmin()])
    ours, theirs = StateVectorDistribution(ansatz), Distribution(ansatz)
    np.testing.assert_allclose(ours.probabilities(rows), theirs.probabilities(rows), atol=1e-14)
    np.testing.assert_allclose(ours.entropy(rows), theirs.entropy(rows), atol=1e-12)
    bits, chance = ours.most_probable(rows[0])
    np.testing.assert_array_equal(bits, theirs.most_probable(rows[0])[0])
    assert chance == pytest.approx(theirs.most_probable(rows[0])[1])
    drawn = ours.sample(rows[:1], 20_000, np.random.default_rng(1))
    exact = theirs.probabilities(rows[:1])[0]
    shares = np.bincount(drawn[0], minlength=exact.size) / 20_000
    assert np.all(np.abs(shares - exact) <= 5 * np.sqrt(exact * (1 - exact) / 20_000) + 5 / 20_000)


@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_gradients_of_cvar_are_differences_of_its_definition(alpha: float, rng: np.random.Generator) -> None:
    gates = random_gates(5, 60, rng)
    circuit, costs = circuit_of(5, gates), rng.normal(size=32)
    rows = rng.uniform(0, 6, (2, circuit.num_parameters))
    energy = StateVectorEnergy(circuit, costs)

    def cvar(some: np.ndarray) -> np.ndarray:
        return np.array([reference.cvar(costs, p, alpha) for p in expected_probabilities(5, gates, some)])

    values, grads = energy.objective_and_grad(rows, Objective(alpha))
    np.testing.assert_allclose(values, cvar(rows), atol=1e-12)
    np.testing.assert_array_equal(energy.objective(rows, Objective(alpha)), values)
    for index in range(circuit.num_parameters):
        step = 1e-5 * np.eye(circuit.num_parameters)[index]
        np.testing.assert_allclose(grads[:, index], (cvar(rows + step) - cvar(rows - step)) / 2e-5, atol=1e-8)


def test_the_estimator_maps_shared_angles_with_factors_and_offsets(rng: np.random.Generator) -> None:
    theta = ParameterVector("t", 3)
    literal_circuit = QuantumCircuit(4)
    literal_circuit.h(range(4))
    for k in range(3):
        literal_circuit.rzz(2 * theta[0] * (k + 1), k, k + 1)
    literal_circuit.append(random_unitary(4, seed=3).to_instruction(), [3, 1])
    literal_circuit.crx(theta[1] - theta[2], 0, 2)
    for k in range(4):
        literal_circuit.rx(-0.5 * theta[1] + 0.3 * k, k)
    literal_circuit.ryy(theta[2] + 1, 3, 0)
    ansatz = circuit_ansatz(literal_circuit)
    assert ansatz.angle_map is not None
    costs = rng.normal(size=16)
    rows = rng.uniform(-3, 3, (2, 3))

    def probabilities(row: np.ndarray) -> np.ndarray:
        bound = literal_circuit.assign_parameters(dict(zip(ansatz.parameters, row, strict=True)))
        return Statevector(bound).probabilities()

    estimator = ExactEstimator(ansatz, TableProblem(costs))
    np.testing.assert_allclose(estimator.probabilities(rows), [probabilities(row) for row in rows], atol=1e-13)
    found = estimator.value_and_grad(rows)
    np.testing.assert_allclose(found.value, [probabilities(row) @ costs for row in rows], atol=1e-13)
    np.testing.assert_allclose(estimator(rows).mean, found.value, atol=1e-13)
    for index in range(3):
        step = 1e-5 * np.eye(3)[index]
        slopes = [(probabilities(row + step) - probabilities(row - step)) @ costs / 2e-5 for row in rows]
        np.testing.assert_allclose(found.grad[:, index], slopes, atol=1e-8)
    bits, chance = estimator.most_probable(rows[0])
    assert to_integers(bits) == probabilities(rows[0]).argmax()
    assert chance == pytest.approx(probabilities(rows[0]).max())


@pytest.mark.parametrize("objective", ["mean", "cvar"])
def test_a_sampled_gradient_of_shared_angles_is_the_exact_one_within_its_errors(
    objective: str, rng: np.random.Generator
) -> None:
    theta = ParameterVector("t", 2)
    circuit = QuantumCircuit(4)
    circuit.h(range(4))
    for k in range(4):
        circuit.rzz(2 * theta[0], k, (k + 1) % 4)
    circuit.rx(theta[1], range(4))
    ansatz, problem = circuit_ansatz(circuit), TableProblem(rng.normal(size=16))
    row, shots = np.array([0.4, 0.9]), 20_000
    exact = ExactEstimator(ansatz, problem, objective=objective).value_and_grad(row)
    sampled = SamplingEstimator(ansatz, problem, open_backend("exact"), shots=shots, seed=7, objective=objective)
    found = sampled.value_and_grad(row)
    assert abs(found.value - exact.value) < 5 * found.std_error
    assert np.all(np.abs(found.grad - exact.grad) < 5 * found.grad_std_error)
    assert found.grad_std_error.max() < 0.1


def test_shots_of_the_exact_machine_follow_the_probabilities(rng: np.random.Generator) -> None:
    gates = random_gates(5, 60, rng)
    circuit, shots = circuit_of(5, gates), 40_000
    rows = rng.uniform(0, 6, (3, circuit.num_parameters))
    sampler = open_backend("exact").compile(circuit)
    assert sampler.describe()["method"] == "state vector, gate by gate"
    drawn = sampler.sample(rows, shots, Key(5))
    for row, probabilities in zip(drawn.bits, expected_probabilities(5, gates, rows), strict=True):
        counts = np.bincount(to_integers(row), minlength=32)
        likely = probabilities * shots > 5
        mean = probabilities[likely] * shots
        chi2, freedom = float(((counts[likely] - mean) ** 2 / mean).sum()), int(likely.sum()) - 1
        assert chi2 < freedom + 5 * np.sqrt(2 * freedom)
    np.testing.assert_array_equal(drawn.bits, sampler.sample(rows, shots, Key(5)).bits)
    np.testing.assert_allclose(sampler.probabilities(rows), expected_probabilities(5, gates, rows), atol=1e-13)


@pytest.mark.parametrize("place", [0, 5, 7])
def test_bitstrings_of_probability_zero_are_never_drawn(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = StateVectorDistribution(circuit_of(3, [Gate("rx", (0,), 0)]))
    for certain in (1.0, 1.0 + 2.0**-52, 1.0 - 2.0**-53):
        monkeypatch.setattr(engine._state, "probabilities", lambda row, p=certain: p * np.eye(8)[place])

        class Extremes:
            def random(self, shape: tuple[int, ...]) -> np.ndarray:
                return np.resize([0.0, 0.5, 1 - 2.0**-53], shape)

        np.testing.assert_array_equal(engine.sample(np.zeros((1, 1)), 3, Extremes()), place)  # type: ignore[arg-type]


def test_numbers_do_not_depend_on_the_number_of_threads(rng: np.random.Generator) -> None:
    circuit = circuit_of(6, random_gates(6, 60, rng))
    costs, rows = rng.normal(size=64), rng.uniform(0, 6, (9, circuit.num_parameters))
    alone, many = (StateVectorEnergy(circuit, costs, num_threads=k) for k in (1, 3))
    for found, expected in zip(many.value_and_grad(rows), alone.value_and_grad(rows), strict=True):
        np.testing.assert_array_equal(found, expected)
    drawn = [StateVectorDistribution(circuit, num_threads=k).sample(rows, 50, np.random.default_rng(1)) for k in (1, 3)]
    np.testing.assert_array_equal(*drawn)
    values, grads = alone.value_and_grad(rows[4:5])  # memory that is used again
    np.testing.assert_array_equal(values[0], many.value_and_grad(rows)[0][4])
    np.testing.assert_array_equal(grads[0], many.value_and_grad(rows)[1][4])


def test_a_circuit_may_have_no_angles_and_rows_may_be_none() -> None:
    bell = circuit_of(3, [Gate("h", (0,), matrix=MATRICES["h"]), Gate("cx", (0, 2))])
    row = np.empty((1, 0))
    distribution, energy = distribution_of(bell), energy_of(bell, np.arange(8.0))
    np.testing.assert_allclose(distribution.probabilities(row)[0], [0.5, 0, 0, 0, 0, 0.5, 0, 0], atol=1e-15)
    assert distribution.entropy(row) == pytest.approx(1)
    values, grads = energy.value_and_grad(row)
    assert values == pytest.approx(2.5)
    assert grads.shape == (1, 0)
    nothing = circuit_of(2, [])
    assert distribution_of(nothing).most_probable([])[0].tolist() == [0, 0]
    turn, none = circuit_of(1, [Gate("rx", (0,), 0)]), np.empty((0, 1))
    assert energy_of(turn, [0.0, 1.0]).objective_and_grad(none, Objective(0.5))[1].shape == (0, 1)
    assert distribution_of(turn).sample(none, 5, np.random.default_rng(1)).shape == (0, 5)


def test_the_engine_refuses_what_does_not_fit() -> None:
    large = circuit_of(25, [Gate("rx", (0,), 0)])
    for make in (distribution_of, sampler_of, lambda circuit: energy_of(circuit, np.zeros(2))):
        with pytest.raises(QhnError, match="25 qubits does not fit, at most 24 qubits do; take shots on backend aer-m"):
            make(large)
    small = circuit_of(2, [Gate("rx", (0,), 0)])
    with pytest.raises(QhnError, match=r"costs must have shape \[4\], got \[2\]"):
        energy_of(small, np.zeros(2))
    with pytest.raises(QhnError, match="costs must be finite"):
        energy_of(small, [0.0, 1.0, np.inf, 1.0])
    for call in (energy_of(small, np.zeros(4)), distribution_of(small).probabilities, distribution_of(small).entropy):
        with pytest.raises(QhnError, match=r"thetas must have shape \[B, 1\], got \[1, 2\]"):
            call(np.zeros((1, 2)))
    for engine in (lambda: Energy(small, np.zeros(4)), lambda: Distribution(small), lambda: Chain(small)):  # type: ignore[arg-type]
        with pytest.raises(
            QhnError, match="only a hypernetwork can be cut, not a circuit of type UnrolledCircuit; qhn"
        ):
            engine()
    hadamards = [Gate("h", (k,), matrix=MATRICES["h"]) for k in range(3)]
    three = circuit_of(
        3,
        [
            *hadamards,
            Gate("ccz", (0, 1, 2), matrix=np.diag([1, 1, 1, 1, 1, 1, 1, -1]).astype(np.complex128)),
            *hadamards,
        ],
    )
    with pytest.raises(QhnError, match="gate ccz acts on 3 qubits; the exact engine takes fixed gates on 1 or 2"):
        program_of(three)
    with pytest.raises(QhnError, match="gate odd has a matrix that is not unitary"):
        program_of(circuit_of(1, [Gate("odd", (0,), matrix=np.ones((2, 2), dtype=np.complex128))]))


def test_the_loops_number_the_ops_as_the_program_does() -> None:
    assert list(Op)[:-1] == [gate_loops.TURN, gate_loops.SWAP, gate_loops.PHASES]
    assert list(Op)[-1] is Op.MATRIX
