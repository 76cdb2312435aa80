"""The picture of the part on looking ahead: gains over the program's own rules, with their data beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qhn.paper.inference import Difference
from qhn.paper.look_ahead_rules import AGAINST, RULES
from qhn.paper.pictures import write_rows
from qhn.report.plotting import in_own_style, save
from qhn.report.style import BLACK, COLOURS, COLUMN, GREY, MARKERS, new_figure

Setting = tuple[str, int, bool]  # task, shots of a row (0 for the exact E), whether starts lie near a minimum
Gains = Mapping[str, Mapping[str, Difference]]  # of each rule over each of the program's own, at the end
LINEAR = 1e-3  # gain up to which the axis is linear


@in_own_style
def gains_of_rules(path: Path, found: Mapping[Setting, Gains]) -> Path:
    """Draw by how much E ends lower with looking ahead: a panel per task, a group of rules per shots and start.

    Args:
        path: the file.
        found: the gains in each setting.
    """
    tasks = list(dict.fromkeys(task for task, _, _ in found))
    kinds = list(dict.fromkeys((shots, near) for _, shots, near in found))
    rules = [rule for rule in RULES if rule not in AGAINST]
    figure, panels = new_figure(min(2, len(tasks)), -(-len(tasks) // 2), width=1.25 * COLUMN, height=0.9 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, task in zip(panels, tasks, strict=False):
        for group, (shots, near) in enumerate(kinds):
            gains = found[task, shots, near]
            for number, rule in enumerate(rules):
                for place, other in enumerate(AGAINST):
                    one, at = gains[rule][other], group + 0.18 * (number - 1.5) + 0.07 * (place - 0.5)
                    reach = np.array([[one.value - one.low], [one.high - one.value]])
                    axes.errorbar(
                        [one.value], [at], xerr=reach if np.isfinite(reach).all() else None, lw=0, elinewidth=0.8,
                        color=COLOURS[number], marker=MARKERS[number], markersize=3.5,
                        markerfacecolor="white" if place else COLOURS[number], label=f"{rule}, over {other}",
                    )  # fmt: skip
                    rows.append(
                        {"task": task, "shots": shots, "start": "near a minimum" if near else "uniform", "rule": rule}
                        | {"over": other, "gain": one.value, "low": one.low, "high": one.high}
                    )
        axes.axvline(0, color=BLACK, lw=0.7)
        for edge in range(1, len(kinds)):
            axes.axhline(edge - 0.5, color=GREY, lw=0.4)
        axes.set_xscale("symlog", linthresh=LINEAR)
        axes.set_yticks(range(len(kinds)), [_words(*kind) for kind in kinds])
        axes.set_ylim(len(kinds) - 0.5, -0.5)
        axes.set_xlabel("E of the other rule less E, at the end")
        axes.set_title(task, fontsize=8)
    for axes in panels[len(tasks) :]:
        axes.set_axis_off()
    handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
    figure.legend(list(handles.values()), list(handles), fontsize=6, frameon=False, loc="outside upper center", ncols=2)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


def _words(shots: int, near: bool) -> str:
    return f"{shots or 'no'} shots,\n{'near a minimum' if near else 'uniform'}"
