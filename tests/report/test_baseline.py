from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qhn.baseline.classical import METHODS
from qhn.errors import QhnError
from qhn.problem.landscape import enumerate_costs
from qhn.report import baseline
from qhn.report.baseline import BaselineReport, chosen_methods


def test_searches_are_repeated_with_their_seeds_and_never_fall_below_the_optimum(tmp_path: Path, small_config) -> None:
    told: list[str] = []
    report = BaselineReport.of(small_config, evaluations=9, repeats=3, seed=5, tell=told.append)
    costs = enumerate_costs(small_config.problem())
    assert tuple(report.traces) == tuple(METHODS)
    assert [line.partition(":")[0] for line in told] == list(METHODS)
    assert (report.num_repeats, report.budget, report.num_qubits, report.lowest) == (3, 9, 4, costs.min())
    for name, traces in report.traces.items():
        assert all(trace.distinct <= 9 for trace in traces), name
        assert (report.polished[name] >= report.lowest - 1e-12).all()
    one = BaselineReport.of(small_config, "descent", evaluations=9, repeats=1, seed=6)
    assert np.array_equal(one.traces["descent"][0].costs, report.traces["descent"][1].costs)
    name = "all-9-evaluations-3-repeats-seed-5"
    assert [path.name for path in report.write(tmp_path)] == [f"{name}.png", f"{name}.csv"]


def test_a_search_of_all_networks_finds_the_optimum(small_config) -> None:
    report = BaselineReport.of(small_config, "random", evaluations=10**6, repeats=2)
    assert report.budget == 2**report.num_qubits == 16
    head, _, columns, row = report.page().splitlines()
    assert head.startswith("2 searches each, 16 of 16 networks evaluated; C* = ")
    assert "median C - C*" in columns
    assert row.split()[1:5] == ["0", "0", "0", "100%"]


def test_without_the_optimum_the_lowest_polished_cost_stands_for_it(
    small_config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "can_enumerate", lambda problem: False)
    report = BaselineReport.of(small_config, "descent", evaluations=8, repeats=2)
    assert report.landscape is None
    assert report.lowest == min(report.polished["descent"])
    assert "lowest C found, polished ones included = " in report.page()


def test_straight_through_pays_three_passes_for_a_network(small_config) -> None:
    rows = {
        name: BaselineReport.of(small_config, name, evaluations=16, repeats=3)
        for name in ("descent", "straight-through")
    }
    for name, price in (("descent", 1), ("straight-through", 3)):
        columns, row = rows[name].page().splitlines()[-2:]
        assert columns.endswith("networks to it   passes")
        networks, spent = (float(word) for word in row.split()[-2:])
        assert spent == price * networks


def test_a_model_is_searched_only_if_it_is_named(small_config) -> None:
    report = BaselineReport.of(small_config, "born-machine", evaluations=16, repeats=2)
    assert report.page().splitlines()[-1].split()[:5] == ["born-machine", "0", "0", "0", "100%"]
    assert "born-machine" not in chosen_methods("all")


def test_an_unknown_method_is_refused_with_the_nearest_one() -> None:
    assert chosen_methods("all") == tuple(METHODS)
    with pytest.raises(QhnError, match="unknown method 'anealing'; did you mean 'annealing'"):
        chosen_methods("anealing")
