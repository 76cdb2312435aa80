"""Problems that are data, from a configuration or from Python: shown, resumed and replayed from the record alone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dimod
import networkx
import numpy as np
import pytest

import qhn as package
from qhn.baseline.classical import methods_for
from qhn.config import RunConfig
from qhn.config.file import load_config
from qhn.problem.landscape import enumerate_costs, is_small
from qhn.report.page import Report
from qhn.run.record import Record
from qhn.sweep.classical import search_all
from qhn.sweep.plan import make_sweep
from qhn.sweep.report import SweepReport
from qhn.sweep.survey import Survey
from qhn.sweep.workers import advance

CONFIG = RunConfig(experiment="given", ansatz={"num_layers": 1}, train={"backend": "aer", "shots": 40, "steps": 2})
MODEL = dimod.BinaryQuadraticModel({"b": 1.0, "a": -1.0, "c": 0.5}, {("a", "b"): 2.0, ("b", "c"): -1.5}, 0.25, "SPIN")
GRAPH = networkx.Graph([("x", "y"), ("y", "z"), ("z", "x"), ("z", "w")])
GIVEN = {
    "spin configuration": package.QuadraticProblem.from_bqm(MODEL),
    "assignment": package.QuadraticProblem.from_qubo([[1.0, -2.0], [0.0, 1.0]]),
    "cut": package.max_cut(GRAPH),
    "sequence": package.LabsProblem(5),
    "bitstring": package.TableProblem([3.0, 1.0, 4.0, 1.5]),
}


def trained(config: RunConfig, results: Path, problem: object = None) -> Record:
    training = package.train(config, problem=problem, results=results)
    list(training)
    training.close()
    assert training.record is not None
    return training.record


@pytest.mark.parametrize(("noun", "problem"), GIVEN.items())
def test_a_problem_from_python_is_kept_and_the_object_is_not_needed_again(noun, problem, tmp_path):
    record = Record.load(trained(CONFIG, tmp_path, problem).directory)
    page = Report(record).summary()
    best = json.loads((record.directory / "best.json").read_text())
    assert f"problem     {type(problem).__name__}, digest {problem.digest[:10]}: " in page
    assert f"best sampled {noun}, bits {best['bits']}" in page
    assert f"optimum C*                      {enumerate_costs(problem).min():.6g}" in page
    if noun != "bitstring":
        assert best[noun] == problem.describe([int(bit) for bit in best["bits"]])
        assert (record.directory / "problem.npz").exists()
    longer = package.resume(record.directory, {"train.steps": 3})
    assert len(list(longer)) == 3
    longer.close()
    assert [step.mean for step in package.replay(record.directory)] == [
        step.mean for step in Record.load(record.directory).steps()
    ]


def test_a_damaged_or_exchanged_problem_is_refused(tmp_path):
    record = trained(CONFIG, tmp_path, GIVEN["cut"])
    other = trained(CONFIG, tmp_path, package.max_cut(networkx.path_graph(4)))
    path = record.directory / "problem.npz"
    path.write_bytes((other.directory / "problem.npz").read_bytes())
    with pytest.raises(package.QhnError, match=r"holds another problem than its config\.json names"):
        Report(record).summary()
    path.write_bytes(b"junk")
    with pytest.raises(package.QhnError, match=r"problem\.npz is damaged"):
        package.resume(record.directory, {"train.steps": 3})


def test_equal_costs_are_the_same_run_whatever_their_form(tmp_path):
    first = CONFIG.given(package.QuadraticProblem.from_bqm(MODEL))
    assert first.run_id == CONFIG.given(package.QuadraticProblem.from_bqm(MODEL.binary)).run_id
    assert first.run_id != CONFIG.given(package.QuadraticProblem.from_bqm(MODEL * 2)).run_id


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a configuration of each kind."""
    networkx.write_edgelist(networkx.cycle_graph(5), tmp_path / "graph.txt", data=False)
    (tmp_path / "spins.coo").write_text("# vartype=SPIN\n0 0 0.5\n0 1 1\n1 2 -1\n")
    np.save(tmp_path / "q.npy", np.diag([1.0, -1.0, 2.0, -3.0]))
    (tmp_path / "costs.txt").write_text("3\n1\n4\n1.5\n")
    kinds = {
        "maxcut": 'file = "graph.txt"',
        "ising": 'file = "spins.coo"',
        "qubo": 'file = "q.npy"\noffset = 0.5',
        "labs": "num_qubits = 5",
        "table": 'file = "costs.txt"',
    }
    for name, keys in kinds.items():
        text = f'[problem]\nname = "{name}"\n{keys}\n[ansatz]\nnum_layers = 1\n[train]\nshots = 30\nsteps = 2\n'
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "noun", "optimum"),
    [
        ("maxcut", "cut", -4),
        ("ising", "spin configuration", -2.5),
        ("qubo", "assignment", -3.5),
        ("labs", "sequence", 2),
        ("table", "bitstring", 1),
    ],
)
def test_a_problem_of_a_configuration_is_run_shown_and_resumed_in_its_own_words(kind, noun, optimum, files, qhn):
    ran = qhn("run", str(files / f"{kind}.toml"))
    assert ran.code == 0, ran.err
    assert f"  problem     {kind}: " in ran.out
    assert f"best sampled {noun}, bits" in ran.out
    assert f"optimum C*                      {optimum}," in ran.out
    assert f" {noun}s\n" in ran.out
    assert "network" not in ran.out
    (directory,) = Path("results", kind).iterdir()
    for path in files.glob("*.*"):
        path.unlink()  # the record has a copy
    for words in (("show",), ("replay",), ("resume", str(directory), "--steps", "3")):
        found = qhn(*words)
        assert (found.code, "network" in found.out) == (0, False), found.err
    refused = qhn("ensemble", str(directory))
    assert (refused.code, "this needs networks on data" in refused.err) == (2, True)


