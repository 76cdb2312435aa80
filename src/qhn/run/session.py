"""What a record says of the processes that advanced a run: versions, machine, and what its backend said of itself."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from qhn.budget.forecast import PricedRun
from qhn.threads import num_cores

PACKAGES = ("qhn", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "numpy", "scipy")
MANY = 20  # qubits of a chain, all named in a line


@dataclass(frozen=True)
class Tile:
    """A chain of a device's qubits, as a session used it.

    Attributes:
        qubits: numbers of the device's qubits along the chain.
        estimated_fidelity: of the circuit on this chain, by the calibration.
        exact: whether no better chain exists, as far as the search could tell.
    """

    qubits: tuple[int, ...]
    estimated_fidelity: float = float("nan")
    exact: bool = False


@dataclass(frozen=True)
class BackendFacts:
    """What a backend said of itself when a session began.

    Attributes:
        facts: all of it as JSON values, as the record keeps it.
    """

    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the backend, such as ``fake_torino``."""
        return str(self.facts.get("name", ""))

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The chains of a device, the best first; none of other machines."""
        found = self.facts.get("tiles", [])
        return tuple(
            Tile(tuple(one["qubits"]), one.get("estimated_fidelity", float("nan")), bool(one.get("exact")))
            for one in found
        )

    @property
    def qubits(self) -> tuple[tuple[int, ...], ...]:
        """The qubits of each chain."""
        return tuple(tile.qubits for tile in self.tiles)

    @property
    def price(self) -> PricedRun | None:
        """What the run takes of a QPU, or would; None where nothing is billed."""
        return PricedRun.from_json(self.facts.get("price"))

    @property
    def folded(self) -> bool:
        """Whether the last CX brick was applied to the measured bits, and not by the machine."""
        return bool(self.facts.get("circuit") == "executed")

    @property
    def load(self) -> Mapping[str, Any]:
        """Gates of the compiled circuit along the chain, by number of qubits."""
        found: Mapping[str, Any] = self.facts.get("load", {})
        return found

    @property
    def calibration(self) -> str | None:
        """Name of the file of the record that holds a device's calibration."""
        return self.facts.get("calibration")

    def layout_words(self) -> str:
        """The qubits of a device in one line."""
        first, *others = self.tiles
        names = [str(qubit) for qubit in first.qubits]
        chain = "-".join(names if len(names) <= MANY else [*names[: MANY // 2], "…", *names[-MANY // 2 :]])
        more = f" and {len(others)} more tile{'s' * (len(others) > 1)}" if others else ""
        return f"qubits {chain} of {self.name}{more}, estimated fidelity {first.estimated_fidelity:.3f}"


@dataclass(frozen=True)
class Session:
    """One process that advanced a run: an entry of ``manifest.json``; no names of hosts, users or paths.

    Attributes:
        time: when it began, in UTC.
        versions: of Python and of the packages that numbers depend on.
        git_revision: of the source tree that qhn ran from; None if it was installed as a package.
        machine: operating system, processor and number of cores.
        backend: what the backend said of itself.
    """

    time: str
    versions: Mapping[str, str]
    git_revision: str | None
    machine: str
    backend: BackendFacts = field(default_factory=lambda: BackendFacts({}))

    @classmethod
    def of_this_process(cls, backend: Mapping[str, Any]) -> Session:
        """The session that begins now, with what the backend says of itself."""
        return cls(
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            {name: importlib.metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()},
            _git_revision(),
            f"{platform.system()} {platform.machine()}, {num_cores()} cores",
            BackendFacts(backend),
        )

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Session:
        """The inverse of :meth:`to_json`; what an older version did not write is left at its default.

        Raises:
            KeyError, TypeError: if it is no session.
        """
        git, machine = tree.get("git_revision"), tree.get("machine", "")
        return cls(tree["time"], tree["versions"], git, machine, BackendFacts(tree["backend"]))

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return vars(self) | {"backend": self.backend.facts}


@cache
def _git_revision() -> str | None:
    """The revision of the source tree qhn runs from; None if it is installed as a package."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
