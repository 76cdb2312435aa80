"""What tests ask pytest for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import Service


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    """A stand-in of the service with ibm_jakarta and ibm_manila, to which clients of this process and its children
    connect, without any saved account. The client tries again as often as ever, but does not wait in between.
    """
    from ibm_cloud_sdk_core.http_adapter import SSLHTTPAdapter
    from qiskit_ibm_runtime.accounts import management
    from qiskit_ibm_runtime.api.session import PostForcelistRetry
    from requests.adapters import HTTPAdapter

    from . import Service

    for name in [name for name in os.environ if name.startswith("QISKIT_IBM")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(tmp_path / "no-account.json"))
    monkeypatch.setattr(PostForcelistRetry, "get_backoff_time", lambda self: 0.0)
    monkeypatch.setattr(SSLHTTPAdapter, "init_poolmanager", HTTPAdapter.init_poolmanager)  # no certificates to read
    with Service(["fake_jakarta", "fake_manila"]) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running
