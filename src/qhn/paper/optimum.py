"""The optimum itself: how many times rarer layers make finding it, while more starts come near it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from qhn.arrays import Floats
from qhn.paper.contrast import Contrast
from qhn.paper.depth_pictures import optimum
from qhn.paper.family import Family
from qhn.paper.inference import Difference, Hypothesis
from qhn.paper.lab import Lab
from qhn.paper.pictures import ORDERS, name_of
from qhn.paper.ratio import ratio, ratio_of_means
from qhn.paper.section import Writer
from qhn.problem.landscape import Landscape
from qhn.sweep.survey import Rate, Survey

RARER = (3.0, 5.0)  # times, read off a first run


@dataclass(frozen=True)
class Found:
    """How often starts of each circuit succeeded, on one data set or on several.

    Attributes:
        shares: the share of successes of each start, 0 or 1, or on each data set: ``[units]`` by order of gates, number
            of layers and ε. The units are the same for all circuits.
        trials: number of starts of each unit.
    """

    shares: Mapping[tuple[str, int, float], Floats]
    trials: int

    @classmethod
    def of_starts(cls, survey: Survey) -> Found:
        """The successes of the starts of a survey, whose settings vary order and number of layers."""
        shares = {
            (*group.values, epsilon): (group.mean - group.optimum < epsilon).astype(np.float64)
            for group in survey.groups
            for epsilon in survey.epsilon
        }
        return cls(shares, 1)

    @classmethod
    def of_data_sets(cls, surveys: Sequence[Survey]) -> Found:
        """The rates of success on several data sets, a survey each."""
        shares = {
            (*group.values, epsilon): np.array([one.group(*group.values).success(epsilon).value for one in surveys])
            for group in surveys[0].groups
            for epsilon in surveys[0].epsilon
        }
        return cls(shares, len(surveys[0].groups[0]))

    @property
    def depths(self) -> list[int]:
        """The numbers of layers, ascending."""
        return sorted({num_layers for _, num_layers, _ in self.shares})

    @property
    def epsilons(self) -> list[float]:
        """The distances ε of a success, descending."""
        return sorted({epsilon for *_, epsilon in self.shares}, reverse=True)

    def mean(self, order: str, depths: Sequence[int], epsilon: float) -> Floats:
        """The mean share of some depths, ``[units]``."""
        found: Floats = np.mean([self.shares[order, depth, epsilon] for depth in depths], axis=0)
        return found

    def rate(self, order: str, depths: Sequence[int], epsilon: float) -> Rate:
        """The rate of all starts of some depths together."""
        shares = [self.shares[order, depth, epsilon] for depth in depths]
        return Rate(round(self.trials * float(np.sum(shares))), self.trials * sum(len(units) for units in shares))

    def success(self, order: str, depths: Sequence[int], epsilon: float) -> Difference:
        """The rate of some depths, with Wilson's interval, or over data sets with Student's."""
        if self.trials > 1:
            return Difference.of_means(self.mean(order, depths, epsilon))
        found = self.rate(order, depths, epsilon)
        return Difference(found.value, *found.interval)

    def gain(self, order: str, depths: Sequence[int], epsilon: float) -> Difference:
        """The rate of some depths minus that of the product state."""
        if self.trials > 1:
            return Difference.of_means(self.mean(order, depths, epsilon) - self.mean(order, (0,), epsilon))
        deep, product = (Contrast.of(str(some), self.rate(order, some, epsilon)) for some in (depths, (0,)))
        return Difference.contrast(deep - product)

    def factor(self, first: tuple[str, Sequence[int]], second: tuple[str, Sequence[int]]) -> Difference:
        """The ratio of the rates of two circuits, by order and depths, at the smallest ε.

        Of starts it has the score interval of independent rates, and over data sets the jackknife's.
        """
        return self.by_units(first, second) if self.trials > 1 else self.by_counts(first, second)

    def by_units(self, first: tuple[str, Sequence[int]], second: tuple[str, Sequence[int]]) -> Difference:
        """The ratio with the jackknife's interval, which pairs the starts, or the data sets."""
        epsilon = self.epsilons[-1]
        return ratio_of_means(self.mean(*first, epsilon), self.mean(*second, epsilon))

    def by_counts(self, first: tuple[str, Sequence[int]], second: tuple[str, Sequence[int]]) -> Difference:
        """The ratio with the score interval of independent rates, which takes all starts together."""
        epsilon = self.epsilons[-1]
        return ratio(self.rate(*first, epsilon), self.rate(*second, epsilon))


