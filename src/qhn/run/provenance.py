"""The files of a run beside its steps: the best bitstring, the circuit that ran, the costs of all bitstrings."""

from __future__ import annotations

from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.problem.capabilities import description_of, noun_of, validation_of
from qhn.problem.cost import BinnProblem, Problem
from qhn.problem.landscape import enumerate_costs
from qhn.run.record import Record
from qhn.run.step import Step

LANDSCAPE = "landscape.npy"
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
    }


def write_circuit(record: Record, circuit: Any) -> None:
    """Write the circuit that runs to ``circuit.qpy``, ``circuit.qasm`` (OpenQASM 3) and ``circuit.txt`` (a drawing).

    A session that runs another circuit than those before, on other qubits, writes it as ``circuit-2``, and so on.
    Circuits of more than 1,000 gates are not drawn, since nobody could read the drawing.

    Args:
        record: the record of the run, held for writing.
        circuit: the ``QuantumCircuit`` that runs.
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


def all_costs(record: Record, problem: Problem) -> Floats:
    """The costs C of all bitstrings, ``[2**num_qubits]``; entry i is that of the bits of i, qubit 0 least significant.

    Once computed they are kept in the run's ``landscape.npy``. A stored table is used if 64 of its entries are right.

    Args:
        record: the record of the run.
        problem: the problem of the run.

    Raises:
        QhnError: if there are more than 24 qubits.
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


def _are_costs_of(problem: Problem, costs: Floats) -> bool:
    """Whether a stored table of costs has the right size and, at 64 bitstrings, the right values."""
    if costs.shape != (2**problem.num_qubits,) or costs.dtype != np.float64 or not np.isfinite(costs).all():
        return False
    places = np.unique(np.linspace(0, len(costs) - 1, PROBES).astype(np.int64))
    again = problem.cost(bitstrings.from_integers(places, problem.num_qubits))
    return np.allclose(costs[places], again, rtol=ROUNDING, atol=ROUNDING * float(np.abs(again).max()))
