"""The claims that looking ahead saves shots, in one family of tests over all rules and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from qhn.paper.family import Family
from qhn.paper.inference import holm
from qhn.paper.look_ahead_pictures import Gains, Setting
from qhn.paper.look_ahead_rules import AGAINST, RULES
from qhn.paper.noisytraining import OURS
from qhn.paper.section import Writer


def in_words(setting: Setting) -> str:
    """A setting in words.

    >>> in_words(("mnist-01", 300, True))
    'mnist-01, 300 shots, from near a minimum'
    """
    task, shots, near = setting
    return f"{task}, {shots or 'no'} shots, from {'near a minimum' if near else 'uniform angles'}"


def judge(page: Writer, gains: Mapping[Setting, Gains]) -> None:
    """Add the claims that looking ahead saves shots, and in how many settings it does.

    Lower than the better of two rules is lower than both: each is a test, so that none is chosen by its data.

    Args:
        page: the section.
        gains: the final E of each of the program's own rules minus that of each other rule, in each setting.
    """
    family, rules = Family("looking ahead with equal rows"), [name for name in RULES if name not in AGAINST]
    keys = [(rule, setting, other) for rule in rules for setting in gains for other in AGAINST]
    tests = {
        key: replace(gains[key[1]][key[0]][key[2]].above(), words=gains[key[1]][key[0]][key[2]].words(4))
        for key in keys
    }
    for rule in rules:
        family.add(
            OURS,
            f"With equal rows, *{rule}* ends at a lower E than the better of Adam and sinusoid jumps, wherever tried",
            {f"{in_words(of)}, against {other}": test for (its, of, other), test in tests.items() if its == rule},
        )
    family.judge(page)
    corrected = dict(zip(keys, holm([test.p_value for test in tests.values()]), strict=True))
    words = []
    for has_shots, kind in ((True, "With shots"), (False, "without")):
        cases = [(rule, setting) for rule in rules for setting in gains if (setting[1] > 0) == has_shots]
        decided = {
            case: [tests[*case, other].decided(corrected[*case, other]) for other in AGAINST] for case in cases
        }  # by the peers
        lower = [f"{rule} ({in_words(of)})" for (rule, of), holds in decided.items() if all(holds)]
        higher = sum(False in holds for holds in decided.values())
        words.append(
            f"{kind} E ends lower than with both of the program's rules in {len(lower)} of {len(cases)} cases"
            f"{': ' if lower else ''}{', '.join(lower)}, and higher than with one of them in {higher}"
        )
    page.text(f"{'; '.join(words)}; all corrected for the {len(tests)} tests.")
