"""The schedulers and predictors that are compared: Hyperband, its peers, and Swift-Hyperband with each predictor."""

from __future__ import annotations

from typing import Any

from qhn.paper.predictability import Model
from qhn.paper.replays import Method

Options = tuple[tuple[str, Any], ...]
SEED: Options = (("random_state", 0),)
FEW = 4  # replays of a method that takes seconds
ANNEALED, RANDOM = "QUBO, annealed", "QUBO, random bits"
SMALL: Options = (("max_curves", 3), ("num_bits", 2), *SEED)  # 12 variables
SMALL_SOLVERS = {
    "exact": "exact",
    "annealed": "simulated-annealing",
    "random bits": "random",
    "hypernetwork": "hypernetwork",
}
PREDICTORS: dict[str, tuple[str, Options]] = {
    "last value": ("last", ()),
    "ridge": ("ridge", ()),
    "NuSVR": ("nusvr", ()),
    "SVR": ("svr", ()),
    ANNEALED: ("qubo-svr", (("solver", "simulated-annealing"), *SEED)),
    RANDOM: ("qubo-svr", (("solver", "random"), *SEED)),
}
SLOW = (ANNEALED, RANDOM)
BOXED = "SVR, C = 1.756"  # the classical regression of the same box as the QUBOs


def small(label: str) -> str:
    """The name of a small QUBO with a solver."""
    return f"QUBO of 12 bits, {label}"


def swift(label: str, eta: int = 2, *, is_warm: bool = False) -> Method:
    """Swift-Hyperband with a predictor.

    Args:
        label: the predictor, as tables name it.
        eta: the factor η.
        is_warm: whether it learns from earlier curves as well.
    """
    name, options = PREDICTORS[label]
    title = f"Swift, η = {eta}, {label}{', warm' if is_warm else ''}"
    return Method(title, "swift", eta, name, options, is_warm, FEW if label in SLOW else None)


def _small(label: str) -> Method:
    options = (("solver", SMALL_SOLVERS[label]), *SMALL)
    return Method(f"Swift, η = 2, {small(label)}", "swift", 2, "qubo-svr", options, most_replays=FEW)


EVERYTHING = Method("all to the end", "all")
BASE = Method("Hyperband, η = 2", "hyperband")
THREE = Method("Hyperband, η = 3", "hyperband", 3)
SHOWN = swift("NuSVR")
METHODS = (
    EVERYTHING,
    BASE,
    THREE,
    *(Method(f"ASHA, η = {eta}", "asha", eta) for eta in (2, 3)),
    *(Method(f"Optuna's Hyperband, η = {eta}", "optuna", eta, most_replays=FEW) for eta in (2, 3)),
    *(swift(label, eta) for eta in (2, 3) for label in PREDICTORS),
    *(_small(label) for label in SMALL_SOLVERS),
    swift("last value", is_warm=True),
    swift("NuSVR", is_warm=True),
    swift(ANNEALED, is_warm=True),
    swift("NuSVR", 3, is_warm=True),
)
COUNTS = (20, 50, 100)  # curves to learn from
FEATURES = ("curve", "curve+differences", "curve+settings", "curve+differences+settings")
MODELS = (
    *(
        Model(label, name, features, count, options, FEW if label in SLOW and features != FEATURES[0] else None)
        for label, (name, options) in PREDICTORS.items()
        for features in (FEATURES if name != "last" else FEATURES[:1])
        for count in (COUNTS[:1] if label in SLOW or name == "last" else COUNTS)
    ),
    *(Model("NuSVR of the loss itself", "nusvr", "curve", count, (("target", "loss"),)) for count in COUNTS),
    Model(BOXED, "svr", "curve", 20, (("C", 1.756), ("epsilon", 0.02), ("gamma", 0.1))),
    *(
        Model(small(label), "qubo-svr", "curve", 3, (("solver", solver), *SMALL), FEW)
        for label, solver in SMALL_SOLVERS.items()
    ),
)
QUBOS = (BOXED, *SLOW, *map(small, SMALL_SOLVERS))
