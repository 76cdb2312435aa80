"""Studies: whatever is killed, resumed, told in another order or on more workers, the same comes of it."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import qhn
from qhn.backend import BackendError
from qhn.errors import QhnError, RecordError
from qhn.scheduling.curves import KnownCurves
from qhn.scheduling.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.scheduling.journal import DEFINITION, JOURNAL
from qhn.scheduling.scheduler import Rule
from qhn.scheduling.space import Range, Space
from qhn.scheduling.study import Study, advance
from qhn.scheduling.swift_hyperband import SwiftHyperband
from qhn.scheduling.trial import Job, Result, Trial, train_each
from scheduling.pools import Line

SPACE = Space({"height": Range(0, 1), "kind": ["good", "bad"], "speed": Range(1, 30, log=True)})
SMALL, SMALLEST = Hyperband(4, 2), Hyperband(2, 2)
SWIFT = SwiftHyperband(16, Line(), training_curves=3)


def losses(trial: Trial) -> list[float]:
    """The curve of a trial, with a noise that depends on nothing but its seed; one in ten fails half-way."""
    noise = np.random.default_rng(trial.seed).normal(size=1000)
    values = trial.values
    curve = values["height"] + (values["kind"] == "bad") + np.exp(-np.arange(1000) / values["speed"]) + 0.05 * noise
    if trial.seed % 10 == 0:
        curve[4:] = math.inf
    return curve[trial.reached : trial.until].tolist()


def state(study: Study) -> tuple[object, ...]:
    """All that is known of a study; text, in which nan equals nan."""
    curves = [study.curves.of(trial).tolist() for trial in range(study.rule.num_trials)]
    facts = sorted(study.facts.items())
    return (study.is_done, study.units, repr(study.best()), repr(study.decisions), repr(curves), repr(facts))


def finish(study: Study) -> Study:
    with study:
        while trial := study.ask():
            study.tell(trial, losses(trial), seed=trial.seed)
    return study


def in_order(study: Study, rng: np.random.Generator, workers: int) -> Study:
    """Train with a number of workers that end in a random order."""
    busy: list[Trial] = []
    with study:
        while True:
            while len(busy) < workers and (trial := study.ask()):
                busy.append(trial)
            if not busy:
                return study
            trial = busy.pop(int(rng.integers(len(busy))))
            study.tell(trial, losses(trial), seed=trial.seed)


# ---------------------------------------------------------------- order, workers, resuming


@pytest.mark.parametrize("rule", [Hyperband(16, 2), SWIFT], ids=["hyperband", "swift"])
def test_neither_workers_nor_order_matter(rule: Rule, rng: np.random.Generator) -> None:
    expected = state(finish(Study(rule, SPACE, seed=4)))
    for workers in (1, 2, 5, 50):
        assert state(in_order(Study(rule, SPACE, seed=4), rng, workers)) == expected


def test_a_study_on_disk_is_that_in_memory(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    kept, held = finish(Study(SWIFT, SPACE, folder=folder)), finish(Study(SWIFT, SPACE))
    assert state(Study(SWIFT, SPACE, folder=folder)) == state(kept)
    assert state(kept)[:2] + state(kept)[3:] == state(held)[:2] + state(held)[3:]
    best, other = kept.best(), held.best()
    assert best is not None
    assert other is not None
    assert (best.number, best.values, best.folder) == (
        other.number,
        other.values,
        folder / "trials" / f"{best.number:04d}",
    )


def test_a_study_goes_on_from_any_job(tmp_path: Path) -> None:
    expected = state(finish(Study(SWIFT, SPACE, folder=tmp_path / "whole")))[3:]
    folder = tmp_path / "parts"
    told = 0
    while not Study(SWIFT, SPACE, folder=folder).is_done:
        with Study(SWIFT, SPACE, folder=folder) as study:
            lost = study.ask()  # is asked for and never told
            trial = study.ask()
            for one in [trial or lost, lost if trial else None][: 1 + told % 2]:
                if one is not None:
                    study.tell(one, losses(one), seed=one.seed)
        told += 1
    assert state(Study(SWIFT, SPACE, folder=folder))[3:] == expected


@pytest.fixture
def _no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.usefixtures("_no_waiting_for_disks")
def test_a_study_goes_on_from_any_byte_of_its_journal(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    expected = state(finish(Study(SMALLEST, SPACE, folder=whole)))[3:]
    journal, folder = (whole / JOURNAL).read_bytes(), tmp_path / "torn"
    folder.mkdir()
    (folder / DEFINITION).write_bytes((whole / DEFINITION).read_bytes())
    for size in range(len(journal) + 1):
        (folder / JOURNAL).write_bytes(journal[:size])
        study = Study(SMALLEST, SPACE, folder=folder)
        whole_lines = [json.loads(line) for line in journal[:size].splitlines(True) if line.endswith(b"\n")]
        assert set(study.facts) == {one["trial"] for line in whole_lines for one in line["told"]}
        assert study.units == sum(len(one["losses"]) for line in whole_lines for one in line["told"])
        if size % 29 == 0 or journal[size - 1 : size] == b"\n":
            assert state(finish(study))[3:] == expected
            assert (folder / JOURNAL).read_bytes() == journal


@pytest.mark.usefixtures("_no_waiting_for_disks")
def test_any_changed_byte_of_a_journal_is_an_error_or_a_torn_end(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    expected = state(finish(Study(SMALLEST, SPACE, folder=whole)))[3:]
    journal = (whole / JOURNAL).read_bytes()
    last = journal[:-1].rfind(b"\n") + 1
    for place in range(0, len(journal), 3):
        changed = bytearray(journal)
        changed[place] ^= 1
        (whole / JOURNAL).write_bytes(bytes(changed))
        try:
            study = finish(Study(SMALLEST, SPACE, folder=whole))
        except RecordError as error:
            found = str(error)
        else:
            found = "" if state(study)[3:] == expected else "another study"
        if found:
            assert re.fullmatch(r".*trials.jsonl is damaged after byte .*", found)
        else:
            assert place >= last, "only a line that looks torn may be written again"


def test_lost_lines_are_noticed(tmp_path: Path) -> None:
    finish(Study(SMALL, SPACE, folder=tmp_path))
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    for left in ([*lines[:2], *lines[3:]], lines[1:], [lines[1], lines[0], *lines[2:]], [*lines, lines[-1]]):
        (tmp_path / JOURNAL).write_bytes(b"".join(left))
        with pytest.raises(RecordError, match=r"damaged after byte .*; restore it, or move the study's folder away"):
            Study(SMALL, SPACE, folder=tmp_path)


def test_nothing_is_overwritten_if_the_definition_is_lost(tmp_path: Path) -> None:
    finish(Study(SMALL, SPACE, folder=tmp_path))
    before = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / DEFINITION).unlink()
    with pytest.raises(RecordError, match=r"trials.jsonl has no study.json beside it"):
        Study(SMALL, SPACE, folder=tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == before
    (tmp_path / DEFINITION).write_text("{")
    with pytest.raises(RecordError, match=r"study.json is damaged"):
        Study(SMALL, SPACE, folder=tmp_path)


@pytest.mark.parametrize(
    ("rule", "space", "seed", "key"),
    [(Hyperband(5, 2), SPACE, 0, "rule"), (SMALL, {"height": [1, 2]}, 0, "space"), (SMALL, SPACE, 1, "seed")],
)
def test_another_study_is_refused(tmp_path: Path, rule: Rule, space: Space, seed: int, key: str) -> None:
    finish(Study(SMALL, SPACE, folder=tmp_path))
    with pytest.raises(
        QhnError, match=rf"holds another study \(its {key} is .*\); give this one another name or folder"
    ):
        Study(rule, space, folder=tmp_path, seed=seed)


def test_earlier_curves_are_part_of_the_definition(tmp_path: Path) -> None:
    settings = np.zeros((3, 4))
    one = SwiftHyperband(4, Line(), earlier=KnownCurves(np.ones((3, 4)), settings))
    two = SwiftHyperband(4, Line(), earlier=KnownCurves(np.ones((3, 4)) * 2, settings))
    finish(Study(one, SPACE, folder=tmp_path))
    assert Study(one, SPACE, folder=tmp_path).is_done
    with pytest.raises(QhnError, match="holds another study"):
        Study(two, SPACE, folder=tmp_path)


def test_a_predictor_that_cannot_be_told_in_words_is_refused(tmp_path: Path) -> None:
    class Nameless:
        fit = Line.fit

    with pytest.raises(QhnError, match="the rule is kept in words, which must say what it is, got"):
        Study(SwiftHyperband(4, Nameless()), SPACE, folder=tmp_path)  # type: ignore[arg-type]
    Study(SwiftHyperband(4, Nameless()), SPACE)  # type: ignore[arg-type]


def test_predictors_of_the_package_are_told_in_words(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from qhn.learning_curves.predictors import predictor

    for name in ("last", "ridge", "nusvr", "svr"):
        Study(SwiftHyperband(4, predictor(name)), SPACE, folder=tmp_path / name)


# ---------------------------------------------------------------- processes


def test_one_process_at_a_time(tmp_path: Path) -> None:
    first, second = Study(SMALL, SPACE, folder=tmp_path), Study(SMALL, SPACE, folder=tmp_path)
    trial = first.ask()
    assert trial is not None
    with pytest.raises(RecordError, match="is being written by another process"):
        second.ask()
    first.tell(trial, losses(trial), seed=trial.seed)
    first.close()
    expected = state(finish(second))
    assert second.facts[trial.number] == {"seed": trial.seed}, "what the first one told is known"
    assert first.ask() is None
    assert state(first) == expected
    first.close()


def test_what_another_process_has_told_is_not_told_again(tmp_path: Path) -> None:
    with Study(SMALL, SPACE, folder=tmp_path) as first:
        trial = first.ask()
    finish(Study(SMALL, SPACE, folder=tmp_path))
    assert trial is not None
    with pytest.raises(QhnError, match="is not to be trained until"):
        first.tell(trial, losses(trial))
    first.close()


def test_what_was_asked_for_and_not_told_is_asked_for_again() -> None:
    study = Study(SMALL, SPACE)
    asked = [study.ask() for _ in range(3)]
    study.close()
    study.close()
    assert [study.ask() for _ in range(3)] == asked


SCRIPT = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from search.test_study import SPACE, SWIFT, losses
from qhn.scheduling.study import Study
with Study(SWIFT, SPACE, folder=sys.argv[1]) as study:
    while trial := study.ask():
        (trial.folder / "begun").touch()
        time.sleep(0.01)
        study.tell(trial, losses(trial), seed=trial.seed)
"""


