"""Environments: closed, full and broken streams, locales without UTF-8, homes that are not there, any names in data.

None of them costs a run its page, and none is told as something else.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from pictures import command, is_drawn
from qhn.cli import terminal
from qhn.problem.network import load_network

RUN = ("run", "figure-1", "--backend", "exact", "--steps", "1")
NASTY = [
    "$x$ $",
    "_h_",
    "a^b",
    "back\\slash",
    "<script>",
    "[red]",
    "\x1b[31mred",
    "two\nlines",
    "\u202eשלום",
    "9" * 5000,
]
C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ASCII = {"PYTHONIOENCODING": "ascii"}
LATIN = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}


def qhn_process(*words: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """``qhn`` as a process of its own, in a shell that redirects its streams."""
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    line = ["bash", "-c", f'"$@" {shell}', "bash", *command(*words)]
    return subprocess.run(line, env={name: value for name, value in given.items() if value}, capture_output=True)


def figures(results: Path) -> set[str]:
    return {path.name for path in results.rglob("*.png")}


@pytest.mark.parametrize(
    "environment",
    [C, {"HOME": "/nowhere"}, *(pytest.param(one, marks=pytest.mark.slow) for one in (LATIN, ASCII, {"HOME": ""}))],
)
def test_every_verb_prints_its_page_in_any_locale_and_home(environment: dict[str, str], tmp_path: Path) -> None:
    for words in (RUN, ("show",), ("report",), ("list",)):
        done = qhn_process(*words, **environment)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) > 5
        assert b"Warning" not in done.stderr
    assert figures(tmp_path / "results") >= {"training.png", "costs.png", "decision.png"}
    for path in (tmp_path / "results").rglob("circuit*.txt"):
        assert "─" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("shell", ["2>&-", "<&-", ">&-", "<&- >&- 2>&-", "2>/dev/full", "2> >(true)"])
def test_streams_that_are_closed_or_full_cost_no_step(shell: str, tmp_path: Path) -> None:
    done = qhn_process(*RUN, shell=shell)
    assert done.returncode == 0
    assert figures(tmp_path / "results") >= {"training.png", "costs.png", "decision.png"}
    if ">&-" not in shell.replace("2>&-", ""):
        assert b"best of the most probable" in done.stdout


def test_a_full_standard_output_is_named(tmp_path: Path) -> None:
    done = qhn_process(*RUN, shell=">/dev/full")
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1] == b"qhn: standard output: No space left on device"
    assert figures(tmp_path / "results")


def test_a_reader_that_leaves_ends_nothing_but_the_output(tmp_path: Path) -> None:
    done = qhn_process(*RUN, shell="| true")
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    assert figures(tmp_path / "results")


def test_a_full_standard_output_is_not_told_as_a_failed_picture(qhn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fills up between the page of a comparison and the path of its picture, which is there."""
    assert [qhn(*RUN, "--seed", seed, "--quiet").code for seed in "12"] == [0, 0]
    told: list[str] = []

    def put(text: str) -> None:
        told.append(text)
        if len(told) > 1:
            raise OSError(errno.ENOSPC, "No space left on device", "standard output")

    monkeypatch.setattr("qhn.cli.sweeps.put", put)
    found = qhn("compare", *(path.parent.name for path in Path("results").glob("*/*/config.json")))
    assert found.code == 4
    assert found.err == "qhn: standard output: No space left on device\n"
    assert Path(told[1]).exists()


def test_a_file_does_not_get_the_number_of_a_closed_stream() -> None:
    code = "import sys, qhn.cli.terminal as t; t.open_streams(); f = open('x', 'wb'); sys.exit(f.fileno())"
    line = ["bash", "-c", '"$@" <&- >&- 2>&-', "bash", sys.executable, "-c", code]
    assert subprocess.run(line, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}).returncode > 2


