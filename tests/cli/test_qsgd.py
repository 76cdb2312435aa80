"""The verb qsgd: what it prints, what it refuses in one line, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qhn.quantum_sgd.record import DescentRecord
from runs import wait_until

FAST = ("qsgd", "--solver", "classical", "--segments", "2")


def test_a_descent_tells_before_it_solves_and_reports(qhn) -> None:
    result = qhn("qsgd", "--segments", "2", "--keep", "3")
    assert result.code == 0, result.err
    before, after = result.err.splitlines()[:2]
    assert before.startswith("segment 1/2: ")
    assert "curvatures" in before
    assert "R = " in before
    assert "κ = " in before
    assert "truncation error of the lift ≤" in before
    assert after.startswith("segment 1/2: loss 0.")
    assert result.out.startswith("descent digits: logistic loss, weight decay 0.01, 1,000 samples; qsvt with exact")
    assert "after 2 segments: loss " in result.out
    paths = [Path(line) for line in result.out.splitlines()[-4:]]
    assert [path.name for path in paths] == ["report.md", "losses.png", "parameters.png", "circuits.png"]
    assert all(path.stat().st_size for path in paths)
    folder = paths[0].parent
    assert {"config.json", "manifest.json", "segments.jsonl", "timing.jsonl", "losses.csv"} <= set(os.listdir(folder))
    assert "| segment | loss |" in paths[0].read_text()
    again = qhn("qsgd", "--segments", "2", "--keep", "3")
    assert (again.code, again.out, again.err) == (0, result.out, "")


def test_json_and_quiet(qhn) -> None:
    result = qhn(*FAST, "--json")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [line.get("number") for line in lines] == [0, 1, None]
    assert (lines[2]["outcome"], lines[2]["message"]) == ("done", "2 segments done")
    quiet = qhn(*FAST, "-q", "--set", "descent.seed=3")
    assert (quiet.out.count("\n"), quiet.err) == (1, "")
    assert len(DescentRecord.load(quiet.out.strip()).segments()) == 2


def test_a_table_of_ones_own(qhn, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = [f"{a:.3f},{b:.3f},{'yes' if a + b > 0 else 'no'}" for a, b in rng.normal(size=(80, 2))]
    (tmp_path / "mine.csv").write_text("a,b,bought\n" + "\n".join(lines))
    result = qhn(*FAST, "mine.csv", "--label", "bought", "--keep", "2")
    assert result.code == 0, result.err
    assert "descent mine: " in result.out
    assert Path("results/mine").is_dir()


def test_what_stands_in_for_missing_values_is_told(qhn, tmp_path: Path) -> None:
    lines = [f"{number % 5 if number % 7 else ''},{number % 3},{number % 2}" for number in range(40)]
    (tmp_path / "mine.csv").write_text("a,b,y\n" + "\n".join(lines))
    for settings in ([], ["--set", "model.loss=mse", "--set", "data.impute=median"]):
        result = qhn(*FAST, "mine.csv", "--label", "y" if not settings else "b", "--keep", "2", *settings)
        assert result.code == 0, result.err
        assert "a: 6 of 40 missing, median 2 stands in" in result.out


def test_an_estimate_solves_nothing(qhn) -> None:
    result = qhn("qsgd", "--estimate")
    assert result.code == 0
    assert "system qubits" in result.out
    assert "Classical wins" in result.out
    assert not Path("results").exists()
    tree = json.loads(qhn("qsgd", "--estimate", "--json").out)
    assert (tree["question"]["num_parameters"], tree["verdict"]["winner"]) == (4, "classical")
    assert tree["diagnosis"].startswith("dissipative")


def about(**settings: object) -> list[str]:
    """The words that ask for an estimate with these settings of it."""
    return [
        "qsgd",
        "--estimate",
        *(word for key, value in settings.items() for word in ("--set", f"estimate.{key}={value}")),
    ]


def test_an_estimate_of_any_model(qhn) -> None:
    large = {"num_parameters": 7_451_044, "regime": "dissipative", "sparsity": 100, "kept": 745_104}
    result = qhn(*about(**large))
    assert result.code == 0, result.err
    assert "system qubits" in result.out
    assert "Classical wins by at least 10^7.3" in result.out
    assert "T gates                          not stated" in result.out
    known = json.loads(qhn(*about(**large, loading="select-swap", flops=1e13), "--json").out)
    assert (known["system"]["component_qubits"], known["system"]["time_qubits"]) == (45, 6)
    assert known["t_gates"]["per_download"] == pytest.approx(2.9e19, rel=0.02)
    assert known["question"]["rates"]["flops"] == 1e13


def test_an_estimate_of_a_segment_takes_other_values(qhn) -> None:
    given = json.loads(qhn(*about(kappa=20, loading="qrom"), "--json").out)
    assert (given["question"]["kappa"], given["question"]["num_parameters"]) == (20, 4)
    extrapolated = json.loads(qhn(*about(regime="divergent"), "--json").out)
    assert extrapolated["question"]["kappa"] is None
    assert "diagnosis" in extrapolated


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("digit",), "there is no descent 'digit'; did you mean 'digits'?"),
        (("gone.toml",), "configuration file gone.toml does not exist"),
        (("gone.csv",), "gone.csv"),
        (("--keep", "99"), "prune.keep must be at most 17, got 99"),
        (("--solver", "hll"), "solver.name: input should be 'qsvt', 'hhl' or 'classical', got 'hll'"),
        (("--set", "lift.ordre=3"), "unknown key lift.ordre; did you mean 'order'?"),
        (("--set", "order=3"), "unknown key order; it belongs into [lift]"),
        (("--set", "lift.degree=3"), "lift.degree 3 is above lift.order 2"),
        (("--backend", "fake_torino", "--shots", "1000"), "the circuits have 10 qubits, and with more than 6"),
        (("--solver", "hhl", "--set", "solver.phase_qubits=2"), "solver.phase_qubits: input should be greater than or"),
        (("--shots", "0"), "machine.shots: input should be greater than or equal to 1, got 0"),
        (("--backend", "aer"), "backend aer measures shots; give a number of them"),
        (("--backend", "nowhere"), "unknown backend 'nowhere'"),
        (("--shots", "100", "--solver", "classical"), "solver classical has no circuit to measure"),
        (("three-qubits", "--shots", "20"), "counts a parameter, fewer than 50"),
        (("--label", "y"), "--label names a column of a table, and digits is none"),
        (("--set", "data.digits=[0,1,2]"), "has 3 classes, and a generalised linear model tells two apart"),
        (("--set", "descent.batch=100000"), "descent.batch must be at most 1,000, the samples"),
        (("--set", "descent.learning_rate=100"), "the descent diverges"),
        (("--set", "dense.learning_rate=1e308"), "dense.learning_rate: the descent diverged in step"),
        (("--set", "descent.steps=4096"), "unknowns, more than"),
        (("--set", "lift.order=8", "--keep", "17"), "components, more than"),
        (("three-qubits", "--set", "machine.max_shots=10", "--backend", "fake_manila"), "machine.max_shots"),
        (("--order", "3", "--set", "lift.order=2"), "both give lift.order"),
        (("--keep", "8", "--order", "3", "--steps", "15"), "(in qhn qsgd solver.encoding)"),
        (("--keep", "8", "--solver", "hhl"), "hhl takes at most 256 unknowns, got 1,024"),
        (("three-qubits", "--shots", "1000000000000"), "measured bits, more than the 2,147,483,648 of one job"),
        (("three-qubits", "--set", "machine.max_shots=10"), "machine.max_shots"),
        (("--set", "estimate.kappa=3"), "--set estimate.kappa is of a resource estimate: add --estimate"),
        (("--estimate", "--set", "estimate.loding=qrom"), "unknown key estimate.loding; did you mean 'loading'?"),
        (("--estimate", "--set", "estimate.kappa=0.5"), "kappa must be a finite number in [1, 1e+60], got 0.5"),
        (("--estimate", "--set", "estimate.num_parameters=9"), "give either kappa or a regime"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], says: str, qhn) -> None:
    result = qhn("qsgd", *words)
    assert (result.code, result.out) == (2, ""), result.err
    line = result.err.splitlines()[-1]
    assert line.startswith("qhn: ")
    assert says in line
    assert "Traceback" not in result.err
    assert not Path("results").exists()


def test_a_descent_is_told_from_a_damaged_run(qhn) -> None:
    assert qhn("qsgd", "--solver", "classical", "--segments", "1", "-q").code == 0
    (directory,) = Path("results/digits").iterdir()
    for verb in ("show", "report", "jobs", "resume", "replay"):
        for name in (str(directory), directory.name):
            result = qhn(verb, name)
            assert result.code == 2
            assert f"{directory} is the record of a quantum gradient descent" in result.err
            assert "damaged" not in result.err
    assert "only descents, with which qhn qsgd goes on" in qhn("show").err


def test_one_signal_stops_after_the_segment_and_the_same_command_goes_on(qhn, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "qhn", "qsgd", "--solver", "classical", "--segments", "3000"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=os.environ.copy())
    wait_until(lambda: any(path.stat().st_size > 2000 for path in tmp_path.glob("results/*/*/segments.jsonl")))
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=300)
    assert running.returncode == 130, err
    (directory,) = tmp_path.glob("results/digits/*")
    done = len(DescentRecord.load(directory).segments())
    assert 0 < done < 3000
    again = qhn("qsgd", "--solver", "classical", "--segments", str(done + 1))
    assert again.code == 0
    assert f"{done + 1} segments done" in again.out
