"""What stands beside the best run of a study: its E measured anew, and classical searches as long as the study."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qhn.run.record import Record
from qhn.search.config import make_study
from qhn.search.runs import RunStudy, open_study
from qhn.search.winner import distinct_of, winner_part


def trained(folder: Path, **settings: object) -> tuple[RunStudy, Path]:
    """A study of five runs at four qubits, and the directory of the best."""
    plan = make_study(experiment="figure-1", max_resource=3, set={"train.shots": 20} | settings)
    with ThreadPoolExecutor(1) as executor:
        opened = open_study(plan, folder)
        for _ in opened.advance(executor):
            pass
        winner = opened.record_winner()
    assert winner is not None
    return opened, winner


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunStudy, Path]:
    return trained(tmp_path_factory.mktemp("results"))


def test_e_is_measured_anew_and_searches_stand_beside(sampled: tuple[RunStudy, Path]) -> None:
    part = winner_part(*sampled)
    assert str(sampled[1]) in part
    assert "measured anew at the same angles, with 20 other shots: E = " in part
    methods = ["this study", "random", "descent", "annealing", "cross-entropy", "product"]
    assert re.findall(rf"^({'|'.join(methods)}) ", part, re.MULTILINE) == methods


def test_evaluations_are_those_of_all_runs(sampled: tuple[RunStudy, Path]) -> None:
    opened, winner = sampled
    runs = [facts["run"] for facts in opened.study.facts.values()]
    steps = [Record.load(winner.parent / run).steps()[-1] for run in runs]
    assert distinct_of(opened) == (sum(step.distinct for step in steps), min(step.best_cost for step in steps))


def test_without_shots_no_search_is_as_cheap(tmp_path: Path) -> None:
    part = winner_part(*trained(tmp_path, **{"train.backend": "exact", "train.shots": "none"}))
    assert "takes all bitstrings" in part
    assert "anew" not in part
