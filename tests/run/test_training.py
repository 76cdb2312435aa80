"""The loop and its record: what is written, and that no interruption changes or loses anything."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import pictures
import reference
from qhn import bitstrings, durable
from qhn.backend import open_backend
from qhn.backend.events import Entry, Event
from qhn.backend.journal import Journal
from qhn.backend.terms import Amount
from qhn.config import RunConfig
from qhn.config.file import load_config, with_settings
from qhn.errors import RecordError, RecordWarning
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import enumerate_costs
from qhn.problem.network import load_network
from qhn.run import record
from qhn.run.directories import find_run
from qhn.run.record import Record, load_run
from qhn.run.step import Step, lowest_validation
from qhn.run.stopping import steps_since_progress
from qhn.run.training import resume, train
from runs import make_old, rewrite_json, wait_until

NOT_REPRODUCIBLE = {"manifest.json", "timing.jsonl", ".lock", "jobs.jsonl", "circuit.qpy"}


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file() and path.name not in NOT_REPRODUCIBLE)
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def finish(config: RunConfig, results: Path) -> Path:
    training = train(config, results=results)
    list(training)
    assert training.record is not None
    return training.record.directory


@pytest.fixture
def uninterrupted(small_config: RunConfig, tmp_path: Path) -> dict[str, bytes]:
    return contents(finish(small_config, tmp_path / "uninterrupted"))


def test_every_step_is_on_disk_and_reads_back(small_config: RunConfig, tmp_path: Path) -> None:
    training = train(small_config, results=tmp_path)
    steps = list(training)
    assert [step.step for step in steps] == [0, 1, 2, 3]
    assert training.outcome is not None
    assert training.outcome.name == "done"
    assert training.record is not None
    found = load_run(training.record.directory)
    assert found.directory == tmp_path / "figure-1" / small_config.run_id
    for written, read in zip(steps, found.steps(), strict=True):
        assert written.to_json() == read.to_json()
        np.testing.assert_array_equal(written.theta, read.theta)
    assert found.outcome() == training.outcome
    assert steps[-1].shots == 4 * 25 * 60
    files = {path.name for path in found.directory.iterdir()}
    assert files >= {"config.json", "manifest.json", "steps.jsonl", "timing.jsonl", "checkpoint.npz", "evaluations.bin"}
    assert files >= {
        "best.json",
        "network.npz",
        "circuit.qpy",
        "circuit.qasm",
        "circuit.txt",
        "samples",
        "outcome.json",
    }


def test_recorded_numbers_follow_from_the_recorded_bits(small_config: RunConfig, tmp_path: Path) -> None:
    found = load_run(finish(small_config, tmp_path))
    problem = found.config.problem()
    packed, costs = found.evaluations()
    np.testing.assert_allclose(problem.cost(bitstrings.unpack(packed, 4)), costs, rtol=1e-14)
    last = found.steps()[-1]
    assert last.distinct == len(costs)
    assert last.best_cost == costs.min()
    for step in found.steps():
        bits = found.samples(step.step)
        assert bits.shape == (60, 4)
        assert step.mean == pytest.approx(problem.cost(bits).mean(), rel=1e-12)
        assert step.validation == pytest.approx(problem.validation_cost(bits).mean(), rel=1e-12)
    best = json.loads((found.directory / "best.json").read_text())
    assert best["bits"] == last.best_bits
    network = load_network(found.directory / "network.npz")
    data = problem.dataset
    assert (network.predict(data.x) == data.classes[data.y.astype(int)]).mean() == best["training_accuracy"]


def test_each_step_follows_its_gradient(small_config: RunConfig) -> None:
    """θ of a step is that of Adam applied to the recorded gradients, recomputed here by its formula."""
    steps = list(train(small_config, record=False))
    m = v = np.zeros_like(steps[0].theta)
    theta = small_config.initial_theta(small_config.circuit(small_config.problem()))
    for k, step in enumerate(steps, start=1):
        np.testing.assert_allclose(step.theta, theta, rtol=0, atol=1e-12)
        m, v, rate = 0.6 * m + 0.4 * step.grad, 0.99 * v + 0.01 * step.grad**2, 0.5 * (1 - (k - 1) / 25)
        root = np.sqrt(v / (1 - 0.99**k))
        theta = theta - rate * (m / (1 - 0.6**k)) / (root + 1e-6 * root.max())


def test_training_finds_the_optimum_of_a_small_task() -> None:
    means = []
    for seed in range(6):
        settings = {"train.backend": "exact", "train.shots": 200, "train.steps": 60, "train.seed": seed}
        means.append(list(train(load_config("figure-1", settings), record=False))[-1].mean)
    assert sum(mean < 0.12 for mean in means) >= 4  # the optimum is 0.066, a random network costs 0.46


def test_an_exact_run_follows_e_to_a_minimum(tmp_path: Path) -> None:
    settings = {"train.backend": "exact", "train.optimizer": "lbfgs", "train.steps": 100, "train.seed": 3}
    training = train(load_config("figure-1", settings), results=tmp_path)
    steps = list(training)
    assert training.outcome is not None
    assert training.outcome.name == "converged"
    assert np.abs(steps[-1].grad).max() <= 1e-6
    assert (np.diff([step.mean for step in steps]) < 1e-12).all()
    problem, ansatz = training.problem, training.ansatz
    costs = enumerate_costs(problem)
    for step in (steps[0], steps[-1]):
        assert step.mean == pytest.approx(reference.energy(4, 2, "eq5", step.theta, costs), abs=1e-12)
        probabilities = reference.probabilities(reference.literal_circuit(4, 2, "eq5", step.theta))
        validation = problem.validation_cost(bitstrings.from_integers(np.arange(16), 4))
        assert step.validation == pytest.approx(probabilities @ validation, abs=1e-12)
        assert (step.shots, step.distinct, step.std_error) == (0, 16, 0.0)
    assert steps[0].best_cost == pytest.approx(
        costs[reference.probabilities(reference.literal_circuit(4, 2, "eq5", steps[0].theta)).argmax()]
    )
    assert ansatz.num_parameters == len(steps[0].theta)


def test_the_same_file_runs_exactly_and_on_aer(small_config: RunConfig) -> None:
    """E of the first step is the same θ's, with and without shots."""
    sampled = next(train(with_settings(small_config, {"train.shots": 4000}), record=False))
    drawn = next(train(with_settings(small_config, {"train.backend": "exact", "train.shots": 4000}), record=False))
    exact = next(train(with_settings(small_config, {"train.backend": "exact"}), record=False))
    np.testing.assert_array_equal(sampled.theta, exact.theta)
    for step in (sampled, drawn):
        assert abs(step.mean - exact.mean) < 5 * step.mean_std_error
        errors = step.grad_std_error[step.grad_std_error > 0]
        pulls = (step.grad - exact.grad)[step.grad_std_error > 0] / errors
        assert np.abs(pulls).max() < 5


