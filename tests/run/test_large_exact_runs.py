"""Runs without shots of more qubits than a table of all costs has room for: of polynomials, on ideal circuits."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import qhn as package
from qhn.config.file import load_config
from qhn.run.record import Record
from qhn.run.warm_start import warm_started

QUBO = """
[problem]
name = "qubo"
file = "q.npy"
[ansatz]
name = "hypernetwork"
num_layers = 2
[train]
backend = "exact"
steps = 4
"""
CUT = """
[problem]
name = "maxcut"
file = "graph.txt"
[ansatz]
name = "qaoa"
num_layers = 1
[train]
backend = "exact"
steps = 4
"""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, rng: np.random.Generator) -> None:
    """Files of a dense QUBO of 100 bits and of a graph of 100 nodes, with configurations."""
    np.save("q.npy", rng.normal(size=(100, 100)))
    graph = nx.random_regular_graph(3, 100, seed=1)
    Path("graph.txt").write_text("".join(f"{i} {j}\n" for i, j in graph.edges), encoding="utf-8")
    Path("qubo.toml").write_text(QUBO, encoding="utf-8")
    Path("cut.toml").write_text(CUT, encoding="utf-8")


def only_run(name: str) -> Record:
    (directory,) = (Path("results") / name).iterdir()
    return Record.load(directory)


@pytest.mark.pictures
@pytest.mark.parametrize(("name", "noun"), [("qubo", "assignment"), ("cut", "cut")])
def test_it_trains_records_shows_and_reports(qhn, name: str, noun: str) -> None:
    ran = qhn("run", f"{name}.toml")
    assert ran.code == 0
    assert f"{noun} that the circuit favours at the last step" in ran.out
    assert f"best of the favoured {noun}s, bits" in ran.out
    assert " of 2^100" in ran.out
    assert "CVaR" not in ran.out
    assert "entropy" not in ran.out
    assert "most probable" not in ran.out + ran.err
    record = only_run(name)
    steps = record.steps()
    assert [step.shots for step in steps] == [0] * 4
    assert steps[-1].mean < steps[0].mean
    assert steps[-1].distinct == len(record.evaluations()[1]) <= 4
    assert not (record.directory / "landscape.npy").exists()
    assert {path.stem for path in (record.directory / "figures").iterdir()} == {"curvature", "training"}
    facts = json.loads((record.directory / "manifest.json").read_text(encoding="utf-8"))
    assert ("light cones" if name == "cut" else "matrix product state") in json.dumps(facts)
    for command in ("show", "report"):
        again = qhn(command, record.config.run_id)
        assert again.code == 0
        assert f"best of the favoured {noun}s" in again.out


@pytest.mark.parametrize("name", ["qubo", "cut"])
def test_a_resumed_run_is_the_uninterrupted_one(qhn, name: str) -> None:
    assert qhn("run", f"{name}.toml", "--steps", "2").code == 0
    assert qhn("resume", only_run(name).config.run_id, "--set", "train.steps=4").code == 0
    resumed = only_run(name).steps()
    whole = list(package.train(load_config(f"{name}.toml"), record=False))
    assert [step.mean for step in resumed] == [step.mean for step in whole]
    assert [step.best_cost for step in resumed] == [step.best_cost for step in whole]
    assert [step.distinct for step in resumed] == [step.distinct for step in whole]


def test_lbfgs_ends_at_a_bitstring_on_independent_qubits(qhn) -> None:
    product = QUBO.replace('"hypernetwork"\nnum_layers = 2', '"product"')
    Path("product.toml").write_text(product, encoding="utf-8")
    ran = qhn("run", "product.toml", "--set", "train.optimizer=lbfgs", "--steps", "200")
    assert ran.code == 0
    assert "no component of the gradient exceeds train.tolerance" in ran.out
    last = only_run("product").steps()[-1]
    assert last.mean == pytest.approx(last.best_cost, abs=1e-3)


def test_angles_from_a_file_are_evaluated(qhn) -> None:
    np.save("theta.npy", np.zeros((2, 800)))
    found = qhn("evaluate", "qubo.toml", "--theta", "theta.npy")
    assert found.code == 0
    assert "best C of likely bits = " in found.out
    assert "1 distinct" in found.out


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (("qubo.toml", "--set", "train.objective=cvar"), "needs the costs of all bitstrings; take shots"),
        (("qubo.toml", "--set", "ansatz.num_layers=8"), "too many or too large; use fewer layers, or give --shots"),
        (("cut.toml", "--set", "ansatz.num_layers=4"), "their light cone, and E without shots allows 20"),
        (("cut.toml", "--shots", "100"), "this circuit has 100; use backend aer-mps"),
        (("qubo.toml", "--backend", "depolarising", "--shots", "none"), "possible up to 24 qubits; give --shots"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(qhn, settings, complaint: str) -> None:
    refused = qhn("run", *settings)
    assert refused.code == 2
    assert complaint in refused.err
    assert len(refused.err.splitlines()) == 1
    assert not Path("results").exists() or not any(Path("results").rglob("config.json"))


def test_members_of_a_sweep_run_one_by_one(qhn) -> None:
    sweep = 'name = "two"\nexperiment = "qubo.toml"\nseeds = 2\nepsilon = [1.0]\nrepeats = 1\n[vary]\n'
    Path("sweep.toml").write_text(sweep, encoding="utf-8")
    ran = qhn("sweep", "sweep.toml")
    assert ran.code == 0, ran.err
    assert "distinct" in ran.out
    assert " all " not in ran.out


def test_a_warm_start_of_a_polynomial_takes_no_shots() -> None:
    settings = {"train.backend": "aer-mps", "train.shots": 50, "ansatz.num_layers": 1}
    warm = warm_started(load_config("qubo.toml", settings))
    assert len(warm.train.initial.theta) == 400
    (record,) = (Record.load(path.parent) for path in Path("results").rglob("config.json"))
    assert record.config.train.shots is None
    assert record.config.train.optimizer.name == "lbfgs"
    assert record.steps()[-1].mean < -150
