from __future__ import annotations

import contextlib
import filecmp
import os
import signal
import subprocess
import sys
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pictures
from qhn import BackendError, load_config, train
from qhn.parallel.processes import processes
from qhn.sweep import workers
from qhn.sweep.plan import load_sweep, make_sweep, sweeps
from qhn.sweep.workers import advance, finished_members
from runs import wait_until

SMALL = {"data.samples": 40, "data.validation_samples": 30, "train.steps": 4}
EXACT = SMALL | {"train.backend": "exact", "train.optimizer": "lbfgs"}


def make(name: str = "small", **fields: Any) -> Any:
    vary = {"ansatz.num_layers": [0, 1], "ansatz.order": ["eq5", "authors"]}
    return make_sweep(**{"name": name, "experiment": "figure-1", "seeds": 3, "set": EXACT, "vary": vary} | fields)


def run(sweep: Any, results: Path, number: int = 1) -> workers.Progress:
    with ThreadPoolExecutor(number) as executor:
        *_, last = advance(sweep, executor, results=results)
    return last


def same_files(one: Path, other: Path) -> bool:
    names = sorted(str(path.relative_to(one)) for path in one.rglob("*") if path.is_file())
    assert names == sorted(str(path.relative_to(other)) for path in other.rglob("*") if path.is_file())
    return all(filecmp.cmp(one / name, other / name, shallow=False) for name in names)


def test_members_are_all_combinations_and_seeds() -> None:
    members = make().members
    assert [m.values for m in members[::3]] == [(0, "eq5"), (0, "authors"), (1, "eq5"), (1, "authors")]
    assert [m.config.train.seed for m in members[:4]] == [0, 1, 2, 0]
    expected = load_config("figure-1", EXACT | {"ansatz.num_layers": 1, "ansatz.order": "authors", "train.seed": 2})
    assert members[-1].config == expected
    assert members[-1].config.run_id == expected.run_id
    assert [m.config.train.seed for m in make(seeds=[5, 3]).members[:2]] == [5, 3]


def test_a_name_may_vary_and_a_named_table_is_one_value() -> None:
    sweep = make(vary={"train": {"optimizer": {"name": ["adam", "sgd"]}}}, seeds=1, set=SMALL)
    assert [member.config.train.optimizer.name for member in sweep.members] == ["adam", "sgd"]
    sweep = make(set=EXACT | {"train": {"objective": {"name": "cvar", "alpha": 0.3}}}, vary={})
    assert sweep.config.settings["train.objective"] == {"name": "cvar", "alpha": 0.3}


def test_files_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    sweep = make()
    one, two = (sweep.directory(tmp_path / name) for name in ("one", "two"))
    last = run(sweep, tmp_path / "one")  # of this process
    assert (last.finished, last.total, last.failures) == (12, 12, ())
    with processes(2) as executor:
        *_, last = advance(sweep, executor, results=tmp_path / "two")
    assert (last.finished, last.total, last.failures) == (12, 12, ())
    assert same_files(one, two)


def test_what_is_finished_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(make(seeds=2), tmp_path)
    done: list[int] = []
    original = workers.work

    def counted(members: Any, results: str) -> Any:
        done.append(len(members))
        return original(members, results)

    monkeypatch.setattr(workers, "work", counted)
    run(make(seeds=2), tmp_path)
    assert done == []
    run(make(seeds=3), tmp_path)  # one more seed a circuit
    assert done == [1, 1, 1, 1]
    run(make(seeds=3, set=EXACT | {"train.steps": 5}), tmp_path)  # other stop rules: trained anew
    assert done == [1, 1, 1, 1, 3, 3, 3, 3]


class _Dies(Executor):
    """Does some jobs at once, and is killed at the next one."""

    def __init__(self, jobs: int) -> None:
        self.left = jobs

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.left > 0:
            self.left -= 1
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_sweep_that_was_killed_ends_with_the_same_files(tmp_path: Path) -> None:
    sweep = make()
    going = advance(sweep, _Dies(2), results=tmp_path / "killed")
    assert [next(going).finished for _ in range(3)] == [0, 3, 6]
    del going
    run(sweep, tmp_path / "killed", 2)
    run(sweep, tmp_path / "whole")
    assert same_files(sweep.directory(tmp_path / "killed"), sweep.directory(tmp_path / "whole"))


