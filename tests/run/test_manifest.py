from __future__ import annotations

import json
from pathlib import Path

import pytest

from qhn.errors import RecordError, RecordWarning
from qhn.run.manifest import is_session, is_timing
from qhn.run.record import Record
from qhn.run.training import train
from runs import make_old

TILE = {"qubits": [1, 2], "estimated_fidelity": 0.9, "exact": True}
LOAD = {"one_qubit": [4, 4], "two_qubit": [2]}
BACKEND = {"name": "fake_x", "circuit": "executed", "tiles": [TILE], "load": LOAD}
SESSION = {"time": "2026", "machine": "Linux", "versions": {"qhn": "0"}, "backend": BACKEND}
TIMING = {"step": 0, "seconds": 0.5, "qpu_seconds": None, "job_ids": ["a"], "price_seconds": 2}


def test_a_session_may_have_more_facts_but_none_less_or_of_another_kind() -> None:
    assert is_session(SESSION | {"more": None})
    assert is_session(SESSION | {"backend": {"name": "aer"}})
    for name in SESSION:
        assert not is_session({key: value for key, value in SESSION.items() if key != name})
    for backend in (
        BACKEND | {"tiles": {}},
        BACKEND | {"tiles": [TILE | {"qubits": ["1"]}]},
        BACKEND | {"load": {}},
        BACKEND | {"price": {"shots": 5}},
        BACKEND | {"calibration": 5},
        {"tiles": BACKEND["tiles"]},
    ):
        assert not is_session(SESSION | {"backend": backend})
    assert not is_session([])


def test_a_timing_has_a_step_its_seconds_and_its_jobs() -> None:
    assert is_timing(TIMING)
    for name, value in (("step", None), ("seconds", "x"), ("job_ids", None), ("job_ids", [1]), ("price_seconds", "2")):
        assert not is_timing(TIMING | {name: value})


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path: Path, small_config) -> None:
    training = train(small_config, results=tmp_path)
    for _ in training:
        pass
    training.close()
    assert training.record is not None
    checkpoint = training.record.checkpoint()
    arrays = training._state.arrays()
    theta, stored = checkpoint.state_for(training._theta, arrays)
    assert (theta == checkpoint.theta).all()
    assert stored.keys() == arrays.keys() == {"num_steps", "first_moment", "second_moment"}
    with pytest.raises(RecordError, match=r"holds no theta of this circuit"):
        checkpoint.state_for(training._theta[:-1], arrays)
    with pytest.raises(RecordError, match=r"holds no second_moment"):
        checkpoint.state_for(training._theta, arrays | {"second_moment": 0.0})


def test_old_lines_of_timing_that_lack_a_fact_are_left_out(tmp_path: Path, small_config) -> None:
    for _ in (training := train(small_config, results=tmp_path)):
        pass
    training.close()
    assert training.record is not None
    path = make_old(training.record.directory) / "timing.jsonl"
    lines = path.read_text().splitlines()
    tree = json.loads(lines[1])
    del tree["job_ids"]
    path.write_text("\n".join([lines[0], json.dumps(tree), *lines[2:]]))
    with pytest.warns(RecordWarning, match=r"timing\.jsonl has the times of 3 of 4 steps"):
        timing = Record.load(training.record.directory).timing()
    assert [entry["step"] for entry in timing] == [0, 2, 3]
