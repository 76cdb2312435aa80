"""The pictures of training on few samples; each is saved with its data beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.paper.early_stopping import Curves
from qhn.paper.inference import Difference
from qhn.paper.pictures import write_rows
from qhn.report.plotting import in_own_style, save
from qhn.report.style import BLACK, BLUE, COLOURS, COLUMN, GREY, MARKERS, RED, new_figure, write_csv


@in_own_style
def curves_of_training(path: Path, curves: Mapping[int, Curves]) -> Path:
    """Draw training and validation E against the iteration, a column per N_s, with bands of 95 % of the means."""
    figure, panels = new_figure(len(curves), 2, width=0.55 * COLUMN, height=0.5 * COLUMN)
    columns: dict[str, NDArray[Any]] = {}
    above, below = panels[: len(curves)], panels[len(curves) :]
    for upper, lower, (samples, found) in zip(above, below, curves.items(), strict=True):
        relative = found.validation - found.validation[:, -1:]
        lines = (
            (upper, found.training, BLUE, "-", "training"),
            (upper, found.validation, RED, "--", "validation"),
            (lower, relative, RED, "--", "validation_minus_end"),
        )
        for axes, values, color, line, label in lines:
            mean, low, high = _band(values)
            steps = np.arange(len(mean))
            axes.fill_between(steps, low, high, color=color, alpha=0.3, lw=0, label="95 % interval of the mean")
            axes.plot(steps, mean, color=color, ls=line, lw=1.2, label=label)
            columns |= {"step": steps}
            columns |= {f"{label}_{samples}": mean, f"{label}_{samples}_low": low, f"{label}_{samples}_high": high}
        lower.axhline(0, color=GREY, lw=0.6)
        for step in np.unique(found.steps):
            for axes in (upper, lower):
                axes.axvline(step, color=BLACK, lw=0.7, ls=":")
        upper.set_title(f"N_s = {samples:,}", fontsize=8)
        lower.set_xlabel("iteration")
        least = float(columns[f"validation_minus_end_{samples}_low"].min())
        lower.set_ylim(*_zoom(least, float(found.validation[:, -1].mean())))
    top = 1.1 * max(
        float(side.mean(axis=0).max()) for one in curves.values() for side in (one.training, one.validation)
    )
    for axes in above:
        axes.set_ylim(0, top)
    above[0].set_ylabel("E")
    below[0].set_ylabel("validation E − its end")
    handles, labels = above[0].get_legend_handles_labels()
    figure.legend(handles[1:], labels[1:], fontsize=7, frameon=False, loc="outside upper center", ncols=3)
    write_csv(path.with_suffix(".csv"), columns)
    return save(figure, path)


@in_own_style
def gains_of_stopping(path: Path, curves: Mapping[float, Mapping[int, Curves]], main: float) -> Path:
    """Draw what stopping early gains in test E: by N_s for each way to choose the step, and by the means' factor.

    Args:
        path: the file.
        curves: the curves by the factor on the means of the Gaussians, and by N_s.
        main: the factor of the left panel.
    """
    figure, (left, right) = new_figure(2, width=COLUMN, height=0.8 * COLUMN)
    rows: list[dict[str, Any]] = []
    ways = ("step fixed on other data sets", "N_s further samples", "oracle, 1,000 samples")
    for number, way in enumerate(ways):
        gains = {n: (one.gain, one.gain_by_few, one.gain_by_oracle)[number] for n, one in sorted(curves[main].items())}
        places = np.arange(len(gains), dtype=np.float64) + 0.12 * (number - 1)
        _points(left, places, list(gains.values()), number, way)
        rows += [_row(main, n, way, gain) for n, gain in gains.items()]
    left.set_xticks(range(len(curves[main])), [f"{n:,}" for n in sorted(curves[main])])
    left.set_xlabel("training samples N_s")
    left.set_title(f"means × {main:g}", fontsize=8)
    shared = sorted(set.intersection(*(set(by_samples) for by_samples in curves.values())))
    for number, samples in enumerate(shared):
        gains_at = {scale: curves[scale][samples].gain for scale in sorted(curves)}
        shift = 0.008 * (number - (len(shared) - 1) / 2)
        _points(right, np.array(list(gains_at)) + shift, list(gains_at.values()), number + 3, f"N_s = {samples:,}")
        rows += [_row(scale, samples, ways[0], gain) for scale, gain in gains_at.items() if scale != main]
    right.set_xlabel("factor on the means of the Gaussians")
    right.set_title("step fixed on other data sets", fontsize=8)
    left.set_ylabel("test E at the end − when stopped")
    for axes in (left, right):
        axes.axhline(0, color=GREY, lw=0.6)
        axes.legend(fontsize=6, frameon=False)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


def _points(axes: Any, places: Floats, found: list[Difference], number: int, label: str) -> None:
    """Draw numbers with their intervals."""
    value = np.array([one.value for one in found])
    ends = np.abs(np.array([(one.value - one.low, one.high - one.value) for one in found]).T)
    axes.errorbar(
        places, value, ends, color=COLOURS[number], marker=MARKERS[number], ms=3.5, lw=1, capsize=2, ls="-", label=label
    )


def _row(scale: float, samples: int, way: str, gain: Difference) -> dict[str, Any]:
    return {
        "means_scale": scale, "samples": samples, "stop_by": way, "gain": gain.value, "low": gain.low, "high": gain.high
    }  # fmt: skip


def _band(values: Floats) -> tuple[Floats, Floats, Floats]:
    """The means over data sets of values ``[data sets, steps]``, and the ends of their intervals of 95 %."""
    means = [Difference.of_means(column) for column in values.T]
    mean, low, high = np.array([(one.value, one.low, one.high) for one in means]).T
    return mean, low, high


def _zoom(least: float, end: float) -> tuple[float, float]:
    """Limits of an axis around 0 that show a dip, and a rise of a tenth of the final E."""
    reach = 0.1 * end
    return min(1.3 * least, -0.3 * reach), reach
