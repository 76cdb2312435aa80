"""The claims on the controls of “entanglement helps”: circuits against each of their controls, by the names of arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qhn.arrays import Floats
from qhn.paper.contrast import Contrast, pooled
from qhn.paper.control_arms import Arm, success_of
from qhn.paper.control_searches import Sampled
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.pictures import ORDERS, name_of
from qhn.paper.plan import CONTROLS
from qhn.sweep.survey import Rate

PRODUCT, AUTOREGRESSIVE, LOGISTIC = "product", "autoregressive, angles", "autoregressive, logistic"
MIDDLE = (2, 3)  # the depths at which the paper sees the most successes
SOURCE = "Fig. 2, controls"


def circuit_name(num_layers: int, order: str) -> str:
    """The name of a circuit's arm; the product state is the same in both orders."""
    return f"{name_of(num_layers)}, {order}" if num_layers else PRODUCT


def scattered_name(order: str) -> str:
    """The name of the arm of 2 layers with CX gates on random pairs."""
    return f"2 layers, {order}, CX on random pairs"


def unentangled_name(num_layers: int) -> str:
    """The name of the arm of a product state with as many rotations as a circuit."""
    return f"{name_of(num_layers)} without CX"


def born_name(num_layers: int) -> str:
    """The name of the arm of a Born machine with at most as many parameters as a circuit."""
    return f"Born machine, as {name_of(num_layers)}"


def restarted(spent: Sequence[Floats], epsilon: float) -> Rate:
    """The rate at which the best of the starts that each budget paid for ends closer to C* than ``epsilon``."""
    return success_of(np.array([values.min() for values in spent]), epsilon)


def add_claims(
    family: Family, arms: Mapping[str, Arm], spent: Mapping[str, Mapping[str, list[Floats]]], epsilon: float
) -> None:
    """Add the claims that circuits of 2 and 3 layers succeed more often than each of the controls.

    Args:
        family: the tests that are judged together.
        arms: the circuits and their controls, by name.
        spent: the product starts that each circuit pays for (:func:`qhn.paper.controls.restarts_of_product`).
        epsilon: distance of E from C* for a success.
    """

    def together(*names: str) -> Contrast:
        return Contrast.of(" and ".join(names), pooled(*(arms[name].success(epsilon) for name in names)))

    deep = {order: together(*(circuit_name(num_layers, order) for num_layers in MIDDLE)) for order in ORDERS}
    two = {order: together(circuit_name(2, order)) for order in ORDERS}
    restarts = {
        order: Contrast.of(
            f"restarts, {order}",
            pooled(*(restarted(spent[circuit_name(layers, order)]["gradients"], epsilon) for layers in MIDDLE)),
        )
        for order in ORDERS
    }
    wide = together(*map(unentangled_name, MIDDLE))
    born = together(*map(born_name, MIDDLE))
    compared = (
        ("Two or three layers", "restarts of the product state at equal gradients", deep, restarts),
        ("Two layers", "as many CX on random pairs", two, {order: together(scattered_name(order)) for order in ORDERS}),
        ("Two or three layers", "a product state with as many rotations", deep, dict.fromkeys(ORDERS, wide)),
        (
            "Two layers",
            "an autoregressive network with as many parameters",
            two,
            dict.fromkeys(ORDERS, together(AUTOREGRESSIVE)),
        ),
        ("Two or three layers", "a Born machine with as many parameters", deep, dict.fromkeys(ORDERS, born)),
    )
    for subject, control, higher, lower in compared:
        gains = {order: higher[order] - lower[order] for order in ORDERS}
        family.order(
            SOURCE,
            f"{subject} succeed more often than {control} (ε = {epsilon:g})",
            {order: Difference.contrast(gain) for order, gain in gains.items()},
            Difference.contrast(gains["eq5"] - gains["authors"]),
            "circuit minus control",
        )


def add_sampled_claims(
    family: Family, circuit: Floats, models: Mapping[str, Sequence[Sampled]], evaluations: int
) -> None:
    """Add the claims that a circuit trained by samples succeeds more often than models at as many different networks.

    Args:
        family: the tests that are judged together.
        circuit: the differences E − C* of the circuit's starts.
        models: the searches of each model, by its name.
        evaluations: number of different networks that each search evaluated, and the circuit at most, or in the median.
    """
    epsilon = CONTROLS.epsilons[0]
    for name, found in models.items():
        lower = success_of(np.array([one.above for one in found]), epsilon)
        family.add(
            SOURCE,
            f"Trained by samples, both on {evaluations:,} different networks, two layers (eq5) succeed more often than "
            f"restarts of {name} (ε = {epsilon:g})",
            Difference.of(success_of(circuit, epsilon), lower).above(),
        )
