"""Results of jobs that are not what was asked for, and damaged journals: nothing of them is used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from manila import KEY, THETAS, billed, machine, sampler, spent
from qhn import checksums
from qhn.backend import BackendError
from qhn.backend.ibm import client
from qhn.backend.service import submission
from qhn.backend.terms import Conduct, Detached
from qhn.circuit.hypernetwork import product_state
from qhn.errors import RecordError
from qhn.seeds import Key
from service import Service

pytestmark = pytest.mark.usefixtures("short_pauses", "without_self_test")


@pytest.mark.parametrize("wrong", ["no result", "no calibration", "fewer shots"])
def test_a_result_that_is_not_what_was_asked_for_is_read_once_more(
    wrong: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = client.read_bits

    def misread(result: object, index: int = 0) -> np.ndarray:
        bits = read(result, index)
        if wrong == "no calibration" and index:
            raise IndexError
        if index:
            return bits
        return read(None) if wrong == "no result" else bits[:, 1:] if wrong == "fewer shots" else bits

    def again(step: int) -> np.ndarray:
        device = machine(tmp_path, calibrate=True).compile(product_state(2))
        return device.sample(THETAS, 200, Key(1, run="r", step=step)).bits

    quiet = again(0)
    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(client, "read_bits", misread)
            with pytest.raises(BackendError, match="its result is not what was asked for; qhn resume reads it once"):
                again(1)
    np.testing.assert_array_equal(again(1), quiet)  # read wrongly twice: it is measured again
    with monkeypatch.context() as patched:
        patched.setattr(client, "read_bits", misread)
        with pytest.raises(BackendError, match="its result is not what was asked for"):
            again(2)
    np.testing.assert_array_equal(again(2), quiet)  # read wrongly once: it was there
    assert [sum(f"qhn:r:{step}:0" in job.tags for job in service.jobs.values()) for step in range(3)] == [1, 2, 1]


@pytest.mark.parametrize("shape", [(2, 199, 4), (1, 200, 4), (3, 200, 4), (2, 200, 3), (2, 4)])
def test_bits_of_another_number_are_refused(shape: tuple[int, ...]) -> None:
    result = submission.JobResult(np.zeros((2, 256, 4), np.uint8), [np.zeros((256, 4), np.uint8)], "any", None)
    submission.check_shape(result, 2, 200, 4)
    with pytest.raises(ValueError, match=r"asked for bits \[2, 200, 4\], got"):
        submission.check_shape(submission.JobResult(np.zeros(shape, np.uint8), [], "any", None), 2, 200, 4)


@pytest.mark.parametrize("line", [b"\xff\xfe\x00 garbage", b"7", b"null", b'{"event": "failed"}', b'{"event": "inten'])
def test_a_damaged_line_of_an_old_journal_is_passed_over(
    line: bytes, service: Service, quiet: np.ndarray, tmp_path: Path
) -> None:
    sampler(tmp_path).sample(THETAS, 200, Key(1, run="before"))
    path = tmp_path / "jobs.jsonl"
    content = b"".join(json.dumps(line.tree).encode() + b"\n" for line in checksums.lines_of(path.read_bytes()))
    path.write_bytes(content.replace(b"\n", b"\n" + line + b"\n", 2) + line)
    path.with_name("jobs.end.json").unlink()
    np.testing.assert_array_equal(sampler(tmp_path).sample(THETAS, 200, KEY).bits, quiet)
    assert spent(tmp_path) == pytest.approx(billed(service, tmp_path))


@pytest.mark.parametrize(
    "change",
    [lambda content: b"", lambda content: content[:-200], lambda content: content.replace(b"submit", b"submot")],
)
def test_nothing_is_submitted_with_a_journal_that_was_damaged(change, service: Service, tmp_path: Path) -> None:
    service.conditions.queue_seconds = 3600.0
    waits = sampler(tmp_path)
    waits.jobs.terms.conduct = Conduct(detach=True)
    with pytest.raises(Detached):
        waits.sample(THETAS, 200, KEY)
    path, number = tmp_path / "jobs.jsonl", len(service.jobs)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(RecordError, match=r"jobs\.jsonl.*restore it from a copy"):
        sampler(tmp_path).sample(THETAS, 200, KEY)
    path.unlink()
    with pytest.raises(RecordError, match=r"jobs\.jsonl lacks line"):
        sampler(tmp_path).sample(THETAS, 200, KEY)
    assert len(service.jobs) == number


def test_nothing_secret_is_in_what_is_written(service: Service, quiet: np.ndarray, tmp_path: Path) -> None:
    service.fault("answer", on="POST jobs", status=400)
    with pytest.raises(BackendError, match="the service refused the job") as caught:
        sampler(tmp_path).sample(THETAS, 200, KEY)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()) + str(caught.value).encode()
    for secret in (service.environment["QISKIT_IBM_TOKEN"], service.environment["QISKIT_IBM_INSTANCE"], "127.0.0.1"):
        assert secret.encode() not in written
