import numpy as np
import pytest

from carleman.polynomials import descended, product_saddle, quartic, random_gradient
from qhn.carleman.closure import GradientMap, lift
from qhn.carleman.glm import GeneralisedLinearModel
from qhn.carleman.polynomial import PolynomialGradient
from qhn.carleman.regimes import Regime, diagnose, factor_norms, truncation_bound
from qhn.errors import QhnError


def truncation_errors(step, u, num_steps, orders):
    true = descended(step.polynomial, u, step.learning_rate, num_steps)
    lifts = [lift(step, order) for order in orders]
    return np.array([np.linalg.norm(one.displacement(one.trajectory(u, num_steps)[-1]) - true) for one in lifts])


@pytest.mark.parametrize("curvature", [1.0, 0.0, -0.5])
def test_regimes_are_told_by_what_steps_do_to_displacements(curvature) -> None:
    flat = PolynomialGradient(np.zeros(1), 0.0, (np.zeros(1), np.array([[curvature]])))
    found = diagnose(GradientMap(flat, 0.2), np.ones(1), 20).regime
    assert found is {1.0: Regime.DISSIPATIVE, 0.0: Regime.ALMOST, -0.5: Regime.DIVERGENT}[curvature]


def test_a_learning_rate_that_overshoots_diverges() -> None:
    bowl = PolynomialGradient(np.zeros(1), 0.0, (np.zeros(1), np.eye(1)))
    found = diagnose(GradientMap(bowl, 2.5), np.ones(1), 20)
    assert found.regime is Regime.DIVERGENT
    with pytest.raises(QhnError, match="use a rate below 2, or force it"):
        found.check()
    found.check(force=True)


@pytest.mark.parametrize("displacement", [[0.0, 0.0], [0.3, 0.2]])
def test_a_saddle_is_refused_before_anything_is_solved(displacement) -> None:
    found = diagnose(GradientMap(product_saddle(), 0.2), np.array(displacement), 20)
    assert found.is_saddle
    assert found.num_negative == 1
    with pytest.raises(QhnError, match="starts at a saddle: 1 of 2 curvatures are negative, the least -1"):
        found.check()
    found.check(force=True)


def test_a_saddle_of_an_own_network_is_told_even_where_few_steps_hide_it() -> None:
    found = diagnose(GradientMap(product_saddle(), 1e-3), np.zeros(2), 2)
    assert found.regime is Regime.ALMOST
    assert found.is_saddle


@pytest.mark.parametrize("distance", [0.0, 1e-17, 1e-9, 1e-3])
def test_a_saddle_is_told_though_the_gradient_is_not_exactly_0(distance) -> None:
    """Rounding leaves a gradient, as training does that has stopped near a saddle; the descent starts there."""
    moved = moved_by(product_saddle(), np.full(2, distance))
    found = diagnose(GradientMap(moved, 0.1), np.zeros(2), 5)
    assert found.regime is Regime.ALMOST
    assert found.is_saddle
    far = diagnose(GradientMap(moved_by(product_saddle(), np.full(2, 0.2)), 0.1), np.zeros(2), 3)
    assert far.num_negative == 1
    assert not far.is_saddle


def test_a_saddle_does_not_depend_on_the_unit() -> None:
    for distance in (1e-9, 0.004, 0.006, 0.2):
        moved = moved_by(product_saddle(), np.full(2, distance))
        found = [diagnose(GradientMap(moved, 0.1, scale), np.zeros(2), 5) for scale in (1.0, 0.3)]
        assert found[0].reach == pytest.approx(found[1].reach)
        assert found[0].is_saddle == found[1].is_saddle


def test_curvature_stays_negative_within_reach() -> None:
    rng = np.random.default_rng(0)
    for seed in range(50):
        gradient = random_gradient(2, 3, seed)
        found = diagnose(GradientMap(gradient, 0.1), np.zeros(2), 5)
        if not found.num_negative:
            continue
        for _ in range(20):
            u = rng.normal(size=2)
            moved = moved_by(gradient, u / np.linalg.norm(u) * found.reach)
            assert np.linalg.eigvalsh(moved.hessian)[0] <= found.eigenvalues[0] / 2 + 1e-12


def moved_by(gradient: PolynomialGradient, way: np.ndarray) -> PolynomialGradient:
    """The same function about another reference, of a gradient of degree 3."""
    _, g1, g2, g3 = gradient.tensors
    tensors = (
        gradient.gradient(way),
        g1 + 2 * g2 @ way + 3 * (g3 @ way) @ way,
        g2 + 3 * g3 @ way,
        g3,
    )
    return PolynomialGradient(gradient.reference + way, float(gradient.loss(way)), tensors)


def test_a_minimum_is_none() -> None:
    found = diagnose(GradientMap(quartic((1.0, 0.5)), 0.2), np.array([0.3, 0.1]), 20)
    assert not found.is_saddle
    assert found.num_negative == 0
    found.check()


def test_ratio_below_1_keeps_descent_in_its_ball() -> None:
    rng = np.random.default_rng(0)
    below = 0
    for seed in range(200):
        curvatures = tuple(rng.uniform(0.2, 1.5, size=2))
        step = GradientMap(quartic(curvatures, drive=rng.uniform(0, 0.1)), 0.3)
        u = rng.normal(size=2) * rng.uniform(0, 1.5)
        found = diagnose(step, u, 30)
        if found.nonlinearity < 1:
            below += 1
            for _ in range(30):
                u = descended(step.polynomial, u, 0.3, 1)
                assert np.linalg.norm(u) <= found.radius * (1 + 1e-12), seed
    assert below > 50


