"""A function of the user's is found without running anything, and known by the bytes of its file."""

from __future__ import annotations

import hashlib
import sys
from functools import partial
from pathlib import Path

import pytest

from qhn.black_box.function import UserFunction
from qhn.errors import NotFoundError, QhnError

MARK = "from pathlib import Path\nPath('ran').write_text('')\n"
FUNCTION = "def cost(bits):\n    return 0.0\n"


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of another test
    monkeypatch.setattr(sys, "modules", sys.modules.copy())


def written(folder: Path, name: str, content: str = MARK + FUNCTION) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("name", "file"),
    [("mine", "mine.py"), ("pack", "pack/__init__.py"), ("pack.mine", "pack/mine.py"), ("loose.mine", "loose/mine.py")],
)
def test_it_is_found_without_running_it_or_the_packages_around_it(name: str, file: str, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    written(folder, "pack/__init__.py")
    path = written(folder, file)
    found = UserFunction.find(f"{name}:cost", [folder])
    assert (found.source, found.root) == (path, folder)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not Path("ran").exists()
    assert found.load()([]) == 0.0
    assert Path("ran").exists()


def test_the_folder_comes_first_then_the_working_directory_then_what_is_installed(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    assert UserFunction.find("colorsys:rgb_to_yiq", [folder]).source == Path(sys.modules["os"].__file__).with_name(
        "colorsys.py"
    )
    here = written(tmp_path, "colorsys.py")
    assert UserFunction.find("colorsys:cost", [folder]).source == here
    first = written(folder, "colorsys.py")
    assert UserFunction.find("colorsys:cost", [folder]).source == first


@pytest.mark.parametrize("text", ["mine", "mine:", ":cost", "mine:cost()", "../mine:cost", "mine.py/x:cost", ""])
def test_what_names_no_function_is_refused(text: str) -> None:
    with pytest.raises(QhnError, match="a function is named 'module:function'"):
        UserFunction.find(text)


def test_a_module_that_is_nowhere_or_has_no_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no module 'nowhere\.at\.all' in"):
        UserFunction.find("nowhere.at.all:cost")
    (tmp_path / "empty").mkdir()
    for module in ("math", "sys", "empty"):
        with pytest.raises(QhnError, match=f"'?{module}'? "):
            UserFunction.find(f"{module}:cost")


def test_only_what_can_be_imported_by_its_name_has_a_place(tmp_path: Path) -> None:
    methods = "class Model:\n    def cost(self, bits):\n        return 0.0\n\n    @staticmethod\n"
    methods += "    def still(bits):\n        return 0.0\n\nmodel = Model()\n"
    written(tmp_path, "mine.py", FUNCTION + methods)
    sys.path.insert(0, str(tmp_path))
    import mine

    assert UserFunction.of(mine.cost) == UserFunction.find("mine:cost")
    assert UserFunction.of(mine.Model.still) == UserFunction.find("mine:Model.still")
    for function in (mine.model.cost, partial(mine.cost), lambda bits: 0.0, mine.model, len):
        assert UserFunction.of(function) is None


def test_a_file_that_has_changed_is_not_run(tmp_path: Path) -> None:
    path = written(tmp_path, "mine.py", FUNCTION)
    found = UserFunction.find("mine:cost")
    path.write_text(MARK + FUNCTION)
    with pytest.raises(QhnError, match="has changed since mine:cost was read: restore it, or begin a new run"):
        found.load()
    path.unlink()
    with pytest.raises(NotFoundError, match="is gone"):
        found.load()
    assert not Path("ran").exists()


def test_a_function_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    written(tmp_path, "mine.py", FUNCTION + "number = 3\n")
    with pytest.raises(QhnError, match="has no function costs; did you mean 'cost'"):
        UserFunction.find("mine:costs").load()
    with pytest.raises(QhnError, match="mine:number must be a function of bits, and is 3"):
        UserFunction.find("mine:number").load()
