"""What a run leaves beside its numbers: the best network, the circuit that ran, versions and machine."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Floats
from qhn.problem.cost import BinnProblem
from qhn.problem.landscape import enumerate_costs
from qhn.run.record import Record
from qhn.run.step import Step
from qhn.threads import num_cores

LANDSCAPE = "landscape.npy"
PROBES = 64
DRAWN_GATES = 1000
PACKAGES = ("qhn", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "numpy", "scipy")


def write_best(record: Record, problem: BinnProblem, step: Step) -> None:
    """Write ``network.npz`` and ``best.json``: the best network, found at that step."""
    bits = np.array([int(bit) for bit in step.best_bits], dtype=np.uint8)
    network = problem.network(bits)
    record.write_file("network.npz", network.write)
    training, validation = problem.accuracy(bits)
    record.write_json(
        "best.json",
        {
            "step": step.step,
            "bits": step.best_bits,
            "cost": step.best_cost,
            "validation_cost": float(problem.validation_cost(bits)) if validation is not None else None,
            "training_accuracy": float(training),
            "validation_accuracy": None if validation is None else float(validation),
            "fields": problem.space.field_bits(bits),
            "network": network.describe().splitlines(),
        },
    )


def write_circuit(record: Record, circuit: Any) -> None:
    """Write ``circuit.qpy``, ``circuit.qasm`` (OpenQASM 3) and ``circuit.txt`` (a drawing) of what runs.

    A session that runs another circuit than those before, on other qubits, adds its own as ``circuit-2``, and so on.
    Circuits of many gates are not drawn: nobody could read it.
    """
    from qiskit import qasm3, qpy

    text = (qasm3.dumps(circuit) + "\n").encode()
    number = 1
    while (path := record.directory / f"circuit{f'-{number}' * (number > 1)}.qasm").exists():
        if path.read_bytes() == text:
            return
        number += 1
    if circuit.size() <= DRAWN_GATES:
        drawing = (str(circuit.draw("text", fold=-1, idle_wires=False)) + "\n").encode()
        record.write_file(f"{path.stem}.txt", lambda file: file.write(drawing))
    record.write_file(f"{path.stem}.qpy", lambda file: qpy.dump(circuit, file))
    record.write_file(path.name, lambda file: file.write(text))


def all_costs(record: Record, problem: BinnProblem) -> Floats:
    """C of all bitstrings, ``[2**num_qubits]``; kept in the run's ``landscape.npy`` once computed.

    Raises:
        ValueError: above 24 qubits.
    """
    costs: Floats
    try:
        with (record.directory / LANDSCAPE).open("rb") as file:
            costs = np.asarray(np.load(file), dtype=np.float64)
    except Exception:  # numpy raises OSError, ValueError, EOFError or BadZipFile; it is computed anew
        costs = np.empty(0)
    if not _are_costs_of(problem, costs):
        costs = enumerate_costs(problem)
        record.write_file(LANDSCAPE, lambda file: np.save(file, costs))
    return costs


def _are_costs_of(problem: BinnProblem, costs: Floats) -> bool:
    """Whether a stored table has the right size and, at some places, the right numbers."""
    if costs.shape != (2**problem.num_qubits,) or costs.dtype != np.float64 or not np.isfinite(costs).all():
        return False
    places = np.unique(np.linspace(0, len(costs) - 1, PROBES).astype(np.int64))
    return np.allclose(costs[places], problem.cost(bitstrings.from_integers(places, problem.num_qubits)), rtol=1e-9)


def session_facts(backend: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says about this process and machine; no names of hosts, users or paths."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "git_revision": _git_revision(),
        "machine": f"{platform.system()} {platform.machine()}, {num_cores()} cores",
        "backend": backend,
    }


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
