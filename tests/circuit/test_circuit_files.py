"""The circuits in circuits/ are those of the presets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit import qasm3

import reference
from qhn.circuit.openqasm import openqasm, write_files
from qhn.config.file import load_config, presets

FOLDER = Path(__file__).parents[2] / "circuits"


@pytest.mark.parametrize("name", presets())
def test_emitted_circuits_are_not_stale(name: str, tmp_path: Path) -> None:
    config = load_config(name)
    ansatz = config.circuit(config.problem())
    if ansatz.num_qubits > 20:  # drawing a long chain takes many seconds
        for form, suffix in (("literal", ""), ("executed", ".executed")):
            assert (FOLDER / f"{name}{suffix}.qasm").read_text() == openqasm(ansatz, form) + "\n", "run make circuits"
        return
    for path in write_files(ansatz, name, tmp_path):
        assert (FOLDER / path.name).read_text() == path.read_text(), "run make circuits"


def test_there_are_no_others() -> None:
    expected = {f"{name}{form}.{kind}" for name in presets() for form in ("", ".executed") for kind in ("qasm", "txt")}
    assert {path.name for path in FOLDER.iterdir() if path.name != "README.md"} == expected


def test_the_emitted_text_is_the_circuit_of_the_definition(rng: np.random.Generator) -> None:
    circuit = qasm3.loads((FOLDER / "figure-1.qasm").read_text())
    theta = rng.uniform(0, 2 * np.pi, 32)
    bound = circuit.assign_parameters({p: theta[int(p.name.split("_")[2])] for p in circuit.parameters})
    expected = reference.probabilities(reference.literal_circuit(4, 2, "eq5", theta))
    np.testing.assert_allclose(reference.probabilities(bound), expected, atol=1e-12)