def test_sampled_members_are_runs_as_any_other(tmp_path: Path) -> None:
    settings = SMALL | {"train.backend": "exact", "train.shots": 20}
    sweep = make(set=settings, vary={"ansatz.num_layers": [0, 1]}, seeds=2)
    assert run(sweep, tmp_path, 2).finished == 4
    for member in sweep.members:
        steps = list(train(member.config, results=tmp_path))  # shown from disk
        path, row = finished_members(sweep.directory(tmp_path))[member.id]
        with np.load(path) as stored:
            assert stored["mean"][row].tolist() == [step.mean for step in steps]
            assert stored["best_cost"][row] == steps[-1].best_cost
            assert stored["distinct_at"][row].tolist() == [step.distinct for step in steps]
            np.testing.assert_array_equal(stored["theta"][row], steps[-1].theta)


def test_a_member_that_fails_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = make()
    original = workers.work

    def fails_at_depth_1(members: Any, results: str) -> Any:
        if members[0].config.ansatz.num_layers == 1:
            raise ValueError("no such luck")
        return original(members, results)

    monkeypatch.setattr(workers, "work", fails_at_depth_1)
    last = run(sweep, tmp_path)
    assert (last.finished, len(last.failures), last.failures[0][1]) == (6, 6, "no such luck")
    monkeypatch.undo()
    monkeypatch.setenv("QHN_RESULTS", str(tmp_path))
    assert run(sweep, tmp_path).finished == 12


