"""Write src/qhn/data/answers: what a service says of jobs, here the stand-in of the tests, in the form of the client.

    PYTHONPATH=src:tests python scripts/record_answers.py

The stand-in answers as Qiskit's client documents and decodes it. Answers of the service itself, which ``qhn jobs
--keep-answers src/qhn/data/answers`` writes after a run, may take the place of these files or stand beside them.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from qhn import train
from qhn.backend import BackendError
from qhn.backend.ibm.answers import HERE
from qhn.backend.service import connection, jobs
from qhn.config.file import load_config
from qhn.report.answers import keep_answers
from qhn.run.recorded_problem import problem_of
from service import Service

SMALL = {"train.shots": 40, "train.steps": 1, "train.max_qpu_seconds": 60, "train.gradient": "spsa"}
THREE_QUBITS = {"data.samples": 20, "data.validation_samples": 20, "ansatz.num_layers": 1} | {
    "network.hidden": [],
    "network.activation": "sigmoid",
}
SETTINGS = THREE_QUBITS | {"train.backend": "ibm_jakarta"} | SMALL
CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {  # settings, and faults of the stand-in
    "done": ({}, []),
    "tiles-and-readout": ({"device.tiles": 2, "device.mitigation": "readout"}, []),
    "twirled": ({"device.twirling": True}, []),
    "failed": ({}, [{"kind": "fail"}]),
    "cancelled": ({}, [{"kind": "cancel"}]),
    "overtime": ({}, [{"kind": "overtime"}]),
    "refused-quota": ({}, [{"kind": "answer", "on": "POST jobs", "status": 403, "code": 4317}]),
    "refused-job": ({}, [{"kind": "answer", "on": "POST jobs", "status": 400, "code": 1517}]),
}


def record(case: str, settings: dict[str, Any], faults: list[dict[str, Any]]) -> None:
    """Run one case on a stand-in of its own, and write the answers about its jobs."""
    with Service(["fake_jakarta"]) as service, tempfile.TemporaryDirectory() as results:
        os.environ |= service.environment | {"HOME": results}
        for fault in faults:
            service.fault(**fault)
        training = train(load_config("figure-1", SETTINGS | settings), results=results)
        with contextlib.suppress(BackendError):
            list(training)
        training.close()
        assert training.record is not None
        circuit = training.record.config.circuit(problem_of(training.record)).unrolled
        for line in keep_answers(training.record, circuit, Path(results) / "answers"):
            print(case, Path(line).name)
        for path in (Path(results) / "answers").glob("*.json"):
            if path.stem.startswith("job") or (path.stem == "refusals" and json.loads(path.read_text())):
                (HERE / f"{case}-{path.name}").write_text(path.read_text())


def main() -> None:
    """Record all cases anew."""
    jobs.LISTING_DELAY = connection.FIRST_PAUSE = 0.1
    HERE.mkdir(exist_ok=True)
    for path in HERE.glob("*.json"):
        path.unlink()
    for case, (settings, faults) in CASES.items():
        record(case, settings, faults)


if __name__ == "__main__":
    main()
