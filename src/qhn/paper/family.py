"""Families of tests: claims that are judged together, so that their number makes none of them true by chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from qhn.paper.claims import Claim, Verdict, by_order, in_all, verdict_of
from qhn.paper.inference import Difference, Hypothesis, holm
from qhn.paper.pairing import Paired
from qhn.paper.section import Writer

Decisions = Mapping[str, bool | None]  # whether each hypothesis holds, by its name; None if it is undecided
APART = "eq5 − authors"


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and the tests that judge it.

    Attributes:
        source: the place in the paper, or in its authors' program, that makes the statement.
        statement: the statement.
        tests: the hypotheses tested, by name.
        combine: the verdict on the claim from what the tests decide.
        evidence: the numbers that the verdict rests on, in words; by default those of the tests.
        paired: effects paired by start, by the names of tests; they stand beside these and judge nothing.
    """

    source: str
    statement: str
    tests: Mapping[str, Hypothesis]
    combine: Callable[[Decisions], Verdict]
    evidence: str
    paired: Mapping[str, Paired] = field(default_factory=dict)

    def judged(self, family: str, corrected: Mapping[str, float]) -> Claim:
        """The claim with its verdict for corrected p-values of its tests, and the one for uncorrected ones."""
        alone = self.combine({name: test.holds for name, test in self.tests.items()})
        together = self.combine({name: test.decided(corrected[name]) for name, test in self.tests.items()})
        return Claim(self.source, self.statement, together, self.evidence, family, alone)


