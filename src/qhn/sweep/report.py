"""The report on a sweep: a page of text, tables as CSV files, and a figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn import durable
from qhn.problem.capabilities import noun_of
from qhn.report.attempt import attempt
from qhn.report.plotting import Axes, in_own_style, label_of, save
from qhn.report.style import COLOURS, MARKERS, bars, new_figure, write_csv
from qhn.sweep.classical import Searches
from qhn.sweep.survey import Group, Rate, Survey
from qhn.text import aligned, spell

NEAR = 1e-3  # E − C*, relative to the costs, below which the figure's scale is linear instead of logarithmic


@dataclass(frozen=True)
class SweepReport:
    """The report on what a sweep found, to be read and kept.

    Attributes:
        survey: the finished members.
        searches: the classical searches that stand beside them.
    """

    survey: Survey
    searches: Searches

    def page(self) -> str:
        """The page of text: a table of the groups, one of classical searches, and how to read them."""
        survey = self.survey
        noun = noun_of(survey.groups[0].problem)
        total, done = len(survey.sweep.members), sum(map(len, survey.groups))
        lines = [
            f"sweep {survey.sweep.config.name} of {survey.sweep.experiment}: {done:,} of {total:,} members finished",
            "",
            aligned(self._group_head(), [self._group_row(group) for group in survey.groups]),
            "",
            f"E is at the last step; rates are shares of a row's members, with 95 % Wilson intervals; the best {noun}",
            "is the best sampled, or of members without shots the most probable; polished: after a one-flip descent,",
            f"which takes at most so many further {noun}s (median); converged: the share of members whose",
            "gradient vanished before their steps ended; gradients count failed members, with 95 % intervals",
        ]
        rows = [row for group in survey.groups for row in self._search_rows(group)] if self.searches.traces else []
        if rows:
            known = survey.is_known
            what = "share that found the optimum" if known else "median of the lowest C"
            repeats = survey.sweep.config.repeats
            head = f"classical searches, {repeats} repeats each: {what} among so many different {noun}s"
            lines += ["", head, "", _grouped(rows)]
        if rows and any(group.is_exact for group in survey.groups):
            lines += ["", f"an exact E takes all {noun}s: beside it, searches are shown at a small share of them"]
        return "\n".join(lines)

    def write(self) -> list[Path]:
        """Write the page, the tables and the figure into the sweep's directory.

        Returns:
            The paths of ``page.txt``, ``members.csv``, ``groups.csv``, ``searches.csv`` if there were searches, and the
            figure, unless it could not be drawn, which a warning says.

        Raises:
            OSError: if a file cannot be written.
        """
        survey, folder = self.survey, self.survey.folder
        write_csv(folder / "members.csv", survey.members_table())
        write_csv(folder / "groups.csv", survey.groups_table())
        paths = [folder / "page.txt", folder / "members.csv", folder / "groups.csv"]
        if self.searches.traces:
            write_csv(folder / "searches.csv", self.searches.table(survey))
            paths.append(folder / "searches.csv")
        page = (self.page() + "\n").encode()
        durable.replace(paths[0], lambda file: file.write(page))
        with attempt("sweep.png"):
            paths.append(self.figure())
        return paths

    @in_own_style
    def figure(self) -> Path:
        """Draw success rates, and E or its distance to C*, against the last of the varied settings.

        Returns:
            The path of the picture, beside which the data are not repeated: they are in ``groups.csv``.
        """
        survey = self.survey
        has_rates = bool(survey.epsilon)
        figure, panels = new_figure(2 if has_rates else 1)
        series: dict[tuple[str, ...], list[Group]] = {}
        for group in survey.groups:
            series.setdefault(tuple(str(spell(value)) for value in group.values[:-1]), []).append(group)
        numeric = all(isinstance(group.values[-1], (int, float)) for group in survey.groups if group.values)
        ticks = list(dict.fromkeys(_last(group) for group in survey.groups))
        for number, (key, groups) in enumerate(series.items()):
            label = label_of(", ".join(f"{name} {value}" for name, value in zip(survey.names, key, strict=False)))
            place = np.array([ticks.index(_last(group)) for group in groups]) + 0.08 * (number - (len(series) - 1) / 2)
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            _spread(panels[0], place, groups, colour, marker, "-" if numeric else "", label, above=survey.is_known)
            if has_rates:
                for epsilon, line in zip(survey.epsilon[:2], ("-", ":") if numeric else ("", ""), strict=False):
                    rates = [group.success(epsilon) for group in groups]
                    _rates(panels[1], place, rates, colour, marker, line, f"{label} ε = {epsilon:g}".strip())
        panels[0].set_ylabel("E − C*, median and quartiles" if survey.is_known else "E, median and quartiles")
        if survey.is_known:
            near = NEAR * max(group.landscape.scale for group in survey.groups if group.landscape) or NEAR
            far = min(np.quantile(group.mean - group.optimum, 0.25) for group in survey.groups) > near
            panels[0].set_yscale("log") if far else panels[0].set_yscale("symlog", linthresh=near)
            panels[0].set_ylim(bottom=None if far else 0)
        if has_rates:
            panels[1].set_ylabel("success rate, 95 % intervals")
            panels[1].set_ylim(0, 1)
        for axes in panels:
            axes.set_xticks(range(len(ticks)), list(map(label_of, ticks)))
            axes.set_xlabel(label_of(survey.names[-1]) if survey.names else "")
            axes.margins(x=0.1)
            if axes.get_legend_handles_labels()[0] and (len(series) > 1 or has_rates):
                axes.legend(fontsize=6, frameon=False)
        return save(figure, survey.folder / "sweep.png")

    # ------------------------------------------------------------ cells

    def _group_head(self) -> list[str]:
        survey = self.survey
        head = [*survey.names, "members", "converged", "E − C* median" if survey.is_known else "E median"]
        head += [f"E − C* < {epsilon:g}" for epsilon in survey.epsilon]
        head += ["best is optimal" if survey.is_known else "best C", "polished", "polish takes"]
        head += ["distinct", "gradients"]
        head += [f"gradients to {epsilon:g}" for epsilon in survey.epsilon]
        return head

    def _group_row(self, group: Group) -> list[Any]:
        survey, columns = self.survey, group.columns
        row = [*survey.labels(group).values(), len(group)]
        row.append("–" if columns["shots"].any() else f"{group.converged.value:.2f}")
        row.append(f"{np.median(group.mean - group.optimum if survey.is_known else group.mean):.4g}")
        row += [str(group.success(epsilon)) for epsilon in survey.epsilon]
        for costs in (columns["best_cost"], group.polished):
            row.append(str(group.finds(costs)) if survey.is_known else f"{np.median(costs):.5g}")
        row.append(f"{group.polish_distinct:,.0f}")
        row += ["all" if group.is_exact else f"{np.median(columns['distinct']):,.0f}"]
        row += [f"{np.median(columns['num_gradients']):,.0f}"]
        return row + [gradients_words(group, epsilon) for epsilon in survey.epsilon]

    def _search_rows(self, group: Group) -> list[dict[str, Any]]:
        rows = []
        for budget in group.budgets:
            row: dict[str, Any] = {"of": _title(self.survey, group), "distinct": f"{budget:,}"}
            for method in self.searches.methods(group):
                facts = self.searches.facts(group, method, budget)
                found = facts.get("best_is_optimal" if self.survey.is_known else "best_cost_median")
                row[method] = "–" if found is None else f"{found:.4g}"
            rows.append(row)
        return rows


def _grouped(rows: list[dict[str, Any]]) -> str:
    """A table of the rows, in which rows that say the same stand once."""
    merged: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        title = row.pop("of")
        merged.setdefault(tuple(row.items()), []).append(title)
    head = ["beside", *dict.fromkeys(name for items in merged for name, _ in items)]
    cells = [[_short(titles), *(dict(items).get(name, "") for name in head[1:])] for items, titles in merged.items()]
    return aligned(head, cells)


def _short(titles: list[str]) -> str:
    return titles[0] if len(titles) == 1 else f"{titles[0]} … {titles[-1]}"


def _title(survey: Survey, group: Group) -> str:
    return " ".join(str(value) for value in survey.labels(group).values()) or "all"


def _last(group: Group) -> str:
    return str(spell(group.values[-1])) if group.values else "all"


def gradients_words(group: Group, epsilon: float) -> str:
    """The mean number of gradients until a start of a group succeeds, with its 95 % interval, in words."""
    low, high = group.gradients_interval(epsilon)
    return f"{_count(group.gradients_to_solution(epsilon))} ({_count(low)}–{_count(high)})"


def _count(number: float) -> str:
    return f"{number:,.0f}" if np.isfinite(number) else "∞"


def _spread(
    axes: Axes, place: Any, groups: list[Group], colour: str, marker: str, line: str, label: str, *, above: bool
) -> None:
    shown = [group.mean - group.optimum if above else group.mean for group in groups]
    low, middle, high = np.array([np.quantile(values, (0.25, 0.5, 0.75)) for values in shown]).T
    axes.errorbar(
        place, middle, bars(middle, low, high), color=colour, marker=marker, markersize=4, linestyle=line,
        label=label, capsize=2,
    )  # fmt: skip


def _rates(axes: Axes, place: Any, rates: list[Rate], colour: str, marker: str, line: str, label: str) -> None:
    value = np.array([rate.value for rate in rates])
    low, high = np.array([rate.interval for rate in rates]).T
    axes.errorbar(
        place, value, bars(value, low, high), color=colour, marker=marker,
        markersize=4, linestyle=line, label=label, capsize=2,
    )  # fmt: skip
