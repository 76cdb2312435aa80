"""Pictures for papers: at column width, colour-blind-safe, each with its data saved beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings, durable
from qhn.arrays import Floats
from qhn.baseline.tally import Trace
from qhn.predict.calibration import Calibration
from qhn.problem.datasets import Dataset
from qhn.problem.landscape import Landscape
from qhn.problem.network import Network
from qhn.report.drift import Drift
from qhn.report.plotting import (
    Figure,
    FuncFormatter,
    LinearSegmentedColormap,
    LogLocator,
    MaxNLocator,
    in_own_style,
    label_of,
    save,
    to_rgb,
)
from qhn.report.style import (
    BLACK,
    BLUE,
    CLASS_COLOURS,
    CLASS_MARKERS,
    COLOURS,
    COLUMN,
    GREEN,
    GREY,
    MARKERS,
    RED,
    label_colorbar,
    new_figure,
    one_panel,
    write_csv,
)
from qhn.run.step import Step
from qhn.statistics import histogram_edges

UNITS_ACROSS = 5  # images of weights in a row
FEW_EVALUATIONS = 200  # below which an axis names more than the powers of ten


@in_own_style
def training_curve(
    folder: Path, steps: Sequence[Step], optimum: float | None, trained: str = "", *, best_of: str = "sampled"
) -> Path:
    """Draw E with its error band, the validation cost and the best C against the step.

    Args:
        folder: the directory for ``training.png`` and ``training.csv``.
        steps: the steps of a run.
        optimum: the optimum C*; None if it is not known.
        trained: name of the objective, drawn as a curve, if it is not E.
        best_of: word for the bitstrings of which the best C is drawn; without shots it is ``"most probable"`` or
            ``"favoured"``.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel()
    number = np.array([step.step for step in steps])
    mean, error = np.array([step.mean for step in steps]), np.array([step.mean_std_error for step in steps])
    best = np.array([step.best_cost for step in steps])
    validation = np.array([np.nan if step.validation is None else step.validation for step in steps])
    axes.fill_between(number, mean - error, mean + error, color=BLUE, alpha=0.3, linewidth=0)
    marker = "." if len(steps) < 10 else ""
    axes.plot(number, mean, color=BLUE, marker=marker, label="E = ⟨C⟩, training")
    value = np.array([step.value for step in steps])
    if trained:
        axes.plot(number, value, color=BLACK, linewidth=1, marker=marker, label=label_of(trained))
    raw = np.array([np.nan if step.raw_mean is None else step.raw_mean for step in steps])
    if np.isfinite(raw).any():
        axes.plot(number, raw, color=GREY, linewidth=1, marker=marker, label="E of these bits, not inverted")
    if np.isfinite(validation).any():
        axes.plot(
            number,
            validation,
            color=RED,
            linestyle="--",
            marker=marker,
            label="⟨C⟩, validation" + ", not inverted" * bool(np.isfinite(raw).any()),
        )
    axes.plot(
        number,
        best,
        color=GREEN,
        linestyle="-.",
        marker=marker,
        label=f"best {best_of} C",
    )
    if optimum is not None:
        axes.axhline(optimum, color=GREY, linewidth=0.8, linestyle=":", label="optimum C*")
    if 0 < 10 * min(best.min(), mean.min()) < mean.max():
        axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("cost C")
    axes.legend(fontsize=7, frameon=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    columns = {"step": number, "mean": mean, "std_error": error, "validation": validation, "best_cost": best}
    columns |= {"objective": value, "raw_mean": raw}
    write_csv(folder / "training.csv", columns)
    return save(figure, folder / "training.png")


@in_own_style
def drift_curve(folder: Path, drift: Drift) -> Path:
    """Draw E at the first θ, with errors, against the step in which it was measured, and its weighted mean.

    Args:
        folder: the directory for ``drift.png`` and ``drift.csv``.
        drift: the repeated measurements of E at the first θ.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel()
    error = np.nan_to_num(drift.std_error)
    axes.errorbar(drift.steps, drift.mean, error, color=BLUE, marker="o", markersize=3, linewidth=0, elinewidth=1)
    if np.isfinite(drift.weighted_mean):
        label = f"weighted mean, χ² {drift.chi2:.1f} of {drift.freedom}, p = {drift.p_value:.2g}"
        axes.axhline(drift.weighted_mean, color=GREY, linewidth=0.8, linestyle=":", label=label)
        figure.legend(fontsize=7, frameon=False, loc="outside upper center")
    axes.set_xlabel("step")
    axes.set_ylabel("E at the first θ")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    write_csv(folder / "drift.csv", {"step": drift.steps, "mean": drift.mean, "std_error": drift.std_error})
    return save(figure, folder / "drift.png")


@in_own_style
def replayed_curve(path: Path, columns: dict[str, NDArray[Any]], objective: str = "") -> Path:
    """Draw E of each step as recorded and as recomputed from the bits of a run.

    Args:
        path: the PNG file to write.
        columns: the data, one value per step, of which all are saved as CSV; ``step``, ``recorded``, ``mean`` and
            ``objective``, and the errors of the last three, are drawn.
        objective: name of the objective, drawn as a curve, if it is not E.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel(height=0.85 * COLUMN)
    series = [("recorded", "recorded_std_error", "E as recorded", GREY), ("mean", "std_error", "E recomputed", BLUE)]
    if objective:
        series.append(("objective", "objective_std_error", f"{objective}, recomputed", BLACK))
    for (name, error, label, color), marker in zip(series, MARKERS, strict=False):
        axes.errorbar(
            columns["step"],
            columns[name],
            np.nan_to_num(columns[error], posinf=0.0),
            color=color,
            marker=marker,
            markersize=2.5,
            linewidth=0.8,
            elinewidth=0.8,
            label=label,
        )
    axes.set_xlabel("step")
    axes.set_ylabel("cost C")
    figure.legend(fontsize=7, frameon=False, loc="outside upper center")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    write_csv(path.with_suffix(".csv"), columns)
    return save(figure, path)


@in_own_style
def cost_distribution(
    folder: Path,
    first: tuple[Floats, Floats],
    last: tuple[Floats, Floats],
    last_step: int,
    optimum: float | None,
    *,
    sampled: bool = True,
) -> Path:
    """Draw the histogram of the costs of bitstrings at the first and at the last step.

    Args:
        folder: the directory for ``costs.png`` and ``costs.csv``.
        first: costs C of bitstrings at step 0 and their weights, each ``[n]``; the weights sum up to 1.
        last: costs C of bitstrings at the last step and their weights, each ``[n]``.
        last_step: number of the last step; at 0 one histogram is drawn.
        optimum: the optimum C*; None if it is not known.
        sampled: whether weights are shares of shots; otherwise they are probabilities.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel()
    edges = histogram_edges(np.concatenate([first[0], last[0]]), 40)
    heights = [np.histogram(costs, edges, weights=weights)[0] for costs, weights in (first, last)]
    axes.stairs(heights[0], edges, color=GREY, fill=True, alpha=0.6, label="step 0")
    if last_step > 0:
        axes.stairs(heights[1], edges, color=BLUE, linewidth=1.5, label=f"step {last_step}")
    if optimum is not None:
        axes.axvline(optimum, color=BLACK, linewidth=0.8, linestyle=":", label="optimum C*")
    axes.set_xlabel("cost C of a measured bitstring" if sampled else "cost C of a bitstring")
    axes.set_ylabel("share of shots" if sampled else "probability")
    axes.legend(fontsize=7, frameon=False)
    columns = {"from": edges[:-1], "to": edges[1:], "first_step": heights[0], "last_step": heights[1]}
    write_csv(folder / "costs.csv", columns)
    return save(figure, folder / "costs.png")


@in_own_style
def decision_boundary(path: Path, network: Network, data: Dataset, title: str, points: int = 200) -> Path:
    """Draw the output of a network over the plane of two features, with the training samples.

    If there are more than two classes, their colours are mixed by their probabilities, and the borders between regions
    of different most probable classes are drawn.

    Args:
        path: the PNG file to write; the data are saved beside it as ``.npz``.
        network: the network, of two features.
        data: the data set with the training samples.
        title: the title of the picture.
        points: number of points of the grid along each feature.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel(height=0.85 * COLUMN)
    samples = data.raw(data.x)
    low, high = samples.min(axis=0), samples.max(axis=0)
    margin = 0.1 * (high - low) + np.maximum(
        1e-9 * np.abs(high), np.finfo(np.float64).tiny
    )  # a constant feature has a plane, too
    grids = [np.linspace(a, b, points) for a, b in zip(low - margin, high + margin, strict=True)]
    plane = np.stack(np.meshgrid(*grids), axis=-1)
    output = network.output_of_inputs(data.standardised(plane))
    if data.num_classes == 2:
        shades = LinearSegmentedColormap.from_list("classes", [RED, "#ffffff", BLUE])
        image = axes.pcolormesh(*grids, output, cmap=shades, vmin=0, vmax=1, alpha=0.5, rasterized=True, linewidth=0)
        if output.min() < 0.5 < output.max():
            axes.contour(*grids, output, levels=[0.5], colors=BLACK, linewidths=1)
        label_colorbar(figure.colorbar(image, ax=axes), "network output")
    else:
        colours = np.array([to_rgb(_colour(label)) for label in range(data.num_classes)])
        axes.pcolormesh(*grids, 0.5 + 0.5 * (output @ colours), rasterized=True, linewidth=0)
        for label in range(data.num_classes):
            lead = output[..., label] - np.delete(output, label, axis=-1).max(axis=-1)
            if lead.min() < 0 < lead.max():
                axes.contour(*grids, lead, levels=[0.0], colors=BLACK, linewidths=1)
    for label in range(data.num_classes):
        chosen = samples[data.y == label]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=5,
            color=_colour(label),
            marker=CLASS_MARKERS[label % len(CLASS_MARKERS)],
            linewidths=0.2,
            edgecolors="white",
            label=label_of(data.classes[label]),
        )
    axes.set_title(title, fontsize=8)
    axes.set_xlabel(label_of(data.feature_names[0]))
    axes.set_ylabel(label_of(data.feature_names[1]))
    axes.legend(fontsize=7, framealpha=0.8, loc="upper right")  # the best place takes long to find
    arrays: dict[str, Any] = {"x": grids[0], "y": grids[1], "output": output, "samples": samples, "label": data.y}
    durable.replace(path.with_suffix(".npz"), lambda file: np.savez(file, **arrays))
    return save(figure, path)


