"""Jobs on the stand-in of the service: without long pauses, without self-tests where others are tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manila import THETAS, sampler
from qhn.backend.service import connection, jobs, tested
from qhn.seeds import Key
from service import Service

QUIET: list[np.ndarray] = []


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(connection, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(jobs, "LISTING_DELAY", 0.1)
    monkeypatch.setattr(jobs, "FULL_QUEUE_PAUSE", 0.1)


@pytest.fixture
def without_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "is_due", lambda self_tests: False)


@pytest.fixture
def quiet(service: Service, tmp_path: Path, short_pauses: None, without_self_test: None) -> np.ndarray:
    """Bits of a run without faults; the stand-in measures the same for the same request."""
    if not QUIET:
        (tmp_path / "quiet").mkdir()
        QUIET.append(sampler(tmp_path / "quiet").sample(THETAS, 200, Key(1, run="quiet")).bits)
        service.jobs.clear()
    return QUIET[0]
