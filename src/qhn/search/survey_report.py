"""The report on a survey: a page of text, tables as CSV files, and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn import durable
from qhn.report.attempt import attempt
from qhn.report.plotting import Axes, LineCollection, in_own_style, label_of, save
from qhn.report.style import COLOURS, GREY, MARKERS, RED, new_figure, write_csv
from qhn.scheduling.schedule import share_of
from qhn.scheduling.survey_rule import FEWEST_WHOLE
from qhn.search.survey import Survey, SurveyGroup
from qhn.search.two_phase import Estimate
from qhn.text import aligned, counted

MOST_CURVES = 300  # that are drawn
POINTS = 60  # of a distribution that are drawn


@dataclass(frozen=True)
class SurveyReport:
    """The report on what a survey found, to be read and kept.

    Attributes:
        survey: the survey.
        unit: what a unit of resource is, in words, such as ``"1,000 shots"``; empty if nobody said.
    """

    survey: Survey
    unit: str = ""

    def page(self) -> str:
        """The page of text: a table of the groups, what the numbers mean, and what the survey took."""
        survey, rule = self.survey, self.survey.rule
        size = f"{counted(rule.groups, 'group')} of {counted(rule.trials_per_group, 'trial')}"
        lines = [
            f"survey: {size}, {self._stopped()} units{f' of {self.unit}' if self.unit else ''}",
            "",
            aligned(self._head(), [self._row(group) for group in survey.groups]),
            "",
            "All numbers are of all trials of a row. The ends of stopped ones are imputed from the curves of a random",
            "part that was trained to the end, which also shows how far that can be trusted. In brackets are 95 %",
            "intervals for all initialisations; sweep_ in groups.csv: for these trials alone, had none been stopped.",
            "",
            *self._account(),
        ]
        return "\n".join(lines)

    def write(self) -> list[Path]:
        """Write the page, the tables and the figure into the study's folder.

        Returns:
            The paths of ``page.txt``, ``groups.csv``, ``trials.csv`` and the figure ``survey.png``, unless it could not
            be drawn, which a warning says; none if the study is not kept on disk.

        Raises:
            OSError: if a file cannot be written.
        """
        folder = self.survey.study.folder
        if folder is None:
            return []
        paths = [folder / name for name in ("page.txt", "groups.csv", "trials.csv")]
        page = (self.page() + "\n").encode()
        durable.replace(paths[0], lambda file: file.write(page))
        write_csv(paths[1], self.survey.groups_table())
        write_csv(paths[2], self.survey.trials_table())
        with attempt("survey.png"):
            paths.append(self.figure(folder / "survey.png"))
        return paths

    @in_own_style
    def figure(self, path: Path) -> Path:
        """Draw the learning curves, the distributions of their ends, and an estimate of each group with its interval.

        Args:
            path: the PNG file to write; the numbers of the estimates are in ``groups.csv``.

        Returns:
            The path of the PNG file.
        """
        figure, (curves, shares, estimates) = new_figure(3)
        self._draw_curves(curves)
        for number, group in enumerate(self.survey.groups):
            _draw_distribution(shares, group, COLOURS[number % len(COLOURS)], self._title(group))
        shares.set_xlabel("loss at the end")
        shares.set_ylabel("share of trials below, 95 % intervals")
        shares.set_ylim(0, 1)
        if 1 < len(self.survey.groups) <= len(COLOURS):
            shares.legend(fontsize=6, frameon=False)
        self._draw_estimates(estimates)
        return save(figure, path)

    # ------------------------------------------------------------ cells

    def _head(self) -> list[str]:
        head = [*self.survey.names, "trials", "whole", "imputed", "failed", "mean", "median"]
        return head + [f"E − C* < {epsilon:g}" for epsilon in self.survey.epsilon]

    def _row(self, group: SurveyGroup) -> list[str]:
        numbers = [len(group), group.whole, len(group) - group.whole, group.failed]
        estimates = [group.mean, group.median, *map(group.success, self.survey.epsilon)]
        return [*map(str, self.survey.labels(group).values()), *map(str, numbers), *map(str, estimates)]

    def _account(self) -> list[str]:
        """What the survey took, and what as much would have told without stopping any trial."""
        survey, rule = self.survey, self.survey.rule
        units, every = survey.study.units, rule.units_of_all
        lines = [f"units spent: {units:,} of {every:,} for training all to the end ({units / every:.0%})"]
        told = sorted(round(group.mean.trials) for group in survey.groups)
        worth = f"{told[0]:,}" if told[0] == told[-1] else f"{told[0]:,} to {told[-1]:,}"
        afforded = units // rule.max_resource // rule.groups
        lines.append(f"they tell the mean of a group as precisely as {worth} trials that are trained to the end would,")
        lines.append(f"of which {afforded:,} a group could be had for as many units")
        return lines

    def _stopped(self) -> str:
        """The words on which trials were stopped, and when."""
        rule = self.survey.rule
        asked = share_of(rule.full_share, rule.trials_per_group)
        why = (
            f" ({rule.full_share:g} of each would be {asked:,}, which tell too little)" if asked < FEWEST_WHOLE else ""
        )
        if rule.whole_per_group == rule.trials_per_group:
            return f"none of which was stopped{why}, each of {rule.max_resource:,}"
        point = f"stopped at {rule.decision_point:,} of {rule.max_resource:,}"
        return f"all but {rule.whole_per_group:,} of each{why} {point}"

    def _title(self, group: SurveyGroup) -> str:
        return label_of(", ".join(f"{name} {value}" for name, value in self.survey.labels(group).items()) or "all")

    # ------------------------------------------------------------ panels

    def _draw_curves(self, axes: Axes) -> None:
        """Draw the learning curves, those that were trained to the end above those that were stopped."""
        every = np.concatenate([group.curves for group in self.survey.groups])
        is_whole = np.concatenate([group.imputation.is_whole for group in self.survey.groups])
        units = np.arange(1, every.shape[1] + 1)
        for colour, kind, label in ((RED, ~is_whole, "stopped"), (GREY, is_whole, "trained to the end")):
            chosen = every[kind]
            chosen = chosen[:: -(-len(chosen) // MOST_CURVES) or 1]
            lines = [np.column_stack([units, curve])[np.isfinite(curve)] for curve in chosen]
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.4, alpha=0.5))
            axes.plot([], [], color=colour, linewidth=1, label=label)
        axes.autoscale()
        axes.axvline(self.survey.rule.decision_point, color="black", linewidth=0.6, linestyle=":")
        axes.set_xlabel(label_of(f"resource in units of {self.unit}" if self.unit else "resource in units"))
        axes.set_ylabel("loss")
        axes.legend(fontsize=6, frameon=False)

    def _draw_estimates(self, axes: Axes) -> None:
        """Draw success rates of the groups, or means where there are none."""
        survey = self.survey
        series = [
            (f"ε = {epsilon:g}", [group.success(epsilon) for group in survey.groups]) for epsilon in survey.epsilon
        ]
        for number, (label, found) in enumerate(series or [("", [group.mean for group in survey.groups])]):
            place = np.arange(len(found)) + 0.08 * number
            _bars(axes, place, found, COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], label)
        axes.set_xticks(range(len(survey.groups)), [_tick(survey, group) for group in survey.groups])
        axes.set_xlabel(label_of(", ".join(survey.names)))
        axes.set_ylabel("success rate, 95 % intervals" if series else "mean, 95 % intervals")
        axes.margins(x=0.1)
        if series:
            axes.set_ylim(0, 1)
            axes.legend(fontsize=6, frameon=False)


def _tick(survey: Survey, group: SurveyGroup) -> str:
    return label_of(", ".join(map(str, survey.labels(group).values())) or "all")


def _bars(axes: Axes, place: Any, found: Sequence[Estimate], colour: str, marker: str, label: str) -> None:
    value = np.array([estimate.value for estimate in found])
    low, high = np.array([estimate.interval for estimate in found]).T
    reach = np.where(np.isfinite([low, high]), np.abs([value - low, high - value]), 0.0)
    axes.errorbar(
        place, value, reach, color=colour, marker=marker, markersize=4, linestyle="", label=label, capsize=2
    )  # fmt: skip


def _draw_distribution(axes: Axes, group: SurveyGroup, colour: str, label: str) -> None:
    """Draw the share of a group's trials whose loss at the end is below each loss, with its interval."""
    losses = group.imputation.possible_ends
    if not len(losses):  # all of its trials failed
        return
    losses = losses[np.linspace(0, len(losses) - 1, min(len(losses), POINTS)).round().astype(int)]
    rates = [group.imputation.rate_below(float(loss)) for loss in losses]
    low, high = np.array([rate.interval for rate in rates]).T
    axes.step(losses, np.maximum.accumulate([rate.value for rate in rates]), color=colour, linewidth=1, label=label)
    axes.fill_between(losses, low, high, color=colour, alpha=0.15, linewidth=0, step="pre")
