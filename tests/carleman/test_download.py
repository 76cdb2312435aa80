from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from carleman.circuits import Machine, ideal_solver
from carleman.polynomials import quartic, random_gradient
from qhn.carleman.closure import GradientMap, lift
from qhn.carleman.download import TooFewCountsError, download
from qhn.carleman.history import HistorySystem
from qhn.carleman.interference import Interference
from qhn.carleman.linear_solver import solve_classically
from qhn.carleman.qsvt import qsvt
from qhn.errors import QhnError

SYSTEM = HistorySystem.of(lift(GradientMap(quartic((1.0, 0.5), drive=0.3), 0.2), 3), np.array([0.3, -0.02]), 7, 16)
LAST = SYSTEM.last(SYSTEM.solution())
NORM = float(np.linalg.norm(LAST))


def test_displacement_is_read_with_its_signs() -> None:
    found = download(Interference.of(SYSTEM, ideal_solver, 200_000), Machine(1).measure, 200_000)
    assert np.abs(found.displacement - LAST).max() < 4 * found.std_error.max()
    assert np.all(np.sign(found.displacement) == np.sign(LAST))
    assert found.sign_error.max() < 1e-6
    assert found.shots == 200_000
    assert found.complaints == ()
    solution = SYSTEM.solution()
    assert found.weight_of_last == pytest.approx(SYSTEM.weight_of_last(solution), rel=0.05)
    share = np.mean([solver.amplitudes().success for solver in found.interference.solvers])
    assert found.success_share == pytest.approx(share, rel=0.03)
    assert found.signal_counts == pytest.approx(found.interference.signal_counts(NORM, 100_000), rel=0.05)
    relative = np.linalg.norm(found.std_error) / NORM
    assert relative == pytest.approx(1 / (2 * np.sqrt(found.signal_counts)), rel=0.05)


@pytest.mark.parametrize("design", ["balanced", "magnitude"])
@pytest.mark.parametrize("simultaneous", [False, True])
def test_intervals_cover(design, simultaneous) -> None:
    """In 400 downloads, the circuits are sampled from their statevectors."""
    circuits, machine = Interference.of(SYSTEM, ideal_solver, 20_000, design=design), Machine(7)
    held = np.array(
        [
            (found.interval[:, 0] <= LAST) & (found.interval[:, 1] >= LAST)
            for found in (
                download(circuits, machine.measure, 20_000, forced=True, simultaneous=simultaneous) for _ in range(400)
            )
        ]
    )
    share = held.all(axis=1).mean() if simultaneous else held.mean()
    assert 0.925 < share < 0.99


@pytest.mark.slow
def test_error_falls_with_the_root_of_the_shots() -> None:
    """The circuits are the same from 10³ shots, which show 45 counts a parameter, to 10⁶."""
    system = HistorySystem.of(lift(GradientMap(quartic((1.0, 0.5), drive=0.02), 0.2), 3), np.array([0.3, -0.2]), 1)
    circuits, machine, errors = Interference.of(system, ideal_solver, 1000), Machine(3), []
    last = system.last(system.solution())
    shots = np.array([1000, 10_000, 100_000, 1_000_000])
    for number, repetitions in zip(shots, (400, 400, 200, 60), strict=True):
        found = [download(circuits, machine.measure, number, forced=True) for _ in range(repetitions)]
        errors.append(np.sqrt(np.mean([np.square(one.displacement - last) for one in found])))
        assert errors[-1] == pytest.approx(found[0].std_error.mean(), rel=0.15)
    assert np.polyfit(np.log(shots), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.03)


