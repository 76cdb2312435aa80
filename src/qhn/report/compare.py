"""A comparison of several runs: the settings that differ, what they found, and their curves in one picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn.errors import QhnError
from qhn.report.plotting import MAX_LABEL, MaxNLocator, in_own_style, label_of, save
from qhn.report.style import COLOURS, new_figure, write_csv
from qhn.run.record import Record
from qhn.run.step import Step
from qhn.text import aligned, spell

PARTS = ("training", "validation")  # of the samples, whose accuracy of the best network a record may hold


@dataclass(frozen=True)
class Comparison:
    """A comparison of runs that have taken steps.

    Attributes:
        records: the records of at least two different runs.

    Raises:
        ValueError: at construction, if there are fewer than two runs, a run is named twice, or one has no complete
            step.
    """

    records: Sequence[Record]

    def __post_init__(self) -> None:
        if len(self.records) < 2:
            raise QhnError(f"compare takes at least two runs, got {len(self.records)}")
        names = [record.directory.resolve() for record in self.records]
        for record in self.records:
            if names.count(record.directory.resolve()) > 1:
                raise QhnError(f"run {record.directory} is named twice; name different runs")
            if not record.steps():
                raise QhnError(f"run {record.directory} has no complete step yet; qhn resume continues it")

    def differences(self) -> dict[str, list[Any]]:
        """The settings in which the runs differ, by dotted key: one value per run, None where a run lacks it."""
        trees = [record.config.model_dump(mode="json", exclude={"naming"}) for record in self.records]
        leaves = [dict(_leaves(tree)) for tree in trees]
        keys = list(dict.fromkeys(key for tree in leaves for key in tree))
        table = {key: [tree.get(key) for tree in leaves] for key in keys}
        differing = {key: values for key, values in table.items() if any(value != values[0] for value in values)}
        if "data.sha256" in table and "data.sha256" not in differing:
            differing.pop("data.file", None)  # each run reads the copy in its own directory
        return differing

    def page(self) -> str:
        """A table in text with a row per run: settings in which the runs differ, and what each has found."""
        differences = self.differences()
        head = ["run", *differences]
        head += ["steps", "ended", "E", "best C", "validation", "distinct", "shots"]
        best = [record.best() for record in self.records]
        shares = {f"{part} accuracy": [facts.get(f"{part}_accuracy") for facts in best] for part in PARTS}
        shares = {name: values for name, values in shares.items() if any(value is not None for value in values)}
        head += shares
        rows = []
        for index, record in enumerate(self.records):
            steps, outcome = record.steps(), record.outcome()
            last = steps[-1]
            row: list[Any] = [f"{record.directory.parent.name}/{record.directory.name}"]
            row += ["–" if values[index] is None else spell(values[index]) for values in differences.values()]
            row += [len(steps), outcome.name if outcome else "unfinished", last.stated_mean()]
            row += [f"{last.best_cost:.6g}", "–" if last.validation is None else f"{last.validation:.5g}"]
            row += [f"{last.distinct:,}", f"{last.shots:,}"]
            rows.append(
                [*row, *("–" if values[index] is None else f"{values[index]:.1%}" for values in shares.values())]
            )
        lines = [aligned(head, rows)]
        if len({record.config.problem_id for record in self.records}) > 1:
            why = "their data, networks or problems differ, so C does not compare"
            lines += ["", f"these runs minimise different costs: {why}"]
        return "\n".join(lines)

    @in_own_style
    def figure(self, folder: Path) -> Path:
        """Draw E with its error and the best C against the step, and against shots if all runs took shots.

        Args:
            folder: the directory for the picture and its data, which is made if it does not exist.

        Returns:
            The path of the PNG file; a PDF and the data as CSV are beside it.
        """
        every = [record.steps() for record in self.records]
        sampled = all(steps[-1].shots for steps in every)
        figure, panels = new_figure(2 if sampled else 1)
        columns: dict[str, list[Any]] = {
            "run": [],
            "step": [],
            "shots": [],
            "mean": [],
            "std_error": [],
            "best_cost": [],
        }
        for number, (record, steps) in enumerate(zip(self.records, every, strict=True)):
            colour = COLOURS[number % len(COLOURS)]
            mean, error = (np.array([getattr(s, name) for s in steps]) for name in ("mean", "mean_std_error"))
            places = [np.array([step.step for step in steps]), np.array([step.shots for step in steps])]
            for axes, place in zip(panels, places, strict=False):
                axes.fill_between(place, mean - error, mean + error, color=colour, alpha=0.25, linewidth=0)
                axes.plot(place, mean, color=colour, linewidth=1.2, label=self._label(number))
                axes.plot(place, [step.best_cost for step in steps], color=colour, linewidth=0.8, linestyle=":")
            _extend(columns, record, steps)
        for axes, name in zip(panels, ("step", "shots"), strict=False):
            axes.set_xlabel(name)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_ylabel("E = ⟨C⟩, dotted: best C")
        panels[0].legend(fontsize=6, frameon=False)
        names = " ".join(str(record.directory.resolve()) for record in self.records)
        path = folder / f"{hashlib.sha256(names.encode()).hexdigest()[:10]}.png"
        folder.mkdir(parents=True, exist_ok=True)
        write_csv(path.with_suffix(".csv"), {name: np.array(column) for name, column in columns.items()})
        return save(figure, path)

    def _label(self, index: int) -> str:
        values = [f"{key.rpartition('.')[2]} {spell(values[index])}" for key, values in self.differences().items()]
        text = ", ".join(values)
        return label_of(text if 0 < len(text) <= MAX_LABEL else self.records[index].directory.name)


def _leaves(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        found += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return found


def _extend(columns: dict[str, list[Any]], record: Record, steps: Sequence[Step]) -> None:
    for step in steps:
        row = (record.directory.name, step.step, step.shots, step.mean, step.mean_std_error, step.best_cost)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
