"""Amazon's client where it is installed; elsewhere its tests are skipped, and the reason says where they run."""

from __future__ import annotations

from typing import Any

import pytest


def client() -> Any:
    """The module ``qiskit_braket_provider``; an old release, to which pip could have fallen back, counts as none."""
    reason = "Amazon Braket's machines are tested in an environment of their own: make test-braket"
    return pytest.importorskip("qiskit_braket_provider", minversion="0.27", reason=reason)
