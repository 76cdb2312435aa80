"""Machines by name: entry points and modules of the user's own, whatever they do."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import qhn as package
from qhn.backend import BackendError, machine_of
from qhn.backend.vendor import plug_in
from qhn.seeds import Key
from vendors import MINE

SMALL = ("figure-1", "--layers", "1", "--shots", "30", "--steps", "2")
Write = Callable[[str, str], str]


def test_a_factory_is_called_with_the_name_if_it_needs_it(module: Write) -> None:
    text = """
from vendors import Own

made = []
def without():
    made.append("without"); return Own()
def with_name(name):
    made.append(name); return Own()
def by_default(name="other", shots=7):
    made.append((name, shots)); return Own()
def by_keyword(*, noise=0):
    made.append(noise); return Own()
class Kind(Own):
    pass
thing = Own()
"""
    mine = module("factories", text)
    names = [f"{mine}:{one}" for one in ("without", "with_name", "by_default", "by_keyword", "Kind", "thing")]
    for name in [*names, *names]:
        machine = package.open_backend(name)
        assert machine.name == name
        assert machine.compile(package.product_state(2)).sample(np.zeros((1, 4)), 10, Key(1, run="r")).bits.sum() == 0
    assert importlib.import_module(mine).made == ["without", f"{mine}:with_name", ("other", 7), 0]  # each once


def test_classes_of_qiskit_and_aer_are_factories() -> None:
    for name in ("qiskit.primitives:StatevectorSampler", "qiskit_aer:AerSimulator", "qiskit_aer.primitives:SamplerV2"):
        assert package.open_backend(name).name == name
    stored = package.open_backend("qiskit_ibm_runtime.fake_provider:FakeManilaV2")
    assert stored.name == "fake_manila"


BROKEN = """
from qiskit.providers import BackendV2
from vendors import Own

def nothing(): return None
def raises(): raise RuntimeError("no\\nway")
def ends(): raise SystemExit(3)
def a_class(): return Own
def a_word(): return "aer"
def two(one, other): return Own()
async def later(): return Own()
class First:
    def run(self, circuits): return None
def first(): return First()
class Compiles:
    def compile(self, circuit): return circuit
