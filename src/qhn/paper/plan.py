"""What was fixed before looking: numbers of starts, thresholds and margins of every part of the report.

Each part has its plan, a frozen dataclass, which the part reads and the report prints. A threshold that was chosen
after its data were seen can be met by any data.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from qhn.text import Row


def fixed(value: Any, reason: str) -> Any:
    """A field of a plan with its value and the reason for it, in words."""
    return dataclasses.field(default=value, metadata={"reason": reason})


@dataclass(frozen=True)
class Plan:
    """The plan of a part: its fields are numbers that were fixed before looking, each with its reason."""

    def rows(self) -> list[Row]:
        """The name, value and reason of every field, for a table."""
        fields = dataclasses.fields(self)
        return [
            (one.name.replace("_", " "), _spelled(getattr(self, one.name)), one.metadata["reason"]) for one in fields
        ]


def _spelled(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(_spelled(one) for one in value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class DepthPlan(Plan):
    """The plan of Figs. 2 and 3: success against the depth of the circuit."""

    starts: int = fixed(1000, "of each circuit; a difference of 0.1 near ½ is found in nine of ten cases, corrected")
    high: float = fixed(0.25, "a rate above this is that of a method that works: four starts find it once")
    paper_epsilon: float = fixed(0.03, "the paper's distance of E from C* for a success")
    strict_epsilon: float = fixed(0.003, "a distance that only optimal networks satisfy, ours")


DEPTH = DepthPlan()


@dataclass(frozen=True)
class ControlsPlan(Plan):
    """The plan of the controls of “entanglement helps”."""

    starts: int = fixed(300, "of each control; a difference of 0.16 near ½ is found in nine of ten cases, corrected")
    scattered: int = fixed(120, "of circuits with CX on random pairs, whose E takes a state vector: 0.4 s each")
    restarts: int = fixed(300, "starts of each circuit whose gradients are spent on the product state instead")
    row_restarts: int = fixed(100, "the same in circuit rows, which pay for up to a hundred starts each")
    sampled: int = fixed(20, "of each circuit and each search by a model that is trained by samples")
    evaluations: int = fixed(3000, "different networks of such a search, fewer than the circuit beside it")
    shots: int = fixed(100, "a row, of the circuit beside these searches: the most of the section on search")
    epsilons: tuple[float, float] = fixed((0.03, 0.003), "the paper's, and ours, that only optimal networks satisfy")


CONTROLS = ControlsPlan()
