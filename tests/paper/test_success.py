"""Comparisons of depths: starts that are truly shared, and paired differences by brute force."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from qhn.paper.family import APART
from qhn.paper.lab import circuit_of
from qhn.paper.success import different, in_words, paired
from qhn.sweep.plan import load_sweep, make_sweep
from qhn.sweep.survey import Survey
from qhn.sweep.workers import advance


@pytest.mark.parametrize("name", ["figure-2", "figure-3", "figure-4", "figure-4-published", "data-set"])
def test_circuits_of_equal_depth_start_at_the_same_angles_in_both_orders(name: str) -> None:
    sweep = load_sweep(name, {"seeds": 3})
    first: dict[tuple[int, int], dict[str, np.ndarray]] = {}
    problem = sweep.members[0].config.problem()
    for member in sweep.members:
        order, depth = member.values
        theta = member.config.initial_theta(circuit_of(member.config, problem))
        first.setdefault((depth, member.config.train.seed), {})[order] = theta
    for (depth, seed), orders in first.items():
        np.testing.assert_array_equal(orders["eq5"], orders["authors"])
        shallow = first[0, seed]["eq5"]
        np.testing.assert_array_equal(orders["eq5"][: len(shallow)], shallow)  # a deeper circuit begins with its angles
        assert len(orders["eq5"]) == max(2 * depth, 1) * len(shallow)
    assert len({tuple(orders["eq5"]) for (depth, _), orders in first.items() if depth == 0}) == 3


def test_paired_gains_are_those_of_each_start(tmp_path: Path) -> None:
    sweep = make_sweep(
        name="small", experiment="figure-1", seeds=30, epsilon=[0.05],
        set={"train.backend": "exact", "train.optimizer": "lbfgs", "train.steps": 6},
        vary={"ansatz.order": ["eq5", "authors"], "ansatz.num_layers": [0, 1, 2]},
    )  # fmt: skip
    with ThreadPoolExecutor(1) as executor:
        list(advance(sweep, executor, results=tmp_path))
    survey = Survey(sweep, tmp_path)
    hit = {group.values: (group.mean - group.optimum < 0.05).astype(int) for group in survey.groups}
    np.testing.assert_array_equal(hit["eq5", 0], hit["authors", 0])  # the product state is the same runs
    assert 0 < hit["eq5", 0].mean() < 1
    assert [group.values for group in different(survey)] == [values for values in hit if values != ("authors", 0)]
    found = paired(survey, (1, 2), (0,))
    for order in ("eq5", "authors"):
        gain = 0.5 * (hit[order, 1] + hit[order, 2]) - hit[order, 0]
        assert found[order].difference.value == pytest.approx(gain.mean())
        assert (found[order].more, found[order].fewer) == ((gain > 0).sum(), (gain < 0).sum())
    apart = 0.5 * (hit["eq5", 1] + hit["eq5", 2] - hit["authors", 1] - hit["authors", 2])
    assert found[APART].difference.value == pytest.approx(apart.mean())
    assert (found[APART].more, found[APART].fewer) == ((apart > 0).sum(), (apart < 0).sum())
    none = paired(survey, (0,), (1,), epsilon=-1.0)  # nothing succeeds
    assert (none["eq5"].difference.value, none["eq5"].counts) == (0.0, "0 : 0")


def test_depths_in_words() -> None:
    assert [in_words(depths) for depths in ((0,), (1,), (3,), (2, 3), (1, 2, 3))] == [
        "product", "1 layer", "3 layers", "2 and 3 layers", "1, 2 and 3 layers"
    ]  # fmt: skip