def test_a_killed_study_goes_on(tmp_path: Path) -> None:
    expected = state(finish(Study(SWIFT, SPACE, folder=tmp_path / "whole")))[3:]
    folder, paths = tmp_path / "killed", [str(Path(__file__).parents[1]), str(Path(qhn.__file__).parents[1])]
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), *paths])
        size, path = (folder / JOURNAL).stat().st_size if folder.exists() else 0, folder / JOURNAL
        while process.poll() is None and not (path.exists() and path.stat().st_size > size):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert state(finish(Study(SWIFT, SPACE, folder=folder)))[3:] == expected


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_that_are_threads_or_processes(tmp_path: Path, workers: int) -> None:
    expected = state(finish(Study(SWIFT, SPACE)))
    context = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(workers) as threads, ProcessPoolExecutor(workers, mp_context=context) as processes:
        for executor in (threads, processes):
            study = Study(SWIFT, SPACE, folder=tmp_path / type(executor).__name__)
            progress = list(study.train(losses, executor))
            assert state(study)[3:5] == expected[3:5]
            assert progress[-1].units == study.units
            assert progress[-1].failures == ()
            assert [one.units for one in progress] == sorted(one.units for one in progress)


def killed_once(trial: Trial) -> list[float]:
    """The curve of a trial; the first worker that trains trial 5 is killed."""
    assert trial.folder is not None
    if trial.number == 5 and not (mark := trial.folder / "killed").exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return losses(trial)


