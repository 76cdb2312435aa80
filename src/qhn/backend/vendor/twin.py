"""Rehearsals on the present calibration of any machine that reports one, such as a QPU before its first paid job."""

from __future__ import annotations

from qiskit.providers import BackendV2

from qhn.backend.journal import Journal
from qhn.backend.machines import machine_of
from qhn.backend.names import TWIN
from qhn.backend.rehearsal import FakeDevice
from qhn.backend.settings import RehearsalSettings, Settings
from qhn.errors import QhnError


def open_twin(name: str, settings: Settings, journal: Journal | None = None) -> FakeDevice:
    """Open the rehearsal on another machine: the name is ``twin_`` and that of the machine, which runs nothing.

    Raises:
        ValueError: if there is no such machine, or it reports no errors of its qubits.
        BackendError: if its service cannot be reached.
    """
    assert isinstance(settings, RehearsalSettings)
    other = name.removeprefix(TWIN)
    found = machine_of(other).open(other)
    device, has_chip = getattr(found, "device", None), getattr(found, "has_chip", True)
    if not isinstance(device, BackendV2) or not has_chip:
        raise QhnError(f"backend {other} reports no errors of qubits that could be simulated; use {other} itself")
    return FakeDevice(device, settings, name)
