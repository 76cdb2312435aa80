"""A section of the report: text, tables, pictures and claims; stored as JSON, rendered as Markdown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qhn.paper.claims import Claim, Verdict
from qhn.paper.plan import Plan
from qhn.report.attempt import attempt
from qhn.text import Row, in_line, literal, markdown

MAX_CAPTION = 60  # characters of a caption in a message


@dataclass(frozen=True)
class Section:
    """A section of the report, on one question of the paper.

    Attributes:
        title: title of the section.
        blocks: paragraphs and tables in Markdown, and pictures, in order.
        claims: statements of the paper, with verdicts.
        seconds: time in seconds that the section took; work that had been done before does not count.
        setting: number of starts and data used, in words.
    """

    title: str
    blocks: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    seconds: float = 0.0
    setting: str = ""

    def markdown(self) -> str:
        """The section in Markdown, its claims last."""
        parts = [f"## {self.title}", *self.blocks]
        if self.claims:
            parts.append(claims_table(self.claims))
        return "\n\n".join(parts)

    def to_json(self) -> str:
        """The section as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Section:
        """Restore a section from the JSON text of :meth:`to_json`."""
        tree = json.loads(text)
        claims = tuple(_claim(claim) for claim in tree.pop("claims"))
        return cls(**tree | {"blocks": tuple(tree["blocks"]), "claims": claims})


@dataclass
class Writer:
    """A writer that collects the blocks and claims of a section.

    Pictures are named relative to the report's folder.
    """

    title: str
    blocks: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def text(self, paragraph: str) -> None:
        """Add a paragraph in Markdown."""
        self.blocks.append(paragraph)

    def table(self, head: Row, rows: Sequence[Row]) -> None:
        """Add a table with the given head and rows."""
        self.blocks.append(markdown(head, rows))

    def plan(self, plan: Plan) -> None:
        """Add what the plan of this section had fixed before its data were looked at."""
        self.text("Fixed before looking:")
        self.table(("name", "value", "reason"), plan.rows())

    def picture(self, draw: Callable[[], Path], caption: str) -> None:
        """Draw a picture and add it with its caption; of one that cannot be drawn a warning tells the caption.

        Args:
            draw: a function that draws the picture into the report's folder and returns its path.
            caption: the caption, as plain text: marks of Markdown in it are characters like others.
        """
        with attempt(f"“{in_line(caption, MAX_CAPTION)}”"):
            words = literal(caption)
            self.blocks.append(f"![{words}]({draw().name})\n\n*{words}*")

    def claim(self, source: str, statement: str, verdict: Verdict, evidence: str) -> None:
        """Add a claim with its verdict and evidence."""
        self.claims.append(Claim(source, statement, verdict, evidence))

    def section(self, seconds: float, setting: str = "") -> Section:
        """The section of all that was added, which took ``seconds`` seconds."""
        return Section(self.title, tuple(self.blocks), tuple(self.claims), seconds, setting)


def claims_table(claims: Sequence[Claim]) -> str:
    """A table in Markdown with one row per claim; verdicts of tests are corrected, with the uncorrected one beside."""
    if not any(claim.family for claim in claims):
        rows = [(claim.source, claim.statement, f"**{claim.verdict}**", claim.evidence) for claim in claims]
        return markdown(("where", "claim", "verdict", "evidence"), rows)
    head = ("where", "claim", "verdict", "uncorrected", "family of tests", "evidence")
    return markdown(head, [(*short(claim), claim.family or "–", claim.evidence) for claim in claims])


def short(claim: Claim) -> Row:
    """The source, statement and verdict of a claim, and its uncorrected verdict if that is another."""
    uncorrected = "–" if claim.uncorrected is None else "the same"
    if claim.uncorrected not in (None, claim.verdict):
        uncorrected = str(claim.uncorrected)
    return claim.source, claim.statement, f"**{claim.verdict}**", uncorrected


def _claim(tree: dict[str, Any]) -> Claim:
    """The claim of a JSON object."""
    verdicts = {name: Verdict(tree[name]) for name in ("verdict", "uncorrected") if tree.get(name) is not None}
    return Claim(**tree | verdicts)