def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    study, context = Study(SWIFT, SPACE, folder=tmp_path), multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(2, mp_context=context) as executor,
        pytest.raises(BackendError, match="worker process died"),
    ):
        list(study.train(killed_once, executor))
    assert not study.is_done
    told = (tmp_path / JOURNAL).read_bytes() if (tmp_path / JOURNAL).exists() else b""
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        list(study.train(killed_once, executor))
    assert (tmp_path / JOURNAL).read_bytes().startswith(told)
    assert state(study)[3:5] == state(finish(Study(SWIFT, SPACE)))[3:5]


# ---------------------------------------------------------------- functions of users


def test_a_function_that_raises_fails_its_trial_alone() -> None:
    def train(trial: Trial) -> list[float]:
        if trial.number % 3 == 0:
            raise ZeroDivisionError("no step is that small")
        return losses(trial)

    study = Study(SMALL, SPACE)
    with ThreadPoolExecutor(2) as executor:
        last = list(study.train(train, executor))[-1]
    assert study.is_done
    assert last.failures == ()
    best = study.best()
    assert best is not None
    assert best.number % 3
    assert study.facts[0] == {"error": "ZeroDivisionError: no step is that small"}
    assert study.curves.has_failed(0)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([0.5, 0.5, 0.5, 0.5, 0.5], "trial 0 needs a list of 1 losses, one a unit of resource from 1 to 1, got 5"),
        (None, "trial 0 needs a list of 1 losses, one a unit of resource from 1 to 1, got None"),
        ("0", "trial 0 needs a list of 1 losses, one a unit of resource from 1 to 1, got '0'"),
        (["0.5"], "a loss of trial 0 must be a number, got '0.5'"),
        ([None], "a loss of trial 0 must be a number, got None"),
        ([True], "a loss of trial 0 must be a number, got True"),
        ([1j], "a loss of trial 0 must be a number, got 1j"),
    ],
)
def test_what_is_no_list_of_losses_is_refused(returned: Sequence[float], message: str) -> None:
    study = Study(SuccessiveHalving(4, 4, 2), SPACE)
    trial = study.ask()
    assert trial is not None
    before = state(study)
    with pytest.raises(QhnError) as told:
        study.tell(trial, returned)
    assert str(told.value) == message
    assert state(study) == before
    study.close()
    with ThreadPoolExecutor(1) as executor:
        last = list(study.train(lambda trial: returned, executor))[-1]
    assert message in [str(error) for _, error in last.failures]
    assert state(study) == before, "no trial has failed: the function is wrong"
    with ThreadPoolExecutor(1) as executor:
        list(study.train(losses, executor))
    assert study.is_done


