from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from pictures import is_drawn
from qhn.baseline.classical import METHODS, search
from qhn.config.file import load_config
from qhn.parallel.processes import processes
from qhn.problem.cost import TableProblem
from qhn.problem.landscape import Landscape, enumerate_costs
from qhn.sweep import classical
from qhn.sweep.classical import search_all
from qhn.sweep.plan import Sweep, make_sweep
from qhn.sweep.report import SweepReport
from qhn.sweep.survey import Rate, Survey
from qhn.sweep.workers import advance

EXACT = {"train.backend": "exact", "train.optimizer": "lbfgs", "train.steps": 40, "data.samples": 60}


def finished(results: Path, **fields: Any) -> Sweep:
    vary = {"ansatz.order": ["eq5", "authors"], "ansatz.num_layers": [0, 1]}
    base = {"name": "s", "experiment": "figure-1", "seeds": 12, "epsilon": [0.1, 0.01], "set": EXACT, "vary": vary}
    sweep = make_sweep(**(base | {"repeats": 3} | fields))
    with ThreadPoolExecutor(1) as executor:
        list(advance(sweep, executor, results=results))
    return sweep


def test_rates_are_those_of_the_members(tmp_path: Path) -> None:
    survey = Survey(finished(tmp_path), tmp_path)
    landscape = Landscape(enumerate_costs(load_config("figure-1", EXACT).problem()))
    assert [group.values for group in survey.groups] == [("eq5", 0), ("eq5", 1), ("authors", 0), ("authors", 1)]
    for group in survey.groups:
        above = group.columns["mean"][:, -1] - landscape.optimum
        rate = group.success(0.1)
        assert (rate.successes, rate.trials) == (int((above < 0.1).sum()), 12)
        expected = binomtest(rate.successes, 12).proportion_ci(method="wilson")
        np.testing.assert_allclose(rate.interval, (expected.low, expected.high), rtol=1e-4)
        if rate.successes:
            total = group.columns["num_gradients"].sum()
            assert group.gradients_to_solution(0.1) == total / rate.successes
        costs = landscape.costs[group.columns["best_bits"] @ (1 << np.arange(4))]
        np.testing.assert_array_equal(costs, group.columns["best_cost"])
        for cost, bits in zip(group.polished, group.columns["best_bits"], strict=True):
            assert cost <= landscape.costs[bits @ (1 << np.arange(4))]
            assert np.isclose(landscape.local_minima.costs, cost).any()
        assert group.finds(np.array([landscape.optimum, 1.0, 1.0])) == Rate(1, 3)
    assert any(group.success(0.1).successes for group in survey.groups)


def test_searches_are_those_of_baseline_and_do_not_depend_on_workers(tmp_path: Path) -> None:
    sweep = finished(tmp_path)
    survey = Survey(sweep, tmp_path)
    with processes(2) as executor:
        found = search_all(survey, executor)
    files = {path: path.read_bytes() for path in (sweep.directory(tmp_path) / "searches").iterdir()}
    assert len(files) == len(METHODS)
    with ThreadPoolExecutor(1) as executor:
        again = search_all(survey, executor)  # read, not searched again
        for path in files:
            path.unlink()
        search_all(survey, executor)
    assert all(path.read_bytes() == content for path, content in files.items())
    problem = survey.groups[0].problem
    (traces,), (same,) = found.traces.values(), again.traces.values()
    for method in METHODS:
        source = problem if method == "straight-through" else TableProblem(enumerate_costs(problem))
        for seed in range(3):
            landscape = survey.groups[0].landscape
            assert landscape is not None
            target = landscape.optimum + landscape.width
            expected = search(source, method, max(survey.groups[0].budgets), seed, target=target)
            for some in (traces, same):
                trace = [t for t in some if t.method == method][seed]
                np.testing.assert_array_equal(trace.counts, expected.counts)
                np.testing.assert_array_equal(trace.costs, expected.costs)
                np.testing.assert_array_equal(trace.bits, expected.bits)
                assert (trace.distinct, trace.evaluations) == (expected.distinct, expected.evaluations)


