"""Records of runs on machines by name: read when the machine's code is gone, which no record runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import qhn as package
from vendors import MINE

SMALL = ("figure-1", "--layers", "1", "--shots", "30", "--steps", "2")
Write = Callable[[str, str], str]
READERS = (("list",), ("show",), ("report",), ("jobs",))


def test_a_record_is_read_without_its_module_and_without_running_it(
    module: Write,
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    new_process: Callable[[], None],
) -> None:
    mine = module("mine", MINE)
    assert qhn("run", *SMALL, "--backend", "aer", "-q").code == 0
    (other,) = (tmp_path / "results" / "figure-1").iterdir()
    assert qhn("run", *SMALL, "--backend", "mine:make", "-q").code == 0
    (run,) = set((tmp_path / "results" / "figure-1").iterdir()) - {other}
    for text in ("open('it-was-run', 'w').close()", None):  # another one, or none
        (tmp_path / f"{mine}.py").unlink() if text is None else module(mine, text)
        for words in (*READERS, ("compare", run.name, other.name)):
            new_process()
            result = qhn(*words)
            assert not (tmp_path / "it-was-run").exists()
            assert "Traceback" not in result.err
            assert (result.code == 0) == (words != ("jobs",)), result.err
        assert "mine:make" in qhn("list").out
        assert "qhn keeps jobs of" in qhn("jobs").err
        new_process()
        resumed = qhn("resume", "--steps", "3")
        assert resumed.code == 2
        assert "backend mine:make is code of yours, which is not run because a record names it" in resumed.err
    new_process()
    resumed = qhn("resume", "--steps", "3", "--trust")
    assert resumed.code == 2
    assert "backend mine:make cannot be imported: ModuleNotFoundError: No module named 'mine'" in resumed.err
    module(mine, MINE)
    new_process()
    assert qhn("resume", "--steps", "3", "--trust", "-q").code == 0
    new_process()
    assert qhn("run", *SMALL[:-1], "4", "--backend", "mine:make", "-q").code == 0
    assert len(package.load_run(run).steps()) == 4


def test_a_record_of_a_plug_in_that_was_removed_can_be_read(
    module: Write,
    installed: Callable[..., None],
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    new_process: Callable[[], None],
) -> None:
    module("acme", MINE)
    installed("acme-qhn", acme="acme:make")
    assert qhn("run", *SMALL, "--backend", "acme", "-q").code == 0
    shutil.rmtree(tmp_path / "acme_qhn-1.0.dist-info", ignore_errors=True)
    shutil.rmtree(tmp_path / "acme-qhn-1.0.dist-info", ignore_errors=True)
    for words in (("list",), ("show",), ("report",)):
        new_process()
        result = qhn(*words)
        assert (result.code, "Traceback" in result.err) == (0, False), result.err
    resumed = qhn("resume", "--steps", "3")
    assert resumed.code == 2
    assert "there is no plug-in of backend acme here; install the package that brings it" in resumed.err


def test_a_record_that_names_a_function_of_python_runs_nothing(
    module: Write,
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    new_process: Callable[[], None],
) -> None:
    """``os:mkdir`` would be called with its own name."""
    from qhn.run.record import Record

    mine = module("mine", MINE)
    assert qhn("run", *SMALL, "--backend", f"{mine}:make", "-q").code == 0
    (run,) = (tmp_path / "results" / "figure-1").iterdir()
    record = Record.load(run)
    other = record.config.model_copy(update={"train": record.config.train.model_copy(update={"backend": "os:mkdir"})})
    moved = run.with_name(other.run_id)
    shutil.copytree(run, moved)
    (moved / "config.json").unlink()
    Record(moved, other)._write_config()
    new_process()
    for words in (
        ("list",),
        ("show", other.run_id),
        ("report", other.run_id),
        ("resume", other.run_id, "--steps", "4"),
    ):
        qhn(*words)
    assert not (tmp_path / "os:mkdir").exists()
