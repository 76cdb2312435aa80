import numpy as np
import pytest

from carleman.polynomials import product_saddle, quartic, random_gradient
from qhn.carleman.polynomial import PolynomialGradient, is_symmetric, symmetrised
from qhn.errors import QhnError


def finite_differences(function, point, step=1e-5):
    return np.array(
        [(function(point + step * e) - function(point - step * e)) / (2 * step) for e in np.eye(len(point))]
    )


@pytest.mark.parametrize(("n", "degree"), [(1, 0), (1, 4), (3, 1), (2, 3), (4, 2)])
def test_gradient_is_the_slope_of_the_loss(n, degree) -> None:
    polynomial = random_gradient(n, degree, seed=n + degree)
    u = np.random.default_rng(1).normal(size=n)
    np.testing.assert_allclose(polynomial.gradient(u), finite_differences(polynomial.loss, u), atol=1e-6)
    np.testing.assert_allclose(polynomial.gradient(np.zeros(n)), polynomial.tensors[0])
    assert polynomial.loss(np.zeros(n)) == polynomial.value
    if degree:
        np.testing.assert_allclose(polynomial.hessian, finite_differences(polynomial.gradient, np.zeros(n)), atol=1e-6)


def test_rows_of_displacements_are_computed_at_once() -> None:
    polynomial, rows = random_gradient(3, 3), np.random.default_rng(0).normal(size=(2, 5, 3))
    assert polynomial.loss(rows).shape == (2, 5)
    np.testing.assert_allclose(polynomial.gradient(rows)[1, 2], polynomial.gradient(rows[1, 2]))
    np.testing.assert_allclose(polynomial.loss(rows)[1, 2], polynomial.loss(rows[1, 2]))


def test_restriction_holds_all_other_parameters_at_the_reference() -> None:
    polynomial, u = random_gradient(4, 3), np.array([0.0, 0.7, 0.0, -0.4])
    kept = polynomial.restricted([1, 3])
    np.testing.assert_allclose(kept.loss(u[[1, 3]]), polynomial.loss(u))
    np.testing.assert_allclose(kept.gradient(u[[1, 3]]), polynomial.gradient(u)[[1, 3]])
    np.testing.assert_array_equal(kept.reference, polynomial.reference[[1, 3]])


def test_restriction_cannot_raise_norms_or_leave_the_range_of_curvatures() -> None:
    polynomial = random_gradient(6, 2)
    kept = polynomial.restricted([0, 2, 5])
    whole, part = np.linalg.eigvalsh(polynomial.hessian), np.linalg.eigvalsh(kept.hessian)
    assert (whole[:3] <= part + 1e-12).all()  # Cauchy's interlacing
    assert (part <= whole[3:] + 1e-12).all()
    for full, some in zip(polynomial.tensors, kept.tensors, strict=True):
        norms = [np.linalg.norm(one.reshape(len(one), -1), 2) for one in (full, some)]
        assert norms[1] <= norms[0] + 1e-12


@pytest.mark.parametrize("support", [[], [1, 1], [2, 1], [-1], [4], [0.5], "01"])
def test_support_that_is_none_is_refused(support) -> None:
    with pytest.raises(QhnError, match="support must be"):
        random_gradient(4, 1).restricted(support)


@pytest.mark.parametrize(
    ("tensors", "what"),
    [
        ((), "needs at least G_0"),
        ((np.zeros(3),), "G_0 must have 1 axes of length 2"),
        ((np.zeros(2), np.array([[0.0, 1.0], [0.0, 0.0]])), "G_1 must be symmetric"),
        ((np.array([0.0, np.nan]),), "G_0 must be finite"),
        (("ab",), "G_0 must be numbers"),
    ],
)
def test_tensors_of_no_function_are_refused(tensors, what) -> None:
    with pytest.raises(QhnError, match=what):
        PolynomialGradient(np.zeros(2), 0.0, tensors)


def test_symmetrised_tensors_are_symmetric() -> None:
    tensor = np.random.default_rng(0).normal(size=(3, 3, 3))
    assert not is_symmetric(tensor)
    assert is_symmetric(symmetrised(tensor))


def test_examples_are_what_they_are_called() -> None:
    assert np.linalg.eigvalsh(product_saddle().hessian).tolist() == [-1, 1]
    w = np.array([0.3, -0.8])
    np.testing.assert_allclose(product_saddle().loss(w), 0.5 * (w[0] * w[1] - 1) ** 2)
    assert quartic((1.0, 0.5)).gradient(np.zeros(2)).tolist() == [0, 0]
