from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen, rosen_der

from qhn import ExactEstimator, Lbfgs, TableProblem, hypernetwork, load_config, minimize
from qhn.errors import QhnWarning
from qhn.estimator.gradient import ValueAndGrad
from qhn.optimize.lbfgs import descend
from qhn.optimize.line_search import Point


def info(value: np.ndarray, grad: np.ndarray) -> ValueAndGrad:
    zero = np.zeros_like(value)
    return ValueAndGrad(value, zero, grad, np.zeros_like(grad), None, None, None)  # type: ignore[arg-type]


def rosenbrock(theta: np.ndarray) -> ValueAndGrad:
    rows = np.atleast_2d(theta)
    value, grad = np.array([rosen(row) for row in rows]), np.array([rosen_der(row) for row in rows])
    return info(value.reshape(theta.shape[:-1]), grad.reshape(theta.shape))


def test_every_start_reaches_the_minimum_that_scipy_reaches(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(8, 2)
    estimator = ExactEstimator(ansatz, TableProblem(rng.normal(size=256)))
    thetas = rng.uniform(0, 2 * np.pi, (24, ansatz.num_parameters))
    *_, found = descend(estimator.value_and_grad, thetas, max_steps=400, value_tolerance=0.0, tolerance=1e-7)

    def scalar(theta: np.ndarray) -> tuple[float, np.ndarray]:
        at = estimator.value_and_grad(theta)
        return float(at.value), at.grad

    options = {"maxiter": 400, "gtol": 1e-7, "ftol": 0.0}
    expected = [scipy_minimize(scalar, theta, jac=True, method="L-BFGS-B", options=options).fun for theta in thetas]
    assert (np.abs(found.value - expected) < 1e-6).sum() >= 22  # rounding may lead one or two elsewhere
    assert len(np.unique(np.round(expected, 4))) > 1  # there is more than one minimum to end in
    assert (np.abs(found.grad[found.converged]).max(axis=1) <= 1e-7).all()
    assert found.converged.sum() >= 20


def test_the_path_is_that_of_scipy() -> None:
    start = np.array([-1.2, 1.0, 0.7])
    path: list[np.ndarray] = []

    def recorded(theta: np.ndarray) -> ValueAndGrad:
        path.append(theta.ravel().copy())
        return rosenbrock(theta)

    minimize(recorded, start[None], value_tolerance=0.0)
    theirs: list[np.ndarray] = []

    def traced(theta: np.ndarray) -> float:
        theirs.append(theta.copy())
        return float(rosen(theta))

    scipy_minimize(traced, start, jac=rosen_der, method="L-BFGS-B", options={"gtol": 1e-6, "ftol": 0.0})
    shared = min(len(path), len(theirs)) - 3  # the last steps are rounding
    assert shared > 25
    np.testing.assert_allclose(path[:shared], theirs[:shared], atol=1e-4)


def test_rows_do_not_disturb_each_other(rng: np.random.Generator) -> None:
    starts = rng.normal(size=(5, 4)) * 2
    together = minimize(rosenbrock, starts)
    alone = [minimize(rosenbrock, start[None]) for start in starts]
    np.testing.assert_allclose(together.theta, [one.theta[0] for one in alone], atol=1e-12)
    assert together.num_evaluations.tolist() == [int(one.num_evaluations[0]) for one in alone]
    np.testing.assert_array_equal(together.num_steps, [one.num_steps[0] for one in alone])
    assert np.abs(together.grad).max() < 1e-4


def test_a_limit_of_steps_is_told() -> None:
    """The result and the warning say how many did not converge, and by how much; the others say nothing."""
    starts = np.array([[1.0, 1.0], [-1.2, 1.0], [3.0, -2.0]])  # the first is the minimum
    words = r"2 of 3 starts had not converged after 4 steps, with a gradient of up to .* left; give a larger max_steps$"
    with pytest.warns(QhnWarning, match=words):
        few = minimize(rosenbrock, starts, max_steps=4)
    assert few.converged.tolist() == [True, False, False]
    assert few.num_unconverged == 2
    assert few.largest_gradient == max(np.abs(rosen_der(theta)).max() for theta in few.theta[1:])
    enough = minimize(rosenbrock, starts)  # a warning would be an error here
    assert (enough.num_unconverged, enough.largest_gradient, enough.shortfall(2000)) == (0, 0.0, "")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["gaussian-activation", "mnist-01-published"])
