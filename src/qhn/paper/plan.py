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
class BeyondPlan(Plan):
    """The plan of the part beyond enumeration: when a circuit counts as trained, and what it is compared by."""

    first_seed: int = fixed(10, "of the starts; the rule for training was chosen on starts 0 to 3")
    starts: int = fixed(6, "of each circuit; E at the end scatters by 0.03 between starts")
    fallen: float = fixed(0.9, "share of the way from the mean C of random networks to the lowest known C that E falls")
    accuracy: float = fixed(0.9, "training accuracy of the ensemble; the larger class alone has about a half")
    margin: float = fixed(0.01, "nats by which a best sampled C may be worse and yet count as as good")
    samples: int = fixed(4000, "fresh networks of each trained distribution, for E and accuracies")
    random: int = fixed(100_000, "random networks, for the mean C before training")


BEYOND = BeyondPlan()
