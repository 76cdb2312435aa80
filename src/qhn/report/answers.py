"""What the service answered about the jobs of a run, kept in files without account data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qhn import bitstrings
from qhn.backend.history import KnownJob
from qhn.backend.journal import Journal
from qhn.circuit.ansatz import GateCircuit
from qhn.circuit.hypernetwork import Hypernetwork, product_state
from qhn.durable import export
from qhn.errors import QhnError
from qhn.run.checks import check_journal
from qhn.run.record import Record
from qhn.run.session import BackendFacts

if TYPE_CHECKING:
    from qhn.backend.ibm.answers import Asked
    from qhn.backend.service.jobs import Jobs

CALIBRATIONS = 2  # circuits of a job that counts readout errors


def keep_answers(record: Record, ansatz: GateCircuit, folder: Path) -> Iterator[str]:
    """Ask the service for its answers about all jobs of a run, and write them into a folder; nothing is billed.

    Each job that has ended becomes ``<job id>.json``; ``usage.json`` is what the instance has left, ``<device>.json``
    the device's configuration, properties and state at present, and ``refusals.json`` what the journal has of requests
    that failed: the HTTP status and the service's codes.

    Args:
        record: the record of the run.
        ansatz: the circuit of the run.
        folder: the folder, which is made if it does not exist.

    Yields:
        A line for each file that was written or left out.

    Raises:
        RecordError: if the journal was lost.
        ValueError: if there is no account, it does not have the device, or that is none of IBM's.
        BackendError: if the service cannot be reached.
    """
    from qhn.backend.ibm.account import secrets_of
    from qhn.backend.ibm.answers import UNREADABLE, asked_again, device_answer, usage_answer
    from qhn.backend.ibm.connection import IbmConnection
    from qhn.backend.ibm.redaction import to_text

    check_journal(record)
    name = record.config.train.backend
    jobs: Jobs | None = getattr(record.config.backend(record.journal), "jobs", None)
    connection = None if jobs is None else jobs.connection
    if not isinstance(connection, IbmConnection) or connection.service is None:
        raise QhnError(f"answers are kept of IBM's service, and {name} is none of its devices")
    connection.patience = 0.0
    secrets = secrets_of(connection.service)
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, tree: Any) -> str:
        path = folder / f"{name}.json"
        content = to_text(tree, secrets).encode()
        export(path, lambda file: file.write(content))
        return str(path)

    for job_id, job in record.journal.history().jobs().items():
        try:
            answer = asked_again(connection, job_id, _asked(record, ansatz, job_id, job), secrets)
        except Exception as error:  # of the client, whose texts can hold account data
            yield f"{job_id}: left out ({type(error).__name__})"
            continue
        if answer is None:
            yield f"{job_id}: left out, it has not ended"
        else:
            unread = ", which qhn cannot read" * (answer.asked.outcome == UNREADABLE)
            yield f"{write(job_id, answer.to_json())}{unread}"
    for what, question in (("usage", usage_answer), (name, device_answer)):
        try:
            found = question(connection, secrets)
        except Exception as error:
            yield f"{what}: left out ({type(error).__name__})"
        else:
            yield write(what, found)
    yield write("refusals", _refusals(record.journal))


def _refusals(journal: Journal) -> list[dict[str, Any]]:
    """What the journal has of requests that failed: no text of the service."""
    names = ("time", "event", "tag", "job_id", "error", "kind", "status", "codes")
    found = [entry.to_json() for entry in journal.history().entries() if entry.error is not None]
    return [{name: facts[name] for name in names if name in facts} for facts in found]


def _asked(record: Record, ansatz: GateCircuit, job_id: str, job: KnownJob) -> Asked:
    """What a job of a run was asked to measure, by the journal and the session that submitted it."""
    from qhn.backend.ibm.answers import Asked

    entries = record.journal.history().of_tag(job.tag)
    noted = next(entry for entry in reversed(entries) if entry.rows is not None and entry.job_id in (job_id, None))
    sessions = record.sessions()
    submitted = noted.time or ""
    facts = next((one.backend for one in reversed(sessions) if one.time <= submitted), sessions[-1].backend)
    is_test = job.step is None
    calibrations = CALIBRATIONS * (record.config.device.mitigation != "none" and not is_test)
    rows, shots, width = noted.rows or 0, noted.shots or 0, len(facts.tiles) * ansatz.num_qubits
    prepared = _prepared(record, ansatz, job_id, facts) if is_test else None
    return Asked(job.tag, rows - calibrations, shots, width, calibrations, prepared)


def _prepared(record: Record, ansatz: GateCircuit, job_id: str, facts: BackendFacts) -> list[str] | None:
    """The bits that a self-test prepares, as they are measured; None if the journal does not know the test."""
    from qhn.backend.service.certain import certain_outcomes
    from qhn.backend.service.selftest import BARE, ROWS, known_outcomes

    tests = {test.job_id: test for test in record.journal.history().self_tests()}
    if job_id not in tests:
        return None
    number = ROWS * len(facts.tiles)
    if tests[job_id].circuit == BARE:
        found = known_outcomes(product_state(ansatz.num_qubits), number)
    elif isinstance(ansatz, Hypernetwork):
        found = known_outcomes(ansatz, number)
    else:
        certain = certain_outcomes(ansatz, number)
        if certain is None:
            return None
        found = certain
    bits = ansatz.relabel(found[1]) if facts.folded else found[1]  # the last CX brick undoes itself
    return [bitstrings.text(row) for row in np.reshape(bits, (ROWS, -1))]
