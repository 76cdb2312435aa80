"""Sessions, the processes that advanced a run: versions, machine, and the backend's description of itself."""

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
ROUTE = ("start", "used", "pairs")  # what a record keeps of a circuit that is no chain
MANY = 20  # qubits of the longest chain whose qubits are all named in a line


@dataclass(frozen=True)
class Tile:
    """A chain of a device's qubits, or the qubits of a circuit that is no chain, as a session used them.

    Attributes:
        qubits: numbers of the device's qubits on which the circuit's qubits 0, 1, … are measured.
        estimated_fidelity: estimated fidelity of the circuit on this chain, by the calibration; nan if not recorded.
        exact: whether no better chain exists, as far as the search could tell.
        route: qubits on which a circuit that is no chain starts (``start``), all that it uses (``used``) and the pairs
            on which its gates act (``pairs``); empty for a chain.
    """

    qubits: tuple[int, ...]
    estimated_fidelity: float = float("nan")
    exact: bool = False
    route: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BackendFacts:
    """A backend's description of itself when a session began.

    Attributes:
        facts: the whole description as JSON values, as the record keeps it.

    >>> facts = BackendFacts({"name": "fake_torino", "tiles": [{"qubits": [3, 4, 5], "estimated_fidelity": 0.9}]})
    >>> facts.layout_words()
    'qubits 3-4-5 of fake_torino, estimated fidelity 0.900'
    """

    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the backend, such as ``fake_torino``."""
        return str(self.facts.get("name", ""))

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The chains of qubits in use on a device, the best first; empty on other machines."""
        found = self.facts.get("tiles", [])
        return tuple(
            Tile(
                tuple(one["qubits"]),
                one.get("estimated_fidelity", float("nan")),
                bool(one.get("exact")),
                {name: one[name] for name in ROUTE if name in one},
            )
            for one in found
        )

    @property
    def qubits(self) -> tuple[tuple[int, ...], ...]:
        """The device's qubits of each chain in use, the best chain first; empty on other machines."""
        return tuple(tile.qubits for tile in self.tiles)

    @property
    def start(self) -> tuple[tuple[int, ...], ...]:
        """The qubits of each tile on which the circuit starts, by which it is compiled in the same way again."""
        return tuple(tuple(tile.route.get("start", tile.qubits)) for tile in self.tiles)

    @property
    def price(self) -> PricedRun | None:
        """The recorded price of the run: what it takes of a QPU, or in a rehearsal would; None on other machines."""
        return PricedRun.from_json(self.facts.get("price"))

    @property
    def record(self) -> str:
        """Name of the run in the journal of its jobs, if the backend bills; empty otherwise, and in early records."""
        return str(self.facts.get("record", ""))

    @property
    def folded(self) -> bool:
        """Whether the last CX brick was applied to the measured bits, and not by the machine."""
        return bool(self.facts.get("circuit") == "executed")

    @property
    def load(self) -> Mapping[str, Any]:
        """The gate counts of the compiled circuit along the chain, by kind; empty on other machines."""
        found: Mapping[str, Any] = self.facts.get("load", {})
        return found

    @property
    def calibration(self) -> str | None:
        """Name of the file of the record that holds the device's calibration; None on other machines."""
        return self.facts.get("calibration")

    def layout_words(self) -> str:
        """The qubits of a device and the estimated fidelity of the circuit there, in one line.

        Of a chain of more than 20 qubits the first and the last ten are named.
        """
        first, *others = self.tiles
        names = [str(qubit) for qubit in first.qubits]
        shown = names if len(names) <= MANY else [*names[: MANY // 2], "…", *names[-MANY // 2 :]]
        chain = (" " if first.route else "-").join(shown)
        more = ", routed by swaps where needed" if first.route else ""
        more += f" and {len(others)} more tile{'s' * (len(others) > 1)}" if others else ""
        return f"qubits {chain} of {self.name}{more}, estimated fidelity {first.estimated_fidelity:.3f}"


def difference(earlier: BackendFacts, now: BackendFacts) -> str:
    """The difference between a machine and that of an earlier session in words; empty if it is the same one.

    Only machines that are not built in tell what they are: another one may have their name.

    >>> difference(BackendFacts({"qubits": 5, "built": "a1"}), BackendFacts({"qubits": 7, "built": "b2"}))
    'it has 7 qubits, not 5'
    """
    before, after = earlier.facts, now.facts
    if "built" not in before or "built" not in after:
        return ""
    kinds = [str(facts.get("method", "")).rpartition(".")[2] for facts in (before, after)]
    if kinds[0] != kinds[1]:
        return f"it is a {kinds[1]}, not a {kinds[0]}"
    if before.get("qubits") != after.get("qubits"):
        return f"it has {after.get('qubits', 'any number of')} qubits, not {before.get('qubits', 'any number')}"
    return "" if before["built"] == after["built"] else "it has other couplings or another model of its noise"


@dataclass(frozen=True)
class Session:
    """One process that advanced a run: an entry of ``manifest.json``, without names of hosts, users or paths.

    Attributes:
        time: date and time in UTC at which the session began.
        versions: versions of Python and of the packages on which numbers depend, by name.
        git_revision: revision of the source tree from which qhn ran; None if it was installed as a package.
        machine: operating system, processor and number of cores.
        backend: the backend's description of itself.
        circuit: ``name`` of the files ``<name>.qasm``, ``.qpy`` and ``.txt`` of the circuit that ran, and ``crc32`` of
            the first; None in runs of older versions.

    >>> session = Session.of_this_process({"name": "aer"})
    >>> session.backend.name, Session.from_json(session.to_json()) == session
    ('aer', True)
    """

    time: str
    versions: Mapping[str, str]
    git_revision: str | None
    machine: str
    backend: BackendFacts = field(default_factory=lambda: BackendFacts({}))
    circuit: Mapping[str, str] | None = None

    @classmethod
    def of_this_process(cls, backend: Mapping[str, Any], circuit: Mapping[str, str] | None = None) -> Session:
        """The session that begins now.

        Args:
            backend: the backend's description of itself, as JSON values.
            circuit: name and checksum of the files of the circuit that runs; None if it is not written.
        """
        return cls(
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            {name: importlib.metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()},
            _git_revision(),
            f"{platform.system()} {platform.machine()}, {num_cores()} cores",
            BackendFacts(backend),
            circuit,
        )

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Session:
        """Restore a session from the JSON values of :meth:`to_json`; values that older versions left out get defaults.

        Raises:
            KeyError: if a value that every session has is missing.
            TypeError: if the values are not those of a session.
        """
        git, machine = tree.get("git_revision"), tree.get("machine", "")
        return cls(tree["time"], tree["versions"], git, machine, BackendFacts(tree["backend"]), tree.get("circuit"))

    def to_json(self) -> dict[str, Any]:
        """The session as JSON values."""
        known = {name: value for name, value in vars(self).items() if name != "circuit" or value is not None}
        return known | {"backend": self.backend.facts}


@cache
def _git_revision() -> str | None:
    """The revision of the source tree from which qhn runs; None if it is installed as a package."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.decode(errors="replace").strip()
