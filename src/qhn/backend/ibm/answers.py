"""Answers of the service about jobs as they are kept in files, and qhn's reading of them through Qiskit's client.

One file holds what the service said of one job – the answers to ``GET /jobs/{id}``, ``/jobs/{id}/metrics`` and
``/jobs/{id}/results`` – and what had been asked. Read again, it passes through the same code as in a run: the client's
decoder, the reading of bits, the bill, the classification of failures. So a file tells whether another version of the
client still makes the same of an answer. Those that come with qhn are of a stand-in of the service; files that
``qhn jobs --keep-answers`` wrote of real jobs take their place or stand beside them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from qiskit_ibm_runtime import RuntimeJobV2

from qhn import bitstrings
from qhn.arrays import Bits
from qhn.backend.ibm.client import read_result
from qhn.backend.ibm.connection import IbmConnection
from qhn.backend.ibm.failure import kind_of
from qhn.backend.ibm.redaction import TEXT, described, redacted
from qhn.backend.service.connection import FINAL
from qhn.backend.service.failure import Kind
from qhn.backend.service.selftest import complaint
from qhn.backend.service.submission import JobResult, check_shape
from qhn.errors import QhnError
from qhn.text import parse_json

HERE = Path(__file__).parents[2] / "data" / "answers"
DONE, UNREADABLE = "done", "unreadable"


@dataclass(frozen=True)
class Asked:
    """What one job was asked to measure, and what qhn made of the answer when it was kept.

    Attributes:
        tag: name of the request.
        executions: number of sets of angles.
        shots: number of measurements of each.
        width: number of measured bits.
        calibrations: number of calibration circuits that follow.
        prepared: bits that an ideal machine measures for each set of angles, as text, bit 0 first; None if they are not
            known before.
        outcome: ``"done"``, or the kind of the failure in a word; ``"unreadable"`` if nothing could be made of it.
        sha256: hash of the measured bits; None if there are none.
        qpu_seconds: QPU seconds billed; None if they were not known.
    """

    tag: str
    executions: int
    shots: int
    width: int
    calibrations: int = 0
    prepared: Sequence[str] | None = None
    outcome: str = DONE
    sha256: str | None = None
    qpu_seconds: float | None = None


@dataclass(frozen=True)
class Answer:
    """What the service said of one job, as JSON values without account data.

    Attributes:
        asked: what the job was asked to measure, and what qhn made of the answer.
        job: the answer to ``GET /jobs/{id}``.
        metrics: the answer to ``GET /jobs/{id}/metrics``.
        results: the answer to ``GET /jobs/{id}/results``; None of a job without results.
    """

    asked: Asked
    job: Mapping[str, Any]
    metrics: Mapping[str, Any]
    results: Any = None

    @classmethod
    def from_json(cls, tree: Any) -> Answer:
        """The answer that a file holds.

        Raises:
            QhnError: if the values are not those of an answer.
        """
        try:
            return cls(Asked(**tree["asked"]), dict(tree["job"]), dict(tree["metrics"]), tree.get("results"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise QhnError(f"it holds no answer of the service ({type(error).__name__})") from None

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return asdict(self)

    def read(self) -> JobResult | Kind:
        """The measured bits and the bill, as a run would read them from this answer; or the kind of failure.

        Raises:
            Exception: if the job is done and its result cannot be decoded.
        """
        job_id, connection = str(self.job.get("id")), IbmConnection(_Nowhere(str(self.job.get("backend"))))
        connection.remember(self._of_client(job_id))
        try:
            result = connection.result(job_id)
        except Exception as error:
            if connection.state_if_known(job_id) == "DONE":
                raise
            return kind_of(error)
        return JobResult(*read_result(result, self.asked.calibrations), job_id, connection.bill(job_id))

    def bill(self) -> float | None:
        """The QPU seconds billed, as a run would read them from this answer; None if they are not known."""
        connection, job_id = IbmConnection(_Nowhere(str(self.job.get("backend")))), str(self.job.get("id"))
        connection.remember(self._of_client(job_id))
        return connection.bill(job_id)

    def as_read(self) -> Answer:
        """The answer, with the end, the bits and the bill that qhn reads from it now.

        Raises:
            QhnError: if the bits are not what was asked for.
        """
        found, bill = self.read(), self.bill()
        if isinstance(found, Kind):
            return replace(self, asked=replace(self.asked, outcome=found.name.lower(), sha256=None, qpu_seconds=bill))
        check_shape(found, self.asked.executions, self.asked.shots, self.asked.width)
        digest = hashed([found.bits, *found.calibration])
        return replace(self, asked=replace(self.asked, outcome=DONE, sha256=digest, qpu_seconds=bill))

    def complaint(self) -> str | None:
        """What is read otherwise than when the answer was kept, or than it was prepared, in words; None if nothing."""
        try:
            now = self.as_read().asked
        except Exception as error:
            return f"cannot be read: {error if isinstance(error, QhnError) else type(error).__name__}"
        for name, word in (("outcome", "ended"), ("sha256", "has other bits"), ("qpu_seconds", "billed")):
            before, after = getattr(self.asked, name), getattr(now, name)
            if before != after:
                return word if name == "sha256" else f"{word} {before}, and is read as {after}"
        found = self.read()
        if self.asked.prepared is None or isinstance(found, Kind):
            return None
        return complaint(found.bits, bits_of(self.asked.prepared))

    def _of_client(self, job_id: str) -> RuntimeJobV2:
        """The job as Qiskit's client holds it, whose questions are answered from here."""
        program = self.job.get("program") or {}
        return RuntimeJobV2(
            backend=None,
            api_client=_Stored(self),
            job_id=job_id,
            program_id=str(program.get("id", "")),
            service=None,
            creation_date=self.job.get("created"),
            session_id=self.job.get("session_id"),
            tags=self.job.get("tags"),
        )


