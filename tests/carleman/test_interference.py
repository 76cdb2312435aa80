import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from carleman.circuits import Machine, ideal_solver
from carleman.polynomials import descended, quartic, random_gradient
from qhn.carleman.closure import GradientMap, lift
from qhn.carleman.history import HistorySystem
from qhn.carleman.interference import DESIGNS, Interference, best_reference, reach, right_side_with
from qhn.errors import QhnError

POLYNOMIAL = quartic((1.0, 0.5), drive=0.3)
START = np.array([0.3, -0.2])


def system_of(num_steps=3, num_times=None, scale=1.0, start=START) -> HistorySystem:
    return HistorySystem.of(lift(GradientMap(POLYNOMIAL, 0.2, scale), 3), start, num_steps, num_times)


def test_signs_are_told_by_the_circuits_alone() -> None:
    """Two descents of opposite signs have the same magnitudes; only their circuits with a reference differ."""
    up = HistorySystem.of(lift(GradientMap(quartic((1.0, 0.5)), 0.2), 1), START, 3)
    down = HistorySystem.of(up.lifts, -START, 3)
    shown = []
    for system in up, down:
        circuits = Interference.of(system, ideal_solver, reference=np.full(2, 0.3), design="magnitude")
        shown.append(circuits.counts(Machine(1).measure(circuits.circuits, 100_000)).last)
    assert np.abs(shown[0][0] - shown[1][0]).max() < 5 * np.sqrt(shown[0][0].max())
    assert np.all(np.sign(shown[0][1] * 1.0 - shown[1][1]) == np.sign(START))


@pytest.mark.parametrize(("num_steps", "num_times", "scale"), [(1, None, 1.0), (3, 16, 0.5), (5, 8, 2.0)])
def test_reference_is_added_to_the_last_displacement_alone(num_steps, num_times, scale) -> None:
    system = system_of(num_steps, num_times, scale)
    reference = np.array([0.7, -1.1])
    plain = spsolve(system.matrix.tocsc(), system.right_side)
    found = spsolve(system.matrix.tocsc(), right_side_with(system, reference))
    assert system.last(found) == pytest.approx(system.last(plain) + reference)
    rest = np.setdiff1d(np.arange(system.size), system.last_indices())
    np.testing.assert_allclose(found[rest], plain[rest], atol=1e-14)
    assert np.count_nonzero(right_side_with(system, reference) - system.right_side) == 2


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(("num_times", "scale"), [(None, 1.0), (16, 0.5)])
def test_counts_are_those_of_the_displacement_plus_the_reference(design, num_times, scale) -> None:
    system = system_of(3, num_times, scale)
    circuits = Interference.of(system, ideal_solver, design=design)
    shots = 400_000
    counts = circuits.counts(Machine(2).measure(circuits.circuits, shots))
    last = system.last(system.solution())
    expected = shots * np.square((last + circuits.references) / circuits.units[:, None])
    assert np.abs(counts.last - expected).max() < 5 * np.sqrt(expected.max())
    successes = shots * np.array([solver.amplitudes().success for solver in circuits.solvers])
    assert np.abs(counts.successes - successes).max() < 5 * np.sqrt(shots)


def test_counts_ignore_shots_whose_ancillas_are_not_zero() -> None:
    system = system_of(1)
    circuits = Interference.of(system, ideal_solver)
    bits = np.zeros((2, 4, circuits.circuits[0].num_clbits), dtype=np.uint8)
    width = len(circuits.solvers[0].solution)
    last = system.last_indices()[0, 1]
    bits[:, :, :width] = last >> np.arange(width) & 1
    bits[0, :3, width:] = 1
    found = circuits.counts(bits)
    assert found.last.tolist() == [[0, 1], [0, 4]]
    assert found.successes.tolist() == [1, 4]
    assert found.plus(found).shots == 8
    assert found.plus(found).last.tolist() == [[0, 2], [0, 8]]
    assert found.padding.tolist() == [0, 0]


def test_counts_of_the_padding_are_told_apart() -> None:
    system = system_of(1)
    circuits = Interference.of(system, ideal_solver)
    bits = np.zeros((2, 3, circuits.circuits[0].num_clbits), dtype=np.uint8)
    place = system.block + system.dimension  # of 1 + 9 components with padding to 16
    width = len(circuits.solvers[0].solution)
    bits[1, :2, :width] = place >> np.arange(width) & 1
    bits[1, 2, :width] = place - 1 >> np.arange(width) & 1
    assert circuits.counts(bits).padding.tolist() == [0, 2]