def test_the_default_number_of_steps_is_enough_at_the_papers_sizes(task: str) -> None:
    for order in ("eq5", "authors"):
        config = load_config(task, {"ansatz.order": order, "ansatz.num_layers": 3})
        problem = config.problem()
        estimator = ExactEstimator(config.circuit(problem), problem)
        starts = np.random.default_rng(1).uniform(0, 2 * np.pi, (10, estimator.ansatz.num_parameters))
        assert minimize(estimator.value_and_grad, starts, tolerance=1e-6).converged.all()


def test_steps_are_pure_and_equal_to_minimize() -> None:
    optimizer, theta = Lbfgs(), np.array([-1.2, 1.0])
    state = optimizer.init(theta)
    for _ in range(12):
        kept = [field.copy() for field in state]
        theta, following, at = optimizer.step(rosenbrock, theta, state)
        for before, after in zip(kept, state, strict=True):
            np.testing.assert_array_equal(before, after)
        state = following
        assert at.value.shape == ()
    *_, found = descend(rosenbrock, np.array([[-1.2, 1.0]]), max_steps=12)
    np.testing.assert_allclose(theta, found.theta[0], atol=1e-13)


def test_a_row_that_cannot_descend_stays_where_it_is() -> None:
    def wrong(theta: np.ndarray) -> ValueAndGrad:
        return info((theta**2).sum(axis=-1), -2 * theta)  # the gradient points the wrong way

    with pytest.warns(QhnWarning, match="1 of 1 starts .* 1 found no descent, for which give a larger tolerance"):
        found = minimize(wrong, np.ones((1, 2)))
    np.testing.assert_array_equal(found.theta, np.ones((1, 2)))
    assert not found.converged.any()
    assert found.num_evaluations < 50


