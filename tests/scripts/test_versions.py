"""The lower bounds that make test-oldest installs are those of pyproject.toml, of every requirement there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "versions.py"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def versions() -> ModuleType:
    spec = importlib.util.spec_from_file_location("versions", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(word: str) -> str:
    """What the script prints with nothing but Python."""
    return subprocess.run([sys.executable, "-I", "-S", SCRIPT, word], capture_output=True, text=True, check=True).stdout


def project(*requirements: str, **extras: list[str]) -> dict[str, Any]:
    built = {"build-system": {"requires": ["hatchling>=1.26.3"]}}
    return built | {"project": {"dependencies": list(requirements), "optional-dependencies": extras}}


def test_every_requirement_has_its_lower_bound_in_the_constraints_file() -> None:
    constraints = {line.name: line for line in map(Requirement, printed("bounds").splitlines())}
    extras = [one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra]
    written = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"], *extras]
    asked = list(map(Requirement, written))
    assert set(constraints) == {canonicalize_name(one.name) for one in asked}
    for one in asked:
        (pin,) = constraints[canonicalize_name(one.name)].specifier
        assert pin.operator == "=="
        (lower,) = (part for part in one.specifier if part.operator == ">=")
        assert Version(pin.version) == Version(lower.version)
        assert one.specifier.contains(pin.version)


def test_every_extra_is_installed(versions: ModuleType) -> None:
    """Together with the others, or in an environment of its own."""
    together, extras = printed("extras").strip().split(","), list(PROJECT["project"]["optional-dependencies"])
    assert sorted([*together, *versions.APART]) == sorted(extras)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for extra in versions.APART:
        assert f"--editable '.[{extra}]'" in makefile
        assert f"make test-{extra}" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_versions_of_ci_are_not_below_the_bounds(versions: ModuleType) -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = {canonicalize_name(one.name): one for one in map(Requirement, lines[1:])}
    bounds = versions.lower_bounds(PROJECT)
    core = {canonicalize_name(Requirement(one).name) for one in PROJECT["project"]["dependencies"]}
    assert core <= pins.keys()
    for name in pins.keys() & bounds.keys():
        (pin,) = pins[name].specifier
        assert Version(pin.version) >= Version(bounds[name]), name


@pytest.mark.parametrize(
    ("requirement", "bound"),
    [("numpy>=2.0", "2.0"), ("numpy >= 2.0", "2.0"), ("Num_Py>=2.0,<3", "2.0"), ("numpy>=2.0, !=2.1.0, <3", "2.0")],
)
def test_bounds_are_read_as_pip_reads_them(versions: ModuleType, requirement: str, bound: str) -> None:
    name = canonicalize_name(Requirement(requirement).name)
    assert versions.lower_bounds(project(requirement)) == {"hatchling": "1.26.3", name: bound}


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy>2", "numpy==2.0", "numpy~=2.0", "numpy<3,>=2"])
def test_a_requirement_without_a_lower_bound_is_refused(versions: ModuleType, requirement: str) -> None:
    for described in (project(requirement), project(search=[requirement])):
        with pytest.raises(ValueError, match=f"must be name>=version, such as numpy>=2.0, got '{requirement}'"):
            versions.lower_bounds(described)


def test_two_bounds_of_a_package_are_refused(versions: ModuleType) -> None:
    assert versions.lower_bounds(project(search=["dwave_samplers>=1.3"], dev=["dwave-samplers>=1.3"]))
    with pytest.raises(ValueError, match=r"dwave-samplers must have one lower bound, got 1\.3 and 1\.4"):
        versions.lower_bounds(project(search=["dwave_samplers>=1.3"], dev=["dwave-samplers>=1.4"]))


def test_what_is_missing_or_too_old_is_named(versions: ModuleType) -> None:
    lines, wrong = versions.installed({"pytest": "8", "packaging": "9999", "no-such-package": "1"})
    assert wrong == ["no-such-package", "packaging"]
    assert lines[0].split() == ["no-such-package", "missing", "at", "least", "1"]
    assert lines[2].split() == ["pytest", pytest.__version__, "at", "least", "8"]
