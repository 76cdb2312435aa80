"""The machine of a run by its record, to compute what the run could have: a twin by its recorded calibration."""

from __future__ import annotations

import dataclasses

from qhn.backend import Backend
from qhn.backend.names import TWIN
from qhn.backend.settings import RehearsalSettings
from qhn.run.record import Record


def recorded_machine(record: Record) -> Backend:
    """The machine of a run; a twin is opened by the calibration of the last session, on the qubits of that session.

    So the machine of which it is the twin is not asked, and need not exist any more.

    Args:
        record: the record of a run.

    Raises:
        QhnError: if the machine cannot be opened.
        RecordError: if the calibration is missing or damaged.
        BackendError: if the service of a machine cannot be reached.
    """
    config = record.config
    tree = record.calibration() if config.train.backend.startswith(TWIN) else None
    if tree is None:
        return config.backend()
    from qhn.backend.device.chip import Chip
    from qhn.backend.device.recorded import RecordedDevice
    from qhn.backend.rehearsal import FakeDevice

    settings = config.machine_settings
    assert isinstance(settings, RehearsalSettings)
    settings = dataclasses.replace(settings, qubits=record.sessions()[-1].backend.start)
    return FakeDevice(RecordedDevice(Chip.from_json(tree)), settings, config.train.backend)
