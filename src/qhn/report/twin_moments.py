"""The moments of C on the noisy twin of a recorded run: on the qubits and by the calibration of each session."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.circuit.ansatz import GateCircuit
from qhn.errors import QhnError
from qhn.run.record import Record
from qhn.run.session import Session

MOMENTS = 4  # powers of C whose means are taken


@dataclass(frozen=True)
class TwinMoments:
    """The moments of the cost C of one shot on the twin of a run's device, at the θ of each step.

    On several tiles it is the first that measures E.

    Attributes:
        mean: the mean E, ``[num_steps]``.
        variance: the variance of C, ``[num_steps]``.
        excess_kurtosis: the fourth central moment over the squared variance, less 3, ``[num_steps]``; 0 where the
            variance is.
        is_same_circuit: whether the circuit of all tiles, compiled anew from the calibration, is that of the record.
        discarded: the largest share of a state's weight that the twin dropped; 0 if it is exact.
    """

    mean: Floats
    variance: Floats
    excess_kurtosis: Floats
    is_same_circuit: bool
    discarded: float

    @classmethod
    def of(cls, record: Record, ansatz: GateCircuit, angles: Floats, costs: Floats) -> TwinMoments:
        """Compute the moments of a run that measured shots on a device.

        Args:
            record: the record of the run.
            ansatz: the circuit of the run.
            angles: angles of the gates at each step in radians, ``[num_steps, num_gate_angles]``.
            costs: costs C of all bitstrings, ``[2**num_qubits]``, qubit 0 least significant.

        Raises:
            QhnError: if the circuit is no chain, which alone has a twin.
            RecordError: if a calibration is missing from the record.
        """
        sessions = record.sessions()
        if any(tile.route for session in sessions for tile in session.backend.tiles):
            raise QhnError("the circuit of this run is no chain, and only that of a chain has a twin")
        middle = float(costs.mean())  # powers of differences are less prone to rounding than those of C
        powers = [(costs - middle) ** power for power in range(1, MOMENTS + 1)]
        found, same, discarded = np.empty((MOMENTS, len(angles))), True, 0.0
        numbers = _sessions_of(record, sessions, len(angles))
        for number in sorted(set(numbers.tolist())):
            made = numbers == number
            found[:, made], is_same, dropped = _means(record, ansatz, number, angles[made], powers)
            same, discarded = same and is_same, max(discarded, dropped)
        m1, m2, m3, m4 = found
        variance = np.maximum(0.0, m2 - m1**2)
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = np.where(variance > 0, fourth / variance**2 - 3, 0.0)
        return cls(middle + m1, variance, excess, same, discarded)


def _sessions_of(record: Record, sessions: Sequence[Session], num_steps: int) -> Integers:
    """The number of the session in which each step ended, ``[num_steps]``; the last one where no time is recorded."""
    ended = {entry["step"]: entry["time"] for entry in record.timing()}
    begun = [session.time for session in sessions]
    found = [sum(time <= ended[step] for time in begun) - 1 if step in ended else -1 for step in range(num_steps)]
    return np.array([len(begun) - 1 if number < 0 else number for number in found])


def _means(
    record: Record, ansatz: GateCircuit, session: int, angles: Floats, tables: Sequence[Floats]
) -> tuple[Floats, bool, float]:
    """The means of tables over the twin of a session, on the first tile.

    Args:
        record: the record of the run.
        ansatz: the circuit of the run.
        session: number of the session.
        angles: angles of the gates in radians, ``[num_steps, num_gate_angles]``.
        tables: values of all bitstrings, ``[2**num_qubits]`` each.

    Returns:
        The means, ``[num_tables, num_steps]``, whether the circuit is compiled as it was recorded, and the largest
        share of a state's weight that was dropped.
    """
    from qiskit import qasm3

    from qhn.backend.device.chip import Chip
    from qhn.backend.device.isa import side_by_side
    from qhn.backend.device.placement import compiled_for
    from qhn.backend.device.recorded import RecordedDevice
    from qhn.backend.noise.channels import ChipNoise
    from qhn.backend.noise.twin import Twin

    tree, known = record.calibration(session), record.sessions()[session]
    facts = known.backend
    if tree is None:
        raise QhnError(f"{record.directory} has no calibration of {facts.name}, which its folder holds")
    chip = Chip.from_json(tree)
    device = RecordedDevice(chip)
    circuits = [compiled_for(ansatz, device, tile.qubits, folded=facts.folded) for tile in facts.tiles]
    whole = circuits[0] if len(circuits) == 1 else side_by_side(circuits, ansatz.num_parameters)
    text = qasm3.dumps(whole) + "\n"
    checksum = f"{zlib.crc32(text.encode()):08x}"
    twin = Twin(circuits[0], ChipNoise(chip), max_bond=record.config.device.max_bond)
    order = ansatz.relabelled if facts.folded else slice(None)
    means = np.array([twin.energies(angles, table[order]) for table in tables])
    return means, known.circuit is None or known.circuit.get("crc32") == checksum, twin.discarded_weight
