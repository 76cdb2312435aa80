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

    draws: int = fixed(512, "of uniform θ, each of which gives the gradient by all angles")
    global_draws: int = fixed(4096, "of θ for one bitstring at constant depth, whose gradients have heavy tails")
    layers: tuple[int, ...] = fixed((0, 1, 2, 4), "constant depths; the paper's optimum is at 2 or 3")
    flat: float = fixed(0.1, "bits of variance lost a qubit below which there is no plateau: less than 2^(−N/10)")
    exponential: float = fixed(0.5, "bits of variance lost a qubit above which there is one: deep circuits lose 1")


PLATEAUS = PlateausPlan()


@dataclass(frozen=True)
class InteractionsPlan(Plan):
    """The plan of Fig. 5: the orders of interaction that make up the cost."""

    most: float = fixed(0.9, "share of the variance that counts as nearly all of it, or as dominating it")
    few: int = fixed(4, "qubits of an interaction of few")
    half: float = fixed(0.5, "share of the variance that counts as most of it")
    data_sets: int = fixed(12, "drawn for each Gaussian task, whose W(S) depends on its sample")


INTERACTIONS = InteractionsPlan()
class OverfittingPlan(Plan):
    """The plan of Fig. 6: training on few samples, and when it should stop."""

    samples: tuple[int, ...] = fixed((2, 4, 6, 8, 1000), "the paper's numbers N_s of training samples")
    iterations: int = fixed(50, "the paper's")
    data_sets: int = fixed(
        480, "a gain of 0.004 with a standard deviation of 0.02 is found in nine of ten cases among 25 tests"
    )
    folds: int = fixed(10, "the step for each tenth of the data sets is chosen on the other nine")
    held_out: int = fixed(1000, "validation samples, the paper's number, and as many for the test")
    negligible: float = fixed(0.01, "share of the final E below which a rise or a gain is no more than a trace")
    means_scale: float = fixed(0.5, "factor on the means of the Gaussians; the paper does not state its own")
    other_scales: tuple[float, ...] = fixed((0.3, 0.4, 0.7, 1.0), "other factors, since the first is a guess")
    other_samples: tuple[int, ...] = fixed((2, 4), "N_s at the other factors")
    other_data_sets: int = fixed(160, "at each other factor; the seeds are those of the first")


OVERFITTING = OverfittingPlan()
