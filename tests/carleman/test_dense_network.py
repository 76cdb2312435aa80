"""The loss of a dense network, its derivatives, and its descent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qhn.arrays import Floats
from qhn.carleman.dense_network import DenseNetwork
from qhn.carleman.descent import Descent, descend
from qhn.errors import QhnError

SHAPES = [(4, 3, 1), (3, 4, 2, 2), (5, 1), (2, 3, 3, 1)]


def network_of(rng: np.random.Generator, layers: tuple[int, ...], **settings: Any) -> DenseNetwork:
    y = (rng.random((11, layers[-1])) < 0.5).astype(float)
    return DenseNetwork(rng.normal(size=(11, layers[0])), y, layers, **{"weight_decay": 0.03} | settings)


def slopes(function: Any, theta: Floats, width: float = 1e-5) -> Floats:
    """Central differences of a function of the parameters: one row a parameter."""
    units = width * np.eye(len(theta))
    return np.array([(function(theta + unit) - function(theta - unit)) / (2 * width) for unit in units])


@pytest.mark.parametrize("loss", ["logistic", "mse"])
@pytest.mark.parametrize("layers", SHAPES)
def test_derivatives_are_finite_differences(rng: np.random.Generator, layers: tuple[int, ...], loss: str) -> None:
    network = network_of(rng, layers, loss_name=loss)
    theta = rng.normal(size=network.num_parameters)
    assert np.abs(slopes(network.loss, theta) - network.gradient(theta)).max() < 1e-8
    hessian = network.hessian(theta)
    assert np.abs(slopes(network.gradient, theta) - hessian).max() < 1e-8
    assert (hessian == hessian.T).all()


@pytest.mark.parametrize("layers", SHAPES)
def test_products_are_those_of_the_hessian(rng: np.random.Generator, layers: tuple[int, ...]) -> None:
    network = network_of(rng, layers)
    theta, vectors = rng.normal(size=network.num_parameters), rng.normal(size=(6, network.num_parameters))
    hessian = slopes(network.gradient, theta)
    assert np.abs(network.hessian_product(theta, vectors) - vectors @ hessian).max() < 1e-7
    assert np.abs(network.hessian_product(theta, vectors[0]) - hessian @ vectors[0]).max() < 1e-7


def test_a_part_of_the_hessian_is_that_of_the_whole(rng: np.random.Generator) -> None:
    network = network_of(rng, (4, 3, 1))
    theta, support = rng.normal(size=19), np.array([0, 3, 7, 18])
    assert network.hessian(theta, support) == pytest.approx(network.hessian(theta)[np.ix_(support, support)], abs=1e-15)


def test_a_network_without_hidden_layers_is_logistic_regression(rng: np.random.Generator) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = rng.normal(size=(60, 3)), (rng.random(60) < 0.5).astype(float)
    network = DenseNetwork(x, y, (3, 1))
    *_, theta = descend(network, np.zeros(4), Descent(3.0, 8000))
    peer = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)
    assert theta == pytest.approx([*peer.coef_[0], peer.intercept_[0]], abs=1e-6)


def test_losses_and_accuracies_are_those_of_a_peer(rng: np.random.Generator) -> None:
    neural = pytest.importorskip("sklearn.neural_network")
    metrics = pytest.importorskip("sklearn.metrics")
    x, y = rng.normal(size=(60, 4)), (rng.random(60) < 0.5).astype(float)
    peer = neural.MLPClassifier(
        (5, 3), activation="tanh", solver="lbfgs", alpha=2.0, max_iter=5000, random_state=1
    ).fit(x, y)
    theta = np.concatenate(
        [part for w, b in zip(peer.coefs_, peer.intercepts_, strict=True) for part in (w.T.ravel(), b)]
    )
    network = DenseNetwork(x, y, (4, 5, 3, 1))
    assert network.loss(theta) == pytest.approx(metrics.log_loss(y, peer.predict_proba(x)))
    assert network.accuracy(theta) == peer.score(x, y)
    is_weight = np.concatenate(
        [part for w, b in zip(peer.coefs_, peer.intercepts_, strict=True) for part in (np.ones(w.size), 0 * b)]
    )
    gradient = network.gradient(theta) + 2 / 60 * is_weight * theta  # the peer's penalty, which spares biases
    assert np.abs(gradient).max() < 1e-3  # where the peer's search has ended


def test_the_parts_of_a_sum_over_samples_are_those_of_their_rows(rng: np.random.Generator) -> None:
    network = network_of(rng, (4, 3, 1))
    theta, rows = rng.normal(size=19), np.array([1, 4, 9])
    alone = replace(network, inputs=network.inputs[rows], labels=network.labels[rows])
    assert network.loss(theta, rows) == pytest.approx(alone.loss(theta))
    assert network.gradient(theta, rows) == pytest.approx(alone.gradient(theta))


def test_a_descent_moves_the_support_alone(rng: np.random.Generator) -> None:
    network, support = network_of(rng, (4, 3, 1)), np.array([0, 5, 18])
    first = rng.normal(size=19)
    path = list(descend(network, first, Descent(0.1, 20), support))
    assert len(path) == 21
    assert (path[0] == first).all()
    assert np.flatnonzero(path[-1] != first).tolist() == support.tolist()
    losses = [network.loss(theta) for theta in path]
    assert (np.diff(losses) < 0).all()
    by_hand = first.copy()
    for _ in range(20):
        by_hand[support] -= 0.1 * network.gradient(by_hand)[support]
    assert path[-1] == pytest.approx(by_hand, abs=1e-14)


def test_a_stochastic_descent_is_repeated_by_its_seed(rng: np.random.Generator) -> None:
    network, first = network_of(rng, (4, 3, 1)), rng.normal(size=19)
    ends = [list(descend(network, first, Descent(0.1, 9, batch=4, seed=seed)))[-1] for seed in (1, 1, 2)]
    assert (ends[0] == ends[1]).all()
    assert (ends[0] != ends[2]).any()
    whole = [list(descend(network, first, Descent(0.1, 9, batch=batch)))[-1] for batch in (None, 11)]
    assert whole[0] == pytest.approx(whole[1])


def test_first_parameters_have_a_variance_of_one_over_inputs() -> None:
    network = DenseNetwork(np.zeros((2, 400)), np.zeros(2), (400, 100, 1))
    theta = network.initial(3)
    assert theta[:40_000].std() == pytest.approx(0.05, rel=0.02)
    assert (theta[40_000:40_100] == 0).all()
    assert (theta == network.initial(3)).all()
    assert (theta != network.initial(4)).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": (4,)}, "at least inputs and outputs"),
        ({"layers": (4, 0, 1)}, "layers must be at least 1"),
        ({"layers": (3, 1)}, r"inputs must be \[m, 3\]"),
        ({"layers": (4, 2)}, r"labels must be \[m, 2\]"),
        ({"labels": np.zeros(5)}, r"labels must be \[m, 1\]"),
        ({"labels": np.full(11, 2.0)}, r"labels of the logistic loss must be in \[0, 1\]"),
        ({"inputs": np.full((11, 4), np.nan)}, "finite"),
        ({"inputs": np.zeros((0, 4)), "labels": np.zeros(0)}, "m of at least 1"),
        ({"loss_name": "hinge"}, "'logistic' or 'mse', got 'hinge'"),
        ({"weight_decay": -1}, "weight_decay must be a finite number of at least 0"),
    ],
)
def test_wrong_networks_are_refused(rng: np.random.Generator, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(QhnError, match=message):
        replace(network_of(rng, (4, 3, 1)), **settings)


def test_wrong_parameters_and_descents_are_refused(rng: np.random.Generator) -> None:
    network = network_of(rng, (4, 3, 1))
    with pytest.raises(QhnError, match="19 parameters got an array of shape"):
        network.loss(np.zeros(18))
    with pytest.raises(QhnError, match=r"vectors must be \[..., 19\]"):
        network.hessian_product(np.zeros(19), np.zeros(18))
    with pytest.raises(QhnError, match="batch must be at most 11"):
        list(descend(network, np.zeros(19), Descent(0.1, 1, batch=12)))
    with pytest.raises(QhnError, match="different parameters from 0 to 18"):
        network.hessian(np.zeros(19), [0, 19])
    with pytest.raises(QhnError, match="different parameters from 0 to 18"):
        next(descend(network, np.zeros(19), Descent(0.1, 1), [3, 3]))
    with pytest.raises(QhnError, match="diverged in step"):
        list(descend(replace(network, loss_name="mse"), rng.normal(size=19), Descent(1e9, 200)))
