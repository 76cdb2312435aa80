from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from pictures import is_drawn
from qhn import load_config, train
from qhn.backend.device.price import Task
from qhn.config.file import with_settings
from qhn.estimator.exact import ExactEstimator
from qhn.paper import courses, frugal, reproduce
from qhn.paper.claims import Verdict
from qhn.paper.courses import Course, by_minimising, by_searching, by_training, kept_course
from qhn.paper.lab import Lab
from qhn.paper.pictures import Line, against_price
from qhn.paper.section import Writer
from qhn.sweep.survey import Rate

SHOT = 250e-6 + 2e-6  # seconds of a shot of the tasks below
TASK = Task(num_rows=1, shots=1, duration=2e-6, two_qubit_gates=5, rep_delay=250e-6, max_shots=100_000)


def course(rows: list[list[int]], shots: list[list[int]], gap: list[list[float]] | None = None) -> Course:
    found = np.array(rows)
    gaps = np.ones(found.shape) if gap is None else np.array(gap)
    count = len(rows)
    return Course(gaps, gaps < 0.5, found, np.array(shots), np.zeros(count), np.zeros(count, dtype=np.int64))


def test_a_bill_is_the_price_of_every_step_and_of_the_self_test() -> None:
    at = course([[197, 197], [197, 101]], [[100, 100], [100, 50]])
    seconds, jobs = at.bill(TASK)
    self_test = seconds[0] - (2 + 19_700 * SHOT)
    assert self_test > 2
    second = 2 + (19_700 + 5_050) / 2 * SHOT
    np.testing.assert_allclose(seconds[1] - seconds[0], second, rtol=1e-12)
    assert jobs.tolist() == [2, 3]
    assert at.taken().tolist() == [19_700, 19_700 + (19_700 + 5_050) / 2]


def test_tiles_share_the_pairs_of_a_gradient_among_circuits() -> None:
    at = course([[197]], [[140]])
    (one,), (six,) = (at.bill(task)[0] for task in (TASK, Task(**vars(TASK) | {"tiles": 6})))
    np.testing.assert_allclose(one - six, (197 - 35) * 140 * SHOT, rtol=1e-12)


def test_without_shots_nothing_is_billed() -> None:
    seconds, jobs = course([[0]], [[0]]).bill(TASK)
    assert (seconds.tolist(), jobs.tolist()) == ([0], [0])


def test_a_start_is_solved_by_its_gap_or_by_its_most_probable_network() -> None:
    at = course([[1, 1], [1, 1]], [[1, 1], [1, 1]], [[0.7, 0.02], [0.4, 0.4]])
    assert at.rates(0.03) == [Rate(0, 2), Rate(1, 2)]
    assert at.rates(None) == [Rate(1, 2), Rate(2, 2)]
    both = Course.joined([at, at])
    assert both.rates(0.03) == [Rate(0, 4), Rate(2, 4)]


def test_a_course_is_that_of_the_steps_of_a_run() -> None:
    config = load_config("figure-1", {"train.backend": "exact", "train.shots": 20, "train.steps": 4})
    at = by_training((config, range(3, 5)))
    for row, seed in enumerate((3, 4)):
        training = train(with_settings(config, {"train.seed": seed}), record=False)
        steps = list(training)
        exact = ExactEstimator(training.ansatz, training.problem)
        lowest = exact.landscape.optimum
        np.testing.assert_allclose(at.gap[row], [exact(step.theta).mean - lowest for step in steps], atol=1e-12)
        likely = [float(training.problem.cost(exact.most_probable(step.theta)[0])) for step in steps]
        assert at.optimal[row].tolist() == [cost <= lowest + exact.landscape.width for cost in likely]
        assert at.taken()[-1] == steps[-1].shots
        assert (at.distinct[row], at.best[row]) == (steps[-1].distinct, steps[-1].best_cost - lowest)


def test_courses_are_kept_by_what_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config("figure-1", {"train.backend": "exact", "train.shots": 20, "train.steps": 3})
    with ThreadPoolExecutor(1) as executor:
        lab = Lab(executor, tmp_path)
        first = kept_course(lab, config, 3, "some")
        for name, values in vars(by_training((config, range(3)))).items():
            np.testing.assert_array_equal(getattr(first, name), values)
        longer = kept_course(lab, with_settings(config, {"train.steps": 4}), 3, "longer")
        assert (first.gap.shape, longer.gap.shape) == ((3, 3), (3, 4))
        monkeypatch.setattr(courses, "by_training", lambda job: pytest.fail("it was kept"))
        again = kept_course(lab, config, 3, "some")
    np.testing.assert_array_equal(again.gap, first.gap)
    assert again.optimal.dtype == bool


