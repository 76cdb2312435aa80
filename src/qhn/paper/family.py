"""Families of tests: claims that are judged together, so that their number makes none of them true by chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qhn.paper.claims import Claim, Verdict, by_order, in_all, verdict_of
from qhn.paper.inference import Difference, Hypothesis, holm
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
    """

    source: str
    statement: str
    tests: Mapping[str, Hypothesis]
    combine: Callable[[Decisions], Verdict]
    evidence: str

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
        self, source: str, statement: str, effects: Mapping[str, Difference], apart: Difference, words: str
    ) -> None:
        """Add the claim that an effect is positive, which is tested in each order of gates and between the orders.

        Args:
            source: the place in the paper, or in its authors' program, that makes the statement.
            statement: the statement.
            effects: the effect by order of gates, ``"eq5"`` and ``"authors"``.
            apart: the effect of eq5 minus that of authors, computed directly, so that runs of which both are made
                cancel.
            words: what the effect is a difference of.
        """
        tests = {order: effect.above() for order, effect in effects.items()} | {APART: apart.above()}
        listed = "; ".join(f"{name} {test.words}" for name, test in tests.items())
        self.add(source, statement, tests, _by_order, f"{words}: {listed}")

    def judge(self, page: Writer) -> None:
        """Add the claims to a section with their verdicts, corrected and not, and a table of all tests before them."""
        keys = [(place, name) for place, claim in enumerate(self.claims) for name in claim.tests]
        tests = [self.claims[place].tests[name] for place, name in keys]
        corrected = dict(zip(keys, holm([test.p_value for test in tests]), strict=True))
        rows = []
        for (place, name), test in zip(keys, tests, strict=True):
            statement = self.claims[place].statement
            title = f"{statement}{f': {name}' if name else ''}"
            rows.append((title, test.words, _spelled(test.p_value), _spelled(corrected[place, name])))
        page.text(f"Tests of the family “{self.name}”, {len(tests)} in all:")
        page.table(("hypothesis", "value", "p", "p, corrected (Holm)"), rows)
        for place, claim in enumerate(self.claims):
            page.claims.append(claim.judged(self.name, {name: corrected[place, name] for name in claim.tests}))


def _by_order(holds: Decisions) -> Verdict:
    return by_order(holds, larger_in_text=holds[APART])


def _spelled(p_value: float) -> str:
    return f"{p_value:.2g}" if p_value >= 1e-4 else "< 0.0001"
