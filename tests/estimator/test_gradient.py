"""Gradients against finite differences, with exact probabilities in place of shots: no statistics in these tests."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

import reference
from qhn.circuit.hypernetwork import hypernetwork
from qhn.estimator.gradient import Gradient, ParameterShift, Spsa, ValueAndGrad, WithDrift
from qhn.estimator.means import Estimates, Means
from qhn.problem.objective import Objective
from qhn.seeds import Key

KEY = Key(seed=3, step=4)
NO_ESTIMATES = Estimates(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), None, 0.0, np.zeros(4, np.uint8), 0)
COPIES = 200_000
ACTIVE = np.ones(3, dtype=bool)


def combine(rule: Gradient, costs: np.ndarray, theta: np.ndarray, objective: Objective | None = None) -> ValueAndGrad:
    """Of costs ``[..., num_rows, shots]`` on one tile."""
    objective = objective or Objective()
    rows = Means.of(objective.transform(costs, costs[..., :1, :]))
    return rule.combine_means(rows, rows[[0] * rule.num_rows], NO_ESTIMATES, objective, theta, KEY)


def as_costs(num_layers: int, order: str, rows: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """For each row of angles the mean of C as a constant sample of two shots."""
    means = [reference.energy(4, num_layers, order, row, costs) for row in rows]
    return np.repeat(np.array(means)[:, None], 2, axis=1)


@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize("num_layers", [0, 1, 2])
def test_parameter_shift_equals_finite_differences(order: str, num_layers: int, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(4, num_layers, order)
    theta, costs = rng.uniform(0, 2 * np.pi, ansatz.num_parameters), rng.random(16)
    rule = ParameterShift(ansatz.active)
    rows = rule.shifted(theta, KEY)
    assert rows.shape == (rule.num_rows, ansatz.num_parameters) == (1 + 2 * ansatz.active.sum(), ansatz.num_parameters)
    np.testing.assert_array_equal(rows[0], theta)
    found = combine(rule, as_costs(num_layers, order, rows, costs), theta)

    def e(t: np.ndarray) -> float:
        return reference.energy(4, num_layers, order, t, costs)

    step, unit = 1e-3, np.eye(len(theta))
    grad = [  # fourth order: error of 1e-12
        (8 * (e(theta + step * u) - e(theta - step * u)) - (e(theta + 2 * step * u) - e(theta - 2 * step * u)))
        / 12
        / step
        for u in unit
    ]
    np.testing.assert_allclose(found.grad, grad, atol=1e-8)
    np.testing.assert_array_equal(found.grad[~ansatz.active], 0)
    h = 1e-2
    curvature = [
        (-e(theta + 2 * h * u) + 16 * e(theta + h * u) - 30 * e(theta) + 16 * e(theta - h * u) - e(theta - 2 * h * u))
        / (12 * h * h)
        for u in unit
    ]
    np.testing.assert_allclose(found.hessian_diag, curvature, atol=1e-8)
    assert found.value == pytest.approx(e(theta), abs=1e-14)


def test_full_angle_gates_would_have_no_gradient_by_this_rule(rng: np.random.Generator) -> None:
    """With e^{iθσ} instead of half angles both shifted energies are equal: the trap in the paper's text."""
    ansatz = hypernetwork(4, 1)
    theta, costs = rng.uniform(0, np.pi, ansatz.num_parameters), rng.random(16)
    rows = ParameterShift(ansatz.active).shifted(theta, KEY)
    means = [reference.energy(4, 1, "eq5", 2 * row, costs) for row in rows]
    np.testing.assert_allclose(means[1::2], means[2::2], atol=1e-12)


def test_cvar_gradient_is_exact_where_shifting_cvar_values_is_not(rng: np.random.Generator) -> None:
    alpha, ansatz, costs = 0.2, hypernetwork(4, 1), rng.random(16)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)

    def probabilities(t: np.ndarray) -> np.ndarray:
        return reference.probabilities(reference.literal_circuit(4, 1, "eq5", t))

    def cvar(t: np.ndarray) -> float:
        return reference.cvar(costs, probabilities(t), alpha)

    rule = ParameterShift(ansatz.active)
    rows = rule.shifted(theta, KEY)
    samples = []  # each row as a sample with the exact frequencies, up to rounding to COPIES shots
    for row in rows:
        counts = np.floor(np.cumsum(probabilities(row)) * COPIES + 0.5).astype(int)
        samples.append(np.repeat(costs, np.diff(counts, prepend=0)))
    found = combine(rule, np.array(samples), theta, Objective(alpha))
    h, unit = 1e-4, np.eye(len(theta))
    expected = np.array([(cvar(theta + h * u) - cvar(theta - h * u)) / (2 * h) for u in unit])
    np.testing.assert_allclose(found.grad, expected, atol=2e-4)
    naive = np.array([0.5 * (cvar(theta + np.pi / 2 * u) - cvar(theta - np.pi / 2 * u)) for u in unit])
    assert np.abs(naive - expected).max() > 0.02
    assert found.hessian_diag is None