def optimum_itself(
    page: Writer, lab: Lab, name: str, title: str, found: Found, deep: tuple[int, ...], landscapes: Sequence[Landscape]
) -> None:
    """Add to a section how often layers find the optimum itself, how much rarer than the product state, and claims.

    Args:
        page: the section.
        lab: the workers and folders.
        name: name of the sweep, for the files of the picture.
        title: what the starts are of, in words, such as ``"Fig. 2"``.
        found: how often starts succeeded.
        deep: the depths that the claims are on together.
        landscapes: the costs of all networks, of each data set.
    """
    near, strict = found.epsilons[0], found.epsilons[-1]
    layers = [depth for depth in found.depths if depth]
    random = {
        epsilon: float(np.mean([(one.costs < one.optimum + epsilon).mean() for one in landscapes]))
        for epsilon in found.epsilons
    }
    clustered = found.trials > 1
    page.text(
        f"**The optimum itself.** Within ε = {near:g} of C* lie {random[near]:.2%} of all networks, and within "
        f"{strict:g} only the optimal ones, {random[strict]:.2%}. *Times rarer* is the rate of the product state at ε "
        f"= {strict:g} divided by that of layers, "
        + (
            "of the means over data sets, with Student's interval of its logarithm and the jackknife's error over data "
            "sets; beside it Koopman's score interval, as if all starts were on one data set:"
            if clustered
            else "with Koopman's score interval of independent rates; beside it, paired by start, Student's interval "
            "of its logarithm with the jackknife's error over starts:"
        )
    )
    success = {
        epsilon: {order: {depth: found.success(order, (depth,), epsilon) for depth in found.depths} for order in ORDERS}
        for epsilon in found.epsilons
    }
    factors = {order: {depth: found.factor((order, (0,)), (order, (depth,))) for depth in layers} for order in ORDERS}
    what = "mean success rate" if clustered else "success rate"
    page.picture(
        lambda: optimum(lab.folder / f"{name}-optimum.png", success, factors, random, what),
        f"Success at ε = {near:g} and at {strict:g}, where only the optimum itself counts, and how many times rarer "
        f"layers make that; 95 % intervals{' over data sets' if clustered else ''}, cut at the edge where they have no "
        "end. Dotted: the share of all networks that lie so near, which random networks would reach.",
    )
    head = ["order", "circuit", *(f"success, ε = {epsilon:g}" for epsilon in found.epsilons), "times rarer"]
    rows = [["", name_of(0), *(found.success("eq5", (0,), e).words(3) for e in found.epsilons), "", ""]]
    for order in ORDERS:
        for some in (*((depth,) for depth in layers), deep):
            circuit = name_of(some[0]) if len(some) == 1 else _words(deep)
            row = [order, circuit, *(found.success(order, some, e).words(3) for e in found.epsilons)]
            for estimate in (found.factor, found.by_counts if clustered else found.by_units):
                row.append(times(estimate((order, (0,)), (order, some))))
            rows.append(row)
    page.table([*head, "all starts as one" if clustered else "paired by start"], rows)
    least, most = RARER
    page.text(
        f"That layers make it {least:g} to {most:g} times rarer in the program's order is what a first run had, whose "
        "data are among these: the two bounds were not fixed before looking. In the text's order the ratio is shown, "
        "and not tested: what is claimed of that order is on the difference of the rates."
    )
    judge(page, title, found, deep)


def judge(page: Writer, title: str, found: Found, deep: tuple[int, ...]) -> None:
    """Add the claims on the optimum itself to a section; the arguments are those of :func:`optimum_itself`."""
    near, strict, (least, most) = found.epsilons[0], found.epsilons[-1], RARER
    source, layers = f"our question, {title}", _words(deep)
    rarer, gain = found.factor(("authors", (0,)), ("authors", deep)), found.gain("authors", deep, near)
    apart = found.factor(("eq5", deep), ("authors", deep))
    family = Family(f"the optimum itself, {title}")
    finding = f"make finding the optimum itself (ε = {strict:g})"
    family.add(
        source,
        f"In the program's order {layers} raise success at ε = {near:g}, and {finding} rarer",
        {f"{layers} minus product, ε = {near:g}": gain.above(), f"times rarer, ε = {strict:g}": _above(rarer, 1.0)},
    )
    for words, test in (
        (f"at least {least:g}", _above(rarer, least)),
        (f"at most {most:g}", replace(rarer.inside(-inf, most), words=times(rarer))),
    ):
        family.add(source, f"In the program's order {layers} {finding} {words} times rarer", {"times rarer": test})
    family.add(
        source,
        f"{layers.capitalize()} find the optimum itself (ε = {strict:g}) more rarely in the program's order",
        {"eq5 / authors": _above(apart, 1.0)},
    )
    family.judge(page)


def _above(factor: Difference, bound: float) -> Hypothesis:
    return replace(factor.above(bound), words=times(factor))


def times(factor: Difference) -> str:
    """A factor with its interval in words.

    >>> times(ratio(Rate(30, 1000), Rate(0, 1000)))
    '∞ (7.8 to ∞)'
    """
    return factor.words(1).replace("inf", "∞")


def _words(depths: Sequence[int]) -> str:
    """Some depths in words, as ``"2 to 4 layers"`` or ``"2 and 3 layers"``."""
    return f"{depths[0]} {'and' if len(depths) == 2 else 'to'} {depths[-1]} layers"