def _colour(label: int) -> str:
    return CLASS_COLOURS[label % len(CLASS_COLOURS)]


@in_own_style
def weight_image(path: Path, network: Network, title: str) -> Path:
    """Draw the weights of each unit of the first layer as an image.

    Args:
        path: the PNG file to write; the weights are saved beside it as CSV.
        network: the network, whose inputs are the pixels of an image.
        title: the title of the picture.

    Returns:
        The path of the PNG file.
    """
    assert network.image_shape is not None
    weights = network.weights[0].T.reshape(-1, *network.image_shape)
    across = min(len(weights), UNITS_ACROSS)
    down = -(-len(weights) // across)
    size = (max(COLUMN, 1.2 * across), 0.8 * COLUMN if down == 1 else 0.5 * COLUMN * down)
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    figure.suptitle(title, fontsize=8)
    limit = float(np.abs(network.alphabet).max())
    for axes in panels[len(weights) :]:
        axes.set_axis_off()
    for axes, image, name, bias in zip(
        panels, weights, network.unit_names(1), network.biases[0], strict=False
    ):  # fewer units than panels
        shown = axes.imshow(image, cmap="PuOr", vmin=-limit, vmax=limit)
        axes.set_title(label_of(f"{name}, bias {bias:+g}"), fontsize=8)
        axes.set_xticks(np.arange(1, image.shape[1]) - 0.5, [])
        axes.set_yticks(np.arange(1, image.shape[0]) - 0.5, [])
        axes.grid(color="white", linewidth=1)
        axes.tick_params(length=0)
    values = sorted(network.alphabet)
    label_colorbar(figure.colorbar(shown, ax=list(panels), ticks=values), "weight")
    rows, columns = network.image_shape
    names: dict[str, NDArray[Any]] = {f"column_{j + 1}": weights[:, :, j].ravel() for j in range(columns)}
    unit: dict[str, NDArray[Any]] = {
        "unit": np.repeat(np.arange(1, len(weights) + 1), rows),
        "row": np.tile(np.arange(1, rows + 1), len(weights)),
    }
    write_csv(path.with_suffix(".csv"), unit | names)
    return save(figure, path)


@in_own_style
def density_of_states(folder: Path, landscape: Landscape) -> Path:
    """Draw the density of states: how many bitstrings have which cost, as a histogram on a logarithmic scale.

    Args:
        folder: the directory for ``density.png`` and ``density.csv``.
        landscape: the costs of all bitstrings.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel()
    counts, edges = np.histogram(landscape.costs, histogram_edges(landscape.costs, 100))
    axes.stairs(counts, edges, color=BLUE, fill=True, alpha=0.7)
    axes.axvline(
        landscape.optimum, color=RED, linewidth=0.8, linestyle="--", label=f"optimum, {landscape.degeneracy}-fold"
    )
    if counts.max() > 20:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("cost C")
    axes.set_ylabel(f"bitstrings of {landscape.costs.size:,}")
    axes.legend(fontsize=7, frameon=False)
    write_csv(folder / "density.csv", {"from": edges[:-1], "to": edges[1:], "count": counts})
    return save(figure, folder / "density.png")


@in_own_style
def walsh_weights(folder: Path, landscape: Landscape) -> Path:
    """Draw the share of the variance of C that is due to interactions of S qubits, W(S) / Σ W, against S.

    Args:
        folder: the directory for ``walsh.png`` and ``walsh.csv``.
        landscape: the costs of all bitstrings.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel()
    weights = landscape.walsh_weights[1:]
    sizes, shares = np.arange(1, len(weights) + 1), weights / max(weights.sum(), np.finfo(float).tiny)
    axes.bar(sizes, shares, color=BLUE, width=0.7)
    axes.set_xlabel("interaction of S qubits")
    axes.set_ylabel("share of the variance of C")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    write_csv(folder / "walsh.csv", {"qubits": sizes, "weight": weights, "share": shares})
    return save(figure, folder / "walsh.png")


@in_own_style
def local_minima(folder: Path, landscape: Landscape) -> Path:
    """Draw the share of bitstrings in the basin of each one-flip minimum against the cost of the minimum.

    Args:
        folder: the directory for ``minima.png`` and ``minima.csv``.
        landscape: the costs of all bitstrings.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel()
    minima = landscape.local_minima
    shares = minima.basins / landscape.costs.size
    is_optimal = minima.costs <= minima.costs[0] + landscape.width
    if not is_optimal.all():
        axes.plot(minima.costs[~is_optimal], shares[~is_optimal], ".", color=BLUE, label="other")
    axes.plot(minima.costs[is_optimal], shares[is_optimal], "^", color=RED, markersize=4, label="optimal")
    if shares.max() > 20 * shares.min():
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, 1.1 * shares.max())
    axes.set_xlabel("cost C of a one-flip minimum")
    axes.set_ylabel("share of bitstrings in its basin")
    axes.legend(fontsize=7, frameon=False)
    columns: dict[str, NDArray[Any]] = {"cost": minima.costs, "members": minima.members, "basin": minima.basins}
    columns["bits"] = np.array([bitstrings.text(row) for row in minima.bits])
    write_csv(folder / "minima.csv", columns)
    return save(figure, folder / "minima.png")


@in_own_style
def baseline_curves(path: Path, traces: dict[str, list[Trace]], optimum: float | None) -> Path:
    """Draw the lowest C against the number of different bitstrings evaluated, for several searches.

    Args:
        path: the PNG file to write; all falls of all repeats are saved beside it as CSV.
        traces: the repeats of each search, by its name; their median and quartiles are drawn.
        optimum: the optimum C*; None if it is not known.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel(height=0.95 * COLUMN)
    longest = max(trace.distinct for repeats in traces.values() for trace in repeats)
    counts = np.unique(np.geomspace(1, longest, 200).astype(np.int64))
    rows: list[tuple[str, int, int, float]] = []
    styles = zip((GREY, *COLOURS[:4], BLACK), ("-", "-", "-.", "--", "-", ":"), strict=True)
    for (method, repeats), (color, line) in zip(traces.items(), styles, strict=False):
        quartiles = np.quantile([trace.best_at(counts) for trace in repeats], [0.25, 0.5, 0.75], axis=0)
        axes.fill_between(counts, quartiles[0], quartiles[2], color=color, alpha=0.15, linewidth=0, step="post")
        axes.plot(
            counts, quartiles[1], color=color, linestyle=line, linewidth=1.2, label=method, drawstyle="steps-post"
        )
        for repeat, trace in enumerate(repeats):
            falls = zip(trace.counts.tolist(), trace.costs.tolist(), strict=True)
            rows += [(method, repeat, count, cost) for count, cost in falls]
    if optimum is not None:
        axes.axhline(optimum, color=BLACK, linewidth=0.8, linestyle=":", label="optimum C*")
    axes.set_xscale("log")
    if longest < FEW_EVALUATIONS:  # whose powers of ten are too few, and all numbers between them too many
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    found = [cost for _, _, _, cost in rows]
    if 0 < 10 * min(found) < max(found):
        axes.set_yscale("log")
    axes.set_xlabel("different bitstrings evaluated")
    axes.set_ylabel("lowest C so far, median and quartiles")
    figure.legend(fontsize=7, frameon=False, loc="outside upper center", ncols=3)
    columns = zip(("method", "repeat", "count", "cost"), zip(*rows, strict=True), strict=True)
    write_csv(path.with_suffix(".csv"), {name: np.array(column) for name, column in columns})
    return save(figure, path)


@in_own_style
def reliability(path: Path, panels: dict[str, dict[str, Calibration]]) -> Path:
    """Draw the share of right predictions against the confidence, one marker per bin of confidence.

    The area of a marker grows with the number of samples in its bin.

    Args:
        path: the PNG file to write; the bins are saved beside it as CSV.
        panels: the calibrations of predictors, by name of the set of samples, a panel each, and of the predictor.

    Returns:
        The path of the PNG file.
    """
    figure, axes = new_figure(len(panels), height=1.1 * COLUMN)
    rows: list[tuple[Any, ...]] = []
    for panel, (samples, found) in zip(axes, panels.items(), strict=True):
        panel.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":", label="perfectly calibrated")
        for (name, one), color, marker in zip(found.items(), COLOURS, MARKERS, strict=False):
            filled = one.counts > 0
            x, y, counts = one.confidence[filled], one.right[filled], one.counts[filled]
            panel.plot(x, y, color=color, linewidth=0.8, alpha=0.6)
            areas = 6 + 60 * counts / counts.sum()
            label = f"{name}, ECE {one.error:.3f}"
            panel.scatter(x, y, s=areas, color=color, marker=marker, linewidths=0, alpha=0.8, label=label)
            bins = zip(one.counts.tolist(), one.confidence.tolist(), one.right.tolist(), strict=True)
            rows += [(samples, name, m / len(one.counts), (m + 1) / len(one.counts), *b) for m, b in enumerate(bins)]
        lowest = min(float(np.nanmin(one.confidence)) for one in found.values())
        panel.set_xlim(min(0.48, lowest - 0.02), 1.02)
        panel.set_ylim(-0.03, 1.03)
        panel.set_title(samples, fontsize=8)
        panel.set_xlabel("confidence, the highest probability")
        panel.set_ylabel("share of right predictions")
        panel.legend(fontsize=6, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=2)
    columns = ("samples", "predictor", "from", "to", "count", "confidence", "right")
    write_csv(path.with_suffix(".csv"), dict(zip(columns, map(np.array, zip(*rows, strict=True)), strict=True)))
    return save(figure, path)