@dataclass
class Family:
    """Claims whose tests are corrected for their number by Holm's method, which holds whatever they have in common.

    Every test on which a verdict of the family can rest is counted. With a probability of 95 % all that the corrected
    verdicts assert is right.

    Attributes:
        name: what the tests ask, in words.
        claims: the claims so far, with the tests of each.

    >>> family, page = Family("two coins"), Writer("Coins")
    >>> for number in (0.02, 0.04):
    ...     coin = Hypothesis("heads too often", supports=number / 2, refutes=1 - number / 2)
    ...     family.add("a bet", f"The coin {number} is false", coin)
    >>> family.judge(page)
    >>> [(str(claim.verdict), str(claim.uncorrected)) for claim in page.claims]
    [('reproduced', 'reproduced'), ('reproduced', 'reproduced')]
    """

    name: str
    claims: list[JudgedClaim] = field(default_factory=list)

    def add(
        self,
        source: str,
        statement: str,
        tests: Hypothesis | Mapping[str, Hypothesis],
        combine: Callable[[Decisions], Verdict] | None = None,
        evidence: str = "",
    ) -> None:
        """Add a claim.

        Args:
            source: the place in the paper, or in its authors' program, that makes the statement.
            statement: the statement.
            tests: the hypotheses to test, by name, or a single one.
            combine: the verdict on the claim from what the tests decide; by default it is reproduced if all hypotheses
                hold, and not reproduced if one is refuted.
            evidence: the numbers that the verdict rests on; by default those of the tests.
        """
        named = {"": tests} if isinstance(tests, Hypothesis) else tests
        words = "; ".join(f"{name} {test.words}".strip() for name, test in named.items())
        judge = combine or (lambda holds: verdict_of(in_all(list(holds.values()))))
        self.claims.append(JudgedClaim(source, statement, named, judge, evidence or words))

    def order(
        self,
        source: str,
        statement: str,
        effects: Mapping[str, Difference],
        apart: Difference,
        words: str,
        paired: Mapping[str, Paired] | None = None,
    ) -> None:
        """Add the claim that an effect is positive, which is tested in each order of gates and between the orders.

        Args:
            source: the place in the paper, or in its authors' program, that makes the statement.
            statement: the statement.
            effects: the effect by order of gates, ``"eq5"`` and ``"authors"``.
            apart: the effect of eq5 minus that of authors, computed directly, so that runs of which both are made
                cancel.
            words: what the effect is a difference of.
            paired: effects paired by start, by order of gates and :data:`APART`, which stand beside and judge nothing.
        """
        tests = {order: effect.above() for order, effect in effects.items()} | {APART: apart.above()}
        listed = "; ".join(f"{name} {test.words}" for name, test in tests.items())
        evidence = f"{words}: {listed}"
        self.claims.append(JudgedClaim(source, statement, tests, _by_order, evidence, paired or {}))

    def judge(self, page: Writer) -> None:
        """Add the claims to a section with their verdicts, corrected and not, and a table of all tests before them."""
        corrected = self._corrected([claim.tests for claim in self.claims])
        rows = []
        for claim, p_values in zip(self.claims, corrected, strict=True):
            for name, test in claim.tests.items():
                title = f"{claim.statement}{f': {name}' if name else ''}"
                rows.append((title, test.words, _spelled(test.p_value), _spelled(p_values[name])))
        page.text(f"Tests of the family “{self.name}”, {len(rows)} in all:")
        page.table(("hypothesis", "value", "p", "p, corrected (Holm)"), rows)
        judged = [claim.judged(self.name, p) for claim, p in zip(self.claims, corrected, strict=True)]
        page.claims += judged
        if any(claim.paired for claim in self.claims):
            self._stand_beside(page, judged)

    def _stand_beside(self, page: Writer, judged: Sequence[Claim]) -> None:
        """Add the paired forms of tests to a section, and what the verdicts would be by them."""
        tests = [
            {**claim.tests, **{name: one.difference.above() for name, one in claim.paired.items()}}
            for claim in self.claims
        ]
        corrected = self._corrected(tests)
        rows = []
        for claim, its, p_values in zip(self.claims, tests, corrected, strict=True):
            for name, one in claim.paired.items():
                p_value = _spelled(its[name].p_value)
                row = (f"{claim.statement}: {name}", claim.tests[name].words, str(one.difference))
                rows.append((*row, one.counts, p_value, _spelled(p_values[name])))
        page.text(
            "**Paired by start.** Circuits share the seeds of their starts; those of equal depth begin at the same θ "
            "in both orders of gates, and those of different depths share their first angles. The verdicts rest on "
            "intervals that take circuits for independent, as was fixed before. Beside them stands Newcombe's interval "
            "for paired rates (method 10; of more than two rates by the same rule), which counts what the starts have "
            "in common; *for : against* are the numbers of starts with more successes on the one side and on the other:"
        )
        page.table(("hypothesis", "independent", "paired", "for : against", "p, paired", "corrected (Holm)"), rows)
        other = []
        for claim, its, p_values, verdict in zip(self.claims, tests, corrected, judged, strict=True):
            by_pairs = replace(claim, tests=its).judged(self.name, p_values)
            if (by_pairs.verdict, by_pairs.uncorrected) != (verdict.verdict, verdict.uncorrected):
                other.append(f"“{claim.statement}”: {by_pairs.verdict} (uncorrected: {by_pairs.uncorrected})")
        formed = sum(bool(claim.paired) for claim in self.claims)
        page.text(
            f"By the paired form other verdicts would be: {'; '.join(other)}."
            if other
            else f"By the paired form, which {formed} of the {len(judged)} claims have, all verdicts are the same, "
            "corrected and not."
        )

    @staticmethod
    def _corrected(tests: Sequence[Mapping[str, Hypothesis]]) -> list[dict[str, float]]:
        """The p-values of all claims' tests by name, corrected for the number of all of them."""
        corrected = iter(holm([test.p_value for its in tests for test in its.values()]))
        return [{name: next(corrected) for name in its} for its in tests]


def _by_order(holds: Decisions) -> Verdict:
    return by_order(holds, larger_in_text=holds[APART])


def _spelled(p_value: float) -> str:
    return f"{p_value:.2g}" if p_value >= 1e-4 else "< 0.0001"