SCRIPT = """
import signal, sys
from qhn import train
from qhn.parallel.processes import processes
from qhn.sweep import workers
from qhn.sweep.plan import load_sweep
from qhn.sweep.workers import advance

real = workers.work

def work(members, results):
    config = members[0].config
    if config.train.seed >= 4:  # in the middle of this member the worker waits for its end
        next(train(config, results=results))
        signal.pause()
    return real(members, results)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it would be ignored
    workers.work = work
    with processes(2) as executor:
        for at in advance(load_sweep(sys.argv[1]), executor, results=sys.argv[2]):
            print(at.finished, flush=True)
"""
FILE = """
experiment = "figure-1"
seeds = 12
[set]
train.backend = "exact"
train.shots = 30
train.steps = 4
data.samples = 40
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a sweep leaves that nothing kills; ``sweep.toml`` and ``script.py`` lie beside it."""
    place = tmp_path_factory.mktemp("sweep")
    (place / "sweep.toml").write_text(FILE)
    (place / "script.py").write_text(SCRIPT)
    assert run(load_sweep(place / "sweep.toml"), place / "whole").finished == 12
    return place


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_real_kill_in_the_middle_loses_no_finished_member(number: signal.Signals, whole: Path) -> None:
    """It comes once two workers are in the middle of members 4 and 5."""
    sweep, results = load_sweep(whole / "sweep.toml"), whole / number.name
    command = [sys.executable, "script.py", "sweep.toml", number.name]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=whole, start_new_session=True, **quiet) as child:
        try:
            assert child.stdout is not None
            assert [int(line) for _, line in zip(range(5), child.stdout, strict=False)] == [0, 1, 2, 3, 4]
            wait_until(lambda: len(list(results.glob("figure-1/*/steps.jsonl"))) == 4 + 2)
            os.killpg(child.pid, number)
            rest, _ = child.communicate(timeout=300)  # to the end of all: no process is left that could write
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    assert rest == b""
    assert child.returncode == -number
    assert len(finished_members(sweep.directory(results))) == 4
    assert run(sweep, results).finished == 12
    assert same_files(sweep.directory(results), sweep.directory(whole / "whole"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_sweep_that_is_told_to_end_says_how_to_go_on(number: signal.Signals, whole: Path) -> None:
    """The signal reaches the workers too, as from a terminal; nothing but that line is printed."""
    results = whole / f"told-{number.name}"
    words = ("sweep", "sweep.toml", "--seeds", "5000", "--workers", "2", "--results", str(results))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(pictures.command(*words), cwd=whole, start_new_session=True, **quiet) as child:
        try:
            wait_until(lambda: len(list(results.glob("figure-1/*/steps.jsonl"))) > 4)
            os.killpg(child.pid, number)
            _, err = child.communicate(timeout=300)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "qhn: stopped; what is finished is kept, and the same command goes on"


def test_a_file_is_read_with_its_experiment_beside_it(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text('[data]\nname = "gaussian-mixture"\n')
    (tmp_path / "mine.toml").write_text(
        'experiment = "task.toml"\nseeds = [4]\n[set]\ntrain.optimizer = { name = "adam", learning_rate = 0.1 }\n'
        "[vary]\ntrain.shots = [10, 20]\n"
    )
    sweep = load_sweep(tmp_path / "mine.toml", {"train.steps": 7, "seeds": [4, 5]})
    assert sweep.config.name == "mine"
    assert sweep.directory("there") == Path("there/task/sweep-mine")
    assert [(m.config.train.shots, m.config.train.seed) for m in sweep.members] == [(10, 4), (10, 5), (20, 4), (20, 5)]
    assert {m.config.train.steps for m in sweep.members} == {7}
    assert sweep.members[0].config.train.optimizer.learning_rate == 0.1


@pytest.mark.parametrize("name", list(sweeps()))
def test_every_sweep_that_comes_with_qhn_can_be_read(name: str) -> None:
    sweep = load_sweep(name)
    assert sweep.members[0].config.problem().num_qubits == sweep.members[-1].config.problem().num_qubits


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": 0}, "seeds must be a number from 1, or a list of seeds from 0, got 0"),
        ({"seeds": []}, "seeds must be a number from 1"),
        ({"seeds": 200_000}, "at most 100,000 members, got seeds = 200,000"),
        ({"vary": {"ansatz.num_layers": []}}, "vary.ansatz.num_layers must hold at least one value"),
        ({"vary": {"ansatz.num_layers": [1, 1]}}, "are the same run; give each value once"),
        ({"vary": {"train.seed": [1, 2]}}, "the seeds of a sweep are given by seeds"),
        ({"vary": {"train.steps": [1, 2]}}, "vary.train.steps: a stop rule makes no other run"),
        ({"vary": {"data.samples": [1, 2]}}, "data.samples stands in both"),
        ({"seeds": True}, "seeds: input should be an integer, got True"),
        ({"seeds": 10**30}, "at most 100,000 members"),
        ({"vary": {f"train.key_{k}": list(range(10)) for k in range(9)}}, "at most 100,000 members"),
        ({"name": "a/b"}, "name must be of letters, digits, dots and hyphens, got 'a/b'"),
        ({"vary": {"ansatz.depth": [1, 2]}}, "unknown key ansatz.depth"),
        ({"epsilon": [-1.0]}, "epsilon"),
        ({"sedes": 3}, "sedes"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**fields)


def test_a_run_that_was_extended_counts_as_far_as_the_sweep_goes(tmp_path: Path) -> None:
    settings = SMALL | {"train.backend": "exact", "train.shots": 20}
    sweep = make(set=settings, vary={}, seeds=1)
    longer = load_config("figure-1", settings | {"train.seed": 0, "train.steps": 9})
    steps = list(train(longer, results=tmp_path))
    run(sweep, tmp_path)
    path, row = finished_members(sweep.directory(tmp_path))[sweep.members[0].id]
    with np.load(path) as stored:
        assert stored["num_steps"][row] == 4
        assert stored["mean"][row].tolist() == [step.mean for step in steps[:4]]
        assert (stored["distinct"][row], stored["shots"][row]) == (steps[3].distinct, steps[3].shots)


def test_what_no_member_can_do_is_refused_before_any_is_done(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"2\^25 costs"):
        run(make(set=EXACT | {"network.hidden": [6], "network.activation": "relu"}), tmp_path)
    assert not (tmp_path / "figure-1").exists()


def test_a_worker_that_dies_is_said_to_have_died(tmp_path: Path) -> None:
    with processes(1) as executor:
        os.kill(executor.submit(os.getpid).result(), signal.SIGKILL)
        with pytest.raises(BackendError, match=r"a worker process died.*fewer --workers"):
            list(advance(make(), executor, results=tmp_path))
    assert run(make(), tmp_path).finished == 12


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"odd.toml is not text in UTF-8: byte 1 is 0xff"):
        load_sweep(tmp_path / "odd.toml")
    (tmp_path / "odd.toml").write_text('experiment = "figure-1"\nset = 3\n')
    with pytest.raises(ValueError, match=r"odd.toml: set"):
        load_sweep(tmp_path / "odd.toml", {"train.steps": 3})


def test_unknown_sweeps_and_numbers_of_workers(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no sweep .figure2.; did you mean"):
        load_sweep("figure2")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_sweep(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"), processes(0):
        pass