def test_errors_are_those_of_independent_rows(rng: np.random.Generator) -> None:
    rule = ParameterShift(np.array([True, False, True]))
    costs = rng.normal(size=(4000, rule.num_rows, 50))  # many repetitions of one gradient, true value 0
    found = combine(rule, costs, np.zeros((4000, 3)))
    for values, errors in (
        (found.grad, found.grad_std_error),
        (found.hessian_diag, found.hessian_diag_std_error),
    ):
        np.testing.assert_allclose(values.std(axis=0), errors.mean(axis=0), rtol=0.06)
    np.testing.assert_array_equal(found.grad_std_error[:, 1], 0)


def test_the_error_of_the_trace_counts_what_second_derivatives_share(rng: np.random.Generator) -> None:
    """They share E at θ itself, and the causes that a correction brings in."""
    rule, copies = ParameterShift(np.array([True, False, True, True])), 20_000
    own, here, shared = rng.uniform(0.1, 0.5, rule.num_rows), 0.4, rng.normal(size=(rule.num_rows, 3))
    shared[:] = np.where(np.arange(rule.num_rows)[:, None] % 2, shared, 0.3)
    at_theta = Means(np.zeros(rule.num_rows), np.full(rule.num_rows, here), np.tile(shared[:1], (rule.num_rows, 1)))
    rows = Means(np.zeros(rule.num_rows), own, shared)
    stated = rule.combine_means(rows, at_theta, NO_ESTIMATES, Objective(), np.zeros(4), KEY).trace_std_error
    causes, noise = rng.normal(size=(copies, 3)), own * rng.normal(size=(copies, rule.num_rows))
    measured = noise + causes @ shared.T
    middle = here * rng.normal(size=(copies, 1)) + causes @ shared[:1].T
    trace = (0.5 * (measured[:, 1::2] + measured[:, 2::2]) - middle).sum(axis=1)
    np.testing.assert_allclose(stated, trace.std(), rtol=0.03)


def test_each_row_is_compared_with_theta_on_its_own_tile(rng: np.random.Generator) -> None:
    """Tiles add offsets of their own, which neither the gradient nor the curvature sees."""
    rule = ParameterShift(np.array([True, True, False, True]))
    costs, offsets = rng.normal(size=(7, 50)), np.array([0.0, 5.0, 5.0, -3.0, -3.0, 5.0, 5.0])
    plain = combine(rule, costs, np.zeros(4))
    rows, unshifted = Means.of(costs + offsets[:, None]), Means.of(costs[:1] + offsets[:, None])
    tiled = rule.combine_means(rows, unshifted, NO_ESTIMATES, Objective(), np.zeros(4), KEY)
    for name in ("value", "std_error", "grad", "grad_std_error", "hessian_diag", "hessian_diag_std_error"):
        np.testing.assert_allclose(getattr(tiled, name), getattr(plain, name), atol=1e-12)


@pytest.mark.parametrize("num_directions", [1, 3])
def test_errors_in_common_are_those_of_correlated_rows(num_directions: int, rng: np.random.Generator) -> None:
    """Draw the common causes many times: the spread of each result is its error."""
    active = np.array([True, False, True])
    for rule in (ParameterShift(active), Spsa(active, num_directions=num_directions)):
        mean, shared = rng.normal(size=rule.num_rows), rng.normal(size=(rule.num_rows, 4))
        unshifted = Means(np.zeros(rule.num_rows), np.full(rule.num_rows, 0.2), rng.normal(size=(rule.num_rows, 4)))
        rows = Means(mean, np.full(rule.num_rows, 0.3), shared)
        theta, causes = np.zeros((5000, 3)), rng.normal(size=(5000, 4))
        key = Key(1, step=3)
        stated = rule.combine_means(rows, unshifted, NO_ESTIMATES, Objective(), np.zeros(3), key)

        def draw(means: Means, causes: np.ndarray = causes) -> Means:
            own = means.own_error * rng.normal(size=(len(causes), len(means.mean)))
            return Means.alone(means.mean + own + causes @ means.shared.T, np.zeros_like(own))

        np.testing.assert_allclose(stated.std_error, draw(rows).mean[:, 0].std(), rtol=0.05)
        if isinstance(rule, ParameterShift):
            drawn = rule.combine_means(draw(rows), draw(unshifted), NO_ESTIMATES, Objective(), theta, key)
            np.testing.assert_allclose(stated.grad_std_error, drawn.grad.std(axis=0), rtol=0.05)
            np.testing.assert_allclose(stated.hessian_diag_std_error, drawn.hessian_diag.std(axis=0), rtol=0.05)
        else:  # the directions of a batch differ, those of one θ drawn many times do not
            each = draw(rows)
            drawn = np.array(
                [
                    rule.combine_means(each_row, unshifted, NO_ESTIMATES, Objective(), np.zeros(3), key).grad
                    for each_row in (Means.alone(m, np.zeros_like(m)) for m in each.mean[:2000])
                ]
            )
            np.testing.assert_allclose(stated.grad_std_error, drawn.std(axis=0), rtol=0.08)


