"""The claims of the paper, and the verdicts on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The verdict on a claim."""

    REPRODUCED = "reproduced"
    TEXT_ONLY = "reproduced only in the text's order of gates (eq5)"
    AUTHORS_ONLY = "reproduced only in the program's order of gates (authors)"
    TEXT_AT_LEAST = "reproduced in the text's order of gates (eq5), not decided in the program's"
    AUTHORS_AT_LEAST = "reproduced in the program's order of gates (authors), not decided in the text's"
    NOT_REPRODUCED = "not reproduced"
    UNDECIDED = "not decided: within the error"
    UNTESTABLE = "not testable here"


@dataclass(frozen=True)
class Claim:
    """A statement of the paper in our words, with our verdict and evidence.

    Attributes:
        source: the place in the paper, or in its authors' program, that makes the statement.
        statement: the statement.
        verdict: whether the statement holds; of statistical tests, corrected for all tests of their family.
        evidence: the numbers that the verdict rests on.
        family: name of the family of tests; empty for a statement that is judged without a test.
        uncorrected: the verdict of the same tests without a correction; None without a test.
    """

    source: str
    statement: str
    verdict: Verdict
    evidence: str
    family: str = ""
    uncorrected: Verdict | None = None


def by_order(holds: Mapping[str, bool | None], *, larger_in_text: bool | None = None) -> Verdict:
    """The verdict on a claim that is true, false or undecided (None) in each order of gates.

    That a claim holds *only* in one order takes more than being undecided in the other: it must be refuted there, or
    the effect must be significantly larger in the one.

    Args:
        holds: whether the claim holds, by order of gates.
        larger_in_text: whether the effect is larger in the text's order than in the program's; None if undecided.

    >>> one = {"eq5": True, "authors": None}
    >>> by_order(one).name, by_order(one, larger_in_text=True).name
    ('TEXT_AT_LEAST', 'TEXT_ONLY')
    """
    text, authors = holds["eq5"], holds["authors"]
    if text and authors:
        return Verdict.REPRODUCED
    if text:
        return Verdict.TEXT_ONLY if authors is False or larger_in_text is True else Verdict.TEXT_AT_LEAST
    if authors:
        return Verdict.AUTHORS_ONLY if text is False or larger_in_text is False else Verdict.AUTHORS_AT_LEAST
    return Verdict.UNDECIDED if text is None and authors is None else Verdict.NOT_REPRODUCED


def verdict_of(holds: bool | None) -> Verdict:
    """The verdict on a claim that does not depend on the order of gates."""
    return Verdict.UNDECIDED if holds is None else Verdict.REPRODUCED if holds else Verdict.NOT_REPRODUCED


def in_all(holds: Sequence[bool | None]) -> bool | None:
    """Whether a claim holds on all tasks; None if it is undecided on one, and refuted on none.

    >>> in_all([True, True]), in_all([True, None]), in_all([None, False])
    (True, None, False)
    """
    return False if False in holds else None if None in holds else True