def found_of(default: list[bool], constant: list[bool], task: str = "task") -> frugal.Found:
    """What was found on a task whose starts the default and the earlier default, at the same price, solve or not."""
    steps = {
        rule: course([[1]] * len(solved), [[100]] * len(solved), [[0.0 if one else 1.0] for one in solved])
        for rule, solved in ((frugal.DEFAULT, default), (frugal.CONSTANT, constant))
    }
    courses = steps | {frugal.MINIMISED: steps[frugal.DEFAULT]}
    return frugal.Found(task, 0.03, courses, dict.fromkeys(courses, (TASK, TASK)), {})


def sooner(*found: frugal.Found) -> list[Verdict]:
    page = Writer("x")
    frugal._sooner(page, found)
    assert {claim.family for claim in page.claims} == {"rules for steps at equal QPU seconds"}
    return [claim.verdict for claim in page.claims]


def test_rules_are_compared_start_by_start() -> None:
    """Starts that both rules solve, or miss, say nothing; among the others the better rule has most."""
    both, none = [True] * 60, [False] * 10
    better = found_of(both + [True] * 20 + none, both + [False] * 20 + none)
    worse = found_of(both + [False] * 20 + none, both + [True] * 20 + none, "other")
    alike = found_of(both + [True, False] * 10 + none, both + [False, True] * 10 + none)
    assert sooner(better) == [Verdict.REPRODUCED, Verdict.REPRODUCED]
    assert sooner(better, worse)[0] is Verdict.NOT_REPRODUCED
    assert sooner(better, replace(alike, task="other"))[0] is Verdict.UNDECIDED
    assert sooner(found_of(none, none)) == [Verdict.UNDECIDED, Verdict.NOT_REPRODUCED]


def test_pairs_are_tested_as_by_mcnemar() -> None:
    found = found_of([True] * 15 + [False] * 5 + [True] * 30, [False] * 15 + [True] * 5 + [True] * 30)
    test = frugal._alone(found)
    assert test.p_value == pytest.approx(chi2.sf((15 - 5) ** 2 / 20, 1), rel=1e-3)


def test_seconds_to_a_solution_are_those_of_runs_until_one_succeeds(rng: np.random.Generator) -> None:
    found = found_of([True] * 25 + [False] * 75, [False] * 100)
    seconds = found.seconds(frugal.DEFAULT)
    runs = seconds * rng.geometric(0.25, 100_000).mean()
    mean, ends = found.to_a_solution(frugal.DEFAULT).split()
    low, high = (float(end) for end in ends.strip("()").split("–"))
    assert float(mean) == pytest.approx(runs, rel=0.1)
    assert low < runs < high
    least, most = Rate(25, 100).interval
    assert (low, high) == (round(seconds / most), round(seconds / least))
    assert found.to_a_solution(frugal.CONSTANT).startswith("∞ (")
    assert found.to_a_solution(frugal.CONSTANT).endswith("–∞)")


def test_lbfgs_ends_below_where_it_began_and_measures_nothing() -> None:
    config = load_config("figure-1", {"train.backend": "exact", "train.shots": 20, "train.steps": 1})
    ideal, began = by_minimising((config, range(4))), by_training((config, range(4)))
    assert (ideal.gap[:, 0] < began.gap[:, 0]).all()
    assert ideal.taken().tolist() == [0]


def test_searches_end_at_the_optimum_or_with_their_budget() -> None:
    config = load_config("figure-1", {"train.backend": "exact"})
    for trace in by_searching((config, "random", 5, range(3))):
        assert trace.distinct <= 5
    (all_of_them,) = by_searching((config, "random", 16, range(1)))
    assert all_of_them.best_cost == ExactEstimator(config.circuit(config.problem()), config.problem()).landscape.optimum


