"""The report on a study: a page of text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qhn import durable
from qhn.search.study import Study


@dataclass(frozen=True)
class StudyReport:
    """The report on a study.

    Attributes:
        study: the study.
        unit: what a unit of resource is, in words.
    """

    study: Study
    unit: str = ""

    def page(self) -> str:
        """The page of text."""
        best, rule = self.study.best(), self.study.rule
        lines = [f"{rule.num_trials:,} trials, {self.study.units:,} of {rule.most_units:,} units, each {self.unit}"]
        if best is not None:
            loss = self.study.curves.loss(best.number, self.study.curves.reached(best.number))
            lines.append(f"best: trial {best.number} with loss {loss:.6g}, {dict(best.values)}")
        return "\n".join(lines)

    def write(self) -> list[Path]:
        """Write the page into the folder of the study, and return its path."""
        if self.study.folder is None:
            return []
        path, content = self.study.folder / "page.txt", (self.page() + "\n").encode()
        durable.replace(path, lambda file: file.write(content))
        return [path]
