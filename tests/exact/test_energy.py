from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qiskit.quantum_info import Statevector, entropy
from threadpoolctl import threadpool_limits

import reference
from qhn import compiled, threads
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork, product_state
from qhn.exact import energy as energy_module
from qhn.exact import kernels
from qhn.exact.cut import Op, best_cut, cut_at, num_crossings
from qhn.exact.distribution import Distribution, schmidt_spectrum
from qhn.exact.energy import Energy
from qhn.exact.halves import Halves, row_blocks
from qhn.problem.objective import Objective

SHAPES = [(n, layers, order) for n in (1, 2, 3, 4, 5) for layers in (0, 1, 2, 3) for order in ("eq5", "authors")]


def random_thetas(ansatz: Hypernetwork, rng: np.random.Generator, num: int = 3) -> np.ndarray:
    return rng.uniform(0, 2 * np.pi, (num, ansatz.num_parameters))


def shifted_gradient(num_qubits: int, num_layers: int, order: str, theta: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """The parameter-shift rule on Qiskit's state vector."""
    grad = np.empty_like(theta)
    for index in range(len(theta)):
        shift = np.zeros_like(theta)
        shift[index] = np.pi / 2
        plus, minus = (reference.energy(num_qubits, num_layers, order, theta + s, costs) for s in (shift, -shift))
        grad[index] = (plus - minus) / 2
    return grad


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), SHAPES)
def test_energy_and_gradient_are_those_of_qiskit_at_every_cut(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    costs = rng.normal(size=2**num_qubits)
    thetas = random_thetas(ansatz, rng)
    values = [reference.energy(num_qubits, num_layers, order, theta, costs) for theta in thetas]
    grad = shifted_gradient(num_qubits, num_layers, order, thetas[0], costs)
    for most_branches in (0, 4):  # through amplitudes, and through products of branches
        monkeypatch.setattr(energy_module, "MAX_PRODUCT_BRANCHES", most_branches)
        for cut in (None, *range(num_qubits + 1)):
            engine = Energy(ansatz, costs, cut=cut)
            found, grads = engine.value_and_grad(thetas)
            np.testing.assert_allclose(found, values, atol=1e-13)
            np.testing.assert_allclose(engine(thetas), values, atol=1e-13)
            np.testing.assert_allclose(grads[0], grad, atol=1e-13)


@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize(("num_qubits", "num_layers"), [(9, 4), (10, 6), (14, 2), (13, 0), (8, 12), (18, 1)])
def test_the_cut_circuit_is_the_whole_one(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    costs = rng.normal(size=2**num_qubits)
    thetas = random_thetas(ansatz, rng, 2)
    value, grad = Energy(ansatz, costs).value_and_grad(thetas)
    for cut in (num_qubits // 2, num_qubits):  # one of the two parities at least, and no cut
        other_value, other_grad = Energy(ansatz, costs, cut=cut).value_and_grad(thetas)
        np.testing.assert_allclose(value, other_value, atol=1e-12)
        np.testing.assert_allclose(grad, other_grad, atol=1e-12)


def test_the_cut_has_the_rank_of_the_physics() -> None:
    for layers in (1, 2, 3):
        assert best_cut(hypernetwork(14, layers, "eq5")).cut == 7
        assert best_cut(hypernetwork(14, layers, "authors")).cut in (6, 8)
        for order in ("eq5", "authors"):
            assert best_cut(hypernetwork(14, layers, order)).num_branches == 2 ** (layers - 1)
    assert num_crossings(hypernetwork(14, 2, "eq5"), 6) == 2  # at the other parity the rank doubles
    assert best_cut(hypernetwork(14, 20)).cut == 14  # deep circuits are left whole
    assert best_cut(product_state(9)).num_branches == 1


def test_the_loops_number_the_ops_as_the_cut_does() -> None:
    assert list(Op)[:-1] == [kernels.GROW, kernels.RY, kernels.RZ, kernels.CX, kernels.COPY]
    assert list(Op)[-1] is Op.FLIP


def test_gates_wait_for_qubits_and_branches_for_gates() -> None:
    half = cut_at(hypernetwork(14, 2), 7).low
    kinds = half.ops[:, 0].tolist()
    assert kinds.count(0) == 7  # every qubit joins once
    crossing = kinds.index(4)
    assert 0 not in kinds[crossing:]
    assert sum(kind in (1, 2) for kind in kinds[crossing:]) == 6  # RZ and RY on 6, then on 5 and 6: its light cone
    lazy = half.work
    everything_at_full_size = sum(kind in (1, 2, 3) for kind in kinds) * half.num_branches * half.size
    assert lazy < everything_at_full_size / 2


@pytest.mark.parametrize("num", [1, 3, 4, 70, 200])
@pytest.mark.parametrize(("num_qubits", "num_layers", "num_branches"), [(6, 2, 2), (12, 4, 8), (12, 5, 16)])
def test_a_batch_is_its_rows(
    num: int, num_qubits: int, num_layers: int, num_branches: int, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers)
    engine = Energy(ansatz, rng.normal(size=2**num_qubits))
    assert engine.cut.num_branches == num_branches
    thetas = random_thetas(ansatz, rng, num)
    values, grads = engine.value_and_grad(thetas)
    for row in (0, num - 1):
        value, grad = engine.value_and_grad(thetas[row : row + 1])
        np.testing.assert_allclose(values[row], value[0], atol=1e-12)
        np.testing.assert_allclose(grads[row], grad[0], atol=1e-12)
    assert engine(np.empty((0, ansatz.num_parameters))).shape == (0,)


@pytest.mark.parametrize("num_layers", [0, 2, 4])
def test_memory_that_is_used_again_changes_no_number(num_layers: int, rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(7, num_layers), rng.normal(size=128)
    used = Energy(ansatz, costs)
    shots = Distribution(ansatz)
    for num in (5, 70, 1, 64, 5):
        thetas = random_thetas(ansatz, rng, num)
        for found, expected in zip(
            used.value_and_grad(thetas), Energy(ansatz, costs).value_and_grad(thetas), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
        drawn = [engine.sample(thetas, 20, np.random.default_rng(1)) for engine in (shots, Distribution(ansatz))]
        np.testing.assert_array_equal(*drawn)


def test_groups_are_of_like_width_and_hold_every_row() -> None:
    for ansatz in (hypernetwork(14, 2), hypernetwork(14, 4, "authors"), hypernetwork(17, 14)):
        for num in (0, 1, 3, 4, 17, 200):
            groups = row_blocks(best_cut(ansatz), num)
            assert [row for group in groups for row in range(group.start, group.stop)] == list(range(num))
            widths = [group.stop - group.start for group in groups]
            assert not widths or max(widths) - min(widths) <= 1
    assert len(row_blocks(best_cut(hypernetwork(17, 14)), 5)) == 5  # states too large to lie side by side


@pytest.mark.parametrize(("num_qubits", "num"), [(8, 200), (21, 1), (12, 3)])
def test_numbers_do_not_depend_on_the_number_of_threads(num_qubits: int, num: int, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(num_qubits, 2)
    costs = rng.normal(size=2**num_qubits)
    thetas = random_thetas(ansatz, rng, num)
    found = [Energy(ansatz, costs, num_threads=k).value_and_grad(thetas) for k in (1, 2, 3)]
    for values, grads in found[1:]:
        np.testing.assert_array_equal(values, found[0][0])
        np.testing.assert_array_equal(grads, found[0][1])
    shots = [Distribution(ansatz, num_threads=k).sample(thetas, 50, np.random.default_rng(1)) for k in (1, 2)]
    np.testing.assert_array_equal(*shots)


def test_the_engine_says_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"costs must have shape \[8\], got \[4\]"):
        Energy(product_state(3), np.zeros(4))
    with pytest.raises(ValueError, match="cut must be between 0 and 3, got 4"):
        Energy(product_state(3), np.zeros(8), cut=4)
    engine = Energy(product_state(3), np.zeros(8))
    with pytest.raises(ValueError, match=r"thetas must have shape \[B, 6\], got \[6\]"):
        engine(np.zeros(6))
    with pytest.raises(ValueError, match="thetas must be finite"):
        engine(np.full((1, 6), np.nan))
    with pytest.raises(ValueError, match=r"use fewer layers, or qhn.Chain"):
        Distribution(hypernetwork(60, 2))
    with pytest.raises(ValueError, match="at most 28"):
        Distribution(product_state(30)).probabilities(np.zeros((1, 60)))
    with pytest.raises(ValueError, match="cut must be between 1 and 2, got 3"):
        schmidt_spectrum(product_state(3), np.zeros(6), 3)
    for call in (
        lambda rows: schmidt_spectrum(product_state(3), rows, 1),
        Distribution(product_state(3)).most_probable,
    ):
        with pytest.raises(ValueError, match="thetas must have shape"):
            call(np.zeros((2, 6)))
    with pytest.raises(ValueError, match="thetas must have shape"):  # the loops do not look at bounds
        Halves(product_state(3), best_cut(product_state(3)), 2).forward(np.zeros((3, 6)))
    with pytest.raises(ValueError, match="num_threads must be at least 1, got 0"):
        Energy(product_state(3), np.zeros(8), num_threads=0)
    with pytest.raises(ValueError, match="costs must be finite, got nan for entry 2"):
        Energy(product_state(2), [0.0, 1.0, np.nan, 2.0])


def test_no_rows_are_no_work() -> None:
    ansatz, none = hypernetwork(4, 1), np.empty((0, 16))
    engine, distribution = Energy(ansatz, np.arange(16.0)), Distribution(ansatz)
    assert engine.objective_and_grad(none, Objective(0.5))[1].shape == (0, 16)
    assert distribution.probabilities(none).shape == (0, 16)
    assert distribution.entropy(none).shape == (0,)
    assert distribution.sample(none, 5, np.random.default_rng(1)).shape == (0, 5)


def test_threads_of_the_user_may_overlap() -> None:
    ansatz = hypernetwork(10, 2)
    engine = Energy(ansatz, np.random.default_rng(1).normal(size=1024), num_threads=2)
    thetas = np.random.default_rng(2).uniform(0, 6, (9, ansatz.num_parameters))
    with threadpool_limits(2, user_api="blas"):
        before = [library.get_num_threads() for library in threads._blas()]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: engine.value_and_grad(thetas)[1], range(16)))
        assert [library.get_num_threads() for library in threads._blas()] == before
    assert max(before) == 2
    assert all(np.array_equal(grad, found[0]) for grad in found)


def test_loops_are_compiled_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(function: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(compiled, "OptionalCache", refuse)
    assert compiled.compiled(lambda number: number + 1)(1) == 2


# ---------------------------------------------------------------- the distribution


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), SHAPES)
def test_probabilities_and_entropy_are_those_of_qiskit(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas = random_thetas(ansatz, rng, 2)
    distribution = Distribution(ansatz)
    expected = [
        reference.probabilities(reference.literal_circuit(num_qubits, num_layers, order, theta)) for theta in thetas
    ]
    np.testing.assert_allclose(distribution.probabilities(thetas), expected, atol=1e-13)
    shannon = [-(p[p > 0] @ np.log2(p[p > 0])) for p in expected]
    np.testing.assert_allclose(distribution.entropy(thetas), shannon, atol=1e-11)


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), [(5, 2, "eq5"), (4, 3, "authors"), (6, 0, "eq5")])
def test_shots_follow_the_probabilities(num_qubits: int, num_layers: int, order: str, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas = random_thetas(ansatz, rng, 3)
    thetas[2] = 0.0  # one bitstring has all the chance
    shots = 40_000
    distribution = Distribution(ansatz)
    drawn = distribution.sample(thetas, shots, np.random.default_rng(5))
    for row, probabilities in zip(drawn, distribution.probabilities(thetas), strict=True):
        counts = np.bincount(row, minlength=2**num_qubits)
        assert not counts[probabilities < 1e-20].any()
        likely = probabilities * shots > 5
        expected = probabilities[likely] * shots
        chi2, freedom = float(((counts[likely] - expected) ** 2 / expected).sum()), int(likely.sum()) - 1
        assert chi2 < freedom + 5 * np.sqrt(2 * freedom) + 1e-9


@pytest.mark.parametrize(
    ("num_qubits", "num_layers", "order"),
    [(5, 1, "eq5"), (5, 2, "authors"), (6, 2, "eq5"), (4, 6, "eq5"), (2, 1, "eq5")],
)
def test_schmidt_spectrum_is_that_of_qiskit(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    theta = random_thetas(ansatz, rng, 1)[0]
    state = Statevector(reference.literal_circuit(num_qubits, num_layers, order, theta))
    for cut in range(1, num_qubits):
        spectrum = schmidt_spectrum(ansatz, theta, cut)
        expected = np.linalg.svd(state.data.reshape(2 ** (num_qubits - cut), 2**cut), compute_uv=False)
        shared = min(len(spectrum), len(expected))
        np.testing.assert_allclose(spectrum[:shared], expected[:shared], atol=1e-7)
        assert not (expected[shared:] > 1e-7).any()
        squares = spectrum**2
        squares = squares[squares > 1e-15]
        assert -(squares @ np.log2(squares)) == pytest.approx(entropy(reference_half(state, cut, num_qubits)), abs=1e-6)


def reference_half(state: Statevector, cut: int, num_qubits: int):  # type: ignore[no-untyped-def]
    from qiskit.quantum_info import partial_trace

    return partial_trace(state, range(cut, num_qubits))


@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0])
def test_objectives_of_the_distribution_are_those_of_their_definition(
    alpha: float, order: str, rng: np.random.Generator
) -> None:
    ansatz, costs = hypernetwork(5, 2, order), rng.normal(size=32)
    engine, thetas = Energy(ansatz, costs), random_thetas(ansatz, rng)

    def cvar(theta: np.ndarray) -> float:
        return reference.cvar(costs, reference.probabilities(reference.literal_circuit(5, 2, order, theta)), alpha)

    values, grads = engine.objective_and_grad(thetas, Objective(alpha))
    np.testing.assert_allclose(values, [cvar(theta) for theta in thetas], atol=1e-12)
    np.testing.assert_array_equal(engine.objective(thetas, Objective(alpha)), values)
    for index in (0, 7, 16):
        step = np.zeros(ansatz.num_parameters)
        step[index] = 1e-5
        slopes = [(cvar(theta + step) - cvar(theta - step)) / 2e-5 for theta in thetas]
        np.testing.assert_allclose(grads[:, index], slopes, atol=1e-7)


def test_bitstrings_of_the_table_stand_in_the_order_of_its_entries(rng: np.random.Generator) -> None:
    """What an objective is told of an entry: its cost and its bits belong together."""
    costs = rng.normal(size=32)
    for order in ("eq5", "authors"):
        engine = Energy(hypernetwork(5, 1, order), costs)
        np.testing.assert_array_equal(costs[engine._bits() @ (1 << np.arange(5))], engine.table.reshape(-1))
