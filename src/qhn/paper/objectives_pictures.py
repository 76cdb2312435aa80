"""The pictures of objectives with a prior; each is saved with its data beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.paper import plan
from qhn.paper.inference import Difference
from qhn.paper.objective_studies import ARMS, TRAINED, FewSamples
from qhn.paper.pictures import write_rows
from qhn.report.plotting import Axes, in_own_style, save
from qhn.report.style import BLACK, BLUE, COLUMN, GREEN, GREY, MARKERS, RED, new_figure

COLOUR_OF = {"prior": GREY, "mean": BLUE, "elbo": RED, "mmd": GREEN, "posterior": BLACK}
LABEL_OF = {"prior": "prior", "mean": "E alone", "elbo": "ELBO", "mmd": "MMD", "posterior": "exact posterior"}
PANELS = {
    "validation": "E on unseen samples",
    "brier": "ensemble's Brier score",
    "log_loss": "ensemble's log loss (nats)",
    "accuracy": "ensemble's accuracy",
    "calibration_error": "expected calibration error",
    "entropy": "entropy of q (nats)",
}
LEAST_SHARE = 0.01  # of the points in a bin that is drawn


@in_own_style
def losses(path: Path, few: FewSamples) -> Path:
    """Draw what each arm comes to on unseen samples against N_s, a panel a quantity, with 95 % intervals."""
    figure, panels = new_figure(3, 2, width=0.72 * COLUMN, height=0.65 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, (quantity, label) in zip(panels, PANELS.items(), strict=True):
        for number, arm in enumerate(ARMS):
            found = [Difference.of_means(few.of(quantity, arm, samples)) for samples in few.samples]
            places = np.arange(len(found), dtype=np.float64) + 0.07 * (number - 2)
            _points(axes, places, found, arm, number)
            rows += [
                {"quantity": quantity, "arm": arm, "samples": samples} | _ends(one)
                for samples, one in zip(few.samples, found, strict=True)
            ]
        axes.set_xticks(range(len(few.samples)), [str(samples) for samples in few.samples])
        axes.set_xlabel("training samples N_s")
        axes.set_ylabel(label)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, frameon=False, loc="outside upper center", ncols=len(ARMS))
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def curves(path: Path, few: FewSamples) -> Path:
    """Draw E on unseen samples along the training, a panel per N_s, with bands of 95 % of the means."""
    figure, panels = new_figure(len(few.samples), width=0.72 * COLUMN, height=0.7 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, samples in zip(panels, few.samples, strict=True):
        for arm in TRAINED:
            for side, line, words in (("training", ":", "training"), ("validation", "-", "unseen")):
                found = [Difference.of_means(column) for column in few.curve(side, arm, samples).T]
                mean, low, high = np.array([(one.value, one.low, one.high) for one in found]).T
                steps = np.arange(len(mean))
                if side == "validation":
                    axes.fill_between(steps, low, high, color=COLOUR_OF[arm], alpha=0.25, lw=0)
                axes.plot(steps, mean, color=COLOUR_OF[arm], ls=line, lw=1.1, label=f"{LABEL_OF[arm]}, {words}")
                rows += [
                    {"samples": samples, "arm": arm, "side": side, "step": step} | _ends(one)
                    for step, one in enumerate(found)
                ]
        axes.set_title(f"N_s = {samples}", fontsize=8)
        axes.set_xlabel("iteration")
    top = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(0, top)
    panels[0].set_ylabel("E of the trained distribution")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=6.5, frameon=False, loc="outside upper center", ncols=3)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def reliability(path: Path, few: FewSamples) -> Path:
    """Draw the share of right predictions against confidence, a panel per N_s, over all data sets together."""
    figure, panels = new_figure(len(few.samples), width=0.72 * COLUMN, height=0.75 * COLUMN)
    rows: list[dict[str, Any]] = []
    for column, (axes, samples) in enumerate(zip(panels, few.samples, strict=True)):
        axes.plot([0.5, 1], [0.5, 1], color=GREY, lw=0.8, ls="--", label="calibrated")
        for number, arm in enumerate(ARMS):
            counts, confidence, right = few.bins[:, column, number].sum(axis=0)
            shares = counts / counts.sum()
            shown = shares > LEAST_SHARE
            x, y = confidence[shown] / counts[shown], right[shown] / counts[shown]
            axes.plot(x, y, color=COLOUR_OF[arm], lw=0.9)
            axes.scatter(
                x, y, 6 + 60 * shares[shown], color=COLOUR_OF[arm], marker=MARKERS[number], alpha=0.8, lw=0,
                label=LABEL_OF[arm],
            )  # fmt: skip
            rows += [
                {"samples": samples, "arm": arm, "share": share, "confidence": at, "right": hit}
                for share, at, hit in zip(shares[shown].tolist(), x.tolist(), y.tolist(), strict=True)
            ]
        axes.set_title(f"N_s = {samples}", fontsize=8)
        axes.set_xlabel("confidence")
        axes.set_xlim(0.49, 1.01)
        axes.set_ylim(0.35, 1.02)
    panels[0].set_ylabel("share of right predictions")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=6.5, frameon=False, loc="outside upper center", ncols=3, markerscale=0.8)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def divergences(path: Path, nearest: Floats, uniform: Mapping[int, Floats], fixed: plan.ObjectivesPlan) -> Path:
    """Draw how near circuits of each depth come to the posterior, with 95 % intervals.

    Args:
        path: the file.
        nearest: the lowest KL of any start, ``[data sets, numbers of samples, depths]``.
        uniform: KL of the uniform distribution, ``[data sets]`` by number of samples.
        fixed: the plan.
    """
    figure, panels = new_figure(len(fixed.deep_samples), width=0.9 * COLUMN, height=0.7 * COLUMN)
    rows: list[dict[str, Any]] = []
    for column, (axes, samples) in enumerate(zip(panels, fixed.deep_samples, strict=True)):
        found = [Difference.of_means(values) for values in nearest[:, column].T]
        _points(axes, np.arange(len(found), dtype=np.float64), found, "elbo", 0)
        level = Difference.of_means(uniform[samples])
        axes.axhline(level.value, color=GREY, lw=1, ls="--", label="uniform distribution")
        axes.axhline(fixed.represented, color=BLACK, lw=0.8, ls=":", label=f"{fixed.represented:g} nats: reached")
        names = ["product" if depth == 0 else str(depth) for depth in fixed.layers]
        rows += [
            {"samples": samples, "layers": depth} | _ends(one) for depth, one in zip(fixed.layers, found, strict=True)
        ]
        rows.append({"samples": samples, "layers": "uniform distribution"} | _ends(level))
        axes.set_xticks(range(len(found)), names)
        axes.set_xlabel("layers")
        axes.set_ylim(0, None)
        axes.set_title(f"N_s = {samples}", fontsize=8)
    panels[0].set_ylabel("KL(q, posterior), nats")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, frameon=False, loc="outside upper center", ncols=3)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


def _points(axes: Axes, places: Floats, found: Sequence[Difference], arm: str, number: int) -> None:
    """Draw numbers with their intervals."""
    value = np.array([one.value for one in found])
    ends = np.abs(np.array([(one.value - one.low, one.high - one.value) for one in found]).T)
    axes.errorbar(
        places, value, ends, color=COLOUR_OF[arm], marker=MARKERS[number], ms=3.5, lw=1, capsize=2, label=LABEL_OF[arm]
    )


def _ends(one: Difference) -> dict[str, Any]:
    return {"mean": one.value, "low": one.low, "high": one.high}
