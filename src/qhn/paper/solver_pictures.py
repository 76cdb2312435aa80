"""The pictures of quantum linear solvers and of the loop; each is saved with its data beside it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.paper.loop_errors import EXACT, Coverage, Descents, share_that_holds
from qhn.paper.pictures import one_legend, write_rows
from qhn.paper.solver_errors import Solution, selected
from qhn.report.plotting import Axes, in_own_style, save
from qhn.report.style import BLACK, BLUE, COLOURS, COLUMN, GREEN, GREY, MARKERS, RED, new_figure

LINES = {"dilation": "-", "structured": "--"}


@in_own_style
def solver_errors(path: Path, found: Sequence[Solution]) -> Path:
    """Draw errors of QSVT against the degree, of HHL against its phase qubits, and the probability of success.

    Args:
        path: the file.
        found: solutions of all systems.
    """
    figure, panels = new_figure(3, width=0.8 * COLUMN, height=0.8 * COLUMN)
    sizes = sorted({one.num_unknowns for one in found})
    for number, size in enumerate(sizes):
        style: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number], "ms": 3.5, "lw": 1}
        for encoding in ("dilation", "structured"):
            chosen = selected(found, size, encoding)
            line: dict[str, Any] = {
                "ls": LINES[encoding],
                "mfc": COLOURS[number] if encoding == "dilation" else "white",
            }
            label = f"{size} unknowns, {encoding}, α = {chosen[0].subnormalisation:.2g}"
            degrees, errors = [one.degree for one in chosen], [one.error for one in chosen]
            panels[0].plot(degrees, errors, **style, **line, label=label)
            panels[2].plot(errors, [one.success for one in chosen], **style, **line)
        by_phase = selected(found, size, "evolution")
        bits = [one.asked for one in by_phase]
        panels[1].plot(bits, [one.error for one in by_phase], **style, label=f"{size} unknowns")
        panels[1].plot(bits, [one.bound for one in by_phase], color=COLOURS[number], lw=0.7, ls=":")
    panels[0].set(xlabel="degree of QSVT's polynomial", ylabel="relative error of the solution", yscale="log")
    panels[1].set(xlabel="phase qubits of HHL", yscale="log", ylabel="relative error of the solution")
    panels[1].set_title("dotted: bound known before", fontsize=8)
    panels[2].set(
        xlabel="relative error of the solution", ylabel="probability of success of QSVT", xscale="log", ylim=(0, None)
    )
    one_legend(figure, panels, fontsize=7, ncols=3)
    write_rows(path.with_suffix(".csv"), [asdict(one) for one in found])
    return save(figure, path)


@in_own_style
def loop_errors(path: Path, found: Sequence[Descents], covered: Sequence[Coverage]) -> Path:
    """Draw errors of whole descents against shots, errors of downloads, and the coverage of their intervals.

    Args:
        path: the file.
        found: descents, those with exact amplitudes among them.
        covered: downloads of the first segment.
    """
    figure, panels = new_figure(3, width=0.8 * COLUMN, height=0.8 * COLUMN)
    exact = next(one for one in found if one.shots == EXACT)
    sampled = [one for one in found if one.shots != EXACT]
    for axes, name, label in (
        (panels[0], "end_errors", "error of the last θ / whole way"),
        (panels[1], "decrease_errors", "error of the loss / whole decrease"),
    ):
        _clouds(axes, [one.shots for one in sampled], [getattr(one, name) for one in sampled])
        axes.axhline(getattr(exact, name)[0], color=BLACK, lw=0.8, ls="--", label="exact amplitudes")
        axes.axhline(0.01, color=GREY, lw=0.6, ls=":", label="1 %")
        axes.set_ylabel(label)
    panels[0].legend(fontsize=6, frameon=False)
    shots = np.array([one.shots for one in covered])
    for number, (name, colour, label) in enumerate(
        (("inside", BLUE, "what the circuits hold"), ("inside_true", RED, "true descent"))
    ):
        shares = [share_that_holds(getattr(one, name)) for one in covered]
        values = np.array([one.value for one in shares])
        errors = np.abs(np.array([(one.low, one.high) for one in shares]).T - values)
        places = shots * (1.08 if number else 0.92)
        panels[2].errorbar(places, values, errors, color=colour, marker=MARKERS[number], ms=3.5, lw=1, label=label)
    panels[2].axhline(0.95, color=GREEN, lw=0.8, ls="--", label="stated")
    panels[2].set(ylabel="share of 95 % intervals that hold", ylim=(0.7, 1.0))
    panels[2].legend(fontsize=6, frameon=False)
    for axes in panels:
        axes.set_xscale("log")
        axes.set_xlabel("shots of a segment")
    rows = [*_descent_rows(found), *_download_rows(covered)]
    columns = dict.fromkeys(itertools.chain.from_iterable(rows), np.nan)  # of which each kind of row has only some
    write_rows(path.with_suffix(".csv"), [columns | row for row in rows])
    return save(figure, path)


def _clouds(axes: Axes, shots: Sequence[int], errors: Sequence[Floats]) -> None:
    """Draw the error of each seed, and the root mean square over seeds."""
    for number, (at, values) in enumerate(zip(shots, errors, strict=True)):
        label = "" if number else "one descent"
        axes.plot(np.full(len(values), at), values, color=GREY, marker="o", ms=2.5, lw=0, label=label)
    middle = [float(np.sqrt(np.mean(np.square(values)))) for values in errors]
    axes.plot(shots, middle, color=BLUE, marker="s", ms=3.5, lw=1, label="root mean square")
    axes.set_yscale("log")


def _descent_rows(found: Sequence[Descents]) -> list[dict[str, Any]]:
    return [
        {"what": "descent", "shots": one.shots, "number": seed}
        | {"error": end, "decrease_error": decrease}
        | {f"update_error_{number}": error for number, error in enumerate(updates, start=1)}
        for one in found
        for seed, (end, decrease, updates) in enumerate(
            zip(one.end_errors, one.decrease_errors, one.update_errors.tolist(), strict=True)
        )
    ]


def _download_rows(covered: Sequence[Coverage]) -> list[dict[str, Any]]:
    return [
        {"what": "download", "shots": one.shots, "number": number}
        | {"error": one.errors[number], "stated": one.stated[number]}
        | {"inside": one.inside[number].mean(), "inside_true": one.inside_true[number].mean()}
        | {"decrease_within": int(one.is_decrease_within[number])}
        for one in covered
        for number in range(len(one.errors))
    ]
