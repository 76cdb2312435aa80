"""The angles of one run as the beginning of another: trained without shots, say, and continued on a device."""

from __future__ import annotations

from typing import Any

from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.run.record import Record


def angles_of(record: Record, config: RunConfig) -> dict[str, Any]:
    """What ``train.initial`` must be for a run to begin where the recorded one was last measured.

    Args:
        record: of the run that gives its angles.
        config: of the run that takes them.

    Raises:
        ValueError: if it has no step, or its circuit or its networks are others: angles mean something in their own
            circuit only, and there is no general conversion between the two orders of gates.
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