def test_spsa_takes_no_more_seconds_than_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {rule: settings | {"train.steps": 2} for rule, settings in frugal.RULES.items()}
    monkeypatch.setattr(frugal, "RULES", short)
    monkeypatch.setitem(frugal.GOALS, "figure-1", None)
    with ThreadPoolExecutor(1) as executor:
        found = frugal._study(Lab(executor, tmp_path), "figure-1", 2)
    assert list(found.courses) == [*frugal.RULES, frugal.MINIMISED]
    default, spsa = found.courses[frugal.DEFAULT], found.courses[frugal.SPSA]
    assert spsa.rows[0, 0] == 3
    assert found.seconds(frugal.SPSA) <= found.seconds(frugal.DEFAULT)
    assert default.shots[0, 0] > found.courses[frugal.CONSTANT].shots[0, 0] / 20
    tiled, untiled = (default.bill(task)[0][-1] for task in found.tasks[frugal.DEFAULT])
    assert tiled < untiled
    assert found.by(frugal.CONSTANT, 0.0) == Rate(0, 2)
    assert found.by(frugal.CONSTANT, 1e9) == found.end(frugal.CONSTANT)


@pytest.mark.pictures
def test_lines_against_prices_are_drawn_with_their_data(tmp_path: Path) -> None:
    some = Line("some", {"shots": np.array([10.0, 100.0])}, [Rate(0, 4), Rate(3, 4)])
    free = Line("free", {"shots": np.zeros(1)}, [Rate(2, 4)])
    path = against_price(tmp_path / "lines.png", {"task": [some, free]})
    assert is_drawn(path)
    with path.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["training"], float(row["price"]), float(row["solved"])) for row in rows] == [
        ("some", 10, 0), ("some", 100, 0.75), ("free", 0, 0.5)
    ]  # fmt: skip


def test_a_part_by_name_is_not_done_with_all_others_and_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def part(name: str) -> Writer:
        done.append(name)
        return Writer(f"On {name}")

    monkeypatch.setattr(
        reproduce, "PARTS", {"method": lambda lab: part("method"), "frugal": lambda lab: part("frugal")}
    )
    with ThreadPoolExecutor(1) as executor:
        lab = Lab(executor, tmp_path)
        reproduce.reproduce(lab)
        report = (tmp_path / "paper" / "report.md").read_text()
        assert done == ["method"]
        assert "missing" not in report
        reproduce.reproduce(lab, ["frugal"])
    assert done == ["method", "frugal"]
    assert "## On frugal" in (tmp_path / "paper" / "report.md").read_text()


@pytest.mark.slow
@pytest.mark.pictures
def test_the_part_on_a_small_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {rule: settings | {"train.steps": 3} for rule, settings in frugal.RULES.items()}
    monkeypatch.setattr(frugal, "RULES", few)
    monkeypatch.setattr(frugal, "LENGTHS", (2,))
    monkeypatch.setattr(frugal, "NOISY_STARTS", dict.fromkeys(frugal.NOISY, 1))
    short = {task: [way | {"train.steps": 2} for way in ways] for task, ways in frugal.NOISY.items()}
    monkeypatch.setattr(frugal, "NOISY", short)
    with ThreadPoolExecutor(1) as executor:
        reproduce.reproduce(Lab(executor, tmp_path, seeds=2), ["frugal"])
    report = (tmp_path / "paper" / "report.md").read_text()
    assert is_drawn(tmp_path / "paper" / "frugal.png")
    for rule in (*frugal.RULES, frugal.MINIMISED):
        assert report.count(f"| {rule} |") == len(frugal.GOALS)
    assert "2 steps × 200 shots, mitigation readout | 1 | 3 |" in report
    with (tmp_path / "paper" / "frugal-starts.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = [line for line in report.splitlines() if line.startswith(f"| {frugal.DEFAULT} |")]
    for task, default in zip(frugal.GOALS, lines, strict=True):
        of_it = [row for row in rows if (row["task"], row["training"]) == (task, frugal.DEFAULT)]
        assert str(Rate(sum(int(row["solved"]) for row in of_it), len(of_it))) in default
        assert f"{np.median([float(row['gap']) for row in of_it]):.4f}" in default
    with (tmp_path / "paper" / "frugal-searches.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2 * len(frugal.SEARCHES) * len(frugal.GOALS)
    assert "2 steps (" in report
    assert "in which no rule can see it" in report
    assert "of 16,384" in report