def compiles(): return Compiles()
number = 5
module = __import__("re")
"""


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("nothing", ValueError, "must be a BackendV2 or a V2 sampler of Qiskit, got None"),
        ("raises", BackendError, r"backend broken:raises could not be opened: RuntimeError: no\\nway"),
        ("ends", BackendError, "could not be opened: SystemExit: 3"),
        ("a_class", ValueError, "got the class Own, not an object of it"),
        ("a_word", ValueError, "got 'aer'"),
        ("two", BackendError, "could not be opened: TypeError: two.. missing 1 required positional argument"),
        ("first", ValueError, "got <broken.First object"),
        ("compiles", ValueError, "it has no name"),
        ("number", ValueError, "got 5"),
        ("module", ValueError, "got <module 're'"),
        ("missing", ValueError, "cannot be imported: AttributeError: module 'broken' has no attribute 'missing'"),
    ],
)
def test_what_gives_no_machine_is_told(module: Write, name: str, error: type[Exception], words: str) -> None:
    module("broken", BROKEN)
    with pytest.raises(error, match=words) as caught:
        package.open_backend(f"broken:{name}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["gone:make", "broken name:make", "../up:make", ".here:make", ":make", "ü:ü", "os:", "a/b:c", "x\ny:z"]
)
def test_modules_that_cannot_be_imported_are_told_in_a_line(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be imported: ") as caught:
        package.open_backend(name)
    assert str(caught.value).isprintable()


def test_modules_that_raise_end_or_print_at_import(
    module: Write, qhn: Callable[..., object], capsys: pytest.CaptureFixture[str]
) -> None:
    module("raising", "raise KeyError('token')")
    module("ending", "import sys\nprint('bye')\nsys.exit(7)")
    module("printing", "print('hello')\nfrom vendors import Own\ndef make():\n    print('made'); return Own()\n")
    with pytest.raises(ValueError, match="backend raising:make cannot be imported: KeyError: 'token'"):
        package.open_backend("raising:make")
    ended = qhn("run", *SMALL, "--backend", "ending:make")
    assert ended.code == 2
    assert "backend ending:make cannot be imported: SystemExit: 7" in ended.err
    assert ended.out == ""
    told = qhn("run", *SMALL, "--backend", "printing:make", "--json")
    assert told.code == 0
    assert all(line.startswith("{") for line in told.out.splitlines())  # data alone
    assert {"hello", "made"} <= set(told.err.split())


def test_an_entry_point_is_a_name_and_a_prefix_of_names(module: Write, installed: Callable[..., None], qhn) -> None:  # type: ignore[no-untyped-def]
    module("acme", "from vendors import Own\ndef make(name):\n    return Own(name=name)\n")
    installed("acme-qhn", acme="acme:make", acme_="acme:make")
    assert [package.open_backend(name).name for name in ("acme", "acme_7")] == ["acme", "acme_7"]
    assert plug_in.spellings() == ["acme", "acme_<device>"]
    assert qhn("run", *SMALL, "--backend", "acme_7", "-q").code == 0
    assert " acme_7 " in qhn("list").out
    assert qhn("show").code == 0
    with pytest.raises(ValueError, match="unknown backend 'acm'; choose exact"):
        machine_of("acm")
    doctor = qhn("doctor").out
    assert "plug-in" in doctor
    assert "acme_<device>" in doctor


def test_names_that_are_built_in_stay_what_they_are(module: Write, installed: Callable[..., None]) -> None:
    module("taking", MINE)
    installed("taker", aer="taking:make", fake_="taking:make", exact="taking:make")
    assert package.open_backend("aer").compile(package.product_state(1)).describe()["method"] == "statevector"
    assert package.open_backend("exact").name == "exact"
    assert type(package.open_backend("fake_manila")).__name__ == "FakeDevice"


def test_two_plug_ins_of_one_name_are_told_apart_by_the_user(
    module: Write, installed: Callable[..., None], qhn
) -> None:  # type: ignore[no-untyped-def]
    module("one", MINE)
    module("two", MINE)
    installed("first", acme="one:make")
    installed("second", acme="two:make")
    with pytest.raises(ValueError, match=r"backend acme is brought by (one|two):make of .* and .*; uninstall one"):
        package.open_backend("acme")
    result = qhn("run", *SMALL, "--backend", "acme")
    assert (result.code, "Traceback" in result.err) == (2, False)
    assert package.open_backend("one:make").name == "one:make"


def test_broken_plug_ins_are_told_and_disturb_no_others(module: Write, installed: Callable[..., None], qhn) -> None:  # type: ignore[no-untyped-def]
    installed("stale", stale="gone:make")
    module("acme", MINE)
    installed("acme-qhn", acme="acme:make")
    assert package.open_backend("acme").name == "acme"
    with pytest.raises(
        ValueError, match="the plug-in gone:make of backend stale cannot be imported: ModuleNotFoundError"
    ):
        package.open_backend("stale")
    assert "plug-in gone:make of backend stale cannot be imported" in qhn("run", *SMALL, "--backend", "stale").err
    assert "cannot be imported" in next(line for line in qhn("doctor").out.splitlines() if "gone:make" in line)


OWN_MACHINE = """
from qhn.backend import LayoutSettings, Machine
from vendors import Own

def opens(name, settings, journal):
    return Own(name=name)

def fails(name, settings, journal):
    raise RuntimeError("closed today")

good = Machine("good", "told:opens", LayoutSettings)
bad = Machine("bad", "told:fails", LayoutSettings)
lost = Machine("lost", "nowhere:opens", LayoutSettings)
"""


def test_a_machine_of_a_plug_in_is_opened_by_its_function(module: Write) -> None:
    module("told", OWN_MACHINE)
    assert package.open_backend("told:good").name == "told:good"
    assert machine_of("told:good").bills is False
    with pytest.raises(BackendError, match="backend told:bad could not be opened: RuntimeError: closed today"):
        package.open_backend("told:bad")
    with pytest.raises(ValueError, match="the plug-in nowhere:opens of backend told:lost cannot be imported"):
        package.open_backend("told:lost")


def test_a_module_is_found_from_the_folder_of_the_command(
    module: Write,
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "theirs.py").write_text(MINE)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(tmp_path)])
    assert "No module named 'theirs'" in qhn("run", *SMALL, "--backend", "theirs:make").err
    monkeypatch.chdir(folder)
    assert qhn("run", *SMALL, "--backend", "theirs:make", "-q").code == 0
