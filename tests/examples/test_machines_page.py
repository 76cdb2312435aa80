"""Every block of docs/machines.md runs as it is printed, and what it says of files and plug-ins is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError

import plug_ins
from cloud_sdk import Cloud
from qhn.backend import Machine
from qhn.backend.ibm import account
from qhn.run.directories import find_run, results_directory
from qhn.run.record import load_run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "plug_in"
MODULES = ("my_machines", "qhn_cloud", "qhn_lab")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def commands(program: str) -> Iterator[list[str]]:
    """The words of each command line of the page that begins with a program."""
    for block in blocks("sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == program:
                yield words[1:]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The working directory holds the files of the page, by the names in their first lines."""
    for block in blocks("python") + blocks("toml"):
        if named := re.match(r"# (\w+\.(?:py|toml))\n", block):
            (tmp_path / named[1]).write_text(block, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_the_example_is_printed_as_it_is() -> None:
    assert (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8") in blocks("toml")
    assert (EXAMPLE / "qhn_lab.py").read_text(encoding="utf-8") in blocks("python")


def test_all_attributes_of_a_machine_are_described() -> None:
    (table,) = re.findall(r"^\| `qhn.Machine` \| \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    names = re.findall(r"`(\w+)`", " ".join(line.split(" | ")[0] for line in table.splitlines()))
    assert sorted(names) == sorted(Machine.__dataclass_fields__)


def test_the_blocks_of_python_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = [one for one in blocks("python") if not one.startswith(("#", '"""'))]
    exec(text, {"__name__": "documented"})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[:2]] == ["0", "1"]
    assert printed[2].startswith("E = ")
    assert "'qubits'" in printed[-1]
    (record,) = (tmp_path / "results" / "figure-1").iterdir()
    assert load_run(record).config.train.backend == "object:generic_backend_5q"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("words", [" ".join(words) for words in commands("qhn") if "my_machines" in " ".join(words)])
def test_a_function_in_a_file_is_a_machine(qhn, words: str) -> None:
    result = qhn(*words.split(), "--quiet")
    assert result.code == 0, result.err
    assert "my_machines:noisy" in qhn("show").out


@pytest.mark.usefixtures("files")
def test_the_file_of_the_page_runs(qhn) -> None:
    result = qhn("run", "mine.toml", "--quiet")
    assert result.code == 0, result.err
    assert load_run(Path(result.out.strip())).config.train.backend == "my_machines:noisy"


def test_make_hands_the_name_over() -> None:
    for words in commands("make"):
        asked = ["make", "-n", *words]
        printed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
        assert re.search(r"qhn run figure-1 +--backend my_machines:noisy +--steps 2", printed)


def test_the_commands_of_the_plug_in_run(qhn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def failing(*args: object, **kwargs: object) -> None:
        raise AccountNotFoundError

    monkeypatch.setattr(account, "QiskitRuntimeService", failing)
    ((_, folder),) = commands("pip")
    plug_ins.install(ROOT / folder, monkeypatch, tmp_path / "site")
    done = []
    for words in commands("qhn"):
        if words == ["doctor"]:
            assert "lab_<device>" in qhn(*words).out
        elif any("lab_5" in word for word in words):
            result = qhn(*words)
            assert result.code == 0, result.err
            done.append(words[0])
            assert "qubits 0-4-3-2 of lab_5" in result.err or "lab_5" in result.out
    assert done == ["run", "estimate", "run"]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", ["cloud_ion", "qhn_cloud:MACHINE"])
def test_the_commands_of_the_vendor_run(qhn, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Estimated, begun and left alone, looked at, and gone on with, by the plug-in and without a package."""
    if name == "cloud_ion":
        (entry,) = re.findall(r"with the entry point `(cloud_ = .*?)`", PAGE)
        project = tmp_path / "project"
        project.mkdir()
        (tmp_path / "qhn_cloud.py").rename(project / "qhn_cloud.py")
        facts = f'[project]\nname = "qhn-cloud"\nversion = "1.0"\n[project.entry-points."qhn.backends"]\n{entry}\n'
        (project / "pyproject.toml").write_text(facts)
        plug_ins.install(project, monkeypatch, tmp_path / "site")
    else:
        assert name in PAGE
    every = list(commands("qhn"))
    begin = next(number for number, words in enumerate(every) if "cloud_ion" in words)
    given = [[name if word == "cloud_ion" else word for word in words] for words in every[begin:]]
    outputs = []
    for words in given:
        monkeypatch.setattr(Cloud, "is_paused", words[0] != "resume")
        outputs.append(qhn(*words))
    assert [words[0] for words in given] == ["estimate", "run", "jobs", "resume"]
    assert [result.code for result in outputs] == [0] * 4, "\n".join(result.err for result in outputs)
    told = [result.out.strip() for result in outputs]
    assert "the first step takes 6,100 shots, a self-test of the device included" in told[0]
    assert "2 jobs are on the way; qhn jobs says how far" in told[1]
    assert re.search(r"^\d+ and 1 more  self-test  queued +400  to come$", told[2], re.MULTILINE)
    assert told[2].endswith("400 of 11,800 shots in 1 job, which are 2 of the vendor's")
    assert "2 steps done" in told[3]
    run = load_run(find_run(results_directory(None), None))
    assert run.config.train.backend == name
    assert qhn("jobs").out.strip().endswith("11,800 of 11,800 shots in 3 jobs, which are 40 of the vendor's")


def test_the_blocks_of_toml_are_toml() -> None:
    for block in blocks("toml"):
        assert tomllib.loads(block)