class _Nowhere:
    """A device without a service."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Stored:
    """What Qiskit's client asks the service of a job, answered from a file."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def job_get(self, job_id: str, exclude_params: bool = True) -> dict[str, Any]:
        return dict(self._answer.job)

    def job_metadata(self, job_id: str) -> dict[str, Any]:
        return dict(self._answer.metrics)

    def job_results(self, job_id: str) -> str:
        return "" if self._answer.results is None else json.dumps(self._answer.results)


def bits_of(rows: Sequence[str]) -> Bits:
    """The bits of texts of equal length, ``[num_rows, num_bits]``."""
    return np.array([bitstrings.from_text(row) for row in rows])


def hashed(measured: Sequence[Bits]) -> str:
    """The SHA-256 of measured bits, their shapes included."""
    found = hashlib.sha256()
    for bits in measured:
        found.update(f"{bits.shape}".encode() + np.packbits(bits, axis=-1).tobytes())
    return found.hexdigest()


def answers(folder: Path = HERE) -> dict[str, Answer]:
    """The answers in a folder by the names of their files; other files are passed over.

    Args:
        folder: the folder; by default that of the answers that come with qhn.

    Raises:
        QhnError: if a file looks like an answer and is none.

    >>> all(answer.complaint() is None for answer in answers().values())
    True
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            tree = parse_json(path.read_bytes())
            if isinstance(tree, dict) and "asked" in tree:
                found[path.stem] = Answer.from_json(tree)
        except (OSError, ValueError) as error:
            raise QhnError(f"{path}: {error}") from None
    return found


def asked_again(connection: IbmConnection, job_id: str, asked: Asked, secrets: Sequence[str]) -> Answer | None:
    """What the service says of a job now, without account data; None if the job has not ended.

    Args:
        connection: connection to the service.
        job_id: id of the job.
        asked: what it was asked to measure.
        secrets: texts that must not stay.

    Raises:
        Exception: if the service does not answer, or no longer has the job.
    """
    if connection.state(job_id) not in FINAL:
        return None
    client = connection.job(job_id)._api_client
    job = connection.ask(lambda: client.job_get(job_id))
    metrics = connection.ask(lambda: client.job_metadata(job_id))
    text = connection.ask(lambda: client.job_results(job_id)) if connection.state(job_id) == "DONE" else ""
    answer = Answer(asked, redacted(job, secrets), redacted(metrics, secrets), _results(text, secrets))
    try:
        return answer.as_read()
    except Exception:  # the more reason to keep it
        return replace(answer, asked=replace(asked, outcome=UNREADABLE))


def _results(text: str, secrets: Sequence[str]) -> Any:
    """The results of a job without account data; None if there are none, and a mark if they are not JSON."""
    try:
        return redacted(parse_json(text), secrets) if text else None
    except ValueError:
        return TEXT


def usage_answer(connection: IbmConnection, secrets: Sequence[str]) -> Any:
    """What the service says of the QPU seconds that the instance has used and has left, without account data."""
    return redacted(connection.ask(connection.service.usage), secrets)


def device_answer(connection: IbmConnection, secrets: Sequence[str]) -> Any:
    """What the service says of the device at present: its configuration, properties and state."""
    client, name = connection.service._active_api_client, connection.device.name
    questions = {
        "configuration": client.backend_configuration,
        "properties": client.backend_properties,
        "status": client.backend_status,
    }
    return {what: described(connection.ask(partial(ask, name)), secrets) for what, ask in questions.items()}