def test_losses_of_numpy_and_of_any_size() -> None:
    study = Study(RunAll(3, 2), SPACE)
    while trial := study.ask():
        study.tell(trial, np.full(2, 10**trial.number, dtype=np.float32))  # type: ignore[arg-type]
    best = study.best()
    assert best is not None
    assert best.number == 0


def test_nan_and_infinite_losses() -> None:
    study = Study(RunAll(4, 3), SPACE)
    told = [[math.nan, 0.5, 0.4], [0.1, math.nan, 0.1], [math.inf] * 3, [math.nan] * 3]
    while trial := study.ask():
        study.tell(trial, told[trial.number])
    assert [study.curves.has_failed(number) for number in range(4)] == [False, True, True, False]
    best = study.best()
    assert best is not None
    assert best.number == 0
    assert study.progress().best == 0.4


def test_a_study_of_which_all_trials_fail_has_no_best() -> None:
    study = Study(SMALL, SPACE)
    while trial := study.ask():
        study.tell(trial, [math.inf] * (trial.until - trial.reached))
    assert study.is_done
    assert study.best() is None
    assert math.isnan(study.progress().best)


@pytest.mark.parametrize(
    ("fact", "kept"),
    [(np.float32(0.5), 0.5), (3, 3), (True, True), ("a\nb", "a\nb"), (math.nan, "nan"), (math.inf, "inf")],
)
def test_facts_are_kept(tmp_path: Path, fact: object, kept: object) -> None:
    with Study(SMALL, SPACE, folder=tmp_path) as study:
        trial = study.ask()
        assert trial is not None
        study.tell(trial, losses(trial), fact=fact)
    for known in (study, Study(SMALL, SPACE, folder=tmp_path)):
        assert known.facts == {trial.number: {"fact": kept}}