def test_bits_of_a_cut_are_judged_by_another_graph(files, qhn):
    assert qhn("run", str(files / "maxcut.toml"), "--quiet").code == 0
    networkx.write_edgelist(networkx.complete_graph(5), files / "complete.txt", data=False)
    found = qhn("replay", "--set", f"problem.file={files / 'complete.txt'}")
    assert found.code == 0, found.err
    assert found.out.splitlines()[0].split() == ["step", "E", "as", "recorded", "recomputed", "best", "C"]


def test_landscapes_and_searches_of_a_cut_speak_of_cuts(files, qhn):
    page = qhn("landscape", str(files / "maxcut.toml"))
    assert page.code == 0, page.err
    assert "optimum C* = -4, 10 of 32 cuts; the first:" in page.out
    assert "  cut of weight 4, 4 of 5 edges" in page.out
    assert "network" not in page.out
    searched = qhn("baseline", str(files / "maxcut.toml"), "--repeats", "2")
    assert searched.code == 0, searched.err
    assert "straight-through: left out, since it trains the weights of networks" in searched.err
    assert "2 searches each, 16 of 32 cuts evaluated; C* = -4" in searched.out
    refused = qhn("baseline", str(files / "maxcut.toml"), "--method", "straight-through")
    assert "straight-through trains the weights of networks, and this is a MaxCutProblem" in refused.err


def test_a_sweep_of_cuts_is_searched_by_what_needs_no_weights(files, tmp_path):
    sweep = make_sweep(experiment=str(files / "maxcut.toml"), seeds=2, repeats=2, vary={"ansatz.num_layers": [0, 1]})
    with ThreadPoolExecutor(1) as executor:
        list(advance(sweep, executor, results=tmp_path))
        survey = Survey(sweep, tmp_path)
        searches = search_all(survey, executor)
    page = SweepReport(survey, searches).page()
    assert searches.methods(survey.groups[0]) == list(methods_for(survey.groups[0].problem))
    assert "the best cut\n" in page
    assert "so many different cuts" in page
    assert "network" not in page


def test_presets_of_other_problems_reach_what_they_promise():
    cut, sequence = (load_config(name).problem() for name in ("maxcut-16", "labs-13"))
    weight, _ = networkx.approximation.one_exchange(networkx.Graph(map(tuple, cut.graph.pairs.tolist())), seed=1)
    assert -enumerate_costs(cut).min() >= weight
    assert enumerate_costs(sequence).min() == 6


def test_only_costs_that_are_soon_enumerated_are_small():
    assert is_small(package.LabsProblem(16))
    assert not is_small(package.LabsProblem(24))
    assert is_small(package.QuadraticProblem.from_qubo(np.ones((20, 20))))
    assert not is_small(package.QuadraticProblem.from_qubo(np.eye(100)))
