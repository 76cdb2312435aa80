"""The chance that some shots include an optimal bitstring, beside that of shots without training, or at random.

At the paper's sizes a thousand random bitstrings often include an optimum: that a trained circuit's shots do says
something only beside what shots without training find.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.paper.family import Family
from qhn.paper.inference import Difference, Hypothesis
from qhn.paper.plan import NOISE
from qhn.problem.landscape import Landscape


def chance(share: ArrayLike, shots: int) -> Floats:
    """The chance that one of some shots is optimal, for shares of optimal shots of any shape.

    >>> chance([0.0, 64 / 2**17, 0.5, 1.0], 1000).round(3).tolist()
    [0.0, 0.386, 1.0, 1.0]
    """
    with np.errstate(divide="ignore"):
        found: Floats = -np.expm1(shots * np.log1p(-np.clip(np.asarray(share, dtype=np.float64), 0.0, 1.0)))
    return found


def random_share(landscape: Landscape) -> float:
    """The share of all bitstrings that are optimal."""
    return landscape.degeneracy / landscape.costs.size


@dataclass(frozen=True)
class Shares:
    """Shares of shots that are optimal; each entry is a start.

    Attributes:
        trained: the share of a trained circuit's shots, ``[starts]``.
        untrained: the share of shots at the initial θ of the same start on the same machine, ``[starts]``.
        random: the share of all bitstrings.
    """

    trained: Floats
    untrained: Floats
    random: float

    def words(self, shots: int) -> str:
        """The mean chances of the trained circuits and of both controls, in words."""
        chances = [float(chance(share, shots).mean()) for share in (self.trained, self.untrained, self.random)]
        surely = int((chance(self.trained, shots) > NOISE.surely).sum())
        return (
            f"chance {chances[0]:.3f} in the mean of {len(self.trained)} circuits, above {NOISE.surely:g} in {surely}; "
            f"at their initial θ {chances[1]:.3f}; of random bitstrings {chances[2]:.3f}"
        )

    def gains(self, shots: int) -> dict[str, Hypothesis]:
        """The statements that trained circuits have a larger chance than both controls."""
        trained = chance(self.trained, shots)
        return {
            "trained minus initial θ": Difference.of_means(trained - chance(self.untrained, shots)).above(),
            "trained minus random": Difference.of_means(trained - chance(self.random, shots)).above(),
        }

    def surely(self, shots: int) -> dict[str, Hypothesis]:
        """The statement that the mean chance of trained circuits is almost 1."""
        return {"trained": Difference.of_means(chance(self.trained, shots)).above(NOISE.surely)}


def best_sample(family: Family, source: str, whose: str, found: Mapping[str, Shares], remark: str = "") -> None:
    """Add the claims that the best of many shots is optimal, and that few shots do better than without training.

    Args:
        family: the family of tests.
        source: the source of the first claim.
        whose: the circuits whose shots are meant, in words.
        found: the shares by order of gates.
        remark: a remark on the evidence.
    """
    many, few, surely = NOISE.shots, NOISE.few_shots, NOISE.surely
    for shots, statement, is_sure in (
        (
            many,
            f"The best of {many:,} shots {whose} is optimal (chance above {surely:g}), and not without training",
            True,
        ),
        (few, f"Even of {few} shots {whose} the best is optimal more often than without training", False),
    ):
        tests = {
            f"{order}, {name}": test
            for order, shares in found.items()
            for name, test in ((shares.surely(shots) if is_sure else {}) | shares.gains(shots)).items()
        }
        words = "; ".join(f"{order}: {shares.words(shots)}" for order, shares in found.items())
        family.add(source, statement, tests, evidence=words + (f". {remark}" if remark and is_sure else ""))