@pytest.mark.parametrize("fact", [None, [1], {"a": 1}, object(), 1j])
def test_other_facts_are_refused_before_anything_is_written(tmp_path: Path, fact: object) -> None:
    with Study(SMALL, SPACE, folder=tmp_path) as study:
        trial = study.ask()
        assert trial is not None
        with pytest.raises(QhnError, match="the fact fact must be a number, a text or a truth value, got"):
            study.tell(trial, losses(trial), fact=fact)
        assert not (tmp_path / JOURNAL).exists()
        study.tell(trial, losses(trial))


def test_a_trial_has_a_folder_of_its_own(tmp_path: Path) -> None:
    study = Study(SMALL, SPACE, folder=tmp_path / "study")
    assert not (tmp_path / "study").exists(), "looking at a study writes nothing"
    with study:
        folders = set()
        while trial := study.ask():
            assert trial.folder is not None
            (trial.folder / f"{trial.reached}").touch(exist_ok=False)
            folders.add(trial.folder)
            study.tell(trial, losses(trial))
    assert len(folders) == SMALL.num_trials


def test_an_interrupt_in_a_function_leaves_the_study_as_it_was(tmp_path: Path) -> None:
    study = Study(SMALL, SPACE, folder=tmp_path)
    with pytest.raises(KeyboardInterrupt), study:  # noqa: PT012
        trial = study.ask()
        assert trial is not None
        raise KeyboardInterrupt
    assert state(finish(Study(SMALL, SPACE, folder=tmp_path)))[3:] == state(finish(study))[3:]


def test_a_loop_that_is_left_can_be_gone_on_with(tmp_path: Path) -> None:
    study = Study(SWIFT, SPACE, folder=tmp_path)
    with ThreadPoolExecutor(3) as executor:
        for progress in study.train(losses, executor):
            if progress.units > 20:
                break
        assert not study.is_done
        list(study.train(losses, executor))
    assert state(study)[3:5] == state(finish(Study(SWIFT, SPACE)))[3:5]


def test_wrong_calls_are_refused() -> None:
    study = Study(SMALL, SPACE)
    trial = study.ask()
    assert trial is not None
    with pytest.raises(QhnError, match="trial 0 is not to be trained until 4 now; ask for trials first"):
        study.tell(Trial(0, {}, 0, 0, 4), [1.0] * 4)
    with pytest.raises(QhnError, match="trial 99 is not to be trained"):
        study.tell(Trial(99, {}, 0, 0, 1), [1.0])
    study.tell(trial, losses(trial))
    with pytest.raises(QhnError, match="trial 0 is not to be trained"):
        study.tell(trial, losses(trial))
    with pytest.raises(QhnError, match="seed must be at least 0, got -1"):
        Study(SMALL, SPACE, seed=-1)


