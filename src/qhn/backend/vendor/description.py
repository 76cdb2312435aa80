"""What a vendor's object tells of its machine: qubits, couplings, errors, the model of its noise, and its client."""

from __future__ import annotations

import contextlib
import hashlib
import json
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2

from qhn.backend.device.chip import DEAD, chip_of

DIGITS = 12  # hexadecimal digits of a digest in the facts of a machine


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


def facts_of(name: str, found: BackendV2 | BaseSamplerV2) -> dict[str, Any]:
    """The name of a machine, the vendor's class and its version, as JSON values.

    By ``qubits`` and ``built`` one machine is told from another of the same name: by its number of qubits, and by a
    digest of its couplings and, if it is a simulator that reports no errors, of the model of its noise. By ``errors``,
    a digest of what it reports, one that was calibrated anew is told.
    """
    kind, device = type(found), backend_of(found)
    facts: dict[str, Any] = {"name": name, "method": f"{kind.__module__}.{kind.__qualname__}", "noise": "the machine"}
    pairs: list[Any] = []
    models: list[Any] = []
    if device is not None and device.num_qubits is not None:
        facts["qubits"] = device.num_qubits
        pairs = sorted({qubits for qubits in device.target.qargs or () if qubits is not None and len(qubits) == 2})
        if has_calibration(device):
            facts["errors"] = _digest({**chip_of(device).to_json(), "date": ""})
    if "errors" not in facts:  # a simulator of a device makes its model of what that reports, when it first runs
        models = [_noise_of(one) for one in (device, found, getattr(found, "_backend", None))]
    facts["built"] = _digest([pairs, [model for model in models if model is not None]])
    package = package_of(found)
    with contextlib.suppress(PackageNotFoundError):
        facts |= {"client": f"{package} {version(package)}"} if package else {}
    return facts


def _noise_of(found: Any) -> Any:
    """The model of the noise in the options of a simulator as JSON values; None if there is none."""
    options = getattr(found, "options", None)
    models: list[Any] = [getattr(options, "noise_model", None)]
    inner = getattr(options, "backend_options", None)
    models += [inner.get("noise_model")] if isinstance(inner, dict) else []
    for model in models:
        with contextlib.suppress(Exception):  # of no model of Aer, or one that cannot be written down
            if not model.is_ideal():
                return model.to_dict(serializable=True)
    return None


def _digest(tree: Any) -> str:
    return hashlib.sha256(json.dumps(tree, default=repr, sort_keys=True).encode()).hexdigest()[:DIGITS]