def test_pairs_serve_as_well(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(4, 1)
    estimator = ExactEstimator(ansatz, TableProblem(rng.normal(size=16)))
    thetas = rng.uniform(0, 6, (3, ansatz.num_parameters))
    pairs, facts = minimize(estimator.energy.value_and_grad, thetas), minimize(estimator.value_and_grad, thetas)
    np.testing.assert_array_equal(pairs.theta, facts.theta)


def test_the_end_is_known_at_once_at_a_minimum() -> None:
    found = minimize(rosenbrock, np.ones((2, 3)))
    assert found.converged.all()
    assert found.num_evaluations.sum() == 2
    with pytest.raises(ValueError, match=r"thetas must have shape \[B, num_parameters\], got \[3\]"):
        minimize(rosenbrock, np.ones(3))
    with pytest.raises(ValueError, match="memory must be at least 1, got 0"):
        Lbfgs(memory=0)
    with pytest.raises(ValueError, match="max_line_search must be at least 2, got 1"):
        Lbfgs(max_line_search=1)


def bent(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ|θ − 1|, whose slopes only change their sign, once."""
    return np.abs(theta - 1).sum(axis=1), np.sign(theta - 1)


def test_a_pair_without_curvature_is_not_kept() -> None:
    """At a kink a search may end before it, where the gradient is what it was: that says nothing of the curvature."""
    optimizer, theta = Lbfgs(), np.linspace(-5.0, 0.5, 12)[:, None]
    value, grad = bent(theta)
    found, state = optimizer.advance(bent, Point(theta, value, grad), optimizer.init(theta))
    before = (found.point.grad == grad).all(axis=1)
    assert found.success.all()
    assert (found.point.value < value).all()
    assert 0 < before.sum() < len(before)
    np.testing.assert_array_equal(state.weights[0] == 0, before)
    np.testing.assert_array_equal(state.scale[before], 1.0)


def test_a_search_that_fails_drops_the_memory_of_its_row_alone() -> None:
    """So that its next step goes down the gradient, one radian at first, as without memory."""
    optimizer = Lbfgs(max_line_search=5)

    def bowl(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (theta**2 * [1.0, 3.0]).sum(axis=1), 2 * theta * [1.0, 3.0]

    theta = np.array([[3.0, 1.0], [2.0, -1.0]])
    point, state = Point(theta, *bowl(theta)), optimizer.init(theta)
    for _ in range(2):
        found, state = optimizer.advance(bowl, point, state)
        point = found.point
    assert (state.weights[:2] > 0).all()
    kept = state.scale.copy()
    assert not (kept == 1).any()

    def wall(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, grad = bowl(rows)
        value[0] += 1e3
        return value, grad

    found, state = optimizer.advance(wall, point, state)
    assert found.success.tolist() == [False, True]
    np.testing.assert_array_equal(found.point.theta[0], point.theta[0])
    assert not state.weights[:, 0].any()
    assert (state.weights[:3, 1] > 0).all()
    assert state.scale[0] == 1.0
    assert state.scale[1] != kept[1]
    found, _ = optimizer.advance(bowl, found.point, state)
    step = found.point.theta[0] - point.theta[0]
    grad = point.grad[0]
    np.testing.assert_allclose(step / np.linalg.norm(step), -grad / np.linalg.norm(grad), atol=1e-12)


def test_a_row_that_is_stuck_with_memory_goes_on_without() -> None:
    """One search meets a wall; the row is still on its way, and arrives."""
    wall = np.zeros(1)

    def walled(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.array([rosen(row) for row in theta]) + wall, np.array([rosen_der(row) for row in theta])

    going = descend(walled, np.array([[-1.2, 1.0]]), value_tolerance=0.0)
    for _ in range(8):
        before = next(going).theta.copy()
    wall[0] = 1e6
    at = next(going)
    np.testing.assert_array_equal(at.theta, before)
    assert not at.converged.any()
    wall[0] = 0.0
    *_, last = going
    assert last.converged.all()
    np.testing.assert_allclose(last.theta, 1.0, atol=1e-5)


def test_rows_stop_by_their_gradient_or_by_a_small_decrease() -> None:
    """Both tolerances count, the latter against the larger of 1 and the value, and steps are limited."""

    def bowl(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 1e6 + (theta**4).sum(axis=1), 4 * theta**3

    start = np.array([[1.0, 2.0]])
    exact = minimize(bowl, start, tolerance=1e-9, value_tolerance=0.0)
    assert np.abs(exact.grad).max() <= 1e-9 or exact.num_steps[0] < 300
    loose = minimize(bowl, start, tolerance=0.0, value_tolerance=1e-6)
    assert loose.converged.all()
    assert loose.num_steps[0] <= 2  # less than 1 = 1e-6 · 1e6 was gained in the last
    *_, few = descend(bowl, start, max_steps=3, tolerance=0.0, value_tolerance=0.0)
    assert (few.num_steps.tolist(), few.converged.tolist()) == ([3], [False])


def test_a_memory_that_leads_uphill_is_dropped_for_the_gradient() -> None:
    """Pairs of a gradient that was noise may do so; the other row keeps its own."""
    optimizer = Lbfgs()

    def bowl(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (theta**2 * [1.0, 3.0]).sum(axis=1), 2 * theta * [1.0, 3.0]

    theta = np.array([[3.0, 1.0], [2.0, -1.0]])
    found, state = optimizer.advance(bowl, Point(theta, *bowl(theta)), optimizer.init(theta))
    point = found.point
    state.scale[0] = -1e6  # the approximation to the inverse of the Hessian is negative
    state.weights[0, 0] *= 1e-9
    found, state = optimizer.advance(bowl, point, state)
    assert found.success.all()
    step, grad = found.point.theta[0] - point.theta[0], point.grad[0]
    np.testing.assert_allclose(step / np.linalg.norm(step), -grad / np.linalg.norm(grad), atol=1e-12)
    assert state.weights[0].tolist()[0] == 0.0
    assert (state.weights[1] > 0).all()
    assert state.weights[0, 1] > 0
