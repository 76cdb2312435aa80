"""The tables of a configuration that are recommended for a design of networks, with the measurements behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qhn.config.commented import CommentedTable, Entry
from qhn.config.designs import (
    DIRECTED_LAYERS,
    DIRECTED_SHOTS,
    DIRECTED_STEPS,
    DIRECTIONS,
    NUM_LAYERS,
    SHOTS,
    STEPS,
    Design,
    shifted_rows,
)

CVAR = 0.2  # share of the lowest costs
SEED = 7
MANY_FEATURES = 16  # whose sum with weights -1 and 1 is mostly larger than the logit of a class
ADAM: dict[str, Any] = {"name": "adam", "learning_rate": 0.5, "decay_steps": STEPS}
SLOW_ADAM: dict[str, Any] = {"name": "adam", "learning_rate": 0.2, "beta1": 0.9, "decay_steps": DIRECTED_STEPS}


def network_table(
    design: Design, designs: Sequence[Design], num_features: int, num_classes: int, are_unbalanced: bool
) -> CommentedTable:
    """The table ``[network]`` of a design.

    Weights are halved where the logit of two classes is a sum of many features, which with weights of 1 is too large
    for most of them. On ten tables with two classes and 20 to 91 features (three splits each, the best networks that
    bit flips found from random ones) this lowered the mean log loss on validation samples from 0.68 to 0.48, in eight
    of ten, at the same balanced accuracy (0.78; logistic regression: 0.32 and 0.86). Whole runs on six of these tables
    lowered it from 0.84 to 0.56, in five of six.

    Classes are weighted where the largest has more than five times the samples of the smallest. On four tables with 2
    to 10 % of the smaller class (1,000 samples, 5 features, 5 seeds) this raised the mean balanced accuracy on
    validation samples from 0.72 to 0.79 without a hidden layer, and from 0.51 to 0.75 with two hidden units.

    Args:
        design: the design.
        designs: all designs, whose qubits a comment says.
        num_features: the number of features of a sample.
        num_classes: the number of classes.
        are_unbalanced: whether the classes are of very different sizes.
    """
    others = ", ".join(f"{list(one.hidden)} takes {one.num_qubits}" for one in designs if one is not design)
    weight = Entry("class_weight", "none", 'or "balanced": classes count alike, however many samples they have')
    if are_unbalanced:
        weight = Entry("class_weight", "balanced", "a rare class counts as much as a frequent one; or none")
    alphabet = Entry("alphabet", (-1, 1), "values of a weight")
    if not design.hidden and num_classes == 2 and num_features >= MANY_FEATURES:
        alphabet = Entry("alphabet", (-0.5, 0.5), "values of a weight; sums of many with -1 and 1 are too sure")
    return CommentedTable(
        "network",
        (
            Entry("hidden", design.hidden, f"{design.num_qubits} qubits; {others}"),
            alphabet,
            Entry("activation", "relu", "of the hidden units; or tanh, sigmoid, sign; hidden = [] needs sigmoid")
            if design.hidden
            else Entry("activation", "sigmoid", "of the output; with hidden units relu is better"),
            Entry("loss", "cross-entropy", "or mse"),
            weight,
        ),
    )


def ansatz_table(design: Design) -> CommentedTable:
    """The table ``[ansatz]`` of a design."""
    if design.way == "directions":
        return CommentedTable("ansatz", (Entry("num_layers", DIRECTED_LAYERS, "SPSA follows fewer angles better"),))
    return CommentedTable("ansatz", (Entry("num_layers", NUM_LAYERS, "of the circuit; 1 is worse, 3 no better"),))


def train_table(design: Design) -> CommentedTable:
    """The table ``[train]`` of a design.

    The CVaR is minimised. On seven tasks without shots (iris, moons, circles and others of 7 to 17 qubits, 8 seeds
    each) the most probable network after 60 steps was the best of all in 64 % of the runs, and in 39 % with the mean;
    its accuracy on validation samples was 0.80 on average, and 0.78 with the mean. On four tables with shots (23 to 31
    qubits, 6 seeds each) the ensemble's was 0.84, and 0.82 with the mean. Along random directions it was not tried.
    """
    return CommentedTable("train", (*_method(design), Entry("seed", SEED, "another seed may end at another network")))


def _method(design: Design) -> tuple[Entry, ...]:
    """The keys of ``[train]`` but the seed."""
    objective = Entry(
        "objective",
        {"name": "cvar", "alpha": CVAR},
        "of the best fifth of the networks; the mean of all ends\nmore often at a poor network",
    )
    if design.way == "exact":
        return (
            Entry("backend", "exact", "without shots; or aer, fake_torino, ibm_... with them"),
            objective,
            Entry("optimizer", ADAM),
            Entry("steps", STEPS),
        )
    backend = Entry("backend", "exact", "samples the ideal circuit, since shots are given")
    if design.way == "sampled":
        return (
            backend,
            Entry("shots", SHOTS, "measured networks a row of angles"),
            Entry("gradient", "parameter-shift", "two rows of angles for each angle"),
            objective,
            Entry("optimizer", ADAM),
            Entry("steps", STEPS),
        )
    shifted = shifted_rows(design.num_qubits, DIRECTED_LAYERS)
    rows = f"{1 + 2 * DIRECTIONS} rows a step; parameter shift would take {shifted:,}"
    return (
        backend,
        Entry("shots", DIRECTED_SHOTS, "measured networks a row of angles"),
        Entry("gradient", {"name": "spsa", "num_directions": DIRECTIONS}, rows),
        Entry("optimizer", SLOW_ADAM),
        Entry("steps", DIRECTED_STEPS),
    )
