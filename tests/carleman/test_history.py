import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from carleman.polynomials import quartic, random_gradient
from qhn.carleman import history
from qhn.carleman.closure import GradientMap, lift
from qhn.carleman.history import HistorySystem
from qhn.errors import QhnError

STEP = GradientMap(quartic((1.0, 0.5), drive=0.1), 0.2)
START = np.array([0.3, -0.2])


@pytest.mark.parametrize(("num_steps", "num_times"), [(1, None), (3, None), (5, 8), (7, 32)])
def test_solution_is_the_history(num_steps, num_times) -> None:
    one = lift(STEP, 2)
    system = HistorySystem.of(one, START, num_steps, num_times)
    solution = spsolve(system.matrix.tocsc(), system.right_side)
    np.testing.assert_allclose(system.solution(), solution, atol=1e-14)
    rows = solution.reshape(system.num_times, system.block)
    np.testing.assert_allclose(
        rows[: num_steps + 1, : one.basis.dimension], one.trajectory(START, num_steps), atol=1e-14
    )
    assert not rows[:, one.basis.dimension :].any()
    for idle in rows[num_steps:]:
        np.testing.assert_allclose(idle, rows[num_steps], atol=1e-14)
    np.testing.assert_allclose(
        system.last(solution), one.displacement(one.trajectory(START, num_steps)[-1]), atol=1e-14
    )
    assert system.num_idle == system.num_times - num_steps - 1


def test_inhomogeneity_is_only_in_rows_of_steps() -> None:
    system = HistorySystem.of(lift(STEP, 2), START, 4, 8)
    right = system.right_side.reshape(8, system.block)
    np.testing.assert_allclose(right[0, :5], lift(STEP, 2).start(START))
    assert right[1:5].any(axis=1).all()
    assert not right[5:].any()


def test_each_step_of_stochastic_descent_has_its_block() -> None:
    steps = [GradientMap(random_gradient(2, 2, seed=seed), 0.05) for seed in range(3)]
    lifts = [lift(step, 2) for step in steps]
    system = HistorySystem.of(lifts, START)
    y = lifts[0].start(START)
    for one in lifts:
        y = one.matrix @ y + one.offset
    np.testing.assert_allclose(system.last(system.solution()), lifts[0].displacement(y))


def test_idle_times_raise_the_weight_of_the_last_displacement_and_the_condition_number() -> None:
    systems = [HistorySystem.of(lift(STEP, 2), START, 7, num_times) for num_times in (8, 16, 32, 64)]
    weights = [system.weight_of_last(system.solution()) for system in systems]
    numbers = [system.condition_number() for system in systems]
    assert weights == sorted(weights)
    assert numbers == sorted(numbers)
    solution = systems[1].solution()
    assert weights[1] == pytest.approx(sum(solution[systems[1].last_indices()].ravel() ** 2) / (solution @ solution))


def test_condition_number_of_large_systems_is_that_of_the_dense_matrix(monkeypatch) -> None:
    system = HistorySystem.of(lift(STEP, 3), START, 7)
    dense = np.linalg.cond(system.matrix.toarray())
    assert system.condition_number() == pytest.approx(dense, rel=1e-9)
    monkeypatch.setattr(history, "DENSE", 1)
    assert system.condition_number() == pytest.approx(dense, rel=1e-6)


def test_condition_number_saturates_grows_linearly_or_exponentially() -> None:
    def numbers(curvature):
        one = lift(GradientMap(quartic((curvature, curvature)), 0.2), 1)
        return np.array([HistorySystem.of(one, START, steps).condition_number() for steps in (7, 15, 31, 63)])

    decaying, flat, growing = numbers(1.0), numbers(0.0), numbers(-0.5)
    assert decaying[3] / decaying[2] < 1.2
    assert 1.8 < flat[3] / flat[2] < 2.2
    assert growing[3] / growing[2] > 10


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((0,), "num_steps must be at least 1"),
        ((None,), "num_steps must be an integer"),
        ((3, 3), "num_times must be a power of two above the 3 steps"),
        ((4, 4), "num_times must be a power of two above the 4 steps"),
        ((2**15,), "unknowns, more than"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(arguments, what) -> None:
    with pytest.raises(QhnError, match=what):
        HistorySystem.of(lift(STEP, 2), START, *arguments)


@pytest.mark.parametrize("displacement", [np.zeros(3), [0.1, np.nan]])
def test_displacements_that_are_none_are_refused(displacement) -> None:
    with pytest.raises(QhnError, match="displacement must be 2 finite numbers"):
        HistorySystem.of(lift(STEP, 2), displacement, 2)


@pytest.mark.parametrize("other", [lift(STEP, 3), lift(GradientMap(STEP.polynomial, 0.2, scale=2.0), 2)])
def test_lifts_of_different_bases_or_scales_are_refused(other) -> None:
    with pytest.raises(QhnError, match="the same basis and scale"):
        HistorySystem.of([lift(STEP, 2), other], START)
