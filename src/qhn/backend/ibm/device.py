"""IBM's QPUs, reached through the account that Qiskit has saved.

Credentials come only from Qiskit's own account file or environment; error texts name the kind of failure, never what
the service said, because its answers can hold account data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qhn.backend.bound import CircuitPrice, CircuitSamples
from qhn.backend.device.bound_placement import CircuitPlacer
from qhn.backend.device.placement import place
from qhn.backend.ibm.account import account_device, seconds_left, silent
from qhn.backend.ibm.connection import IbmConnection
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError
from qhn.backend.service.bound import BoundSampler
from qhn.backend.service.jobs import Jobs
from qhn.backend.service.placed import DeviceSampler, applied
from qhn.backend.settings import DeviceSettings, Settings
from qhn.backend.terms import Terms
from qhn.circuit.ansatz import GateCircuit
from qhn.seeds import Key


def open_device(name: str, settings: Settings, journal: Journal | None = None) -> Device:
    """The QPU of the given name, reached through the account.

    Args:
        name: name of the device, for example ``ibm_torino``.
        settings: settings of the device.
        journal: the run's journal, in which jobs are noted; None to note nothing.

    Raises:
        ValueError: if there is no account, it is refused, or it does not have that device.
        BackendError: if the service cannot be reached.
    """
    assert isinstance(settings, DeviceSettings)
    return Device(account_device(name), settings, journal)


class Device:
    """A QPU of IBM: each request is one job, or a batch of several where it exceeds the service's limits.

    A session is opened only if the settings ask for one. The tag of each job, its id and its outcome are written into
    the journal as they happen. Before its first request the device is tested (:mod:`qhn.backend.service.selftest`),
    unless the journal has a passed test with the same package versions; and it is not tested again where a test has
    failed.
    """

    paid = True

    def __init__(
        self, device: BackendV2, settings: DeviceSettings | None = None, journal: Journal | None = None
    ) -> None:
        self.device = device
        self.settings = settings or DeviceSettings()
        self.journal = journal
        self.name: str = device.name
        self.terms = Terms()
        in_session = self.settings.mode == "session"
        self._connection = IbmConnection(device, self.terms, journal=journal, in_session=in_session)
        self.jobs = Jobs(self._connection, journal)
        self._compiled: dict[GateCircuit, DeviceSampler] = {}
        self._circuits = BoundSampler(CircuitPlacer(device, self.settings), self.jobs)

    def compile(self, ansatz: GateCircuit) -> DeviceSampler:
        """The sampler of the ansatz on the device's best qubits, made once and then returned again.

        Raises:
            ValueError: if the device has too few usable qubits.
            BackendError: if the service does not return the device's description.
        """
        self._fetch()
        if ansatz not in self._compiled:
            self._compiled[ansatz] = DeviceSampler(place(ansatz, self.device, self.settings), self.jobs)
        return self._compiled[ansatz]

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Measure each bound circuit; the bits are those that the journal has of an earlier process, if it has them.

        Raises:
            ValueError: if the circuits or ``shots`` are refused (:func:`qhn.backend.bound_circuits.check_circuits`), or
                the device cannot execute them.
            BackendError: if a job or the service fails, or the device does not pass its self-test. The journal has the
                ids of all jobs that were accepted.
            Detached: if jobs are not to be waited for, and have not ended.
            BudgetExceeded: if what is left of the budget does not allow a job.
        """
        self._fetch()
        return self._circuits.measure(circuits, shots, key)

    def circuit_price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The size and the price of each bound circuit, compiled for the device, and that of a self-test if one is due.

        Raises:
            ValueError: if the circuits or ``shots`` are refused, or the device cannot execute them.
            BackendError: if the service does not return the device's description.
        """
        self._fetch()
        return self._circuits.price(circuits, shots)

    def describe_circuits(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """The mode, the error suppression applied, the qubits of each circuit and the calibration, as JSON values.

        Raises:
            ValueError: if the device cannot execute the circuits.
            BackendError: if the service does not return the device's description.
        """
        self._fetch()
        return applied(self.name, self.settings) | self._circuits.placer.describe(circuits)

    def _fetch(self) -> None:
        """Fetch the description of the device from the service, which the client does when it is first asked for.

        Raises:
            BackendError: if the service does not return it.
        """
        try:
            with silent():
                _ = self.device.target
        except Exception as error:
            raise BackendError(f"the IBM service did not describe {self.name} ({type(error).__name__})") from None

    def seconds_left(self) -> float | None:
        """QPU seconds left in the account; None if there is no limit, or the service does not say."""
        service = self._connection.service
        return None if service is None else seconds_left(service)

    def settle(self) -> None:
        """Write the bills of finished jobs that were not known before into the journal."""
        self.jobs.settle()

    def reconcile(self) -> None:
        """Note and cancel jobs of this run that the service holds twice, and :meth:`settle`."""
        self.jobs.reconcile()

    def close(self) -> None:
        """End the session, if there is one; the next job opens another."""
        self.jobs.close()
