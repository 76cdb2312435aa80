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
class ConvergencePlan(Plan):
    """The plan of the test whether success still rises with more steps."""

    checkpoints: tuple[int, ...] = fixed((250, 500, 700, 1000, 2000), "steps at which success is shown")
    most_steps: int = fixed(2000, "steps of starts that had not converged, more than the slowest of 40 a circuit took")
    margin: float = fixed(0.02, "a change of success by less is a plateau; that of no start of 200 is known to 0.014")


CONVERGENCE = ConvergencePlan()


@dataclass(frozen=True)
class PlateausPlan(Plan):
    """The plan of the variance of gradients against the number of qubits and the depth."""

    draws: int = fixed(256, "of uniform θ, of which each gives the gradient at all angles: 9 % error of one variance")
    many_draws: int = fixed(1024, "of the global cost, whose gradients have heavy tails")
    layers: tuple[int, ...] = fixed((0, 1, 2, 4), "constant depths; the paper's optimum is at 2 or 3")
    flat: float = fixed(0.1, "bits of variance lost a qubit below which there is no plateau: less than 2^(−N/10)")
    exponential: float = fixed(0.5, "bits of variance lost a qubit above which there is one: deep circuits lose 1")
    shots_gain: float = fixed(1.0, "ratio of a gradient's root mean square to its shot noise at which it is seen")


PLATEAUS = PlateausPlan()


@dataclass(frozen=True)
class InteractionsPlan(Plan):
    """The plan of Fig. 5: the orders of interaction that make up the cost."""

    most: float = fixed(0.9, "share of the variance that counts as nearly all of it, or as dominating it")
    few: int = fixed(4, "qubits of an interaction of few")
    half: float = fixed(0.5, "share of the variance that counts as most of it")
    data_sets: int = fixed(12, "drawn for each Gaussian task, whose W(S) depends on its sample")


INTERACTIONS = InteractionsPlan()


@dataclass(frozen=True)
class DigitsPlan(Plan):
    """The plan of Fig. 4: success on digits against the depth of the circuit."""

    starts: int = fixed(200, "the paper's; a difference of 0.3, as its figure has, is found in all but 1 of 10⁴ cases")
    full_starts: int = fixed(400, "on full MNIST: a share of 0.6 is shown to be within the margin in nine of ten cases")
    product: float = fixed(0.6, "the paper's share of starts of the product state that succeed, read off Fig. 4")
    layers: float = fixed(0.9, "the paper's share with two and three layers, read off Fig. 4")
    margin: float = fixed(0.1, "a share that differs by less is “about” the paper's, whose figure is read to 0.03")
    paper_epsilon: float = fixed(5e-5, "the paper's distance of E from C* for a success")
    loose_epsilon: float = fixed(3.3e-4, "a distance that takes in the second basin of full MNIST, ours")


DIGITS = DigitsPlan()


@dataclass(frozen=True)
class NoisePlan(Plan):
    """The plan of the study of noise."""

    starts: int = fixed(40, "trained without noise in each order of gates, for curves against the strength of noise")
    noisy_starts: int = fixed(6, "trained with noise, in pairs with the same start without; each takes 10 s")
    mitigated: int = fixed(8, "circuits for each task, device and order of gates whose bias is mitigated")
    bend: float = fixed(0.05, "share of the largest rise that a straight rise may be off its line")
    slope: float = fixed(0.0283, "mean of the authors' own 100 optima, recomputed; of the successful ones 0.0280")
    slope_error: float = fixed(0.0004, "its standard error")
    slope_margin: float = fixed(0.1, "relative difference of two slopes that counts as none")
    shots: int = fixed(1000, "among which the best sample is sought")
    few_shots: int = fixed(10, "the same where random bitstrings have hardly a chance")
    surely: float = fixed(0.95, "chance from which on the best sample is optimal")
    half: tuple[float, float] = fixed((0.4, 0.6), "shares of a bias that count as half of it")
    pull: float = fixed(0.5, "standard errors that results may be off in the mean, of the exact value")
    scatter: tuple[float, float] = fixed((0.75, 1.33), "scatter of results in their stated standard errors")


NOISE = NoisePlan()