def test_batches_of_theta(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(4, 1)
    theta, costs = rng.uniform(0, 6, (3, ansatz.num_parameters)), rng.random(16)
    for rule in (ParameterShift(ansatz.active), Spsa(ansatz.active, num_directions=2)):
        rows = rule.shifted(theta, KEY)
        assert rows.shape == (3, rule.num_rows, ansatz.num_parameters)
        sampled = np.stack([as_costs(1, "eq5", r, costs) for r in rows])
        assert combine(rule, sampled, theta).grad.shape == theta.shape


def test_spsa_averages_to_the_gradient(rng: np.random.Generator) -> None:
    """On a linear function one direction gives Δ·(Δ·g); its mean over directions is g."""
    active = np.array([True] * 5 + [False])
    slope = np.append(rng.normal(size=5), 0.0)
    rule = Spsa(active, perturbation=0.1, decay=0.0, num_directions=20_000)
    theta = rng.normal(size=6)
    rows = rule.shifted(theta, KEY)
    costs = np.repeat((rows @ slope)[:, None], 2, axis=1)
    found = combine(rule, costs, theta)
    np.testing.assert_allclose(found.grad, slope, atol=5 * np.linalg.norm(slope) / np.sqrt(20_000))
    assert found.grad[5] == 0


def test_spsa_is_by_default_as_spall_recommends() -> None:
    assert Spsa(ACTIVE).decay == 0.101
    assert (Spsa(ACTIVE).num_directions, Spsa(ACTIVE).num_rows) == (1, 3)


def test_spsa_directions_belong_to_the_step_and_shrink(rng: np.random.Generator) -> None:
    rule = Spsa(np.ones(8, dtype=bool), perturbation=0.2, decay=0.5)
    theta = rng.normal(size=8)
    first, again, later = (rule.shifted(theta, Key(1, step=step)) for step in (0, 0, 3))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(np.abs(first[1] - theta), 0.2)
    np.testing.assert_allclose(np.abs(later[1] - theta), 0.1)
    assert not np.array_equal(np.sign(first[1] - theta), np.sign(later[1] - theta))
    others = [rule.shifted(theta, key) for key in (Key(1, evaluation=1), Key(1, evaluation=2), Key(2))]
    signs = {np.sign(rows[1] - theta).tobytes() for rows in (first, *others)}
    assert len(signs) == 4  # every evaluation of a line search has directions of its own, and so has every run


@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize("kind", [ParameterShift, Spsa])
def test_rows_for_the_drift_leave_the_gradient_as_it_is(
    kind: type[Gradient], alpha: float, rng: np.random.Generator
) -> None:
    """With errors in common, on a batch of θ, for the mean and for a CVaR; E(θ₀) is the mean of its pair."""
    ansatz, objective = hypernetwork(3, 1), Objective(alpha)
    rule = kind(ansatz.active)  # type: ignore[call-arg]
    first = rng.uniform(0, 6, ansatz.num_parameters)
    drifting, theta = WithDrift(rule, first), rng.uniform(0, 6, (2, ansatz.num_parameters))
    rows = drifting.shifted(theta, KEY)
    assert rows.shape[:-1] == (2, drifting.num_rows) == (2, rule.num_rows + 2)
    np.testing.assert_array_equal(rows[:, :-2], rule.shifted(theta, KEY))
    np.testing.assert_array_equal(rows[:, -2:], np.broadcast_to(first, (2, 2, len(first))))

    def drawn() -> Means:
        shape = rows.shape[:-1]
        return Means(rng.normal(size=shape), rng.random(shape), rng.normal(size=(*shape, 4)))

    means, unshifted, energies = drawn(), drawn(), drawn()
    estimates = Estimates(energies.mean, energies.own_error, means.mean, means.own_error, None, 0.0, np.zeros(3), 0)
    found = drifting.combine_means(means, unshifted, estimates, objective, theta, KEY)
    alone = slice(rule.num_rows)
    expected = rule.combine_means(means[alone], unshifted[alone], estimates, objective, theta, KEY)
    for field in fields(expected):
        if not field.name.startswith("drift"):
            np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name))
    assert expected.drift is None
    one = means if objective.is_mean else Means.alone(energies.mean, energies.own_error)
    np.testing.assert_allclose(found.drift, one.mean[:, -2:].mean(axis=1))
    common = np.linalg.norm(one.shared[:, -2:].mean(axis=1), axis=-1)
    np.testing.assert_allclose(found.drift_std_error, np.hypot(np.hypot(*one.own_error[:, -2:].T) / 2, common))
