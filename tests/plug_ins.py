"""Plug-ins, installed for a test."""

from __future__ import annotations

import importlib
import shutil
import tomllib
from pathlib import Path

import pytest


def install(project: Path, monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
    """Install a package of single modules as pip would, but without network and build tools, for this test.

    Args:
        project: folder of the package: its ``pyproject.toml`` and its modules.
        monkeypatch: pytest's fixture, which takes the package off the path again.
        target: folder that is put on the path, and gets the modules and the metadata.
    """
    facts = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = target / f"{facts['name'].replace('-', '_')}-{facts['version']}.dist-info"
    metadata.mkdir(parents=True)
    for module in project.glob("*.py"):
        shutil.copy(module, target)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: {facts['version']}\n")
    groups = facts["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in them.items()) for group, them in groups]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(target)
    importlib.invalidate_caches()
