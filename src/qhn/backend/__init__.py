"""The machines on which circuits are sampled. Only this package imports ``qiskit_aer`` or ``qiskit_ibm_runtime``."""

from __future__ import annotations

from qhn.backend.journal import Journal
from qhn.backend.sampler import Backend, BackendError, Sampler
from qhn.backend.samples import Samples
from qhn.backend.settings import DeviceSettings
from qhn.errors import QhnError
from qhn.text import did_you_mean

__all__ = ["Backend", "BackendError", "DeviceSettings", "Journal", "Sampler", "Samples", "open_backend"]

AER_METHODS = {"aer": "statevector", "aer-mps": "matrix_product_state"}
SIMULATORS = ("exact", *AER_METHODS, "depolarising")


def check_name(name: str) -> None:
    """Refuse a name that cannot be a backend, without opening one.

    Raises:
        ValueError: if it is neither a simulator nor ``fake_…`` nor ``ibm_…``.
    """
    if name == "least-busy":
        raise QhnError("backend least-busy is chosen at the command line: qhn run … --backend least-busy")
    if name not in SIMULATORS and not name.startswith(("fake_", "ibm_")):
        choices = f"choose {', '.join(SIMULATORS)}, fake_<device> or ibm_<device>"
        raise QhnError(f"unknown backend {name!r}; {did_you_mean(name, SIMULATORS, otherwise=choices)}")


def knows_distribution(name: str) -> bool:
    """Whether the backend of that name can give E without shots."""
    return name in ("exact", "depolarising") or name.startswith("fake_")


def open_backend(name: str, settings: DeviceSettings | None = None, journal: Journal | None = None) -> Backend:
    """The backend of that name.

    Args:
        name: ``exact`` (ideal shots of our own engine), ``aer`` (state vector), ``aer-mps`` (matrix product state),
            ``depolarising`` (every gate followed by random Pauli errors), ``fake_<device>`` (the noise of a stored
            calibration of that device, offline) or ``ibm_<device>`` (a QPU, through the saved Qiskit account).
        settings: of the last three.
        journal: where a QPU notes its jobs; simulators do not use it.

    Raises:
        ValueError: if there is no such backend, or no account that gives access to it.
        BackendError: if the service cannot be reached.
    """
    check_name(name)
    if name == "exact":
        from qhn.backend.exact import ExactBackend

        return ExactBackend()
    if name in AER_METHODS:
        from qhn.backend.aer import AerBackend

        return AerBackend(name, AER_METHODS[name])
    chosen = settings or DeviceSettings()
    if name == "depolarising":
        from qhn.backend.depolarising import DepolarisingBackend

        return DepolarisingBackend(chosen)
    if name.startswith("fake_"):
        from qhn.backend.rehearsal import open_fake

        return open_fake(name, chosen)
    from qhn.backend.ibm.device import open_device

    return open_device(name, chosen, journal)
