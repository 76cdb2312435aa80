"""The machines on which circuits are executed, simulators and QPUs: rows of angles or bound circuits in, bits out.

Only this package imports ``qiskit_aer``; only :mod:`qhn.backend.ibm`, and a rehearsal on a stored device, import
``qiskit_ibm_runtime``. Jobs of any vendor are :mod:`qhn.backend.service`, on which :mod:`qhn.backend.ibm` and
:mod:`qhn.backend.vendor` stand, but not on each other.
"""

from __future__ import annotations

from qhn.backend.bound import CircuitBackend, CircuitPrice, CircuitSamples, CircuitSize, MeasuresCircuits
from qhn.backend.journal import Journal
from qhn.backend.machines import MACHINES, Machine, machine_of
from qhn.backend.sampler import Backend, BackendError, Sampler
from qhn.backend.samples import Samples
from qhn.backend.settings import DeviceSettings, LayoutSettings, NoiseSettings, RehearsalSettings, Settings

__all__ = [
    "MACHINES",
    "Backend",
    "BackendError",
    "CircuitBackend",
    "CircuitPrice",
    "CircuitSamples",
    "CircuitSize",
    "DeviceSettings",
    "Journal",
    "LayoutSettings",
    "Machine",
    "MeasuresCircuits",
    "NoiseSettings",
    "RehearsalSettings",
    "Sampler",
    "Samples",
    "Settings",
    "machine_of",
    "open_backend",
]


def open_backend(
    backend: str | object, settings: Settings | None = None, journal: Journal | None = None
) -> CircuitBackend:
    """Open a machine by its name, or any backend or sampler of Qiskit.

    Args:
        backend: ``exact`` (ideal shots of the exact engine), ``aer`` (state vector), ``aer-mps`` (matrix product
            state), ``depolarising`` (every gate followed by random Pauli errors), ``fake_<device>`` (the noise of a
            stored calibration of that device, offline), ``ibm_<device>`` (a QPU, through the saved Qiskit account),
            ``twin_<machine>`` (the noise of another machine by its present calibration), a machine of an installed
            plug-in, or ``module:factory`` of a module of your own. Or an object: a ``BackendV2`` of any vendor, or a V2
            sampler.
        settings: settings of the machine: :class:`NoiseSettings` for ``depolarising``, :class:`RehearsalSettings` or
            :class:`DeviceSettings` for ``fake_<device>``, :class:`DeviceSettings` for ``ibm_<device>``,
            :class:`LayoutSettings` for others that report errors of their qubits; None for the defaults, and for
            machines without settings.
        journal: journal in which a machine that bills notes its jobs; others do not use it.

    Raises:
        ValueError: if there is no such machine, its settings are of another type, or no account gives access to it.
        BackendError: if the service cannot be reached.

    >>> open_backend("exact").name
    'exact'
    >>> from qiskit.primitives import StatevectorSampler
    >>> open_backend(StatevectorSampler()).name
    'StatevectorSampler'
    """
    if isinstance(backend, str):
        return machine_of(backend).open(backend, settings, journal)
    from qhn.backend.objects import machine_from  # imported late, as few runs need it

    return machine_from(backend, settings, journal)