def test_reach_bounds_a_convex_descent() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        polynomial = random_gradient(3, 1, seed)
        root = rng.normal(size=(3, 3))
        curvature = root @ root.T
        polynomial = type(polynomial)(polynomial.reference, 0.0, (polynomial.tensors[0], curvature))
        rate = 1.9 / np.linalg.eigvalsh(curvature)[-1]
        start = rng.normal(size=3)
        system = HistorySystem.of(lift(GradientMap(polynomial, rate, 0.5), 1), start, 7)
        assert np.linalg.norm(descended(polynomial, start, rate, 7)) <= reach(system) * (1 + 1e-12)


def test_a_reference_for_more_shots_is_smaller_and_the_units_with_it() -> None:
    """It has eight standard errors of the download it is made for, and never more than the one for any number."""
    system = system_of(7, 16)
    found = [Interference.of(system, ideal_solver, shots) for shots in (None, 10, 10_000, 1_000_000)]
    sizes = [one.references[0, 0] for one in found]
    assert sizes[0] == pytest.approx(best_reference(system)[0])
    assert 2 * sizes[0] ** 2 == pytest.approx(np.linalg.norm(system.right_side) * reach(system))
    assert sizes[0] == sizes[1] > sizes[2] > sizes[3] > 0
    for one, shots in zip(found[2:], (10_000, 1_000_000), strict=True):
        error = np.sqrt(np.mean(one.units**2) / (4 * shots))
        assert one.references[0, 0] == pytest.approx(8 * error, rel=0.02)
    assert np.all(found[3].units < found[0].units)


def test_a_reference_is_never_larger_than_the_one_for_any_number_of_shots() -> None:
    system = system_of(7, 16)
    largest = best_reference(system)
    growing = 0.95 * np.linalg.norm(system.right_side) ** 2 / (2 * 8**2)  # the reference nearly outgrows the right side
    assert best_reference(system, growing).tolist() == largest.tolist()
    assert best_reference(system, growing / 1000)[0] < largest[0]


def test_a_reference_does_not_depend_on_the_unit() -> None:
    bowl = quartic((1.0, 0.5), drive=0.3)
    bowl = type(bowl)(bowl.reference, 0.0, bowl.tensors[:2])
    for variance in None, 1e-5:
        found = [
            best_reference(HistorySystem.of(lift(GradientMap(bowl, 0.2, scale), 1), START, 3), variance)
            for scale in (1.0, 0.2)
        ]
        assert found[1] == pytest.approx(found[0])


def test_signal_counts_are_those_of_circuits_without_a_reference() -> None:
    system = system_of(7, 16)
    circuits = Interference.of(system, ideal_solver, 100_000)
    solution = system.solution()
    norm = float(np.linalg.norm(system.last(solution)))
    scale = np.mean([solver.scale**-2.0 for solver in circuits.solvers]) ** -0.5
    weight, success = system.weight_of_last(solution), np.square(solution).sum() / scale**2
    assert circuits.signal_counts(norm, 50_000) == pytest.approx(100_000 * weight * success / 2)


def test_what_cannot_be_measured_is_refused() -> None:
    system = system_of(1)
    with pytest.raises(QhnError, match="design must be balanced or magnitude"):
        Interference.of(system, ideal_solver, design="balance")
    with pytest.raises(QhnError, match="2 finite numbers other than 0"):
        Interference.of(system, ideal_solver, reference=np.array([1.0, 0.0]))
    with pytest.raises(QhnError, match="2 finite numbers other than 0"):
        Interference.of(system, ideal_solver, reference=np.array([1.0]))
    with pytest.raises(QhnError, match="shots must be at least 1, got 0"):
        Interference.of(system, ideal_solver, 0)
    still = HistorySystem.of(lift(GradientMap(quartic((1.0, 0.5)), 0.2), 3), np.zeros(2), 3)
    with pytest.raises(QhnError, match="it stands still"):
        Interference.of(still, ideal_solver)
    circuits = Interference.of(system, ideal_solver)
    bits = np.zeros((2, 3, circuits.circuits[0].num_clbits), dtype=np.uint8)
    with pytest.raises(QhnError, match="bits of 2 circuits, got 1"):
        circuits.counts(bits[:1])
    with pytest.raises(QhnError, match="one column a qubit"):
        circuits.counts(bits[:, :, :-1])
    with pytest.raises(QhnError, match=r"the same number of shots, at least 1, got \[3, 2\]"):
        circuits.counts([bits[0], bits[1, :2]])