def test_searches_are_kept_in_the_order_of_their_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    survey = Survey(finished(tmp_path, repeats=12, vary={"ansatz.num_layers": [0]}), tmp_path)
    with ThreadPoolExecutor(1) as executor:
        found = search_all(survey, executor)
    files = {path: path.read_bytes() for path in (survey.folder / "searches").iterdir()}
    for path in files:
        path.unlink()
    said: list[str] = []

    def backwards(function: Any, jobs: Any, executor: Any) -> Any:
        return [(job, function(job)) for job in reversed(list(jobs))]

    monkeypatch.setattr(classical, "work_through", backwards)
    with ThreadPoolExecutor(1) as executor:
        search_all(survey, executor, said.append)
    assert all(path.read_bytes() == before for path, before in files.items())
    assert len(said) == len(METHODS)
    (traces,) = found.traces.values()
    assert [trace.method for trace in traces] == [method for method in METHODS for _ in range(12)]


def test_a_search_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    survey = Survey(finished(tmp_path, vary={"ansatz.num_layers": [0]}, seeds=1), tmp_path)

    def fails(*_: Any, **__: Any) -> Any:
        raise MemoryError("too large")

    monkeypatch.setattr(classical, "search", fails)
    with ThreadPoolExecutor(1) as executor, pytest.raises(MemoryError, match="too large"):
        search_all(survey, executor)


@pytest.mark.pictures
def test_the_report_holds_its_numbers(tmp_path: Path) -> None:
    survey = Survey(finished(tmp_path), tmp_path)
    with ThreadPoolExecutor(1) as executor:
        report = SweepReport(survey, search_all(survey, executor))
    paths = report.write()
    page = report.page()
    assert "48 of 48 members finished" in page
    assert str(survey.group("authors", 1).success(0.1)) in page
    assert (survey.folder / "page.txt").read_text() == page + "\n"
    assert is_drawn(paths[-1])
    with (survey.folder / "members.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    assert float(rows[13]["mean"]) == survey.group("eq5", 1).mean[1]
    assert (rows[13]["order"], rows[13]["num_layers"], rows[13]["seed"]) == ("eq5", "1", "1")
    with (survey.folder / "groups.csv").open() as file:
        groups = list(csv.DictReader(file))
    assert float(groups[3]["success_0.1"]) == survey.group("authors", 1).success(0.1).value
    with (survey.folder / "searches.csv").open() as file:
        searches = list(csv.DictReader(file))
    assert {row["method"] for row in searches} == set(METHODS)
    budget = {row["distinct"] for row in searches}
    assert budget == {str(count) for count in survey.groups[0].budgets}


def test_sampled_members_meet_searches_at_their_own_evaluations(tmp_path: Path) -> None:
    settings = {"train.backend": "exact", "train.shots": 1, "train.steps": 3, "data.samples": 40}
    survey = Survey(finished(tmp_path, set=settings, vary={"ansatz.num_layers": [0, 2]}, seeds=4), tmp_path)
    for group in survey.groups:
        assert group.budgets == (int(np.median(group.columns["distinct"])),)
        assert group.columns["distinct_at"].shape == (4, 3)
    with ThreadPoolExecutor(1) as executor:
        searches = search_all(survey, executor)
    group = survey.groups[0]
    facts = searches.facts(group, "random", group.budgets[0])
    (traces,) = searches.traces.values()
    best = [t.best_at(group.budgets[0]) for t in traces if t.method == "random"]
    assert facts["best_cost_median"] == np.median(best)
    assert facts["best_is_optimal"] == np.mean([b <= group.optimum + 1e-9 for b in best])


def test_beyond_enumeration_there_is_no_optimum(tmp_path: Path) -> None:
    settings = {"train.shots": 3, "train.steps": 1, "train.gradient": "spsa"}
    sweep = finished(tmp_path, experiment="digits-8x8", set=settings, vary={}, seeds=2, repeats=1)
    survey = Survey(sweep, tmp_path)
    (group,) = survey.groups
    assert group.landscape is None
    assert np.isnan(group.optimum)
    with ThreadPoolExecutor(1) as executor:
        report = SweepReport(survey, search_all(survey, executor))
    assert "E median" in report.page()
    assert "optimal" not in report.page()
    assert all(path.exists() for path in report.write())


def test_an_empty_sweep_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no member of the sweep .* is finished; run it first"):
        Survey(make_sweep(name="none", experiment="figure-1"), tmp_path)


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["ansatz.name", "ansatz.num_layers"], ["ansatz", "num_layers"]),
        (["train.optimizer.name", "train.shots"], ["optimizer", "shots"]),
        (["data.seed", "train.seed"], ["data.seed", "train.seed"]),
        (["problem.name", "problem"], ["problem.name", "problem"]),
    ],
)
def test_columns_are_named_by_what_varies(keys: list[str], names: list[str]) -> None:
    assert Survey.names.func(SimpleNamespace(sweep=SimpleNamespace(keys=keys))) == names