def test_an_exact_run_that_stands_still_says_so() -> None:
    """As where CVaR has a kink, and no step down the gradient lowers it."""
    still = {"name": "sgd", "learning_rate": 1e-300}
    training = train(load_config("figure-1", {"train.backend": "exact", "train.optimizer": still}), record=False)
    steps = list(training)
    assert training.outcome is not None
    assert (training.outcome.name, len(steps)) == ("plateau", 3)
    assert "θ no longer changes" in training.outcome.message


def test_a_stored_table_of_costs_is_not_trusted_blindly(small_config: RunConfig, tmp_path: Path) -> None:
    config = with_settings(small_config, {"train.backend": "exact"})
    whole = contents(finish(config, tmp_path / "whole"))
    first = finish(with_settings(config, {"train.steps": 2}), tmp_path / "parts")
    np.save(first / "landscape.npy", np.full(16, np.nan))
    list(resume(first, {"train.steps": 4}))
    assert contents(first) == whole


def test_a_line_search_on_shots_keeps_to_its_budget(small_config: RunConfig) -> None:
    forced = {"train.optimizer": {"name": "lbfgs", "force": True}, "train.shots": 10, "train.backend": "exact"}
    num_rows = 1 + 2 * 12
    config = with_settings(small_config, forced | {"train.max_shots": num_rows * 10 * 21 + 5})
    training = train(config, record=False)
    steps = list(training)
    assert training.outcome is not None
    assert training.outcome.name == "budget"
    assert steps[-1].shots <= num_rows * 10 * 21 + 5
    with pytest.raises(ValueError, match="the first step takes 5,250 shots"):
        train(with_settings(config, {"train.max_shots": 5_000}), record=False)


@pytest.mark.parametrize(
    "settings",
    [
        {"train.gradient": {"name": "spsa", "num_directions": 4}, "train.optimizer": {"name": "spsa"}},
        {"train.optimizer": "sgd", "train.objective": {"name": "cvar", "alpha": 0.3}},
        {"train.backend": "aer-mps", "ansatz.num_layers": 0},
        {"train.backend": "fake_manila", "ansatz.order": "authors"},
        {"train.shots": 1},
        {"train.backend": "exact"},
        {"train.backend": "exact", "train.shots": 30},
        {"train.backend": "exact", "train.optimizer": "lbfgs"},
        {"train.backend": "exact", "train.optimizer": {"name": "lbfgs", "force": True}, "train.shots": 30},
        {"train.backend": "exact", "train.objective": {"name": "cvar", "alpha": 0.3}},
    ],
)
def test_every_kind_of_run_goes_on_as_if_never_interrupted(
    small_config: RunConfig, settings: dict, tmp_path: Path
) -> None:
    config = with_settings(small_config, settings)
    whole = contents(finish(config, tmp_path / "whole"))
    first = finish(with_settings(config, {"train.steps": 2}), tmp_path / "parts")
    assert len(load_run(first).steps()) == 2
    list(resume(first, {"train.steps": 4}))
    assert contents(first) == whole


