"""Pictures of how the networks of a run classify: confusion matrices and ROC curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Integers
from qhn.predict.metrics import RocCurve
from qhn.report.plotting import Axes, LinearSegmentedColormap, in_own_style, label_of, save
from qhn.report.style import BLACK, BLUE, COLOURS, COLUMN, GREY, label_colorbar, new_figure, write_csv
from qhn.text import clipped

MAX_NAME = 24  # characters of a class beside a panel
MAX_TICK = 5  # characters of a class below a panel
MOST_COUNTS = 12  # classes of a confusion matrix whose cells hold their numbers
MOST_CORNERS = 2000  # of a curve that is drawn
DARK = 0.6  # share from which on a cell is too dark for black digits
LINES = ("-", "--", "-.", ":", (0, (3, 1, 1, 1, 1, 1)), (0, (1, 3)))  # of curves, in this order


@in_own_style
def confusion_matrices(path: Path, counts: Mapping[str, Integers], labels: Sequence[Any], title: str) -> Path:
    """Draw confusion matrices, a row for each true class and a column for each predicted one.

    The colour of a cell is its share of the samples of the true class.

    Args:
        path: the PNG file to write; the numbers are saved beside it as CSV.
        counts: number of samples by true class, in rows, and predicted class, in columns, ``[K, K]``, by name of the
            set of samples, a panel each.
        labels: the labels of the classes, ``[K]``.
        title: the name of the predictor.

    Returns:
        The path of the PNG file.
    """
    figure, panels = new_figure(len(counts), height=0.9 * COLUMN)
    names = [clipped(label_of(label), MAX_NAME) for label in labels]
    are_short = max(map(len, names)) <= MAX_TICK or len(names) == 2
    heads = names if are_short else [str(number + 1) for number in range(len(names))]
    if not are_short:
        names = [f"{name}  {head}" for head, name in zip(heads, names, strict=True)]
    shades = LinearSegmentedColormap.from_list("shares", ["#ffffff", BLUE])
    size = min(7.0, 60 / len(names)) if are_short else min(6.0, 60 / len(names))
    for axes, (samples, matrix) in zip(panels, counts.items(), strict=True):
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(shares, cmap=shades, vmin=0, vmax=1, aspect="auto")
        _name(axes, heads, names, max(size, 3.0))
        if len(names) <= MOST_COUNTS:
            for (row, column), share in np.ndenumerate(shares):
                colour = "white" if share > DARK else BLACK
                words = f"{matrix[row, column]:,}"
                axes.text(column, row, words, ha="center", va="center", color=colour, fontsize=min(size, 7.0))
        axes.set_title(samples, fontsize=8)
    figure.suptitle(title, fontsize=8)
    label_colorbar(figure.colorbar(image, ax=panels), "share of the true class")
    rows = [
        (samples, labels[true], labels[predicted], int(count))
        for samples, matrix in counts.items()
        for (true, predicted), count in np.ndenumerate(matrix)
    ]
    columns = zip(("samples", "true", "predicted", "count"), zip(*rows, strict=True), strict=True)
    write_csv(path.with_suffix(".csv"), {name: np.array(column, dtype=object) for name, column in columns})
    return save(figure, path)


def _name(axes: Axes, heads: Sequence[str], names: Sequence[str], size: float) -> None:
    """Write the names of the predicted classes below a matrix, and those of the true ones beside it."""
    axes.set_xticks(np.arange(len(heads)), heads)
    axes.set_yticks(np.arange(len(names)), names)
    axes.tick_params(length=0, labelsize=size)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")


@in_own_style
def roc_curves(path: Path, panels: Mapping[str, Mapping[str, RocCurve]], pair: Sequence[str], title: str = "") -> Path:
    """Draw ROC curves, the share of positive samples found against that of negative ones taken for positive.

    Args:
        path: the PNG file to write; the corners of the curves, up to 2,000 of each, are saved beside it as CSV.
        panels: the curves by name of the set of samples, a panel each, and by their own name.
        pair: the names of the positive and of the negative samples.
        title: the title of the picture.

    Returns:
        The path of the PNG file.
    """
    num_curves = max(map(len, panels.values()))
    figure, axes = new_figure(len(panels), height=COLUMN + 0.12 * num_curves)  # a line of the legend each
    figure.suptitle(title, fontsize=8)
    positive, negative = (label_of(name) for name in pair)
    rows: list[tuple[Any, ...]] = []
    for panel, (samples, curves) in zip(axes, panels.items(), strict=True):
        panel.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        for (name, curve), colour, line in zip(curves.items(), COLOURS, LINES, strict=False):
            label = f"{label_of(name)}, AUC {curve.area:.3f}"
            drawn = curve.thinned(MOST_CORNERS)
            x, y = drawn.false_positives, drawn.true_positives
            panel.plot(x, y, color=colour, linestyle=line, linewidth=1.2, label=label, clip_on=False)
            points = zip(drawn.thresholds.tolist(), x.tolist(), y.tolist(), strict=True)
            rows += [(samples, name, *point) for point in points]
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1)
        panel.set_title(samples, fontsize=8)
        panel.set_xlabel(f"share of {negative} taken for {positive}")
        panel.set_ylabel(f"share of {positive} found")
        panel.legend(fontsize=6, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.08))
    names = ("samples", "curve", "threshold", "false_positives", "true_positives")
    columns = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    write_csv(path.with_suffix(".csv"), columns)
    return save(figure, path)
