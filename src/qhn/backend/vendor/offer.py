"""What a vendor's object offers: a backend to compile for, a calibration, and the package that it comes from."""

from __future__ import annotations

from importlib.metadata import packages_distributions

from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2

from qhn.backend.device.chip import DEAD, chip_of


def package_of(found: BackendV2 | BaseSamplerV2) -> str | None:
    """The installed package that the class of a vendor's object comes from; None of a module of the user's own."""
    names = packages_distributions().get(type(found).__module__.partition(".")[0], [])
    return names[0] if names else None


def backend_of(found: BackendV2 | BaseSamplerV2) -> BackendV2 | None:
    """The backend whose instructions circuits are compiled for; None of a sampler that takes any circuit."""
    if isinstance(found, BackendV2):
        return found
    inner = getattr(found, "backend", None)
    inner = inner() if callable(inner) else inner
    return inner if isinstance(inner, BackendV2) else None


def has_calibration(device: BackendV2) -> bool:
    """Whether a backend reports, for its qubits one by one, errors of readout and of gates that couple them."""
    if device.num_qubits is None:
        return False
    chip = chip_of(device)
    return any(error < DEAD for error in chip.pairs.values()) and bool((chip.readout_error < DEAD).any())
