"""Pruning by magnitude, in one shot and by the cubic schedule."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from qhn.arrays import Floats, Integers
from qhn.carleman.pruning import gradual_schedule, magnitude_support, on_support, prune
from qhn.errors import QhnError


def test_no_parameter_that_is_pruned_is_larger_than_one_that_is_kept(rng: np.random.Generator) -> None:
    for n in (1, 2, 17, 289):
        theta = rng.normal(size=n).round(1)  # with ties
        for keep in {1, (n + 1) // 2, n}:
            support = magnitude_support(theta, keep)
            pruned = np.setdiff1d(np.arange(n), support)
            assert len(support) == keep
            assert (np.diff(support) > 0).all()
            assert not len(pruned) or np.abs(theta[pruned]).max() <= np.abs(theta[support]).min()


def test_of_equal_parameters_the_first_are_kept() -> None:
    assert magnitude_support([1.0, -1.0, 1.0, -1.0], 2).tolist() == [0, 1]
    assert magnitude_support(np.zeros(5), 3, within=[4, 1, 3]).tolist() == [1, 3, 4]


@pytest.mark.parametrize(("n", "keep", "rounds"), [(289, 29, 8), (17, 4, 3), (5, 5, 4), (1000, 1, 100), (7, 1, 1)])
def test_the_schedule_is_cubic(n: int, keep: int, rounds: int) -> None:
    counts = np.array(gradual_schedule(n, keep, rounds))
    shares = (1 - keep / n) * (1 - (1 - np.arange(1, rounds + 1) / rounds) ** 3)  # Eq. 1 with s_i = 0, t_0 = 0
    assert np.abs(counts - n * (1 - shares)).max() <= 0.5 + 1e-9
    assert counts[-1] == keep
    assert (np.diff(counts) <= 0).all()


def test_supports_of_rounds_are_nested_and_what_is_pruned_stays_zero(rng: np.random.Generator) -> None:
    seen: list[Integers] = []

    def train(theta: Floats, support: Integers) -> Floats:
        seen.append(support)
        assert (np.delete(theta, support) == 0).all()
        return theta + rng.normal(size=len(theta))  # a trainer that does not care for the support

    theta, support = prune(rng.normal(size=50), 5, 4, train)
    supports = [*seen, support]
    assert [len(one) for one in supports] == list(gradual_schedule(50, 5, 4))
    assert all(np.isin(after, before).all() for before, after in pairwise(supports))
    assert np.flatnonzero(theta).tolist() == support.tolist()


def test_one_shot_keeps_the_values(rng: np.random.Generator) -> None:
    theta = rng.normal(size=20)
    pruned, support = prune(theta, 6)
    assert (pruned[support] == theta[support]).all()
    assert (on_support(theta[support], support, 20) == pruned).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: magnitude_support([1.0, 2.0], 3), "keep must be at most 2, got 3"),
        (lambda: magnitude_support([1.0, 2.0], 0), "keep must be at least 1, got 0"),
        (lambda: magnitude_support([1.0, np.nan], 1), "finite"),
        (lambda: magnitude_support([[1.0]], 1), r"shape \(1, 1\)"),
        (lambda: magnitude_support([1.0, 2.0], 1, within=[0, 0]), "different parameters"),
        (lambda: magnitude_support([1.0, 2.0], 1, within=[2]), "from 0 to 1"),
        (lambda: magnitude_support([1.0, 2.0], 1, within=[0.5]), "whole numbers"),
        (lambda: magnitude_support([1.0, 2.0], 2, within=[1]), "keep must be at most 1"),
        (lambda: gradual_schedule(10, 11, 2), "keep must be at most 10"),
        (lambda: gradual_schedule(10, 2, 0), "rounds must be at least 1"),
        (lambda: on_support([1.0], [0, 1], 3), "got 1 for 2"),
    ],
)
def test_wrong_input_is_told_in_one_line(call: object, message: str) -> None:
    with pytest.raises(QhnError, match=message) as raised:
        call()  # type: ignore[operator]
    assert "\n" not in str(raised.value)
