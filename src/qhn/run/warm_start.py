"""Warm starts: the angles of one run, perhaps trained without shots, as the first angles of another on a device."""

from __future__ import annotations

from typing import Any

from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.run.record import Record


def angles_of(record: Record, config: RunConfig) -> dict[str, Any]:
    """The setting ``train.initial`` with which a run begins at the last measured angles of another run.

    Args:
        record: the record of the run whose angles are taken.
        config: the configuration of the run that begins with them.

    Returns:
        A dictionary with ``name``, ``run`` (the id of the other run) and ``theta`` (``[num_parameters]``, radians).

    Raises:
        QhnError: if the recorded run has no step, or its circuit or networks differ from those of ``config``; no
            conversion of angles is known between circuits, nor between the two orders of gates.
    """
    name = f"run {record.config.run_id}"
    steps = record.steps()
    if not steps:
        raise QhnError(f"{name} has no complete step, so there are no angles to begin with")
    theirs, ours = record.config, config
    for what, had, wanted in (
        ("order", theirs.ansatz.order, ours.ansatz.order),
        ("num_layers", theirs.ansatz.num_layers, ours.ansatz.num_layers),
        ("num_qubits", theirs.problem().num_qubits, ours.problem().num_qubits),
    ):
        if had != wanted:
            raise QhnError(
                f"{name} has {what} {had}, this one {wanted}: its angles mean something else here, and no conversion "
                f"is known; run this one with {what} {had}, or begin with a run that has {wanted}"
            )
    if theirs.network != ours.network:
        raise QhnError(f"{name} trains other networks ([network] differs), so that its qubits mean something else")
    return {"name": "run", "run": theirs.run_id, "theta": steps[-1].theta.tolist()}