def test_too_few_shots_are_refused_before_they_are_measured() -> None:
    circuits, machine = Interference.of(SYSTEM, ideal_solver, 10_000), Machine(5)
    with pytest.raises(
        TooFewCountsError, match=r"1,000 shots would show about .* counts a parameter, fewer than 50"
    ) as e:
        download(circuits, machine.measure, 1000, norm=NORM)
    assert machine.calls == []
    needed = e.value.shots_needed
    found = download(circuits, machine.measure, needed, norm=NORM)
    assert machine.calls == [(2, needed // 2)]
    assert found.signal_counts == pytest.approx(50, rel=0.3)
    assert found.interference.signal_counts(NORM, needed / 2) == pytest.approx(50, rel=1e-3)


def test_a_pilot_tells_that_shots_are_too_few_and_is_counted_if_they_are_not() -> None:
    circuits, machine = Interference.of(SYSTEM, ideal_solver, 100_000), Machine(6)
    with pytest.raises(TooFewCountsError) as refused:
        download(circuits, machine.measure, 100_000, min_counts=1e5)
    assert machine.calls == [(2, 2500)]
    true = circuits.signal_counts(NORM, 50_000)
    assert refused.value.counts == pytest.approx(true, rel=0.3)
    assert refused.value.shots_needed == pytest.approx(1e5 / true * 100_000, rel=0.3)
    machine.calls.clear()
    found = download(circuits, machine.measure, 100_000)
    assert machine.calls == [(2, 2500), (2, 47_500)]
    assert found.counts.shots == 50_000


def test_a_pilot_that_shows_no_signal_promises_nothing() -> None:
    circuits = Interference.of(SYSTEM, ideal_solver)
    with pytest.raises(TooFewCountsError, match="take more") as refused:
        download(circuits, lambda circuits, shots: Machine(0).measure(circuits, shots) | 1, 1000)
    assert refused.value.shots_needed is None


def test_a_forced_download_says_what_is_wrong_with_it() -> None:
    machine = Machine(5)
    found = download(Interference.of(SYSTEM, ideal_solver, 300), machine.measure, 300, norm=NORM, forced=True)
    assert machine.calls == [(2, 150)]
    assert "counts a parameter were seen, fewer than 50" in found.complaints[0]


def test_a_reference_that_is_too_small_is_complained_about() -> None:
    circuits = Interference.of(SYSTEM, ideal_solver, reference=np.full(2, 1e-4))
    found = download(circuits, Machine(2).measure, 20_000, norm=NORM)
    assert found.is_ambiguous.any()
    assert found.sign_error[found.is_ambiguous].min() > 0.01
    assert any("is ambiguous; take a larger reference" in complaint for complaint in found.complaints)
    assert np.all((found.interval[:, 0] <= LAST) & (found.interval[:, 1] >= LAST))


@pytest.mark.parametrize("background", [0.05, 0.3])
def test_noise_is_told_from_the_padding(background) -> None:
    circuits = Interference.of(SYSTEM, ideal_solver, 100_000)
    found = download(circuits, Machine(2, background).measure, 100_000)
    places = 2 ** circuits.circuits[0].num_clbits
    assert found.noise_counts == pytest.approx(background * 50_000 / places * (1 + SYSTEM.num_idle), rel=0.1)
    assert any(complaint.startswith("noise adds about") for complaint in found.complaints)
    assert download(circuits, Machine(2).measure, 100_000).noise_counts == 0.0


def test_noise_cancels_with_a_large_reference() -> None:
    """What remains is that fewer shots show the solution: the displacement shrinks by their share."""
    circuits = [Interference.of(SYSTEM, ideal_solver, shots) for shots in (None, 1_000_000)]
    large, small = (download(one, Machine(2, 0.2).measure, 1_000_000).displacement for one in circuits)
    assert np.abs(large - 0.8 * LAST).max() < 0.1 * NORM
    assert np.abs(small - 0.8 * LAST).max() > 0.1 * NORM


def test_circuits_that_contradict_each_other_are_complained_about() -> None:
    circuits = Interference.of(SYSTEM, ideal_solver, 100_000)
    found = download(circuits, Machine(2, background=0.6).measure, 100_000)
    assert found.misfit < 1e-3
    assert any("the circuits contradict each other" in complaint for complaint in found.complaints)


@pytest.mark.parametrize("error", [1e-3, 2e-2])
def test_the_solvers_own_error_is_bounded_apart(error) -> None:
    """With a million shots the solver's error is larger than theirs; only the wider interval must hold the truth."""
    circuits = Interference.of(SYSTEM, lambda *given: ideal_solver(*given, error=error), 1_000_000)
    found = download(circuits, Machine(4).measure, 1_000_000)
    solution = np.linalg.norm(SYSTEM.solution())
    assert found.solver_bias >= error * solution / np.sqrt(1 + SYSTEM.num_idle)
    assert found.solver_bias < 3 * error * solution / np.sqrt(1 + SYSTEM.num_idle)
    low, high = found.interval_with_bias.T
    assert np.all((low <= LAST) & (high >= LAST))
    assert np.all(high - low > found.interval[:, 1] - found.interval[:, 0])


def bounded(bound):
    """A solver that is exact, but promises this error or none."""

    def solve(system, right_side):
        found = ideal_solver(system, right_side)
        return replace(found, facts=replace(found.facts, error_bound=bound))

    return solve


def test_a_bound_on_the_error_is_relative_to_the_true_solution() -> None:
    """Half of the norm of x may be missing in x', whose norm is measured: x' can be as small as half of x."""
    found = download(Interference.of(SYSTEM, bounded(0.5)), Machine(4).measure, 200_000, forced=True)
    norms = found.interference.units * np.sqrt(found.counts.successes / found.counts.shots)
    assert found.solver_bias == pytest.approx(norms.max())


@pytest.mark.parametrize("design", ["balanced", "magnitude"])
def test_weight_of_last_is_that_of_the_solution_without_a_reference(design) -> None:
    found = download(Interference.of(SYSTEM, ideal_solver, design=design), Machine(8).measure, 2_000_000, forced=True)
    assert found.weight_of_last == pytest.approx(SYSTEM.weight_of_last(SYSTEM.solution()), rel=0.05)


def test_misfits_are_uniform_where_nothing_is_wrong() -> None:
    circuits, machine = Interference.of(SYSTEM, ideal_solver, 20_000), Machine(13)
    misfits = [download(circuits, machine.measure, 20_000, forced=True).misfit for _ in range(200)]
    assert np.mean(misfits) == pytest.approx(0.5, abs=0.1)


def test_a_solver_without_a_bound_leaves_the_interval_open() -> None:
    found = download(Interference.of(SYSTEM, bounded(None)), Machine(4).measure, 20_000, forced=True)
    assert found.solver_bias is None
    assert np.isinf(found.interval_with_bias).all()


def test_displacement_is_expanded_to_all_parameters() -> None:
    found = download(Interference.of(SYSTEM, ideal_solver), Machine(4).measure, 20_000, forced=True)
    assert found.expanded(np.array([4, 1]), 6).tolist() == [0, found.displacement[1], 0, 0, found.displacement[0], 0]
    with pytest.raises(QhnError, match="a value for each index"):
        found.expanded(np.array([1]), 6)


def test_numbers_out_of_bounds_are_refused() -> None:
    circuits, measure = Interference.of(SYSTEM, ideal_solver), Machine(0).measure
    for settings, message in (
        ({"shots": 1}, "shots must be at least 2, got 1"),
        ({"shots": 10, "confidence": 1.0}, r"confidence must be a finite number in \(0, 1\), got 1.0"),
        ({"shots": 10, "norm": -1.0}, "norm must be a finite number of at least 0"),
        ({"shots": 10, "min_counts": -1.0}, "min_counts must be a finite number of at least 0"),
    ):
        with pytest.raises(QhnError, match=message):
            download(circuits, measure, **settings)


def test_stochastic_descent_is_read_too() -> None:
    """Each step has a lift of its own; the reference changes nothing before the last of them."""
    lifts = [lift(GradientMap(random_gradient(3, 2, seed, drive=0.3), 0.05), 2) for seed in range(3)]
    system = HistorySystem.of(lifts, np.array([0.2, -0.1, 0.0]))
    exact = system.last(solve_classically(system.matrix, system.right_side))
    found = download(Interference.of(system, ideal_solver, 400_000), Machine(9).measure, 400_000, forced=True)
    assert np.abs(found.displacement - exact).max() < 4 * found.std_error.max()


def solved(epsilon) -> tuple[HistorySystem, Interference]:
    """A descent of two parameters over three steps, solved by circuits of 8 qubits."""
    system = HistorySystem.of(lift(GradientMap(quartic((1.0, 0.5), drive=0.3), 0.2), 3), np.array([0.3, -0.2]), 3)
    return system, Interference.of(system, partial(qsvt, epsilon=epsilon), 20_000)


@pytest.mark.slow
def test_intervals_of_a_quantum_linear_solver_cover() -> None:
    """Where ε is small against the shots' error, their intervals hold the truth; the one of ε and shots always does."""
    for epsilon in 1e-3, 3e-2:
        system, circuits = solved(epsilon)
        last, machine = system.last(system.solution()), Machine(11)
        found = [download(circuits, machine.measure, 20_000, forced=True) for _ in range(400)]
        shots = np.mean([(one.interval[:, 0] <= last) & (one.interval[:, 1] >= last) for one in found])
        both = np.mean(
            [(one.interval_with_bias[:, 0] <= last) & (one.interval_with_bias[:, 1] >= last) for one in found]
        )
        assert both > 0.94
        assert epsilon > 1e-3 or 0.93 < shots < 0.97


def test_circuits_of_a_quantum_linear_solver_show_the_sign() -> None:
    """The bias of the exact amplitudes is within its bound, and signs come from measured bits alone."""
    system, circuits = solved(1e-2)
    last = system.last(system.solution())
    found = download(circuits, Machine(12).measure, 400_000, forced=True)
    for solver, reference in zip(circuits.solvers, circuits.references, strict=True):
        amplitudes = system.last(solver.amplitudes().vector) - reference
        assert np.abs(amplitudes - last).max() < found.solver_bias
    assert np.all(np.abs(found.displacement - last) < found.solver_bias + 4 * found.std_error)
    assert np.sign(found.displacement[1]) == np.sign(last[1])
    assert np.all((found.interval_with_bias[:, 0] <= last) & (found.interval_with_bias[:, 1] >= last))
