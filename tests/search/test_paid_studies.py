"""Studies on a QPU, through the installed client and the stand-in of the service: quotes and budgets."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from qhn.backend.service import connection, jobs
from qhn.cli.search import _advance as advance_with_words
from qhn.errors import QhnError
from qhn.report.jobs import ledger_of
from qhn.run.directories import run_directories
from qhn.run.record import Record
from qhn.search.config import StudyPlan, make_study
from qhn.search.runs import open_study
from service import Service

SETTINGS = {"train.backend": "ibm_manila", "train.shots": 60, "data.samples": 40, "data.validation_samples": 0}
FIELDS = {"experiment": "figure-1", "scheduler": "successive-halving", "trials": 2, "max_resource": 2, "eta": 2}
TEXT = """
experiment = "figure-1"
scheduler = "successive-halving"
trials = 2
max_resource = 2
eta = 2
[set]
train.backend = "ibm_manila"
train.shots = 60
data.samples = 40
data.validation_samples = 0
ansatz.num_layers = 1
"""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(connection, name, 0.05)
    for name in ("LISTING_DELAY", "FULL_QUEUE_PAUSE"):
        monkeypatch.setattr(jobs, name, 0.05)


def plan_of(**fields: Any) -> StudyPlan:
    return make_study(**FIELDS | {"set": SETTINGS | {"ansatz.num_layers": 1}} | fields)


def spent(results: Path) -> float:
    return sum(ledger_of(Record.load(path)).spent.seconds for path in run_directories(results))


def test_nothing_is_spent_without_a_budget(service: Service, tmp_path: Path) -> None:
    study = open_study(plan_of(), tmp_path)
    price = study.price()
    assert price is not None
    assert 0 < price.expected < price.most
    assert "ibm_manila: the study should take" in price.words()
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(QhnError, match=r"needs a budget, such as max_qpu_seconds = "),
    ):
        list(study.advance(executor))
    assert not service.jobs
    assert not run_directories(tmp_path)


def test_a_study_takes_no_more_than_its_price(service: Service, tmp_path: Path) -> None:
    study = open_study(plan_of(), tmp_path)
    price = study.price()
    with ThreadPoolExecutor(2) as executor:
        last = list(study.with_budget(price.most).advance(executor))[-1]
    assert last.failures == ()
    assert study.study.is_done
    assert study.price() is None
    total = spent(tmp_path)
    assert total <= price.most
    assert total == pytest.approx(price.expected, rel=0.05)
    facts = study.study.facts
    assert sum(one["qpu_seconds"] for one in facts.values()) == pytest.approx(total)
    assert sum(one["steps"] for one in facts.values()) == 3
    best = study.study.best()
    assert Record.load(study.record_winner()).outcome().name == "done"
    assert best.reached == 2


def test_a_budget_that_is_spent_stops_the_study_and_a_larger_one_goes_on(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    price = open_study(plan_of(), tmp_path).price()
    small = price.expected / 2 + 1.0
    with ThreadPoolExecutor(1) as executor:
        study = open_study(plan_of(max_qpu_seconds=small), tmp_path)
        assert advance_with_words(study, executor, True) == 3
        assert "with a larger max_qpu_seconds the same command goes on" in capsys.readouterr().err
        assert not study.study.is_done
        assert spent(tmp_path) <= small
        assert all("error" not in facts for facts in study.study.facts.values())  # not held against a trial
        again = open_study(plan_of(max_qpu_seconds=price.most), tmp_path)
        assert list(again.advance(executor))[-1].failures == ()
    assert again.study.is_done
    assert spent(tmp_path) <= price.most


def test_the_command_asks_before_it_spends(service: Service, monkeypatch: pytest.MonkeyPatch, qhn: Any) -> None:
    Path("paid.toml").write_text(TEXT)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    refused = qhn("search", "paid.toml", "--workers", "1")
    assert refused.code == 2
    assert "needs a budget, such as max_qpu_seconds = " in refused.err
    assert not service.jobs
    terminal = io.StringIO("n\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    declined = qhn("search", "paid.toml", "--workers", "1")
    assert declined.code == 2
    assert declined.err.endswith("nothing was submitted\n")
    assert "at most" in declined.err
    assert not service.jobs