def test_the_same_configuration_finds_its_run_again(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    before = contents(directory)
    training = train(small_config, results=tmp_path)
    assert training.num_stored == 4
    assert [step.step for step in training] == [0, 1, 2, 3]
    assert contents(directory) == before
    assert len(load_run(directory).manifest()) == 1  # nothing was opened to show it


def test_restart_keeps_the_old_run_aside(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    before = contents(directory)
    for k in (1, 2):
        list(train(small_config, results=tmp_path, restart=True))
        assert contents(directory.with_name(f"{directory.name}~{k}")) == before
        assert contents(directory) == before


class Crash(BaseException):
    """The process ends here."""


def crash_at(moment: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the given write (counted from 1) tear: half of an append, or a replacement that is not yet in place.

    The appends of a commit are on their way at once: when one tears, the later ones are complete, or have not begun.
    """
    writes: list[str] = []
    real_append, real_replace, real_commit = record.append, record.replace, record.commit

    def append(path: Path, content: bytes) -> None:
        writes.append(path.name)
        real_append(path, content[: len(content) // 2] if len(writes) == moment else content)
        if len(writes) == moment:
            raise Crash

    def replace(path: Path, write) -> None:
        writes.append(path.name)
        if len(writes) == moment:
            path.with_name(path.name + ".part").write_bytes(b"half")
            raise Crash
        real_replace(path, write)

    def commit(appended: dict[Path, bytes], path: Path, content: bytes, before: Path) -> None:
        is_torn = len(writes) < moment <= len(writes) + len(appended)
        later = list(appended.items())[moment - len(writes) :] if is_torn and moment % 2 else []
        for place, added in later:
            real_append(place, added)
        for place, added in appended.items():
            append(place, added)
        writes.append(path.name)
        if len(writes) == moment:
            if moment % 2:
                durable.keep_as(path, before)
            path.with_name(path.name + ".part").write_bytes(b"half")
            raise Crash
        real_commit({}, path, content, before)

    monkeypatch.setattr(record, "append", append)
    monkeypatch.setattr(record, "replace", replace)
    monkeypatch.setattr(record, "commit", commit)
    return writes


def test_a_crash_at_any_write_loses_at_most_the_step_in_flight(
    small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: dict
) -> None:
    with monkeypatch.context() as patched:
        all_writes = crash_at(0, patched)
        finish(small_config, tmp_path / "counting")
    assert len(all_writes) > 25
    for moment in range(1, len(all_writes) + 1):
        results, completed = tmp_path / f"crashed-{moment}", 0
        with monkeypatch.context() as patched:
            crash_at(moment, patched)
            training = None
            try:
                training = train(small_config, results=results)
                for _ in training:
                    completed += 1
            except Crash:
                pass
            else:
                pytest.fail(f"write {moment} did not happen")
            if training is not None:
                training._open.close()  # what the end of the process would do to the lock
        directory = results / "figure-1" / small_config.run_id
        if (directory / "config.json").exists():
            assert completed <= len(load_run(directory).steps()) <= completed + 1
        else:  # died before the run existed
            assert completed == 0
        finish(small_config, results)
        found = contents(directory)
        assert {name: found[name] for name in uninterrupted} == uninterrupted, all_writes[moment - 1]
        assert not [name for name in found if name not in uninterrupted and not name.endswith(".part")]


@pytest.mark.parametrize("file", ["evaluations.bin", "steps.jsonl", "checkpoint.npz", "best.json"])
def test_an_iterator_interrupted_in_a_write_goes_no_further_but_resumes(
    file: str, small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: dict
) -> None:
    """An interrupted notebook cell, run again: what is in memory may be ahead of what is on disk."""
    training = train(small_config, results=tmp_path)
    with monkeypatch.context() as patched:
        names = crash_at(0, patched)
        next(training)
        moment = next(i for i, name in enumerate(names, start=1) if name == file)
    training.close()
    directory = training.record.directory
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    training = train(small_config, results=tmp_path)
    with monkeypatch.context() as patched:
        crash_at(moment, patched)
        with pytest.raises(Crash):
            next(training)
    with pytest.raises(RecordError, match="resume it"):
        next(training)
    training.close()
    list(resume(directory))
    assert {name: content for name, content in contents(directory).items() if ".part" not in name} == uninterrupted


def test_restart_is_refused_while_another_process_writes(small_config: RunConfig, tmp_path: Path) -> None:
    first = train(small_config, results=tmp_path)
    next(first)
    with pytest.raises(RecordError, match="being written by another process"):
        train(small_config, results=tmp_path, restart=True)
    assert len(list(first)) == 3
    assert [path.name for path in first.record.directory.parent.iterdir()] == [small_config.run_id]


def test_a_refused_stop_rule_or_process_changes_nothing(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    before = contents(directory)
    with pytest.raises(ValueError, match="max_shots is 5"):
        resume(directory, {"train.max_shots": 5})
    assert contents(directory) == before
    writer = resume(directory, {"train.steps": 6})
    held = contents(directory)
    with pytest.raises(RecordError, match="another process"):
        resume(directory, {"train.steps": 8})
    assert contents(directory) == held
    writer.close()


def test_showing_an_extended_run_does_not_shorten_it(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    list(resume(directory, {"train.steps": 6, "train.max_shots": 10**6}))
    before = contents(directory)
    assert len(list(train(small_config, results=tmp_path))) == 6
    assert contents(directory) == before
    assert load_run(directory).config.train.max_shots == 10**6


def test_a_run_that_goes_on_has_no_outcome(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    training = resume(directory, {"train.steps": 9})
    for _ in range(5):
        next(training)
    assert load_run(directory).outcome() is None
    training.close()
    assert load_run(directory).outcome() is None
    with pytest.raises(RecordError, match="closed"):
        next(training)


def test_a_configuration_made_in_python_names_its_data_too(tmp_path: Path) -> None:
    ids = set()
    for name, lines in (("a.csv", "x,label\n1,0\n2,1\n"), ("b.csv", "x,label\n1,0\n3,1\n")):
        (tmp_path / name).write_text(lines)
        config = RunConfig(data={"file": name, "validation_fraction": 0.0}, train={"steps": 1, "shots": 5})
        ids.add(config.run_id)
        assert len(load_run(finish(config, tmp_path / "r")).steps()) == 1
    assert len(ids) == 2


KILLED = """
import os, signal, sys
from qhn.backend.aer import AerSampler
from qhn.cli import main
from qhn.run import record

def kill_at(moment, owner, name, finish):
    real, calls = getattr(owner, name), []
    def killed(*words, **options):
        calls.append(name)
        if len(calls) == moment:
            finish(real, *words)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **options)
    setattr(owner, name, killed)

where, moment = sys.argv.pop(1), int(sys.argv.pop(1))
if where == "measuring":
    kill_at(moment, AerSampler, "sample", lambda real, *words: real(*words))
else:
    def torn(real, appended, *rest):
        for path, content in appended.items():
            record.append(path, content[: len(content) // 2])
    kill_at(moment, record, "commit", torn)
main()
"""


@pytest.mark.parametrize(("where", "moment"), [("measuring", 8), ("writing", 5)])
def test_kill_minus_nine_and_resume_equals_an_uninterrupted_run(where: str, moment: int, tmp_path: Path, qhn) -> None:
    """Killed when the bits of a step are there, which nothing tells yet, and with half a line written."""
    words = ("run", "figure-1", "--steps", "12", "--shots", "80", "--json", "--results")
    assert qhn(*words, "whole").code == 0
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, where, str(moment), *words, "killed"], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    (directory,) = (tmp_path / "killed" / "figure-1").iterdir()
    assert 1 <= len(killed.stdout.splitlines()) <= len(load_run(directory).steps()) < 12
    done = qhn("resume", str(directory), "--json")
    assert done.code == 0
    assert len(done.out.splitlines()) == 13
    assert contents(directory) == contents(tmp_path / "whole" / "figure-1" / directory.name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_finishes_the_step_and_says_how_to_go_on(number: signal.Signals, tmp_path: Path, qhn) -> None:
    words = pictures.command("run", "figure-1", "--steps", "100000", "--shots", "50", "--results", "r")
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert child.stderr.readline().startswith("step 1/100000")
    child.send_signal(number)
    try:
        out, err = child.communicate(timeout=300)
    finally:
        child.kill()
    assert child.returncode == 130
    assert "stopping after this step" in err
    (directory,) = (tmp_path / "r" / "figure-1").iterdir()
    assert out.splitlines()[-1] == f"stopped after a complete step; go on with: qhn resume r/figure-1/{directory.name}"
    steps = load_run(directory).steps()
    assert load_run(directory).outcome().name == "interrupted"
    assert qhn("resume", str(directory), "--steps", str(len(steps) + 2), "--quiet").code == 0
    assert len(load_run(directory).steps()) == len(steps) + 2


def test_a_run_whose_terminal_is_closed_ends_after_its_step(tmp_path: Path) -> None:
    """What it would print then cannot be printed, and does not matter."""
    master, slave = os.openpty()
    words = pictures.command("run", "figure-1", "--steps", "100000", "--shots", "50", "--results", "r")
    ends = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    own = partial(fcntl.ioctl, slave, termios.TIOCSCTTY, 0)
    child = subprocess.Popen(words, start_new_session=True, preexec_fn=own, **ends)
    os.close(slave)
    wait_until(lambda: len(list(tmp_path.glob("r/figure-1/*/checkpoint.npz"))) == 1)
    os.read(master, 1000)
    os.close(master)
    try:
        assert child.wait(timeout=300) == 130
    finally:
        child.kill()
    (directory,) = (tmp_path / "r" / "figure-1").iterdir()
    assert load_run(directory).outcome().name == "interrupted"


def test_nohup_is_heeded(tmp_path: Path) -> None:
    words = pictures.command("run", "figure-1", "--steps", "40", "--shots", "50", "--results", "r")
    ignored = partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=ignored)
    assert child.stderr is not None
    assert child.stderr.readline().startswith("step 1/40")
    child.send_signal(signal.SIGHUP)
    try:
        child.communicate(timeout=300)
    finally:
        child.kill()
    assert child.returncode == 0


def test_two_processes_cannot_write_one_run(small_config: RunConfig, tmp_path: Path) -> None:
    first = train(small_config, results=tmp_path)
    next(first)
    with pytest.raises(RecordError, match="another process"):
        train(small_config, results=tmp_path)
    assert len(list(first)) == 3


# ---------------------------------------------------------------- stopping


def test_stop_rules(small_config: RunConfig, tmp_path: Path) -> None:
    def outcome(**rules: float) -> tuple[str, int]:
        training = train(with_settings(small_config, {f"train.{k}": v for k, v in rules.items()}), record=False)
        steps = list(training)
        return training.outcome.name, len(steps)

    assert outcome(target=10.0) == ("target", 1)
    assert outcome(max_shots=3 * 1500 + 1499, steps=50) == ("budget", 3)
    assert outcome(plateau=3, steps=400)[0] == "plateau"
    with pytest.raises(ValueError, match=r"max_shots is 1,499, the first step takes 1,500 shots"):
        train(with_settings(small_config, {"train.max_shots": 1499}), results=tmp_path)
    assert not list(tmp_path.glob("figure-1"))


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_early_stopping_is_where_the_validation_cost_has_stayed_above_its_lowest(
    optimizer: str, tmp_path: Path
) -> None:
    adam = {"name": "adam", "learning_rate": 0.2, "beta1": 0.9, "decay_steps": "none"}
    settings = {"train.backend": "exact", "train.seed": 1, "train.steps": 30}
    settings |= {"train.optimizer": adam if optimizer == "adam" else optimizer}
    few = {"data.samples": 2, "data.means_scale": 0.5, "data.validation_samples": 200}
    config = load_config("gaussian-activation", settings | few)

    whole = finish(config, tmp_path / "whole")
    lines = (whole / "steps.jsonl").read_text().splitlines()
    validation = [json.loads(line)["validation"] for line in lines]
    end = next(k for k in range(4, 30) if min(validation[: k - 3]) <= min(validation[k - 3 : k + 1]))
    lowest = validation.index(min(validation[: end + 1]))
    assert validation[end] > validation[lowest]
    stopping = with_settings(config, {"train.patience": 4})
    stopped = finish(stopping, tmp_path / "stopped")
    assert (stopped / "steps.jsonl").read_text().splitlines() == lines[: end + 1]
    outcome = load_run(stopped).outcome()
    assert outcome.name == "early-stopping"
    assert f"below {validation[lowest]:.6g}, that of step {lowest}, in 4 steps" in outcome.message
    first = finish(with_settings(stopping, {"train.steps": 3}), tmp_path / "parts")
    list(resume(first, {"train.steps": 30}))
    assert contents(first) == contents(stopped)
    list(resume(first, {"train.patience": "none"}))
    assert (first / "steps.jsonl").read_text().splitlines() == lines


def test_waiting_for_a_validation_cost_needs_validation_samples(small_config: RunConfig, tmp_path: Path) -> None:
    config = with_settings(small_config, {"data.validation_samples": 0})
    with pytest.raises(ValueError, match=r"train\.patience waits for a lower validation cost, but .* no validation"):
        train(with_settings(config, {"train.patience": 3}), results=tmp_path)
    assert not list(tmp_path.glob("figure-1"))
    directory = finish(config, tmp_path)
    before = contents(directory)
    with pytest.raises(ValueError, match="no validation samples"):
        resume(directory, {"train.patience": 3, "train.steps": 9})
    assert contents(directory) == before
    with pytest.raises(ValueError, match="no step has a validation cost"):
        lowest_validation(load_run(directory).steps())


def test_early_stopping_ends_a_sampled_run_too(small_config: RunConfig) -> None:
    training = train(with_settings(small_config, {"train.patience": 2, "train.steps": 200}), record=False)
    validation = [step.validation for step in training]
    assert training.outcome.name == "early-stopping"
    assert len(validation) - 1 - int(np.argmin(validation)) == 2
    for end in range(2, len(validation) - 1):
        assert end - int(np.argmin(validation[: end + 1])) < 2


def test_a_spent_budget_can_be_raised(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(with_settings(small_config, {"train.max_shots": 3000}), tmp_path)
    assert load_run(directory).outcome().name == "budget"
    list(resume(directory, {"train.max_shots": 4500}))
    assert len(load_run(directory).steps()) == 3


def test_resume_changes_nothing_but_stop_rules(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    with pytest.raises(ValueError, match=r"train\.steps is 3, but the run has taken 4 steps"):
        resume(directory, {"train.steps": 3})
    with pytest.raises(
        ValueError,
        match=r"can change train\.max_evaluations, train\.max_jobs, .* train\.pa.* train\.target, ",
    ):
        resume(directory, {"train.shots": 5})


def test_progress_is_a_fall_by_more_than_the_error() -> None:
    def steps(*values: float) -> list[Step]:
        empty = np.empty(0)
        rest = (0.0, 0.1, empty, empty, None, 0.0, "", None, 0, 0)
        return [Step(i, empty, value, 0.1, *rest) for i, value in enumerate(values)]

    assert steps_since_progress([]) == 0
    assert steps_since_progress(steps(1.0)) == 0
    assert steps_since_progress(steps(1.0, 0.95, 0.92)) == 2
    assert steps_since_progress(steps(1.0, 0.95, 0.5, 0.6)) == 1


# ---------------------------------------------------------------- damage


def damage_config(directory: Path) -> None:
    path = directory / "config.json"
    path.write_text(path.read_text().replace('"shots": 60', '"shots": 61'))


def damage_json(directory: Path) -> None:
    (directory / "config.json").write_text("{")


def damage_schema(directory: Path) -> None:
    rewrite_json(directory / "config.json", lambda tree: tree.update(schema=99))


def damage_steps(directory: Path) -> None:
    path = directory / "steps.jsonl"
    path.write_text(path.read_text().replace('"value"', '"valuf"', 1))


def shorten_steps(directory: Path) -> None:
    path = directory / "steps.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))


def damage_checkpoints(directory: Path) -> None:
    for name in ("checkpoint.npz", "checkpoint-before.npz"):
        (directory / name).write_bytes((directory / name).read_bytes()[:100])


def remove_checkpoints(directory: Path) -> None:
    for name in ("checkpoint.npz", "checkpoint-before.npz"):
        (directory / name).unlink()


def edit_and_check(directory: Path) -> None:
    """By somebody who computes the checksum too."""
    rewrite_json(directory / "config.json", lambda tree: tree["train"].update(shots=61))


def change_a_number(directory: Path) -> None:
    path = directory / "steps.jsonl"
    path.write_text(path.read_text().replace('"mean": ', '"mean": 9', 1))


def change_an_evaluation(directory: Path) -> None:
    path = directory / "evaluations.bin"
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)


def no_text(directory: Path) -> None:
    (directory / "steps.jsonl").write_bytes(b"\xff\xfe\x00")


def shorten_evaluations(directory: Path) -> None:
    os.truncate(directory / "evaluations.bin", 10)


DAMAGES = {
    damage_config: "config.json is damaged .it was changed after it was written",
    edit_and_check: "describes run",
    damage_json: "damaged",
    damage_schema: "schema 99 and naming 2, this version of qhn reads up to schema 3 and naming 2; take a newer one",
    damage_steps: "steps.jsonl is damaged: line 1, or one before it, was changed after it was written",
    shorten_steps: r"steps.jsonl has [0-9,]+ bytes, the checkpoint counts [0-9,]+;",
    damage_checkpoints: r"checkpoint\.npz is damaged",
    remove_checkpoints: r"checkpoint\.npz is missing",
    shorten_evaluations: "evaluations.bin has 10 bytes, the checkpoint counts",
    change_a_number: "steps.jsonl is damaged: line 1, or one before it, was changed after it was written",
    change_an_evaluation: "evaluations.bin was changed after it was written",
    no_text: "steps.jsonl has 3 bytes",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_named_and_nothing_is_changed(damage, small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    damage(directory)
    before = contents(directory)
    with pytest.raises(RecordError, match=DAMAGES[damage]) as caught:
        list(resume(directory, {"train.steps": 6}))
    assert "\n" not in str(caught.value)
    kept = {name: content for name, content in contents(directory).items() if name != "config.json"}
    assert kept == {name: content for name, content in before.items() if name != "config.json"}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("steps.jsonl", lambda content: content[:-2]),
        ("steps.jsonl", lambda content: content[:-300]),
        ("checkpoint.npz", lambda content: content[:100]),
        ("checkpoint.npz", lambda content: content[:50] + bytes([content[50] ^ 4]) + content[51:]),
        ("checkpoint.npz", None),
    ],
)
def test_damage_to_the_last_step_costs_that_step_alone(
    name: str,
    change: Callable[[bytes], bytes] | None,
    small_config: RunConfig,
    tmp_path: Path,
    uninterrupted: dict[str, bytes],
) -> None:
    """The run is shown one step shorter, and the step is made again."""
    directory = finish(small_config, tmp_path)
    path = directory / name
    path.unlink() if change is None else path.write_bytes(change(path.read_bytes()))
    found = load_run(directory)
    with pytest.warns(RecordWarning, match=rf"{name}.*: the run is shown with 3 steps, one fewer; qhn resume makes it"):
        found.checkpoint()
    assert len(found.steps()) == len(found.timing()) == found.checkpoint().num_steps == 3  # and says it once
    with pytest.warns(RecordWarning, match=name):
        training = resume(directory)
    assert len(list(training)) == 4
    assert contents(directory) == uninterrupted
    assert len(load_run(directory).steps()) == 4


def test_a_checkpoint_of_another_run_is_not_taken(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    other = finish(with_settings(small_config, {"train.seed": 8}), tmp_path)
    shutil.copy(other / "checkpoint.npz", directory)
    with pytest.warns(
        RecordWarning, match=rf"checkpoint\.npz is damaged \(it is that of run {other.name}\): the run is"
    ):
        assert load_run(directory).checkpoint().num_steps == 3
    shutil.copy(other / "checkpoint.npz", directory / "checkpoint-before.npz")
    with pytest.raises(RecordError, match=r"checkpoint\.npz is damaged"):
        load_run(directory).steps()


@pytest.mark.parametrize("content", [None, b"", b"x", "half"])
def test_lost_times_of_steps_cost_nothing_else(content: bytes | str | None, small_config, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    path = directory / "timing.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(b"".join(lines[:2]) + lines[2][:20] if isinstance(content, str) else content)
    with pytest.warns(RecordWarning, match=r"timing\.jsonl has the times of [02] of 4 steps; the others are lost"):
        known = len(load_run(directory).timing())
    with pytest.warns(RecordWarning, match=r"timing\.jsonl"):
        training = resume(directory, {"train.steps": 5})
    assert len(list(training)) == 5
    with pytest.warns(RecordWarning, match=r"timing\.jsonl"):
        timing = load_run(directory).timing()
    assert [entry["step"] for entry in timing] == [*range(known), 4]


def test_a_changed_time_is_told_with_what_to_do(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    path = directory / "timing.jsonl"
    path.write_text(path.read_text().replace('"step": 1', '"step": 7'))
    with pytest.raises(RecordError, match=r"timing\.jsonl is damaged: line 2.*; move it away: the times of the steps"):
        load_run(directory).timing()


def test_the_last_step_is_read_without_the_others(
    small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = finish(with_settings(small_config, {"train.steps": 30}), tmp_path)
    found = load_run(directory)
    steps = found.steps()
    with monkeypatch.context() as patched:
        patched.setattr(Record, "steps", None)
        last = found.last_step()
    assert last is not None
    assert last.to_json() == steps[-1].to_json()
    path = directory / "steps.jsonl"
    content = path.read_text()
    at = content.rindex('"mean"')
    path.write_text(content[:at] + content[at:].replace("0.", "1.", 1))
    with pytest.raises(RecordError, match=r"steps\.jsonl is damaged: line 30, or one before it, was changed"):
        found.last_step()


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_run_of_an_older_version_is_read_and_goes_on(steps: int, small_config: RunConfig, tmp_path: Path) -> None:
    whole = finish(with_settings(small_config, {"train.steps": 6}), tmp_path / "whole")
    training = train(small_config, results=tmp_path)
    for _ in range(steps):
        next(training)
    training.close()
    assert training.record is not None
    directory = make_old(training.record.directory)
    old = load_run(directory)
    assert (old.is_old, len(old.steps()), len(old.timing())) == (True, steps, steps)
    assert len(list(resume(directory, {"train.steps": 6}))) == 6
    new = load_run(directory)
    assert new.is_old
    assert [step.to_json() for step in new.steps()] == [step.to_json() for step in load_run(whole).steps()]
    assert new.last_step().to_json() == new.steps()[-1].to_json()  # type: ignore[union-attr]
    lines = (directory / "steps.jsonl").read_text().splitlines()
    assert ["checksum" in line for line in lines] == [False] * steps + [True] * (6 - steps)
    path = directory / "steps.jsonl"
    path.write_text(path.read_text().replace('"mean": ', '"mean": 9', 1))
    with pytest.raises(RecordError, match=r"steps\.jsonl"):
        new.steps()


def test_a_torn_last_line_is_a_step_that_never_happened(
    small_config: RunConfig, tmp_path: Path, uninterrupted: dict
) -> None:
    directory = finish(with_settings(small_config, {"train.steps": 2}), tmp_path)
    with (directory / "steps.jsonl").open("a") as file:
        file.write('{"step": 2, "theta": [0.1')
    with (directory / "evaluations.bin").open("ab") as file:
        file.write(b"\x01\x02\x03")
    assert len(load_run(directory).steps()) == 2
    list(train(small_config, results=tmp_path))
    assert contents(directory) == uninterrupted


def test_a_directory_of_something_else_is_not_touched(small_config: RunConfig, tmp_path: Path) -> None:
    directory = tmp_path / "figure-1" / small_config.run_id
    directory.mkdir(parents=True)
    (directory / "thesis.tex").write_text("precious")
    with pytest.raises(RecordError, match=r"holds thesis\.tex; move it away"):
        train(small_config, results=tmp_path)
    assert contents(directory) == {"thesis.tex": b"precious"}


def test_a_refused_machine_leaves_no_directory(small_config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no stored device"):
        train(with_settings(small_config, {"train.backend": "fake_nothing"}), results=tmp_path)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the user's data, and paid shots


def test_a_run_carries_its_data_and_can_be_moved(tmp_path: Path) -> None:
    lines = [f"{x},{-x},{'a' if x < 0 else 'b'}" for x in np.linspace(-2, 2, 40)]
    source = tmp_path / "mine.csv"
    source.write_text("p,q,label\n" + "\n".join(lines))
    settings = {"data.file": str(source), "train.shots": 40, "train.steps": 2}
    directory = finish(load_config("figure-1", settings), tmp_path / "r")
    source.unlink()
    moved = directory.rename(tmp_path / directory.name)
    steps = list(resume(moved, {"train.steps": 3}))
    assert len(steps) == 3
    assert load_run(moved).config.problem().dataset.name == "mine.csv"
    assert load_network(moved / "network.npz").predict([[-1.0, 1.0], [1.0, -1.0]]).tolist() in (["a", "b"], ["b", "a"])
    assert str(tmp_path) not in (moved / "config.json").read_text()


class PaidMachine:
    """Aer, but counting what would be billed."""

    paid = True
    name = "paid"

    def __init__(self) -> None:
        self.backend, self.jobs = open_backend("aer"), 0

    def compile(self, ansatz):
        sampler = self.backend.compile(ansatz)
        real = sampler.sample

        def sample(thetas, shots, key, group=1):
            self.jobs += 1
            samples = real(thetas, shots, key)
            return record.Samples(samples.bits, (f"job-{key.step}",), 1.5)

        sampler.sample = sample
        return sampler


def test_jobs_that_led_to_no_step_count_against_the_budget(small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(with_settings(small_config, {"train.max_shots": 4500, "train.steps": 1}), tmp_path)
    journal = Journal(directory / "jobs.jsonl")
    for number in range(2):
        size = {"rows": 25, "shots": 60, "price_seconds": 3.0}
        journal.append(Entry(Event.SUBMITTED, tag="qhn:r:1:0", job_id=f"job-{number}", **size))
        journal.append(Entry(Event.FAILED, tag="qhn:r:1:0", error="ConnectionError"))
    with journal.path.open("a") as file:
        file.write('{"event": "subm')  # torn
    journal.append(Entry(Event.INTENT, tag="qhn:r:1:0"))
    assert [entry.event for entry in journal.history().entries()] == [
        "submitted",
        "failed",
        "submitted",
        "failed",
        "intent",
    ]
    training = resume(directory, {"train.steps": 4})
    assert training.ledger().lost == Amount(6.0, 2, 3000)
    assert len(list(training)) == 1
    assert training.outcome.name == "budget"
    training = resume(directory, {"train.max_shots": 6000})
    assert len(list(training)) == 2


def test_paid_shots_are_on_disk_before_they_are_used_and_are_not_paid_twice(
    small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = PaidMachine()
    monkeypatch.setattr("qhn.config.open_backend", lambda *settings: machine)
    unbudgeted = small_config
    with pytest.raises(ValueError, match="must be recorded"):
        train(small_config, record=False)

    def fail(self, bits) -> None:
        raise MemoryError("the cost function died")

    with pytest.raises(
        ValueError,
        match=r"--set train.max_shots=6000; its 4 steps should take 6,000 shots",
    ):
        train(small_config, results=tmp_path)
    assert machine.jobs == 0
    small_config = with_settings(small_config, {"train.max_shots": 6000})
    training = train(small_config, results=tmp_path)
    next(training)
    with monkeypatch.context() as patched:
        patched.setattr(Evaluations, "cost", fail)
        with pytest.raises(MemoryError):
            next(training)
    training.close()
    assert machine.jobs == 2
    directory = finish(small_config, tmp_path)
    assert machine.jobs == 4  # step 1 was not measured again
    assert train(unbudgeted, results=tmp_path).config.train.max_shots == 6000  # a budget once given stays
    for step in range(4):
        with np.load(directory / "samples" / f"step-{step:06d}.npz") as stored:
            assert stored["bits"].shape == (25, 60, 1)
            assert stored["job_ids"].tolist() == [f"job-{step}"]
    assert [entry["job_ids"] for entry in load_run(directory).timing()] == [[f"job-{step}"] for step in range(4)]
    assert sum(entry["qpu_seconds"] for entry in load_run(directory).timing()) == 6.0


def test_bits_that_are_paid_for_are_used_though_the_budget_is_spent(
    small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = PaidMachine()
    monkeypatch.setattr("qhn.config.open_backend", lambda *settings: machine)
    training = train(with_settings(small_config, {"train.max_shots": 3000}), results=tmp_path)
    journal = Journal(training.record.directory / "jobs.jsonl")

    def fail(self, bits) -> None:
        raise MemoryError("the cost function died")

    next(training)
    with monkeypatch.context() as patched:
        patched.setattr(Evaluations, "cost", fail)
        with pytest.raises(MemoryError):
            next(training)
    training.close()
    for step in range(2):  # as the sampler of a QPU notes them
        size = {"rows": 25, "shots": 60, "price_seconds": 1.4}
        journal.append(Entry(Event.SUBMITTED, tag=f"qhn:r:{step}:0", job_id=f"job-{step}", **size))
    training = resume(training.record.directory)
    assert len(list(training)) == 2
    assert training.outcome.name == "budget"
    assert machine.jobs == 2


def test_nothing_of_the_machine_or_user_is_written(small_config: RunConfig, tmp_path: Path) -> None:
    import getpass
    import platform

    directory = finish(small_config, tmp_path)
    text = b"".join((directory / name).read_bytes() for name in ("manifest.json", "config.json", "timing.jsonl"))
    for secret in (platform.node(), str(tmp_path), f"/home/{getpass.getuser()}"):
        assert secret.encode() not in text


def test_find_run_by_path_prefix_or_age(small_config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no runs"):
        find_run(tmp_path, None)
    first = finish(small_config, tmp_path)
    second = finish(with_settings(small_config, {"train.seed": 8}), tmp_path)
    assert find_run(tmp_path, None) == second
    assert find_run(tmp_path, first.name[:6]) == first
    assert find_run(tmp_path, str(first)) == first
    with pytest.raises(FileNotFoundError, match="there is no run 'zz'"):
        find_run(tmp_path, "zz")
    with pytest.raises(ValueError, match="several runs begin with ''"):
        find_run(tmp_path, "")
    assert isinstance(load_run(first), Record)


def test_fewer_steps_than_an_unfinished_run_has_taken_are_refused(small_config: RunConfig, tmp_path: Path) -> None:
    """It must not go on to the old limit: steps may be paid for."""
    training = train(small_config, results=tmp_path)
    next(training), next(training), next(training)
    training.close()
    with pytest.raises(ValueError, match=r"train.steps is 2, but the run has taken 3 of 4 steps; ask for more"):
        train(with_settings(small_config, {"train.steps": 2}), results=tmp_path)
    assert list(train(with_settings(small_config, {"train.steps": 3}), results=tmp_path))[-1].step == 2
    assert finish(small_config, tmp_path).name == training.record.directory.name
    assert len(list(train(with_settings(small_config, {"train.steps": 2}), results=tmp_path))) == 4  # it is shown
