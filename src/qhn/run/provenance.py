"""The files of a run beside its steps: the best bitstring, the circuit that ran, the costs of all bitstrings."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from qhn import bitstrings, checksums
from qhn.arrays import Bits, Floats
from qhn.black_box.cost import BlackBox
from qhn.circuit.openqasm import drawn
from qhn.npz import load_npy
from qhn.problem.capabilities import description_of, noun_of, validation_of
from qhn.problem.cost import BinnProblem, Problem, TableProblem
from qhn.problem.kinds import arrays_of
from qhn.problem.landscape import enumerate_costs
from qhn.run.record import Record
from qhn.run.step import Step

LANDSCAPE = "landscape.npy"
PROBLEM = "problem.npz"
ROUNDING = 1e-9  # relative: another machine sums in another order
PROBES = 64  # entries of a stored table of costs that are computed again to check it
DRAWN_GATES = 1000  # gates of the largest circuit that is drawn


def write_best(record: Record, problem: Problem, step: Step) -> None:
    """Write the best bitstring of a run to ``best.json``, and if it is a network, the network to ``network.npz``.

    Args:
        record: the record of the run, held for writing.
        problem: the problem of the run.
        step: the step in which the bitstring was found.
    """
    bits = bitstrings.from_text(step.best_bits)
    if isinstance(problem, BinnProblem):
        record.write_file("network.npz", problem.network(bits).write)
    record.write_json("best.json", _facts_of(problem, step, bits))


def _facts_of(problem: Problem, step: Step, bits: Bits) -> dict[str, Any]:
    """The contents of ``best.json`` for a bitstring ``[num_qubits]``."""
    validation = validation_of(problem)
    facts = {
        "step": step.step,
        "bits": step.best_bits,
        "cost": step.best_cost,
        "validation_cost": None if validation is None else float(validation.cost(bits)),
    }
    if not isinstance(problem, BinnProblem):
        return facts | {noun_of(problem): description_of(problem, bits)}
    training, held_out = problem.accuracy(bits)
    return facts | {
        "training_accuracy": float(training),
        "validation_accuracy": None if held_out is None else float(held_out),
        "fields": problem.space.field_bits(bits),
        "network": problem.describe(bits),
        "classes": [
            label_in_json(label) for label in problem.dataset.classes.tolist()
        ],  # near 0 and 1, or z[0], z[1], …
    }


def label_in_json(label: Any) -> Any:
    """The label of a class as the same value of JSON, or as text if JSON has no such values."""
    return label if isinstance(label, (bool, int, float, str)) else str(label)


def write_circuit(record: Record, circuit: Any) -> dict[str, str]:
    """Write the circuit that runs to ``circuit.qpy``, ``circuit.qasm`` (OpenQASM 3) and ``circuit.txt`` (a drawing).

    A session that runs another circuit than those before, on other qubits, writes it as ``circuit-2``, and so on.
    Circuits of more than 1,000 gates are not drawn, since nobody could read the drawing.

    Args:
        record: the record of the run, held for writing.
        circuit: the ``QuantumCircuit`` that runs.

    Returns:
        The name of the files without their suffix, and the CRC-32 of the ``.qasm`` file, for the manifest.
    """
    from qiskit import qasm3, qpy

    text = (qasm3.dumps(circuit) + "\n").encode()
    facts = {"crc32": f"{zlib.crc32(text):08x}"}
    stem = _known_circuit(record, facts["crc32"])
    if not all((record.directory / f"{stem}{suffix}").exists() for suffix in (".qasm", ".qpy")):
        record.write_file(f"{stem}.qpy", lambda file: qpy.dump(circuit, file))
    path = record.directory / f"{stem}.qasm"
    if not path.exists() or path.read_bytes() != text:
        if circuit.size() <= DRAWN_GATES:
            drawing = (drawn(circuit, idle_wires=False) + "\n").encode()
            record.write_file(f"{stem}.txt", lambda file: file.write(drawing))
        record.write_file(path.name, lambda file: file.write(text))
    return {"name": stem} | facts


def _known_circuit(record: Record, checksum: str) -> str:
    """The name under which a session wrote a circuit, by the manifest or its file; the first free name if none did."""
    noted: dict[str, str] = {}
    for session in record.manifest():
        if circuit := session.get("circuit"):
            noted[circuit["crc32"]] = circuit["name"]
    if checksum in noted:
        return noted[checksum]
    number = 1
    while (stem := f"circuit{f'-{number}' * (number > 1)}") in noted.values() or (
        (path := record.directory / f"{stem}.qasm").exists() and f"{zlib.crc32(path.read_bytes()):08x}" != checksum
    ):
        number += 1
    return stem


def write_problem(record: Record, problem: Problem) -> None:
    """Write a problem that was given as a Python object and is data itself, so that the run does not need the object.

    A table of costs becomes ``landscape.npy``, other kinds become ``problem.npz``; what is a program is not written.

    Args:
        record: the record of the run, held for writing.
        problem: the problem of the run.
    """
    if isinstance(problem, TableProblem):
        all_costs(record, problem)
    elif record.config.instance is not None and (arrays := arrays_of(problem)) is not None:
        content = checksums.arrays(**arrays)
        record.write_file(PROBLEM, lambda file: file.write(content))


def all_costs(record: Record, problem: Problem, *, keep: bool = True) -> Floats:
    """The costs C of all bitstrings, ``[2**num_qubits]``; entry i is that of the bits of i, qubit 0 least significant.

    Once computed they are kept in the run's ``landscape.npy``. A stored table is used if its checksum and 64 of its
    entries are right.

    Args:
        record: the record of the run.
        problem: the problem of the run.
        keep: whether a table that had to be computed is kept in that file.

    Raises:
        QhnError: if there are more than 24 qubits.
    """
    costs: Floats
    try:
        costs = load_npy(record.directory / LANDSCAPE, own=True, is_checked=True)
    except Exception:  # numpy raises OSError, ValueError, EOFError or BadZipFile; it is computed anew
        costs = np.empty(0)
    if not _are_costs_of(problem, costs):
        costs = enumerate_costs(problem)
        if keep:
            content = checksums.array(costs)
            record.write_file(LANDSCAPE, lambda file: file.write(content))
    return costs


def _are_costs_of(problem: Problem, costs: Floats) -> bool:
    """Whether a stored table of costs has the right size and, at up to 64 bitstrings, the right values."""
    if costs.shape != (2**problem.num_qubits,) or costs.dtype != np.float64 or not np.isfinite(costs).all():
        return False
    probes = 1 if isinstance(problem, BlackBox) else PROBES  # what a call of the user's function takes is not known
    places = np.unique(np.linspace(0, len(costs) - 1, probes).astype(np.int64))
    again = problem.cost(bitstrings.from_integers(places, problem.num_qubits))
    return np.allclose(costs[places], again, rtol=ROUNDING, atol=ROUNDING * float(np.abs(again).max()))