def data_file(folder: Path, name: str, number: int = 0) -> Path:
    """A data set whose file's columns and classes have the given name, and its experiment."""
    quoted = name.replace('"', '""')
    rng = np.random.default_rng(number)
    rows = [f'{a},{b},"{quoted}{"" if a + b > 0 else "2"}"' for a, b in rng.normal(size=(30, 2)).round(3).tolist()]
    (folder / "d.csv").write_text("\n".join([f'"{quoted}","{quoted} 2",kind', *rows]), encoding="utf-8", newline="")
    text = '\ufeff[data]\nfile = "d.csv"\nlabel = "kind"\n[network]\nhidden = []\n[ansatz]\nnum_layers = 1\n'
    (folder / "any.toml").write_text(text, encoding="utf-8")
    return folder / "any.toml"


@pytest.mark.pictures
@pytest.mark.parametrize(
    "name",
    ["$x$ a^b <i>[red]\x1b[1m\nשלום", *(pytest.param(one, marks=pytest.mark.slow) for one in NASTY)],
    ids=ascii,
)
def test_any_name_is_shown_as_itself_by_every_verb(qhn, name: str, tmp_path: Path) -> None:
    source = data_file(tmp_path, name)
    written = qhn("run", str(source), "--backend", "exact", "--steps", "1")
    assert written.code == 0, written.err
    assert "not drawn" not in written.err
    shown = name if name.isprintable() else ascii(name)[1:-1].replace(r"\u05e9\u05dc\u05d5\u05dd", "שלום")
    for result in (written, qhn("show"), qhn("report"), qhn("list")):
        assert result.code == 0
        assert "\x1b" not in result.out + result.err
        assert "\u202e" not in result.out + result.err
    page = qhn("show").out
    assert (shown in page) == (len(name) < 40)
    assert max(map(len, page.splitlines())) < 1000
    assert f"output near 0: class {shown[:15]}" in page
    (record,) = (tmp_path / "results" / "any").iterdir()
    assert all(map(is_drawn, (record / "figures").glob("*.png")))
    classes = json.loads((record / "best.json").read_text(encoding="utf-8"))["classes"]
    assert classes == sorted([name, name + "2"])
    assert load_network(record / "network.npz").classes.tolist() == classes


@pytest.mark.pictures
@pytest.mark.parametrize("words", [RUN, ("landscape", "figure-1"), ("baseline", "figure-1", "--repeats", "1")])
def test_a_picture_that_fails_is_one_line_beside_the_page(qhn, words, monkeypatch: pytest.MonkeyPatch) -> None:
    from qhn.report import plotting

    def print_figure(figure: plotting.Figure, file: IO[bytes], kind: str) -> None:
        raise RuntimeError(f"latex could not\nbe found for a {kind}")

    monkeypatch.setattr(plotting, "print_figure", print_figure)
    result = qhn(*words)
    assert result.code == 0
    assert len(result.out.splitlines()) > 3
    complaints = [line for line in result.err.splitlines() if "not drawn" in line]
    assert complaints
    assert all(line.startswith("qhn: the picture ") and r"latex could not\nbe found for" in line for line in complaints)


def test_expendable_streams_drop_what_cannot_be_written() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        stream = terminal.Expendable(full)
        assert stream.write("x" * 100_000) == 100_000
        stream.flush()
        assert stream.encoding == "utf-8"
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


def test_a_name_that_the_locale_cannot_write_is_told_as_such(tmp_path: Path) -> None:
    data_file(tmp_path, "x")
    (tmp_path / "any.toml").write_text('[data]\nfile = "größe.csv"\n[network]\nhidden = []\n', encoding="utf-8")
    (tmp_path / "d.csv").rename(tmp_path / "größe.csv")
    done = qhn_process("run", "any.toml", "--backend", "exact", **C)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_home_that_is_not_there_is_not_told_as_a_service_that_fails(tmp_path: Path) -> None:
    done = qhn_process("doctor", HOME="/proc/none", QISKIT_IBM_TOKEN="", QISKIT_IBM_INSTANCE="")
    assert done.returncode == 2
    assert b"/proc/none: No such file or directory" in done.stdout
    assert b"try again later" not in done.stdout
