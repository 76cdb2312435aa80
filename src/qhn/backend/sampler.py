"""What every machine offers: rows of angles in, measured bits out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from qhn.arrays import Floats
from qhn.backend.samples import Samples
from qhn.backend.terms import Terms
from qhn.circuit.hypernetwork import Ansatz
from qhn.errors import QhnError
from qhn.seeds import Key

if TYPE_CHECKING:
    from qhn.backend.device.placement import Placement

MAX_BITS = 2**31  # of one job; a bit takes a byte once unpacked, and several copies exist for a while


class BackendError(RuntimeError):
    """The machine or its service failed; nothing that is already recorded is lost, and the run can be resumed."""


class PlanError(QhnError):
    """The account's plan does not have what was asked for."""


class Sampler(Protocol):
    """A compiled ansatz on a machine."""

    @property
    def circuit(self) -> Any:
        """The circuit that runs: a ``QuantumCircuit`` with measurements."""
        ...

    @property
    def placement(self) -> Placement | None:
        """The circuit's place on a device; None of a machine without a chip."""
        ...

    def describe(self) -> dict[str, Any]:
        """What a record keeps of the machine: method, noise, form of the circuit, and of a device the qubits chosen
        and their calibration. JSON values only, nothing secret.
        """
        ...

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Measure each row of ``thetas[num_rows, num_parameters]`` in one job.

        Args:
            thetas: rows of angles in radians.
            shots: measurements a row.
            key: name of the shots.
            group: rows that belong together, of which the first is compared with the others and those have partners:
                θ, then pairs of shifts. A machine with tiles measures the first on all of them and a pair on one.
                Groups of one row are all measured on the first tile.

        Raises:
            BackendError: if the machine or its service fails.
        """
        ...


@runtime_checkable
class KnownDistribution(Protocol):
    """A sampler that also knows the distribution of its bits; of a noisy machine it also knows means over it."""

    def probabilities(self, thetas: Floats) -> Floats:
        """Of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``, qubit 0 the least significant bit."""
        ...


class Backend(Protocol):
    """A machine."""

    @property
    def name(self) -> str: ...

    @property
    def paid(self) -> bool:
        """Whether its shots cost something, so that all of them must be kept."""
        ...

    def compile(self, ansatz: Ansatz) -> Sampler:
        """Prepare the ansatz for this machine, once.

        Raises:
            ValueError: if the machine cannot run it.
        """
        ...


@runtime_checkable
class PaidBackend(Protocol):
    """A machine that bills its jobs to an account.

    Attributes:
        terms: on which it does; whoever opened it may change them.
    """

    terms: Terms

    def seconds_left(self) -> float | None:
        """QPU seconds left in the account; None if there is no limit, or nobody says."""
        ...

    def settle(self) -> None:
        """Note in the journal what ended jobs billed, of which it was not known."""
        ...

    def reconcile(self) -> None:
        """Note and cancel jobs that the machine has twice, and :meth:`settle`."""
        ...

    def close(self) -> None:
        """End what is billed while it is open; it is opened again by the next job."""
        ...


def check_request(thetas: Floats, num_parameters: int, num_qubits: int, shots: int) -> None:
    """Refuse what no machine can do.

    Raises:
        ValueError: on a wrong shape of ``thetas``, fewer than one shot, or more bits than memory should hold at once.
    """
    if thetas.ndim != 2 or thetas.shape[1] != num_parameters:
        raise QhnError(f"thetas must have shape [num_rows, {num_parameters}], got {list(thetas.shape)}")
    if not np.isfinite(thetas).all():
        raise QhnError("thetas must be finite")
    if shots < 1:
        raise QhnError(f"shots must be at least 1, got {shots}")
    check_bits(len(thetas), shots, num_qubits)


def check_bits(num_rows: int, shots: int, num_qubits: int) -> None:
    """Refuse a job that would measure more bits than memory should hold at once.

    Raises:
        ValueError: naming the number of bits and the bound.
    """
    num_bits = num_rows * shots * num_qubits
    if num_bits > MAX_BITS:
        raise QhnError(
            f"{num_rows:,} rows × {shots:,} shots × {num_qubits} qubits are {num_bits:,} measured bits, more than the "
            f"{MAX_BITS:,} of one job; lower shots"
        )
