"""Damage of any kind to any file of a run: every verb says what it said before, or names the file in a line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from qhn.backend.service import connection, jobs
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import RecordError, RecordWarning
from qhn.run.training import resume, train
from runs import finished, make_old
from service import Service

Damage = Callable[[bytes, np.random.Generator], bytes | None]
RECOMPUTED = ("circuit.txt", "circuit.qpy", ".lock")  # files from which nothing is read


def one_bit(content: bytes, rng: np.random.Generator) -> bytes:
    place = rng.integers(8 * len(content))
    return content[: place // 8] + bytes([content[place // 8] ^ 1 << place % 8]) + content[place // 8 + 1 :]


def one_digit(content: bytes, rng: np.random.Generator) -> bytes:
    """Another digit in place of one; one bit if there is none."""
    places = [place for place, letter in enumerate(content) if chr(letter).isdecimal()]
    if not places:
        return one_bit(content, rng)
    place = int(rng.choice(places))
    digit = rng.choice([digit for digit in b"0123456789" if digit != content[place]])
    return content[:place] + bytes([digit]) + content[place + 1 :]


def cut_anywhere(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(len(content))]


def cut_at_the_end(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: -rng.integers(1, 60)]


def deleted(content: bytes, rng: np.random.Generator) -> None:
    return None


KINDS: list[Damage] = [one_bit, one_bit, one_digit, cut_anywhere, cut_at_the_end, deleted]
BACKENDS = {"aer": {}, "exact": {"train.shots": None}, "fake_manila": {}}


def damage(directory: Path, name: str, kind: Damage, rng: np.random.Generator) -> None:
    path = directory / name
    content = kind(path.read_bytes(), rng)
    path.unlink() if content is None else path.write_bytes(content)


def files_of(directory: Path) -> list[str]:
    found = [str(path.relative_to(directory)) for path in sorted(directory.rglob("*")) if path.is_file()]
    return [name for name in found if name not in RECOMPUTED and not name.startswith("figures")]


def without_times(text: str) -> str:
    return re.sub(r"[0-9]+\.[0-9] s in|20[0-9]{2}-[-0-9T:]+Z", "", text)


@pytest.fixture(scope="module", params=BACKENDS)
def finished_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from qhn.config.file import load_config

    settings = {"train.shots": 60, "train.steps": 3, "ansatz.num_layers": 1, "data.samples": 30}
    settings |= {"train.backend": request.param, "data.validation_samples": 10} | BACKENDS[request.param]
    training = train(load_config("figure-1", settings), results=tmp_path_factory.mktemp("finished"))
    list(training)
    training.close()
    assert training.record is not None
    return training.record.directory


def tried(qhn: Callable, source: Path, results: Path, seed: int, trials: int) -> Iterator[str]:
    """What is wrong after each of many damages, in words."""
    directory = results / source.parent.name / source.name
    verbs = [("show",), ("list",), ("replay",), ("report",), ("evaluate",), ("ensemble",)]
    verbs += [("resume", "--quiet"), ("resume", "--steps", "4", "--quiet")]

    def called(verb: tuple[str, ...]) -> tuple[int, str, str]:
        words = (verb[0],) if verb == ("list",) else (verb[0], source.name, *verb[1:])
        found = qhn(*words, "--results", str(results))
        return found.code, without_times(found.out), found.err

    def restored() -> None:
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(source, directory)

    restored()
    before = {verb: called(verb) for verb in verbs}
    rng = np.random.default_rng(seed)
    for _ in range(trials):
        name, kind = str(rng.choice(files_of(source))), KINDS[rng.integers(len(KINDS))]
        restored()
        damage(directory, name, kind, rng)
        for verb in verbs:
            code, out, err = called(verb)
            told = Path(name).name in (err if verb != ("list",) else err + out)
            if not told and (code, out) != before[verb][:2]:
                yield f"{kind.__name__} {name}: {verb} gives {code}, {err or out}"
            if code not in (before[verb][0], 2) or err.count("\n") > 2:
                yield f"{kind.__name__} {name}: {verb} gives {code}, {err}"
            if verb[0] == "resume" and code:
                break


def test_damage_changes_nothing_or_is_named(qhn: Callable, finished_run: Path, tmp_path: Path) -> None:
    assert not list(tried(qhn, finished_run, tmp_path / "results", 1, 4))


@pytest.mark.slow
def test_damage_changes_nothing_or_is_named_in_many_trials(qhn: Callable, finished_run: Path, tmp_path: Path) -> None:
    assert not list(tried(qhn, finished_run, tmp_path / "results", 2, 40))


def test_bits_of_another_step_or_run_are_no_bits_of_this_one(small_config: RunConfig, tmp_path: Path) -> None:
    one = finished(small_config, tmp_path)
    other = finished(with_settings(small_config, {"train.seed": 8}), tmp_path)
    last = one.directory / "samples" / "step-000003.npz"
    for source in (other.directory / "samples" / last.name, last.with_name("step-000002.npz")):
        shutil.copy(source, last)
        with pytest.raises(RecordError, match=rf"{last.name} cannot be read \(it holds the bits of "):
            one.samples(3)


def test_lost_times_of_an_old_run_are_told(qhn: Callable, small_config: RunConfig, tmp_path: Path) -> None:
    run = make_old(finished(small_config, tmp_path / "results").directory)
    timing = run / "timing.jsonl"
    assert "timing.jsonl" not in qhn("show", run.name).err
    timing.write_bytes(timing.read_bytes()[:-40])
    shown = qhn("show", run.name)
    assert shown.code == 0
    assert re.search(r"timing.jsonl has the times of 3 of 4 steps", shown.err)


# ------------------------------------------------------------ what was paid for


@pytest.fixture(params=[0, 1])
def in_flight(
    request: pytest.FixtureRequest,
    small_config: RunConfig,
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Path, int]:
    """The directory of a run whose first or second step is on its way, and the number of jobs that were submitted."""
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(connection, name, 0.01)
    for name in ("LISTING_DELAY", "FULL_QUEUE_PAUSE"):
        monkeypatch.setattr(jobs, name, 0.01)
    settings = {"train.backend": "ibm_manila", "train.max_qpu_seconds": 60, "train.steps": request.param + 1}
    config = with_settings(small_config, settings)
    training = train(config, results=tmp_path / "first")
    list(zip(range(request.param), training, strict=False))
    training.close()
    assert training.record is not None
    service.conditions.queue_looks = 6
    while not training.ledger().begun.jobs:  # the self-test comes first
        training = resume(training.record.directory, detach=True)
        list(training)
        assert training.record is not None
    service.conditions.queue_looks = 0
    return training.record.directory, len(service.jobs)


def went_on(directory: Path) -> tuple[str, float]:
    """Why a run did not go on, empty if it did; and what it then says it spent in QPU seconds."""
    try:
        training = resume(directory)
        list(training)
    except (RecordError, FileNotFoundError) as error:
        return str(error), 0.0
    training.close()
    return "", training.ledger().spent.seconds


@pytest.mark.parametrize("age", ["new", "old"])
def test_nothing_is_paid_twice_whatever_is_lost(
    age: str, in_flight: tuple[Path, int], service: Service, tmp_path: Path
) -> None:
    """The job on its way is used, or the run goes no further."""
    source, submitted = in_flight
    if age == "old":
        make_old(source)
    rng, ended = np.random.default_rng(3), 0
    for name in files_of(source):
        for kind in (deleted, cut_at_the_end, cut_anywhere, *[one_bit, one_digit] * (age == "new")):
            directory = tmp_path / "copy" / source.parent.name / source.name
            shutil.rmtree(tmp_path / "copy", ignore_errors=True)
            shutil.copytree(source, directory)
            damage(directory, name, kind, rng)
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr("warnings.warn", lambda message, *rest, **more: isinstance(message, RecordWarning))
                refusal, spent = went_on(directory)
            case = f"{kind.__name__} {name}"
            assert len(service.jobs) == submitted, case
            assert Path(name).name in refusal if refusal else spent == pytest.approx(service.usage), case
            ended += not refusal
    assert ended > 10
