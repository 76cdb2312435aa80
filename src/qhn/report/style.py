"""The style of all pictures: a journal column's width, colours that everybody can tell apart, data beside them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import durable
from qhn.arrays import Floats
from qhn.report.plotting import Axes, Colorbar, Figure

COLUMN = 3.4  # width of a column in inches
# the colours of Okabe and Ito, which the colour-blind can tell apart
RED = "#d55e00"
BLUE = "#0072b2"
GREEN = "#009e73"
BLACK = "#000000"
GREY = "#999999"
COLOURS = (BLUE, RED, GREEN, "#cc79a7", "#e69f00", "#56b4e9", BLACK)  # of series, in this order
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
CLASS_COLOURS = (RED, BLUE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", BLACK)  # of classes
CLASS_MARKERS = ("o", "^", "s", "v", "D")  # as many as have no common factor with the colours


def write_csv(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write columns of equal length as CSV with a header line; nan becomes an empty cell.

    Args:
        path: the file to write.
        columns: the columns by name, each ``[n]``.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_csv(Path(folder) / "x.csv", {"step": np.array([0, 1]), "mean": np.array([0.5, np.nan])})
    ...     (Path(folder) / "x.csv").read_text(encoding="utf-8").split()
    ['step,mean', '0,0.5', '1,']
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in zip(*(column.tolist() for column in columns.values()), strict=True):
        writer.writerow(["" if value != value else value for value in row])
    durable.replace(path, lambda file: file.write(text.getvalue().encode()))


def bars(value: ArrayLike, low: ArrayLike, high: ArrayLike) -> Floats:
    """The lengths of error bars below and above some values, ``[2, n]``; 0 where rounding would make one negative.

    >>> bars([0.5, 1.0], [0.25, 0.5], [1.0, 1.0]).tolist()
    [[0.25, 0.5], [0.5, 0.0]]
    """
    middle = np.asarray(value, dtype=np.float64)
    lengths: Floats = np.maximum(np.stack([middle - np.asarray(low), np.asarray(high) - middle]), 0.0)
    return lengths


def new_figure(
    columns: int = 1, rows: int = 1, *, width: float = COLUMN, height: float = 0.7 * COLUMN
) -> tuple[Figure, list[Axes]]:
    """A figure with panels of equal size, for print.

    Args:
        columns: number of panels side by side.
        rows: number of panels one below another.
        width: width of a panel in inches.
        height: height of a panel in inches.

    Returns:
        The figure and its panels, row by row.
    """
    figure = Figure(figsize=(columns * width, rows * height), dpi=200, layout="constrained")
    panels = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for axes in panels:
        axes.xaxis.label.set_fontsize(8)
        axes.yaxis.label.set_fontsize(8)
        axes.tick_params(which="both", labelsize=7)
    return figure, panels


def one_panel(height: float = 0.7 * COLUMN) -> tuple[Figure, Axes]:
    """A figure of one panel a column wide, ``height`` inches high, and the panel."""
    figure, panels = new_figure(height=height)
    return figure, panels[0]


def label_colorbar(bar: Colorbar, label: str) -> None:
    """Give a colour bar a label, in the size of the other texts."""
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)
