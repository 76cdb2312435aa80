"""What every machine offers: rows of angles in, measured bits out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qhn.ansatz import Ansatz
from qhn.samples import Samples
from qhn.seeds import Key

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Floats = NDArray[np.float64]
MAX_BITS = 2**31  # of one job; a bit takes a byte once unpacked, and several copies exist for a while


class BackendError(RuntimeError):
    """The machine or its service failed; nothing that is already recorded is lost, and the run can be resumed."""


class PlanError(ValueError):
    """The account's plan does not have what was asked for."""


class Detached(Exception):
    """Jobs were submitted and are not waited for.

    Attributes:
        job_ids: those that have not ended; empty if not even they could be submitted, because too many wait.
    """

    def __init__(self, job_ids: Sequence[str]) -> None:
        super().__init__(f"{len(job_ids)} jobs have not ended")
        self.job_ids = tuple(job_ids)


class TooDear(Exception):
    """Jobs were not submitted, because they could exceed what is left of a budget; the text says of which."""


@dataclass(frozen=True)
class Left:
    """What is left of a budget: QPU seconds, jobs, and shots of all circuits."""

    seconds: float = math.inf
    jobs: float = math.inf
    shots: float = math.inf


@dataclass
class Terms:
    """On which terms jobs are submitted and waited for; they may change between them.

    Attributes:
        left: of the budget, asked whenever jobs are to be submitted.
        detach: do not wait for jobs.
        tell: is told, in words, what is waited for.
    """

    left: Callable[[], Left] = Left
    detach: bool = False
    tell: Callable[[str], object] = lambda words: None


class Journal(Protocol):
    """Where a paid machine notes what it is about to do and what came of it, before it goes on."""

    @property
    def name(self) -> str:
        """Of the record that the journal belongs to, and of every copy of it; of no other."""
        ...

    def entries(self) -> list[dict[str, Any]]:
        """All entries, in order."""
        ...

    def append(self, entry: dict[str, Any]) -> None:
        """Write the entry durably; JSON values only."""
        ...

    def keep(self, tag: str, digest: str, arrays: Mapping[str, Any]) -> None:
        """Write what a job measured durably; ``digest`` names what it was asked to measure."""
        ...

    def kept(self, tag: str, digest: str) -> Mapping[str, Any] | None:
        """What :meth:`keep` was given; None if there is nothing, or something else was asked."""
        ...


class Sampler(Protocol):
    """A compiled ansatz on a machine."""

    @property
    def circuit(self) -> Any:
        """The circuit that runs: a ``QuantumCircuit`` with measurements."""
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
    """A sampler that also knows the distribution of its bits."""

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


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    """A copy with qubit j measured into bit j of a register ``meas``."""
    copy: QuantumCircuit = circuit.copy()
    copy.measure_all()
    return copy


def check_request(thetas: Floats, num_parameters: int, num_qubits: int, shots: int) -> None:
    """Refuse what no machine can do.

    Raises:
        ValueError: on a wrong shape of ``thetas``, fewer than one shot, or more bits than memory should hold at once.
    """
    if thetas.ndim != 2 or thetas.shape[1] != num_parameters:
        raise ValueError(f"thetas must have shape [num_rows, {num_parameters}], got {list(thetas.shape)}")
    if not np.isfinite(thetas).all():
        raise ValueError("thetas must be finite")
    if shots < 1:
        raise ValueError(f"shots must be at least 1, got {shots}")
    check_bits(len(thetas), shots, num_qubits)


def check_bits(num_rows: int, shots: int, num_qubits: int) -> None:
    """Refuse a job that would measure more bits than memory should hold at once.

    Raises:
        ValueError: naming the number of bits and the bound.
    """
    num_bits = num_rows * shots * num_qubits
    if num_bits > MAX_BITS:
        raise ValueError(
            f"{num_rows:,} rows × {shots:,} shots × {num_qubits} qubits are {num_bits:,} measured bits, more than the "
            f"{MAX_BITS:,} of one job; lower shots"
        )
