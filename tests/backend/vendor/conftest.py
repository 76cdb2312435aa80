"""Every test of a vendor's machine begins without plug-ins, and leaves none behind."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qhn.backend import machines
from qhn.backend.vendor import plug_in
from vendors import CLOUD, MODULE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let vendors warn, as Aer does of a device whose relaxation is not known."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:.* warns. :qhn.errors.QhnWarning"))


@pytest.fixture(autouse=True)
def _of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("_found", "_made", "_given"):
        monkeypatch.setattr(plug_in, name, {})
    monkeypatch.setattr(machines, "_RECORDED", {})
    machines._shows_chip.cache_clear()
    monkeypatch.syspath_prepend(str(tmp_path))  # restores the path
    yield
    _forget(tmp_path)


def _forget(folder: Path) -> None:
    for name in [name for name, one in sys.modules.items() if str(folder) in str(getattr(one, "__file__", ""))]:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def new_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forget what was imported and read, as a new process that has the same files."""

    def begin() -> None:
        for name in ("_found", "_made", "_given"):
            monkeypatch.setattr(plug_in, name, {})
        monkeypatch.setattr(machines, "_RECORDED", {})
        machines._shows_chip.cache_clear()
        _forget(tmp_path)

    return begin


@pytest.fixture
def module(tmp_path: Path) -> Callable[[str, str], str]:
    """Write a module of the user's into the working directory, and return its name."""

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., None]:
    """Install a package with entry points for machines: ``installed("package", name="module:object")``."""

    def install(package: str, **names: str) -> None:
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in names.items())
        (folder / "entry_points.txt").write_text(f"[qhn.backends]\n{lines}")

    return install


@pytest.fixture(params=["module"])
def names(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Callable[[str, str], str],
    installed: Callable[..., None],
) -> dict[str, str]:
    """The names of the machine that finds its jobs again, and of the one that does not."""
    monkeypatch.setenv(CLOUD, str(tmp_path / "cloud"))
    module("acme", MODULE.replace("{module}", "acme"))
    if request.param == "module":
        return {"finds": "acme:finding", "loses": "acme:losing"}
    installed("acme-qhn", finding="acme:finding", losing="acme:losing")
    return {"finds": "finding", "loses": "losing"}
