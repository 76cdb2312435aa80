"""The parts of a study's page on its trials: what they took, which are the best, who was stopped when, what failed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from qhn.scheduling.curves import Verdict
from qhn.scheduling.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.scheduling.study import Study
from qhn.scheduling.survey_rule import SurveyRule
from qhn.scheduling.swift_hyperband import SwiftHyperband
from qhn.search.account import Expense, Fate, RoundAccount, expense
from qhn.text import aligned, counted, in_line

BEST = 5  # trials in the table of the best ones
MOST_FAILURES = 10  # messages on the page
SPENT = {"steps": "step", "shots": "shot", "qpu_seconds": "QPU second"}  # facts of trials that add up
BESIDE = ("exact", "std_error", "steps", "run")  # facts that stand beside a trial's loss
RULES = {
    Hyperband: "Hyperband",
    SwiftHyperband: "Swift-Hyperband",
    SuccessiveHalving: "successive halving",
    RunAll: "every trial to its end",
    SurveyRule: "survey",
}


def title_part(study: Study, found: Sequence[Fate], unit: str = "") -> str:
    """What kind of study it is, and where it stands.

    Args:
        study: the study.
        found: what became of each trial, by its number.
        unit: what a unit of resource is, in words; empty if nobody said.
    """
    rule = study.rule
    name = f"study {in_line(study.folder.name)}" if study.folder else "study"
    sizes = f"R = {counted(rule.max_resource, 'unit')}"
    sizes += f", η = {eta}" if (eta := getattr(rule, "eta", None)) else ""
    begun = sum(fate is not Fate.NOT_BEGUN for fate in found)
    state = "done" if study.is_done else f"not done: {begun:,} begun, the same command goes on"
    kind = RULES.get(type(rule), type(rule).__name__)
    line = f"{name}: {kind}, {sizes}; {counted(rule.num_trials, 'trial')}, {state}"
    return f"{line}\na unit is {unit}" if unit else line


# ---------------------------------------------------------------- resource


def resource_part(study: Study, found: Sequence[Fate]) -> str:
    """What the study took beside Hyperband and beside training every trial to its end, and what nobody knows.

    Args:
        study: the study.
        found: what became of each trial, by its number.
    """
    spent = expense(study)
    trials, is_swift = study.rule.num_trials, isinstance(study.rule, SwiftHyperband)
    rows: list[tuple[str, int, int]] = [(f"this study{'' if study.is_done else ' so far'}", trials, spent.units)]
    if not study.is_done and not is_swift:
        rows.append(("this study at its end", trials, study.rule.most_units))
    if spent.hyperband and not isinstance(study.rule, Hyperband):
        units, begun = spent.hyperband
        rows.append(("Hyperband with the same R and η", begun, units))
    if not isinstance(study.rule, RunAll):
        rows.append(("every trial to its end", trials, spent.everything))
    head = ["resource", "trials", "units", "of all to the end"]
    table = [[name, f"{n:,}", f"{units:,}", f"{units / (n * study.rule.max_resource):.1%}"] for name, n, units in rows]
    if is_swift and spent.hyperband:
        head.append("of Hyperband")
        for row, (_, _, units) in zip(table, rows, strict=True):
            row.append(f"{units / spent.hyperband[0]:.1%}")
    return "\n".join([aligned(head, table), *_spent(study, spent), *_unknown(found), *_unbegun(study)])


def _spent(study: Study, spent: Expense) -> list[str]:
    """What was spent in other units than those of resource, and what failed trials did not take."""
    lines, facts = [], study.facts.values()
    totals = {words: sum(_number(one.get(name)) for one in facts) for name, words in SPENT.items()}
    parts = [
        f"{total:,.6g} {words}s" if total % 1 else counted(round(total), words)
        for words, total in totals.items()
        if total
    ]
    if parts:
        lines.append(f"this study took {', '.join(parts)}")
    if spent.failed:
        lines.append(f"failed trials were to take {counted(spent.failed, 'unit')} more")
    return lines


def _unknown(found: Sequence[Fate]) -> list[str]:
    """A note that nobody knows what trials would have come to that were not trained to their end."""
    counts = Counter(found)
    words = {Fate.STOPPED: "stopped within a round", Fate.DROPPED: "dropped at the end of a round"}
    parts = [f"{counts[fate]:,} {text}" for fate, text in words.items() if counts[fate]]
    if not parts:
        return []
    return [
        f"trials not trained to their end: {', '.join(parts)}; whether one of them would have won,",
        "and so the regret, is not known; a study that trains every trial to its end tells both",
    ]


def _unbegun(study: Study) -> list[str]:
    """A note on trials that were dropped before they had a loss, since their steps take much."""
    out = [one.trial for one in study.decisions if one.verdict in (Verdict.DROPPED, Verdict.STOPPED)]
    number = len({trial for trial in out if math.isnan(study.curves.last(trial))})
    if not number:
        return []
    return [f"{number:,} of them ended before their first step, which takes more than their round gave them"]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


# ---------------------------------------------------------------- the best trials


def best_part(study: Study, found: Sequence[Fate], *, is_noisy: bool = True) -> str:
    """A table of the best trials, why the first of them looks better than it is, and where to find it.

    Args:
        study: the study.
        found: what became of each trial, by its number.
        is_noisy: whether the same trial could have had another loss.
    """
    usable = [trial for trial, fate in enumerate(found) if fate not in (Fate.NOT_BEGUN, Fate.FAILED)]
    if not usable:
        return "no trial has a loss: all failed" if Fate.FAILED in found else "no trial has a loss yet"
    reached = study.curves.reached
    ranked = sorted(usable, key=lambda trial: (-reached(trial), study.curves.loss(trial, reached(trial)), trial))
    most = reached(ranked[0])
    rivals = sum(reached(trial) == most for trial in usable)
    known = {name for facts in study.facts.values() for name in facts}
    beside = [name for name in BESIDE if name in known]
    head = ["best trials", "resource", "loss", *map(in_line, beside), *map(in_line, study.values(ranked[0]))]
    lines = [aligned(head, [_best_row(study, trial, beside) for trial in ranked[:BEST]])]
    if rivals > 1 and is_noisy:
        lines += [
            f"the first has the lowest loss of the {rivals:,} trials that reached {counted(most, 'unit')}:",
            "of noisy losses the lowest flatters; quote what it is when it is measured anew",
        ]
    return "\n".join(lines + _where_it_is(study, ranked[0]))


def _best_row(study: Study, trial: int, beside: Sequence[str]) -> list[Any]:
    reached, facts = study.curves.reached(trial), study.facts.get(trial, {})
    values = [facts.get(name, "") for name in beside] + list(study.values(trial).values())
    loss = f"{study.curves.loss(trial, reached):.6g}"
    return [f"trial {trial}", f"{reached:,}", loss, *map(_short, values)]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else in_line(value, 40)


def _where_it_is(study: Study, trial: int) -> list[str]:
    if run := study.facts.get(trial, {}).get("run"):
        return [f"look at it with qhn show {in_line(run)}"]
    best = study.best()
    if best is None or best.folder is None or best.number != trial or not best.folder.exists():
        return []
    return [f"what it kept is in {best.folder}"]


# ---------------------------------------------------------------- rounds and failures


def rounds_part(study: Study, accounts: Sequence[RoundAccount]) -> str:
    """A table of rounds: how many trials were promoted, dropped, and stopped within them, and what they took.

    Args:
        study: the study.
        accounts: the rounds that have begun.
    """
    if not study.decisions:
        return ""
    predicts = any(account.point is not None for account in accounts)
    head = ["bracket", "round", "trials", "until", "promoted", "dropped", "units"]
    if predicts:
        head[4:4] = ["decided at", "in any case", "continued", "stopped"]
        head += ["if none stopped", "saved"]
    rows = []
    for account in accounts:
        got = account.verdicts
        row: list[Any] = [account.bracket, account.round, f"{len(account.trials):,}", f"{account.resource:,}"]
        if predicts:
            middle = [got[Verdict.FULL], got[Verdict.CONTINUED], got[Verdict.STOPPED]]
            row += ["–" if account.point is None else f"{account.point:,}", *map(_count, middle)]
        row += [_count(got[Verdict.PROMOTED]), _count(got[Verdict.DROPPED]), f"{account.units:,}"]
        if predicts:
            is_over = account.at_end > 0 or study.is_done
            row += [f"{account.planned:,}", f"{account.saved:.0%}" if is_over else "under way"]
        rows.append(row)
    return aligned(head, rows)


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def failures_part(study: Study) -> str:
    """The messages of failed trials, each with how many trials it is of.

    Args:
        study: the study.
    """
    trials: dict[str, list[int]] = {}
    for trial in range(study.rule.num_trials):
        if study.curves.has_failed(trial):
            message = study.facts.get(trial, {}).get("error") or "its loss is not finite"
            trials.setdefault(in_line(message), []).append(trial)
    if not trials:
        return ""
    lines = [f"{counted(sum(map(len, trials.values())), 'trial')} failed"]
    ordered = sorted(trials.items(), key=lambda item: -len(item[1]))
    for message, failed in ordered[:MOST_FAILURES]:
        others = f" and {len(failed) - 1:,} more" if len(failed) > 1 else ""
        lines.append(f"  trial {failed[0]}{others}: {message}")
    if len(ordered) > MOST_FAILURES:
        lines.append(f"  {len(ordered) - MOST_FAILURES:,} more messages are in trials.csv")
    return "\n".join(lines)
