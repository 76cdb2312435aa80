"""One section of the report: what was done, tables, pictures, claims; kept as JSON, read as Markdown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qhn.paper.claims import Claim, Verdict
from qhn.text import Row, markdown


@dataclass(frozen=True)
class Section:
    """One question of the paper.

    Attributes:
        title: of the section.
        blocks: paragraphs and tables in Markdown, and pictures, in order.
        claims: what the paper says, with verdicts.
        seconds: that it took; only what had not been done before counts.
        setting: starts and data.
    """

    title: str
    blocks: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    seconds: float = 0.0
    setting: str = ""

    def markdown(self) -> str:
        """The section, its claims last."""
        parts = [f"## {self.title}", *self.blocks]
        if self.claims:
            parts.append(claims_table(self.claims))
        return "\n\n".join(parts)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Section:
        """The inverse of :meth:`to_json`."""
        tree = json.loads(text)
        claims = tuple(Claim(**claim | {"verdict": Verdict(claim["verdict"])}) for claim in tree.pop("claims"))
        return cls(**tree | {"blocks": tuple(tree["blocks"]), "claims": claims})


@dataclass
class Writer:
    """Collects the blocks and claims of a section; pictures are named relative to the report's directory."""

    title: str
    blocks: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def text(self, paragraph: str) -> None:
        self.blocks.append(paragraph)

    def table(self, head: Row, rows: Sequence[Row]) -> None:
        self.blocks.append(markdown(head, rows))

    def picture(self, path: Path, caption: str) -> None:
        self.blocks.append(f"![{caption}]({path.name})\n\n*{caption}*")

    def claim(self, source: str, statement: str, verdict: Verdict, evidence: str) -> None:
        self.claims.append(Claim(source, statement, verdict, evidence))

    def section(self, seconds: float, setting: str = "") -> Section:
        return Section(self.title, tuple(self.blocks), tuple(self.claims), seconds, setting)


def claims_table(claims: Sequence[Claim]) -> str:
    """One row a claim."""
    rows = [(claim.source, claim.statement, f"**{claim.verdict}**", claim.evidence) for claim in claims]
    return markdown(("where", "claim", "verdict", "evidence"), rows)
