"""Imports point down one list, vendor packages enter in one place, and every public name exists."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import qhn

SOURCE = Path(qhn.__file__).parent
ORDER = [  # from the command line down; a module may import only what stands below it
    ("__main__",),
    ("cli",),
    ("cli.devices", "cli.experiments", "cli.replay", "cli.runs", "cli.sweeps"),
    ("cli.app", "cli.options"),
    ("paper.reproduce",),
    (
        *("paper.depth", "paper.dynamics", "paper.interactions", "paper.method", "paper.noise", "paper.overfitting"),
        "paper.search",
    ),
    ("paper.mitigation",),
    ("paper.devices",),
    ("paper.noisytraining",),
    ("paper.lab", "paper.optima", "paper.pictures", "paper.section"),
    ("paper", "paper.claims"),
    ("sweepreport",),
    ("display", "doctor", "ensemble", "evaluate", "replaying", "report", "compare", "searches"),
    ("devicereport", "survey"),
    ("chipmap", "joblist"),
    ("figures",),
    ("workers",),
    ("run", "sweep"),
    ("batch", "checks", "stopping"),
    ("quote",),
    ("kept", "provenance", "warm_start"),
    ("record",),
    ("configfile",),
    ("config", "baseline"),
    ("config.data", "config.device", "config.network", "config.train"),
    ("straight_through",),
    ("noisy",),
    ("optimizer", "estimator", "lbfgs"),
    ("drift", "linesearch", "readout"),
    ("gradient", "landscape", "tally"),
    ("costtable",),
    ("backend",),
    ("backend.depolarising", "backend.fake", "backend.ibm"),
    ("backend.jobs", "backend.placement"),
    ("backend.connection", "backend.session"),
    ("backend.failure",),
    ("backend.account", "backend.aer", "backend.exact", "backend.qpu_time", "backend.selftest", "backend.twin"),
    ("backend.transfer", "backend.isa", "backend.layout"),
    ("backend.noise", "backend.product"),
    ("backend.chip", "backend.path", "backend.sampler", "backend.tiles"),
    ("backend.settings",),
    ("exact.energy", "exact.distribution", "exact.chain"),
    ("exact.halves", "objective", "initial"),
    ("exact", "exact.cut", "exact.kernels", "samples", "circuitfile"),
    ("ansatz", "problem"),
    ("binn",),
    ("datasets", "network", "step", "durable", "calibration", "ledger"),
    ("bitstrings", "config.section", "idx", "seeds", "spelling", "statistics", "tables", "threads", "compiled"),
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}


def modules() -> dict[str, ast.Module]:
    trees = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            trees[name] = ast.parse(path.read_text())
    return trees


def imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_imports_point_down() -> None:
    trees = modules()
    assert set(trees) == set(LEVEL)
    for name, tree in trees.items():
        for imported in (i.removeprefix("qhn.") for i in imports(tree) if i.startswith("qhn.")):
            if imported in LEVEL and imported != name:
                assert LEVEL[imported] > LEVEL[name], f"{name} imports {imported}"


def test_vendor_packages_enter_through_the_backends_only() -> None:
    for name, tree in modules().items():
        vendors = {i.split(".")[0] for i in imports(tree)} & {"qiskit_aer", "qiskit_ibm_runtime"}
        assert not vendors or name.startswith("backend"), f"{name} imports {vendors}"


def test_every_public_name_exists() -> None:
    for name in qhn.__all__:
        assert getattr(qhn, name) is not None


def test_only_what_computes_exactly_waits_for_numba() -> None:
    code = "import sys, qhn.cli, qhn.run, qhn.report, qhn.figures; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
