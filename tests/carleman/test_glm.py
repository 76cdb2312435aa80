import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from qhn.carleman import glm
from qhn.carleman.glm import GeneralisedLinearModel
from qhn.errors import QhnError


def data(num_samples=60, num_inputs=4, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(num_samples, num_inputs))
    return x, (x @ rng.normal(size=num_inputs) + rng.normal(size=num_samples) > 0).astype(float)


def model(loss="logistic", weight_decay=0.1):
    return GeneralisedLinearModel.with_bias(*data(), loss, weight_decay)


def differences(function, point, step=1e-5):
    return np.array(
        [(function(point + step * e) - function(point - step * e)) / (2 * step) for e in np.eye(len(point))]
    )


@pytest.mark.parametrize("loss", ["logistic", "mse", "sigmoid-mse"])
def test_tensors_are_derivatives_of_one_another(loss) -> None:
    m, theta = model(loss), np.random.default_rng(1).normal(size=5)
    expansion = m.expand(theta, 3)
    np.testing.assert_allclose(m.gradient(theta), differences(m.loss, theta), atol=1e-8)
    np.testing.assert_allclose(expansion.tensors[0], m.gradient(theta), atol=1e-14)
    np.testing.assert_allclose(m.hessian(theta), differences(m.gradient, theta), atol=1e-8)
    third = differences(lambda point: m.expand(point, 1).tensors[1], theta)
    np.testing.assert_allclose(2 * expansion.tensors[2], third, atol=1e-8)
    fourth = differences(lambda point: m.expand(point, 2).tensors[2], theta)
    np.testing.assert_allclose(3 * expansion.tensors[3], fourth, atol=1e-8)
    assert expansion.value == pytest.approx(float(m.loss(theta)))


@pytest.mark.parametrize(("degree", "falls"), [(1, 4), (2, 8), (3, 16)])
def test_expansion_is_wrong_by_the_next_power_of_the_displacement(degree, falls) -> None:
    m, theta = model(), np.full(5, 0.2)
    u = np.array([0.1, -0.2, 0.1, 0.05, 0.1])
    errors = [np.linalg.norm(m.expand(theta, degree).gradient(s * u) - m.gradient(theta + s * u)) for s in (1, 0.5)]
    assert errors[0] / errors[1] == pytest.approx(falls, rel=0.25)


def test_linear_regression_is_its_own_expansion() -> None:
    m, theta = model("mse"), np.random.default_rng(1).normal(size=5)
    u = np.random.default_rng(2).normal(size=5)
    np.testing.assert_allclose(m.expand(theta, 3).gradient(u), m.gradient(theta + u), atol=1e-12)
    assert all(not tensor.any() for tensor in m.expand(theta, 3).tensors[2:])


def test_minimum_is_that_of_scikit_learn() -> None:
    x, y = data()
    m = GeneralisedLinearModel(x, y, "logistic", 0.1)
    found = LogisticRegression(C=1 / (0.1 * len(x)), fit_intercept=False, tol=1e-10, max_iter=1000).fit(x, y).coef_[0]
    np.testing.assert_allclose(m.gradient(found), 0, atol=1e-6)
    np.testing.assert_allclose(m.accuracy(found), np.mean((x @ found > 0) == y))


def test_many_points_at_once_are_each_point_alone() -> None:
    m, thetas = model(), np.random.default_rng(3).normal(size=(2, 3, 5))
    for index in np.ndindex(2, 3):
        np.testing.assert_allclose(m.loss(thetas)[index], m.loss(thetas[index]), rtol=1e-14)
        np.testing.assert_allclose(m.gradient(thetas)[index], m.gradient(thetas[index]), atol=1e-15)


def test_batches_average_over_their_own_samples() -> None:
    m, theta, rows = model(), np.full(5, 0.3), np.array([3, 10, 11])
    own = GeneralisedLinearModel(m.inputs[rows], m.labels[rows], "logistic", 0.1)
    np.testing.assert_allclose(m.gradient(theta, rows), own.gradient(theta))
    np.testing.assert_allclose(m.expand(theta, 2, rows).tensors[2], own.expand(theta, 2).tensors[2])
    np.testing.assert_allclose(m.loss(theta, rows), own.loss(theta))


def test_sums_over_samples_do_not_depend_on_how_they_are_cut(monkeypatch) -> None:
    whole = model().expand(np.full(5, 0.1), 3)
    monkeypatch.setattr(glm, "CHUNK", 5**3 * 7)
    for one, other in zip(whole.tensors, model().expand(np.full(5, 0.1), 3).tensors, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-15)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((np.zeros((0, 2)), np.zeros(0)), "inputs must be"),
        ((np.zeros((3, 2)), np.zeros(2)), "inputs must be"),
        ((np.full((1, 1), np.inf), np.zeros(1)), "must be finite"),
        ((np.zeros((1, 1)), np.array([2.0])), r"must be in \[0, 1\]; loss mse takes any"),
        ((np.zeros((1, 1)), np.zeros(1), "hinge"), "loss must be one of logistic, mse, sigmoid-mse"),
        ((np.zeros((1, 1)), np.zeros(1), "mse", -1.0), "weight_decay must be"),
    ],
)
def test_what_is_no_model_is_refused(arguments, what) -> None:
    with pytest.raises(QhnError, match=what):
        GeneralisedLinearModel(*arguments)


def test_tensors_beyond_memory_are_refused_with_the_largest_degree() -> None:
    m = GeneralisedLinearModel(np.zeros((2, 1000)), np.zeros(2))
    with pytest.raises(QhnError, match=r"degree 2 of 1000 parameters takes .* at most degree 1"):
        m.expand(np.zeros(1000), 2)
    with pytest.raises(QhnError, match=r"reference must be \[1000\]"):
        m.expand(np.zeros(3), 1)
