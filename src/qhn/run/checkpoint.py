"""Checkpoints: the state of a training after a complete step, with what it needs to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.backend.samples import ReadoutCounts
from qhn.checksums import End
from qhn.errors import RecordError

ANEW = "restore it from a copy, or begin anew with qhn run --restart, which sets this run aside"
STEPS, EVALUATIONS, JOURNAL = "steps.jsonl", "evaluations.bin", "jobs.jsonl"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after its last complete step.

    Attributes:
        num_evaluations: number of different bitstrings evaluated so far.
        num_qubits: number of qubits of the circuit; 0 before the first step.
        steps: end of the complete part of ``steps.jsonl``; its size is 0 in a run of an older version, where it was not
            noted.
        evaluations: CRC-32 of the complete part of ``evaluations.bin``.
        journal: end of the journal when the step was complete; nothing in a run of an older version.
        theta: angles of the next step in radians, ``[num_parameters]``; empty before the first step.
        optimizer: arrays of the state of the optimizer and of the selection of angles, by name.
        readout_counts: readout errors counted so far; None if they are not counted.
    """

    num_evaluations: int
    num_qubits: int
    steps: End
    evaluations: int
    journal: End
    theta: Floats
    optimizer: dict[str, NDArray[Any]]
    readout_counts: ReadoutCounts | None = None

    @property
    def num_steps(self) -> int:
        """The number of complete steps."""
        return self.steps.lines

    @classmethod
    def initial(cls) -> Checkpoint:
        """The checkpoint of a run before its first step."""
        return cls(0, 0, End(), 0, End(), np.empty(0), {})

    def arrays(self) -> dict[str, Any]:
        """The checkpoint as arrays for an ``.npz`` file."""
        numbers = {
            "num_steps": self.num_steps,
            "num_evaluations": self.num_evaluations,
            "num_qubits": self.num_qubits,
            f"size_{STEPS}": self.steps.size,
            f"checksum_{STEPS}": self.steps.checksum,
            f"checksum_{EVALUATIONS}": self.evaluations,
            f"end_{JOURNAL}": [self.journal.lines, self.journal.size, self.journal.checksum],
        }
        named = {f"optimizer_{name}": np.asarray(value) for name, value in self.optimizer.items()}
        counts = {} if self.readout_counts is None else self.readout_counts.arrays()
        return {name: np.array(number) for name, number in numbers.items()} | {"theta": self.theta} | named | counts

    @classmethod
    def from_arrays(cls, stored: Mapping[str, NDArray[Any]]) -> Checkpoint:
        """Restore a checkpoint from the arrays of :meth:`arrays`, also from those of older versions.

        Raises:
            KeyError, TypeError, ValueError: if an array is missing, or has another type or shape.
        """
        size = int(stored.get(f"size_{STEPS}", np.array(0)))
        return cls(
            int(stored["num_evaluations"]),
            int(stored["num_qubits"]),
            End(int(stored["num_steps"]), size, int(stored[f"checksum_{STEPS}"])),
            int(stored[f"checksum_{EVALUATIONS}"]),
            End(*(int(number) for number in stored.get(f"end_{JOURNAL}", np.zeros(3, dtype=np.int64)))),
            stored["theta"],
            {name[10:]: stored[name] for name in stored if name.startswith("optimizer_")},
            ReadoutCounts.from_arrays(stored),
        )

    def state_for(self, theta: Floats, state: Mapping[str, Any]) -> tuple[Floats, dict[str, NDArray[Any]]]:
        """θ and the arrays of the strategy's state, to go on with.

        Args:
            theta: the angles that the run began with, ``[num_parameters]``.
            state: arrays of the state of the same strategy before its first step, by name.

        Raises:
            RecordError: if the checkpoint holds other arrays than these, or arrays of another shape.
        """
        wanted = {"theta": theta, **state}
        counted = {"num_steps": np.array(self.num_steps)} if "velocity" in self.optimizer else {}  # once SGD did not
        stored = {"theta": self.theta} | counted | self.optimizer
        for name in sorted(wanted.keys() | stored.keys()):
            shapes = [np.shape(tree[name]) if name in tree else None for tree in (stored, wanted)]
            if shapes[0] != shapes[1] or stored[name].dtype.kind not in "biuf":
                raise RecordError(f"checkpoint.npz holds no {name} of this circuit and optimizer; {ANEW}")
        return self.theta, counted | self.optimizer
