"""The device ibm_manila of the stand-in of the service, as each new process opens it, and what became of its jobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qhn.backend import DeviceSettings
from qhn.backend.ibm.device import Device, open_device
from qhn.backend.journal import Journal
from qhn.backend.service.placed import DeviceSampler
from qhn.budget.ledger import ledger
from qhn.circuit.hypernetwork import product_state
from qhn.seeds import Key
from service import Service

KEY = Key(1, run="r")
THETAS = np.array([[0.4, 1.2, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0]])


def machine(folder: Path, **settings: object) -> Device:
    """As a new process would open it."""
    return open_device("ibm_manila", DeviceSettings(**settings), Journal(folder / "jobs.jsonl"))


def sampler(folder: Path) -> DeviceSampler:
    return machine(folder).compile(product_state(2))


def events(folder: Path, tag: str = KEY.tag) -> list[str]:
    """What the journal says of the jobs of one evaluation."""
    return [entry.event for entry in Journal(folder / "jobs.jsonl").history().of_tag(tag)]


def spent(folder: Path) -> float:
    return ledger(0, [], Journal(folder / "jobs.jsonl").history(), 0).spent.seconds


def billed(service: Service, folder: Path) -> float:
    """By the service, for all jobs of the record."""
    mine = f"qhn-record:{Journal(folder / 'jobs.jsonl').name}"
    return sum(job.seconds for job in service.jobs.values() if mine in job.tags)


def of_run(service: Service) -> list[str]:
    """States of the jobs of the run, but for the quiet one's."""
    return [job.status for job in service.jobs.values() if KEY.tag in job.tags]