# ---------------------------------------------------------------- jobs of several trials


def pairs(trials: Sequence[Trial]) -> list[Job]:
    return [tuple(trials[place : place + 2]) for place in range(0, len(trials), 2)]


def test_jobs_of_several_trials(tmp_path: Path) -> None:
    study = Study(SWIFT, SPACE, folder=tmp_path, group=pairs)
    with pytest.raises(QhnError, match="trained in jobs of several; use ask_job"):
        study.ask()
    with study:
        while job := study.ask_job():
            assert 1 <= len(job) <= 2
            with pytest.raises(QhnError, match="needs as many results"):
                study.tell_job(job, [])
            study.tell_job(job, [Result(losses(trial)) for trial in job])
    expected = state(finish(Study(SWIFT, SPACE)))[3:5]
    assert state(study)[3:5] == state(Study(SWIFT, SPACE, folder=tmp_path))[3:5] == expected


def test_part_of_a_job_is_told(tmp_path: Path) -> None:
    """A journal may have been written with other jobs: nobody is forgotten, and nobody trained twice."""
    with Study(SMALL, SPACE, folder=tmp_path) as alone:
        first = [alone.ask() for _ in range(3)]
        assert first[2] is not None
        alone.tell(first[2], losses(first[2]), seed=first[2].seed)
    trained: list[tuple[int, int]] = []
    with Study(SMALL, SPACE, folder=tmp_path, group=pairs) as study:
        while job := study.ask_job():
            trained += [(trial.number, trial.until) for trial in job]
            study.tell_job(job, [Result(losses(trial), {"seed": trial.seed}) for trial in job])
    assert len(trained) == len(set(trained))
    assert state(study)[3:] == state(finish(Study(SMALL, SPACE, folder=tmp_path)))[3:]
    assert study.is_done


def test_a_job_that_fails_leaves_the_others_alone_and_is_done_by_the_same_call(tmp_path: Path) -> None:
    def train(broken: set[int], job: Job) -> list[Result]:
        if job[0].number in broken:
            raise QhnError("the machine is away")
        return train_each(losses, job)

    study = Study(Hyperband(16, 2), SPACE, folder=tmp_path)
    broken = {0, 40}
    with ThreadPoolExecutor(2) as executor:
        last = list(advance(study, partial(train, broken), executor))[-1]
        assert {(job[0].number, str(error)) for job, error in last.failures} == {
            (n, "the machine is away") for n in broken
        }
        assert not study.is_done
        whole = [bracket for bracket in range(5) if any(d.bracket == bracket for d in study.decisions)]
        assert whole, "brackets without a failed job go on"
        last = list(advance(study, partial(train, set()), executor))[-1]
    assert last.failures == ()
    assert state(study)[3:5] == state(finish(Study(Hyperband(16, 2), SPACE)))[3:5]


def test_a_rule_that_raises_is_no_damage_of_the_journal(tmp_path: Path) -> None:
    class Broken(Line):
        def fit(self, *arrays: object) -> Line:
            raise ValueError("no memory left")

        def __repr__(self) -> str:
            return "Broken()"

    rule = SwiftHyperband(8, Broken(), training_curves=2)
    with pytest.raises(ValueError, match="no memory left"):
        finish(Study(rule, SPACE, folder=tmp_path))
    with pytest.raises(ValueError, match="no memory left") as again:
        Study(rule, SPACE, folder=tmp_path)
    assert not isinstance(again.value, RecordError)


def test_a_folder_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "file").touch()
        folder = tmp_path / "file" / "study"
    else:
        tmp_path.chmod(0o500)
        folder = tmp_path / "study"
    study = Study(SMALL, SPACE, folder=folder)
    with pytest.raises(OSError):
        study.ask()
    tmp_path.chmod(0o700)
