"""The layers of the code: imports point down one list, vendors enter in one place, every public name exists."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import qhn

SOURCE = Path(qhn.__file__).parent
LAYERS = [  # from the command line down; a package imports itself and what stands below it, and nothing beside it
    {"__main__"},
    {"cli"},
    {"paper"},
    {"search", "quantum_sgd"},
    {"scheduling"},
    {"learning_curves"},
    {"svr"},
    {"sweep"},
    {"report", "parallel"},
    {"predict"},
    {"run"},
    {"budget"},
    {"config", "baseline"},
    {"optimize"},
    {"estimator"},
    {"backend"},
    {"exact"},
    {"carleman"},
    {"black_box"},
    {"problem", "circuit"},
    {"table"},
    {
        "arrays",
        "bitstrings",
        "checksums",
        "compiled",
        "durable",
        "errors",
        "fields",
        "limits",
        "lock",
        "npz",
        "seeds",
        "statistics",
        "text",
        "threads",
    },
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
LEAVES = LAYERS[-1]
VENDORS = {  # who may import a vendor's package
    "qiskit_aer": ("backend",),
    "qiskit_ibm_runtime": ("backend.ibm", "backend.rehearsal"),
    "matplotlib": ("report.plotting",),
    "dimod": ("svr.annealing",),
    "dwave": ("svr.annealing",),
    "minorminer": ("svr.annealing",),
    "optuna": ("paper.optuna_peers",),
    "nlft_qsp": ("carleman.phases",),
}

APART = {  # packages of the backend, and those that they may not import
    "backend.service": ("backend.ibm", "backend.vendor"),
    "backend.ibm": ("backend.vendor",),
    "backend.vendor": ("backend.ibm",),
}

VARIABLE = re.compile(r"\{[a-z_][\w.]*(?:[(\[][^{}]*)?\}", re.ASCII)
FORMATS = {"{task.description}", "{words}"}  # of Rich and Pydantic, which fill them in


def modules() -> dict[str, ast.Module]:
    """The syntax tree of every module by its dotted name below ``qhn``."""
    trees = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


TREES = modules()


def imports(tree: ast.Module) -> set[str]:
    """All that a module imports, wherever in it, with the names imported from modules as if they were modules."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def own_imports(name: str) -> set[str]:
    """The modules of qhn that a module imports, a package standing for its ``__init__``."""
    inside = {i.removeprefix("qhn.") for i in imports(TREES[name]) if i.startswith("qhn.")}
    return {i for i in inside if i in TREES and i != name}


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_imports_point_down_the_layers() -> None:
    assert {name.split(".")[0] for name in TREES} == set(LEVEL)
    for name in TREES:
        layer = name.split(".")[0]
        for imported in own_imports(name):
            below = imported.split(".")[0]
            if layer in LEAVES:
                assert below in LEAVES, f"{name} is a leaf, and imports {imported}"
            else:
                assert below == layer or LEVEL[below] > LEVEL[layer], f"{name} imports {imported}"


def test_no_modules_import_each_other() -> None:
    """Modules can be sorted so that each imports only those before it."""
    left = {name: own_imports(name) for name in TREES}
    while ready := [name for name, below in left.items() if not below & left.keys()]:
        for name in ready:
            del left[name]
    assert not left, f"a cycle among {sorted(left)}"


@pytest.mark.parametrize("vendor", VENDORS)
def test_vendors_enter_in_one_place(vendor: str) -> None:
    for name, tree in TREES.items():
        if vendor in {i.split(".")[0] for i in imports(tree)}:
            assert any(is_in(name, place) for place in VENDORS[vendor]), name


@pytest.mark.parametrize("package", APART)
def test_vendors_stand_on_what_they_share_and_not_on_each_other(package: str) -> None:
    inside = [name for name in TREES if is_in(name, package)]
    assert len(inside) > 5
    for name in inside:
        for imported in own_imports(name):
            assert not any(is_in(imported, other) for other in APART[package]), f"{name} imports {imported}"


def test_what_vendors_share_reaches_none_of_them_by_a_detour() -> None:
    reached = {name for name in TREES if is_in(name, "backend.service")}
    while more := {imported for name in reached for imported in own_imports(name)} - reached:
        reached |= more
    for vendor in APART["backend.service"]:
        assert not [name for name in reached if is_in(name, vendor)]
    for name in reached:
        assert not any(is_in(imported, "qiskit_ibm_runtime") for imported in imports(TREES[name])), name


def calls(tree: ast.Module) -> list[tuple[str, ast.Call]]:
    """All calls in a module with the last part of the name that is called."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [(getattr(node.func, "id", getattr(node.func, "attr", "")), node) for node in nodes]


def test_only_one_module_prints() -> None:
    """It knows what terminals cannot show, and that they may be closed."""
    for name, tree in TREES.items():
        called = {called for called, _ in calls(tree)}
        assert not called & {"print", "echo", "secho"} or name == "cli.terminal", name


def test_text_is_read_and_written_in_utf_8_whatever_the_locale() -> None:
    for name, tree in TREES.items():
        for called, node in calls(tree):
            words = {word.arg for word in node.keywords}
            mode = next((arg.value for arg in node.args[-1:] if isinstance(arg, ast.Constant)), "")
            is_open = called in ("open", "fdopen") and isinstance(mode, str) and set(mode) <= set("rwax+t") and mode
            if is_open or (isinstance(node.func, ast.Attribute) and called in ("read_text", "write_text")):
                assert "encoding" in words or mode == "utf-8", f"{name} line {node.lineno}"
            assert not words & {"text", "universal_newlines"} or called not in ("run", "Popen"), name


def test_no_text_shows_the_name_of_a_variable() -> None:
    """A part of an f-string that lacks its own f shows the braces and what is in them."""
    for name, tree in TREES.items():
        documented = (node for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)))
        docstrings = {ast.get_docstring(node, clean=False) for node in documented}
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for text in texts - docstrings:
            assert not (set(VARIABLE.findall(text)) - FORMATS), f"{name}: {text}"


def test_packages_are_two_folders_deep() -> None:
    assert max(name.count(".") for name in TREES) == 2


def test_every_public_name_exists() -> None:
    for name in qhn.__all__:
        assert getattr(qhn, name) is not None


def test_only_what_computes_exactly_waits_for_numba() -> None:
    code = "import sys, qhn.cli, qhn.run.training, qhn.report.page; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_machine_of_another_vendor_does_not_wait_for_ibm_s_client() -> None:
    """Qiskit itself imports it when it first compiles a circuit, as the client brings a plug-in of the transpiler."""
    code = (
        "import sys, qhn; from qiskit.providers.fake_provider import GenericBackendV2; "
        "qhn.open_backend(GenericBackendV2(3)); print('qiskit_ibm_runtime' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
