"""A device that is only described, for compilers and models of noise."""

from __future__ import annotations

from typing import Any

from qiskit.providers import BackendV2, Options
from qiskit.transpiler import Target


class DescribedDevice(BackendV2):  # type: ignore[misc]  # qiskit has no types
    """The instructions of a device, for which circuits are compiled; it runs none.

    Args:
        name: name of the device.
        target: instructions of the device, with their errors and durations.
    """

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name=name)
        self._target = target

    @property
    def target(self) -> Target:
        """The instructions of the device, with their errors and durations."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """The largest number of circuits of a job, unlimited."""
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        """Refuse to run circuits with a ``RuntimeError``: the device is only described."""
        raise RuntimeError(f"{self.name} is only described; it runs nothing")
