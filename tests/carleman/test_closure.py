import numpy as np
import pytest

from carleman.polynomials import descended, quartic, random_gradient
from qhn.carleman.closure import GradientMap, lift
from qhn.carleman.kronecker import KroneckerBasis, kronecker_lift, symmetric_isometry
from qhn.carleman.polynomial import PolynomialGradient
from qhn.carleman.symmetric import SymmetricBasis, symmetric_dimension
from qhn.errors import QhnError

CASES = [(1, 4, 3), (2, 1, 4), (2, 3, 4), (3, 2, 3), (4, 3, 3), (2, 3, 1)]  # parameters, degree, order


@pytest.mark.parametrize(("n", "degree", "order"), CASES)
def test_symmetric_basis_equals_the_kronecker_form(n, degree, order) -> None:
    step = GradientMap(random_gradient(n, degree, seed=order), 0.1, scale=0.7)
    symmetric, full, isometry = lift(step, order), kronecker_lift(step, order), symmetric_isometry(n, order)
    np.testing.assert_allclose((isometry.T @ isometry).toarray(), np.eye(symmetric.basis.dimension), atol=1e-14)
    np.testing.assert_allclose((isometry @ symmetric.matrix).toarray(), (full.matrix @ isometry).toarray(), atol=1e-13)
    np.testing.assert_allclose(isometry @ symmetric.offset, full.offset, atol=1e-13)
    u = np.random.default_rng(0).normal(size=n)
    np.testing.assert_allclose(isometry @ symmetric.start(u), full.start(u), atol=1e-13)


def test_the_trajectory_of_a_map_is_descent_on_its_gradient() -> None:
    gradient, start = random_gradient(3, 2), np.array([0.2, -0.1, 0.3])
    path = GradientMap(gradient, 0.05, scale=3.0).trajectory(start, 6)
    for num_steps, found in enumerate(path):
        np.testing.assert_allclose(found, descended(gradient, start, 0.05, num_steps), atol=1e-13)


@pytest.mark.parametrize(("n", "degree", "order"), CASES)
def test_a_step_of_an_untruncated_lift_is_a_step_of_descent(n, degree, order) -> None:
    """Of a component whose image has no degree beyond the order, the lift is exact."""
    step = GradientMap(random_gradient(n, degree, seed=1), 0.1, scale=2.0)
    high = lift(step, order * max(1, degree))
    u = np.random.default_rng(0).normal(size=n) / 2
    own = SymmetricBasis(n, order).dimension
    after = high.matrix @ high.start(u) + high.offset
    np.testing.assert_allclose(after[:own], SymmetricBasis(n, order).lift(step(u / 2.0)), atol=1e-12)
    np.testing.assert_allclose(high.displacement(after), descended(step.polynomial, u, 0.1, 1), atol=1e-12)


def test_norm_of_a_lifted_vector_is_the_power_of_its_norm() -> None:
    basis, u = SymmetricBasis(5, 3), np.random.default_rng(0).normal(size=(2, 5))
    for degree in (1, 2, 3):
        part = basis.lift(u)[:, basis.degree_slice(degree)]
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), np.linalg.norm(u, axis=1) ** degree)
    assert [symmetric_dimension(17, order) for order in (1, 2, 3)] == [17, 170, 1139]
    assert KroneckerBasis(17, 3).dimension == 5219


def test_each_order_lowers_the_error_of_the_exact_closure_and_not_of_euler() -> None:
    polynomial, u = quartic((1.0, 0.5)), np.array([0.24, 0.18])
    step, true = GradientMap(polynomial, 0.2), descended(polynomial, u, 0.2, 20)

    def errors(closure):
        lifts = [lift(step, order, closure) for order in range(1, 6)]
        return np.array([np.linalg.norm(one.displacement(one.trajectory(u, 20)[-1]) - true) for one in lifts])

    exact, euler = errors("exact"), errors("euler")
    assert (exact[:-1] >= 3 * exact[1:]).all()
    assert exact[-1] < 1e-2 * euler[-1]
    assert euler[-1] > euler[1] / 2  # the floor that no order removes


def test_euler_is_right_to_first_order_in_the_learning_rate() -> None:
    polynomial = random_gradient(3, 3)
    gaps = [
        abs(
            lift(GradientMap(polynomial, rate), 3).matrix - lift(GradientMap(polynomial, rate), 3, "euler").matrix
        ).max()
        for rate in (1e-3, 5e-4)
    ]
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize("closure", ["exact", "euler"])
def test_unit_of_the_displacement_changes_nothing_that_is_read(closure) -> None:
    polynomial, u = quartic((1.0, 0.5), drive=0.1), np.array([0.3, -0.2])
    found = []
    for scale in (1.0, 0.4):
        one = lift(GradientMap(polynomial, 0.2, scale), 3, closure)
        found.append(one.displacement(one.trajectory(u, 9)[-1]))
    np.testing.assert_allclose(found[0], found[1], atol=1e-14)


def test_stochastic_descent_has_a_map_for_each_step() -> None:
    polynomials = [random_gradient(2, 2, seed=seed, drive=0.3) for seed in range(3)]
    u = true = np.array([0.02, 0.01])
    y = None
    for polynomial in polynomials:
        one = lift(GradientMap(polynomial, 0.02), 4)
        y = one.matrix @ (one.start(u) if y is None else y) + one.offset
        true = descended(polynomial, true, 0.02, 1)
    np.testing.assert_allclose(one.displacement(y), true, atol=1e-7)


def test_what_cannot_be_lifted_is_refused() -> None:
    step = GradientMap(random_gradient(2, 1), 0.1)
    with pytest.raises(QhnError, match="closure must be exact or euler"):
        lift(step, 2, "implicit")
    with pytest.raises(QhnError, match="order must be at least 1"):
        lift(step, 0)
    with pytest.raises(QhnError, match="1,373,700 components, more than 16,384"):
        SymmetricBasis(200, 3)
    with pytest.raises(QhnError, match="learning_rate must be"):
        GradientMap(random_gradient(2, 1), 0.0)


def test_a_constant_gradient_is_lifted_too() -> None:
    slope = PolynomialGradient(np.zeros(1), 0.0, (np.array([1.0]),))
    one = lift(GradientMap(slope, 0.5), 2)
    assert one.displacement(one.trajectory(np.array([2.0]), 3)[-1]).tolist() == [0.5]
