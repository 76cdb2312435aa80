"""The lower bounds and the extras of pyproject.toml, for environments of the oldest and of the newest versions.

    python scripts/versions.py bounds       # name==lower bound of every requirement: a constraints file for pip
    python scripts/versions.py extras       # all extras that fit together, as pip takes them in brackets
    python scripts/versions.py installed    # each requirement's installed version and its lower bound

The first two need nothing but Python; the last runs in the environment that it looks at, and fails (exit code 1) if a
requirement is missing there or older than its bound.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

APART = ("braket",)  # extras that do not fit together with others, and have an environment of their own
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*>=\s*(\d[\w.]*)(\s*,\s*(<|!=)[^,;]+)*")


def requirements(project: dict[str, Any]) -> list[str]:
    """All requirements of a ``pyproject.toml``: of its build, of the package, and of every extra."""
    extras = project["project"].get("optional-dependencies", {})
    own = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    return own + [requirement for extra in extras.values() for requirement in extra]


def together(project: dict[str, Any]) -> dict[str, Any]:
    """A ``pyproject.toml`` with those extras alone that can be installed together."""
    extras = project["project"].get("optional-dependencies", {})
    kept = {name: extra for name, extra in extras.items() if name not in APART}
    return {**project, "project": {**project["project"], "optional-dependencies": kept}}


def lower_bounds(project: dict[str, Any]) -> dict[str, str]:
    """The lower bound of every package that a ``pyproject.toml`` requires, by its normalised name.

    Raises:
        ValueError: if a requirement has no lower bound, since pip may then fall back to any old release, or if two
            requirements give a package different ones.
    """
    bounds: dict[str, str] = {}
    for requirement in requirements(project):
        found = REQUIREMENT.fullmatch(requirement)
        if not found:
            raise ValueError(f"a requirement must be name>=version, such as numpy>=2.0, got {requirement!r}")
        name, bound = re.sub(r"[-_.]+", "-", found[1]).lower(), found[2]
        if bounds.setdefault(name, bound) != bound:
            raise ValueError(f"{name} must have one lower bound, got {bounds[name]} and {bound}")
    return bounds


def installed(bounds: dict[str, str]) -> tuple[list[str], list[str]]:
    """A line for each package that says its installed version, and the names of those that are missing or too old."""
    from packaging.version import Version  # comes with pytest; the environment is only made by what is above

    lines, wrong = [], []
    for name, bound in sorted(bounds.items()):
        try:
            found = version(name)
        except PackageNotFoundError:
            found = ""
        lines.append(f"{name:24} {found or 'missing':16} at least {bound}")
        if not found or Version(found) < Version(bound):
            wrong.append(name)
    return lines, wrong


def main(words: list[str]) -> None:
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))
    match words:
        case ["bounds"]:
            print(*(f"{name}=={bound}" for name, bound in lower_bounds(project).items()), sep="\n")
        case ["extras"]:
            print(*together(project)["project"]["optional-dependencies"], sep=",")
        case ["installed"]:
            build = {re.split("[<>=!]", requirement)[0].strip() for requirement in project["build-system"]["requires"]}
            bounds = lower_bounds(together(project))
            lines, wrong = installed({name: bound for name, bound in bounds.items() if name not in build})
            print(*lines, sep="\n")
            if wrong:
                sys.exit(f"missing, or older than pyproject.toml asks: {', '.join(wrong)}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
