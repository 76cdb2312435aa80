"""Jobs of Qiskit's sampler, as IBM's client takes them: how they are submitted, and the bits that they return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qiskit_ibm_runtime.executor_sampler import Sampler

from qhn.arrays import Bits
from qhn.backend.aer import read_bits
from qhn.backend.device.price import MAX_JOB_SECONDS
from qhn.backend.service.request import Request
from qhn.backend.settings import DeviceSettings


def submit(request: Request, mode: Any, tags: Sequence[str], execution_limit: int) -> Any:
    """Submit a job of Qiskit's sampler, and return the client's job; a QPU has no use for the seed.

    Args:
        request: request that the job serves.
        mode: device, batch or session to which the job is sent.
        tags: tags that the job carries on the service.
        execution_limit: QPU seconds after which the service ends the job.
    """
    options = _options(request.settings, list(tags), execution_limit)
    return Sampler(mode=mode, options=options).run(request.pubs, shots=request.shots)


def bits_of(result: Any, request: Request) -> list[Bits]:
    """The bits of each PUB in the sampler's result, as :meth:`qhn.backend.service.connection.Connection.bits_of`."""
    return [read_bits(result, index) for index in range(len(request.pubs))]


def read_result(result: Any, calibrations: int) -> tuple[Bits, list[Bits]]:
    """The bits of a job that measured one circuit at several sets of angles, and then calibration circuits.

    Args:
        result: the result that Qiskit's client returns.
        calibrations: number of calibration circuits.

    Returns:
        The bits of the circuit, ``[num_executions, shots, num_clbits]`` with bit 0 first, and those of each calibration
        circuit, ``[shots, num_clbits]``.
    """
    return read_bits(result), [read_bits(result, index) for index in range(1, 1 + calibrations)]


def _options(settings: DeviceSettings, tags: list[str], execution_limit: int) -> dict[str, Any]:
    """Options of Qiskit's client for a job; never a private one, whose results could be read only once."""
    options: dict[str, Any] = {
        "environment": {"job_tags": tags, "private": False},
        "max_execution_time": min(execution_limit, int(MAX_JOB_SECONDS)),
        "execution": {"rep_delay": settings.rep_delay},
    }
    if settings.dynamical_decoupling != "none":
        options["dynamical_decoupling"] = {"enable": True, "sequence_type": settings.dynamical_decoupling}
    if settings.twirling:
        options["twirling"] = {"enable_gates": True, "enable_measure": False}
    return options
