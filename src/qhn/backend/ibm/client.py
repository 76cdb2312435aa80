"""IBM's client: how jobs of Qiskit's sampler are submitted, with which options, and what they return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qiskit_ibm_runtime.executor_sampler import Sampler

from qhn.arrays import Bits
from qhn.backend.aer import read_bits
from qhn.backend.device.price import MAX_JOB_SECONDS
from qhn.backend.service.request import Request
from qhn.backend.settings import DeviceSettings


class IbmClient:
    """IBM's client: jobs of Qiskit's sampler."""

    def request(
        self,
        pubs: Sequence[Any],
        settings: DeviceSettings,
        *,
        tag: str,
        digest: str,
        circuits: int,
        shots: int,
        price_seconds: float,
        seed: int,
    ) -> Request:
        """The request for a job; a QPU has no use for the seed."""
        return Request(
            tag=tag,
            digest=digest,
            rows=circuits,
            shots=shots,
            price_seconds=price_seconds,
            submit=lambda mode, tags, execution_limit: Sampler(
                mode=mode, options=_options(settings, tags, execution_limit)
            ).run(pubs, shots=shots),
        )

    def bits(self, result: Any, pubs: Sequence[Any], shots: int) -> list[Bits]:
        """The bits of each PUB in the sampler's result."""
        return [read_bits(result, index) for index in range(len(pubs))]


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
