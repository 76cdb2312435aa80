"""The example of a plug-in: short, installed as it is, and used by its name."""

from __future__ import annotations

import ast
import io
import sys
from pathlib import Path

import pytest
from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError

import plug_ins
from qhn.backend.ibm import account
from qhn.backend.vendor.installed import installed
from qhn.run.record import load_run

EXAMPLE = Path(__file__).parents[2] / "examples" / "plug_in"
MOST_LINES = 40
SMALL = ("--layers", "1", "--shots", "60", "--steps", "1", "--quiet")


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug_ins.install(EXAMPLE, monkeypatch, tmp_path / "site")


@pytest.fixture
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*args: object, **kwargs: object) -> None:
        raise AccountNotFoundError

    monkeypatch.setattr(account, "QiskitRuntimeService", failing)


def package(folder: Path, entry: str, text: str) -> Path:
    """The folder of a package of one module with one entry point."""
    folder.mkdir()
    name = folder.name
    facts = f'[project]\nname = "{name}"\nversion = "2.0"\n[project.entry-points."qhn.backends"]\n{entry}\n'
    (folder / "pyproject.toml").write_text(facts)
    (folder / f"{name}_module.py").write_text(text)
    return folder


def test_it_is_short_and_documented() -> None:
    (module,) = EXAMPLE.glob("*.py")
    text = module.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert functions
    assert all(ast.get_docstring(node) for node in [tree, *functions])


@pytest.mark.usefixtures("lab")
def test_a_run_on_its_machine_avoids_the_worst_pair(qhn) -> None:
    result = qhn("run", "figure-1", "--backend", "lab_5", *SMALL)
    assert result.code == 0, result.err
    run = load_run(Path(result.out.strip()))
    facts = run.sessions()[-1].backend.facts
    (tile,) = facts["tiles"]
    assert facts["name"] == run.config.train.backend == "lab_5"
    assert {0, 1} not in [set(pair) for pair in zip(tile["qubits"], tile["qubits"][1:], strict=False)]
    assert len(run.steps()) == 1


@pytest.mark.usefixtures("lab")
def test_its_calibration_is_rehearsed(qhn) -> None:
    result = qhn("run", "figure-1", "--backend", "twin_lab_5", "--set", "train.shots=none", "--steps", "1", "--quiet")
    assert result.code == 0, result.err
    assert load_run(Path(result.out.strip())).config.train.shots is None


@pytest.mark.usefixtures("lab")
def test_a_machine_that_it_has_not_is_bad_input(qhn) -> None:
    result = qhn("run", "figure-1", "--backend", "lab_2", *SMALL)
    assert result.code == 2
    assert result.err.splitlines()[-1] == "qhn: the laboratory has lab_3 to lab_20, and no lab_2"


@pytest.mark.usefixtures("lab", "no_account")
def test_the_doctor_lists_it(qhn) -> None:
    assert "ok plug-in    lab_<device>, qhn_lab:open_lab of qhn-lab 0.1.0" in qhn("doctor").out.splitlines()


@pytest.mark.usefixtures("no_account")
def test_the_doctor_says_nothing_of_plug_ins_where_there_are_none(qhn) -> None:
    assert "plug-in" not in qhn("doctor").out


@pytest.mark.parametrize(
    ("entry", "text", "complaint"),
    [
        ('mine = "broken_module:open"', "import no_such_package", "cannot be imported: ModuleNotFoundError: No module"),
        ('mine = "broken_module:open"', "raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ('mine = "broken_module:open"', "", "cannot be imported: AttributeError: module 'broken_module' has no"),
        ('mine = "broken_module:open"', "open = 7", "is no factory, backend, sampler or qhn.Machine, but 7"),
        ('mine_ = "broken_module:open"', "open = lambda: print('hello')", ""),
        ('aer = "broken_module:open"', "open = len", "is never used: aer is built in; call the entry point otherwise"),
        ('ibm_x = "broken_module:open"', "open = len", "is never used: ibm_<device> is built in; call the entry"),
        (
            'mine = "broken_module:M"',
            "import qhn\nM = qhn.Machine('mine', 'broken_module:missing', bills=True)",
            "cannot be imported: AttributeError: module 'broken_module' has no attribute 'missing'",
        ),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_told(
    entry: str, text: str, complaint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
) -> None:
    monkeypatch.delitem(sys.modules, "broken_module", raising=False)
    plug_ins.install(package(tmp_path / "broken", entry, text), monkeypatch, tmp_path / "site")
    (found,) = installed()
    assert found.complaint.startswith(complaint)
    assert bool(found.complaint) == bool(complaint)
    assert found.where.endswith(" of broken 2.0")
    assert capsys.readouterr().out == ""


def test_two_packages_of_one_name_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("first", "second"):
        entry = f'mine = "{name}_module:open"'
        plug_ins.install(package(tmp_path / name, entry, "open = len"), monkeypatch, tmp_path / f"site-{name}")
    words = "2 packages have a plug-in of this name; uninstall all but one"
    assert [found.complaint for found in installed()] == [words, words]


PAID = """
import qhn
from qhn_lab import open_lab

MACHINE = qhn.Machine("paid_", "broken_module:opened", qhn.LayoutSettings, chip=None, bills=True)


def opened(name, settings, journal):
    return open_lab(name.replace("paid", "lab"))
"""
STUDY = """
experiment = "figure-1"
scheduler = "successive-halving"
trials = 4
max_resource = 4
[set]
train.backend = "paid_5"
[vary]
train.optimizer.learning_rate = [0.2, 0.5]
"""


@pytest.mark.usefixtures("lab")
def test_a_vendor_with_a_calibration_is_limited_in_shots(qhn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A price by IBM's formula is no bill of another vendor: no budget of QPU seconds is proposed or agreed to."""
    monkeypatch.delitem(sys.modules, "broken_module", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    project = package(tmp_path / "broken", 'paid_ = "broken_module:MACHINE"', PAID)
    plug_ins.install(project, monkeypatch, tmp_path / "paid-site")
    run = ("figure-1", "--backend", "paid_5", "--steps", "2", "--shots", "100")
    asked = qhn("run", *run)
    assert asked.code == 2
    assert "needs a budget, such as --set train.max_shots=11800; its 2 steps should take 11,800 shots." in asked.err
    assert "seconds" not in asked.err
    estimated = qhn("estimate", *run).out.strip()
    assert estimated.endswith(
        "What the vendor bills for the run's 11,800 shots is not known here: limit train.max_shots."
    )
    done = qhn("run", *run, "--yes", "--quiet")
    assert done.code == 0, done.err
    assert "2 steps and a self-test take 11,800 shots, of whose price qhn knows nothing" in done.err
    assert load_run(Path(done.out.strip())).config.train.max_shots == 11800
    lines = qhn("show").out.splitlines()
    assert any(
        line.startswith("  billed      11,800 shots, for which the vendor has prices of its own") for line in lines
    )
    assert "billed, s" not in qhn("jobs").out
    assert [line.split()[8] for line in qhn("list").out.splitlines() if "paid_5" in line] == ["–"]
    (tmp_path / "study.toml").write_text(STUDY)
    study = qhn("search", "study.toml", "--yes")
    assert study.code == 2
    assert "a study has a budget of QPU seconds, and what paid_5 bills is not known" in study.err
