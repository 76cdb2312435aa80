"""The interface of every machine that executes circuits: rows of angles in, measured bits out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from qhn.arrays import Floats
from qhn.backend.samples import Samples
from qhn.backend.terms import Terms
from qhn.circuit.angles import as_rows
from qhn.circuit.ansatz import GateCircuit
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.seeds import Key

if TYPE_CHECKING:
    from qhn.backend.device.placement import Placement

MAX_BITS = 2**31  # bits of one job; each takes a byte once unpacked, and several copies exist for a while


class BackendError(RuntimeError):
    """The machine or its service failed; nothing that is already recorded is lost, and the run can be resumed."""


class QuotaError(BackendError):
    """The service takes no job because the account has no QPU seconds left in this period."""


class PlanError(QhnError):
    """The account's pricing plan does not include what was asked for, such as sessions."""


class Sampler(Protocol):
    """An ansatz compiled for one machine, which can be measured at any angles."""

    @property
    def circuit(self) -> Any:
        """The circuit that the machine executes: a ``QuantumCircuit`` with measurements."""
        ...

    @property
    def placement(self) -> Placement | None:
        """The qubits of the device on which the circuit is executed; None for a machine without a chip."""
        ...

    def describe(self) -> dict[str, Any]:
        """Facts about the machine for the records of a run, as JSON values without any secrets.

        They are the method, the noise and the form of the circuit, and for a device the chosen qubits and their
        calibration.
        """
        ...

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Measure the circuit at each row of ``thetas[num_rows, num_parameters]``, as one request to the machine.

        Args:
            thetas: rows of angles in radians, ``[num_rows, num_parameters]``.
            shots: number of measurements at each row.
            key: name of the request, from which simulators derive their random numbers.
            group: number of consecutive rows that belong together: first θ, then pairs of shifted angles. A machine
                with tiles measures the first row of a group on all tiles, and both rows of a pair on the same one.
                Groups of one row are all measured on the first tile.

        Returns:
            The measured bits, ``[num_rows, shots, num_qubits]`` with qubit 0 first, and what they cost.

        Raises:
            ValueError: if ``thetas`` has a wrong shape or is not finite, or ``shots`` is below 1.
            BackendError: if the machine or its service fails.
        """
        ...


@runtime_checkable
class KnownDistribution(Protocol):
    """A sampler that can also compute the distribution of its bits; a noisy one also computes expectation values."""

    def probabilities(self, thetas: Floats) -> Floats:
        """The probability of every bitstring at each row of angles: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``.

        Qubit 0 is the least significant bit of a bitstring's index.
        """
        ...


class Backend(Protocol):
    """A machine that executes circuits: a simulator or a QPU."""

    @property
    def name(self) -> str:
        """The name by which :func:`qhn.backend.open_backend` opens the machine."""
        ...

    @property
    def paid(self) -> bool:
        """Whether shots on this machine cost something, so that all of them must be kept."""
        ...

    def compile(self, ansatz: GateCircuit) -> Sampler:
        """Prepare the ansatz for this machine; the sampler can then be used for any angles.

        Raises:
            ValueError: if the machine cannot run the ansatz.
        """
        ...


@runtime_checkable
class PaidBackend(Protocol):
    """A machine that bills its jobs to an account.

    Attributes:
        terms: conditions under which jobs are submitted and waited for; the caller may replace them at any time.
    """

    terms: Terms

    def seconds_left(self) -> float | None:
        """QPU seconds left in the account; None if there is no limit, or the service does not report one."""
        ...

    def settle(self) -> None:
        """Write the bills of finished jobs that were not known before into the journal."""
        ...

    def reconcile(self) -> None:
        """Note and cancel jobs that the service holds twice, and :meth:`settle`."""
        ...

    def close(self) -> None:
        """End whatever is billed while it is open, such as a session; the next job opens it again."""
        ...


def check_request(thetas: Floats, num_parameters: int, num_qubits: int, shots: int) -> tuple[Floats, int]:
    """The angles and the number of shots of a request for samples; one that no machine can fulfil is refused.

    Raises:
        ValueError: if ``thetas`` is not ``[num_rows, num_parameters]`` with at least one row, or not of finite real
            numbers, ``shots`` is no integer of at least 1, or the request would measure more than 2^31 bits.
    """
    rows, number = as_rows(thetas, num_parameters), Whole(1)("shots", shots)
    check_bits(len(rows), number, num_qubits)
    return rows, number


def check_bits(number: int, shots: int, num_bits: int, *, of: str = "rows", bits: str = "qubits") -> None:
    """Refuse a job that would measure more bits than memory should hold at once.

    Args:
        number: number of rows of angles, or of circuits.
        shots: number of measurements of each of them.
        num_bits: number of bits of a measurement.
        of: what is measured, in the plural, for the message.
        bits: what the bits belong to, in the plural, for the message.

    Raises:
        ValueError: if the job measures more than 2^31 bits; the message states the number of bits and the limit.
    """
    total = number * shots * num_bits
    if total > MAX_BITS:
        raise QhnError(
            f"{number:,} {of} × {shots:,} shots × {num_bits} {bits} are {total:,} measured bits, more than the "
            f"{MAX_BITS:,} of one job; lower shots"
        )