def test_ratio_is_that_of_the_differential_equation_without_drive() -> None:
    """Of degree 2 without drive R = ‖u‖ ‖G_2‖ / λ_min, as Liu et al. (2021) define it."""
    tensors = (np.zeros(2), np.diag([1.0, 0.5]), random_gradient(2, 2).tensors[2])
    step, u = GradientMap(PolynomialGradient(np.zeros(2), 0.0, tensors), 0.1), np.array([0.1, 0.2])
    expected = np.linalg.norm(u) * np.linalg.norm(tensors[2].reshape(2, 4), 2) / 0.5
    assert diagnose(step, u, 10).nonlinearity == pytest.approx(expected)


def test_ratio_does_not_depend_on_the_unit() -> None:
    u = np.array([0.2, 0.1])
    found = [diagnose(GradientMap(quartic((1.0, 0.5), 0.05), 0.2, scale), u, 9) for scale in (1.0, 0.3)]
    assert found[0].nonlinearity == pytest.approx(found[1].nonlinearity, rel=1e-6)
    assert found[0].radius == pytest.approx(found[1].radius, rel=1e-3)
    bounds = [truncation_bound(GradientMap(quartic((1.0, 0.5), 0.05), 0.2, scale), u, 2, 9) for scale in (1.0, 0.3)]
    assert bounds[0] == pytest.approx(bounds[1])


@pytest.mark.parametrize("seed", range(12))
def test_truncation_errors_stay_within_their_bound(seed) -> None:
    rng = np.random.default_rng(seed)
    step = GradientMap(random_gradient(3, 1 + seed % 3, seed, drive=0.1), 0.05, scale=rng.uniform(0.5, 2))
    u = rng.normal(size=3) * 0.1
    for order, error in enumerate(truncation_errors(step, u, 5, range(1, 5)), 1):
        assert error <= truncation_bound(step, u, order, 5) + 1e-14


def test_a_flat_direction_that_rounding_tilts_has_no_ratio() -> None:
    valley = moved_by(product_saddle(), np.array([2.0, 0.5]))
    assert diagnose(GradientMap(valley, 0.1), np.array([0.1, 0.0]), 20).nonlinearity == np.inf


def test_a_bound_that_says_nothing_is_infinite() -> None:
    assert truncation_bound(GradientMap(quartic((1.0, 0.5)), 0.2), np.full(2, 10.0), 2, 50) == np.inf


def test_bound_of_a_linear_descent_is_0() -> None:
    bowl = PolynomialGradient(np.zeros(2), 0.0, (np.ones(2), np.eye(2)))
    assert truncation_bound(GradientMap(bowl, 0.1), np.ones(2), 1, 50) == 0


@pytest.mark.parametrize("loss", ["logistic", "sigmoid-mse"])
@pytest.mark.parametrize("keep", [2, 4])
def test_errors_fall_threefold_with_each_order_where_the_ratio_is_below_1(loss, keep) -> None:
    rng = np.random.default_rng(keep)
    x = rng.normal(size=(80, 6))
    model = GeneralisedLinearModel.with_bias(x, (x[:, 0] + x[:, 1] + rng.normal(size=80) > 0).astype(float), loss, 0.2)
    theta = np.zeros(7)
    theta[:keep] = 0.3
    step = GradientMap(model.expand(theta, 2).restricted(range(keep)), 0.5)
    assert diagnose(step, np.zeros(keep), 10).nonlinearity < 1
    errors = truncation_errors(step, np.zeros(keep), 10, range(1, 4))
    assert (errors[:-1] >= 3 * errors[1:]).all()


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("loss", ["logistic", "sigmoid-mse"])
def test_errors_of_a_descent_from_its_reference_fall_threefold_with_each_order(loss, degree) -> None:
    """Random problems, trained, pruned and re-expanded as a segment is; from elsewhere, only the bound falls surely."""
    rng = np.random.default_rng(degree)
    below = 0
    for _ in range(12):
        x = rng.normal(size=(40, 5))
        labels = (x @ rng.normal(size=5) + rng.normal(size=40) > 0).astype(float)
        model = GeneralisedLinearModel(x, labels, loss, float(np.exp(rng.uniform(np.log(0.05), np.log(0.5)))))
        theta = np.zeros(5)
        for _ in range(50):
            theta -= 0.3 * model.gradient(theta)
        kept = np.sort(np.argsort(-np.abs(theta))[:2])
        theta[np.setdiff1d(np.arange(5), kept)] = 0
        step = GradientMap(model.expand(theta, degree).restricted(kept), rng.uniform(0.05, 1))
        for u in (np.zeros(2), rng.normal(size=2) * 0.2):
            if not diagnose(step, u, 20).nonlinearity < 1:
                continue
            below += 1
            bounds = np.array([truncation_bound(step, u, order, 20) for order in range(1, 6)])
            assert (np.diff(bounds) <= 0).all()
            errors = truncation_errors(step, u, 20, range(1, 6))
            assert (errors <= bounds + 1e-13).all()
            if not u.any():
                assert (errors[:-1] >= 3 * errors[1:] - 1e-12).all()
    assert below > 10


def test_norms_are_those_of_the_tensors_as_matrices() -> None:
    step = GradientMap(random_gradient(2, 2), 0.1)
    u = np.random.default_rng(0).normal(size=(500, 2))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    for norm, factor in zip(factor_norms(step), step.factors, strict=True):
        powers = u
        for _ in range(factor.ndim - 2):
            powers = (powers[:, :, None] * u[:, None, :]).reshape(len(u), -1)
        reached = (
            np.linalg.norm(powers @ factor.reshape(2, -1).T, axis=1) if factor.ndim > 1 else np.linalg.norm(factor)
        )
        assert np.max(reached) <= norm + 1e-12
