"""What is said of a configuration for a table: a page that shows all, and a few lines."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from qhn.config.designs import Design
from qhn.config.from_table import Draft, listed, share
from qhn.table.csv_files import SEPARATORS
from qhn.table.look import ColumnLook
from qhn.text import aligned, counted, in_line

WAYS = {
    "exact": "exactly, without shots",
    "sampled": "by shots of the ideal circuit",
    "directions": "by shots, along random directions",
}
MAX_COLUMNS = 60  # columns that a page shows one by one
MANY_REPEATED = 0.1  # share of rows that are the same as an earlier one, from which on a page says so
MINUTE, HOUR = 60.0, 3600.0


def page_of(draft: Draft, path: Path) -> str:
    """What was seen of a table and what was written, as a page of text.

    Args:
        draft: the configuration.
        path: the file into which it was written.
    """
    parts = [_head(draft), _columns(draft), _classes(draft), _designs(draft), _next_commands(draft, path)]
    return "\n\n".join(parts)


def lines_of(draft: Draft, changes: Collection[str] = ()) -> list[str]:
    """What was chosen and left out, in a few lines.

    Args:
        draft: the configuration.
        changes: the dotted keys of the settings that are replaced.
    """
    kept, dropped = draft.look.kept, draft.look.dropped
    lines = [
        f"{in_line(draft.path)}: {counted(draft.look.num_rows, 'row')}; classes of "
        f"{in_line(repr(draft.classes.column), 40)}: {_class_counts(draft, most=4)}",
        f"learning from {counted(len(kept), 'column')}: {listed([column.name for column in kept])}",
    ]
    if dropped:
        reasons = [f"{in_line(column.name, 40)} ({in_line(column.why, 60)})" for column in dropped]
        lines.append(f"leaving out {listed(reasons, 4, width=120)}")
    gaps = [f"{in_line(column.name, 40)} {share(column.share_missing)}" for column in kept if column.share_missing]
    if gaps:
        lines.append(f"filling in what is missing: {listed(gaps, width=60)}")
    lines += _doubts(draft)
    design = draft.design
    networks = (
        f"networks with hidden = {list(design.hidden)}: {design.num_qubits} qubits, trained {WAYS[design.way]}, "
        f"{about(design.seconds)}"
    )
    written = f"{init_command(draft)} writes this down, to be read and changed"
    if changes:
        networks = f"suggested are {networks}; this command sets {listed(list(changes))} itself"
        written = f"{init_command(draft)} writes the suggestion down, to be read and changed"
    return [*lines, networks, written]


def init_command(draft: Draft) -> str:
    """The command that writes a configuration for the same table."""
    return f"qhn init {shlex.quote(str(draft.path))} --label {shlex.quote(draft.classes.column)}"


def about(seconds: float) -> str:
    """A time that is known roughly.

    >>> about(1.2), about(50), about(400), about(20_000)
    ('some seconds', 'about a minute', 'about 7 minutes', 'about 6 hours')
    """
    if seconds < 10:
        return "some seconds"
    if seconds < 40:
        return f"about {10 * max(1, round(seconds / 10))} seconds"
    if seconds < 1.5 * MINUTE:
        return "about a minute"
    if seconds < 1.5 * HOUR:
        return f"about {seconds / MINUTE:.0f} minutes"
    return f"about {seconds / HOUR:,.0f} hours"


def _head(draft: Draft) -> str:
    """The size of the table and how it is written."""
    size = f"{in_line(draft.path)}: {counted(draft.look.num_rows, 'row')}, {counted(len(draft.look.columns), 'column')}"
    size += f" beside the classes {in_line(repr(draft.classes.column), 40)}"
    if draft.dialect is None:
        return size
    between = SEPARATORS.get(draft.dialect.separator, repr(draft.dialect.separator))
    marks_in_numbers = f"decimals after {draft.dialect.decimal!r}"
    if draft.dialect.thousands:
        marks_in_numbers += f", thousands between {draft.dialect.thousands!r}"
    return f"{size}\nseparated by {between}, {marks_in_numbers}, in {draft.dialect.encoding}"


def _columns(draft: Draft) -> str:
    """A line for each column."""
    columns = draft.look.columns
    rows = [
        [
            in_line(column.name, 30),
            column.seen,
            f"{column.num_different:,}",
            share(column.share_missing),
            ", ".join(in_line(example, 12) for example in column.examples),
            _becomes(column),
        ]
        for column in columns[:MAX_COLUMNS]
    ]
    text = aligned(["column", "kind", "different", "missing", "examples", "becomes"], rows)
    if len(columns) > MAX_COLUMNS:
        text += f"\n… and {len(columns) - MAX_COLUMNS:,} more columns"
    for code in draft.look.codes:
        text += f"\n{in_line(repr(code.text))} in {listed(code.columns)} stands for a missing value: it {code.why}"
    return text


def _becomes(column: ColumnLook) -> str:
    """What a column becomes, in a cell."""
    after = f": {column.why}" if column.why else ""
    if column.use == "categories":
        num = column.num_features
        return f"{counted(num, 'feature')}, a category each{after}" if num > 1 else f"a feature{after}"
    return f"dropped{after}" if column.is_dropped else f"a feature{after}"


def _classes(draft: Draft) -> str:
    """The classes with their numbers of rows."""
    name, part = draft.classes.majority
    lines = [f"classes of {in_line(repr(draft.classes.column), 40)}: {_class_counts(draft, most=10)}"]
    lines.append(f"always to say {in_line(name, 40)} is right in {share(part)}")
    if draft.classes.are_unbalanced:
        lines.append("the classes are unbalanced: they count alike in the loss, and balanced accuracy is what to read")
    if draft.classes.num_missing:
        lines.append(f"{counted(draft.classes.num_missing, 'row')} without a class, left out")
    return "\n".join(lines + _doubts(draft))


def _doubts(draft: Draft) -> list[str]:
    """What makes validation samples look better than samples that come later."""
    lines = []
    if draft.telling:
        one = len(draft.telling) == 1
        lines.append(
            f"warning: {listed(draft.telling)} {'holds' if one else 'each hold'} the class: rows with the same value "
            f"have the same class; if {'it is' if one else 'they are'} not known before the class, add "
            f"{'it' if one else 'them'} to data.drop"
        )
    if draft.num_repeated > MANY_REPEATED * draft.look.num_rows:
        lines.append(
            f"warning: {draft.num_repeated:,} of {counted(draft.look.num_rows, 'row')} are the same as an earlier one; "
            "if they are copies, remove them, since a copy of a training sample proves nothing in validation"
        )
    return lines


def _class_counts(draft: Draft, most: int) -> str:
    counts = [f"{in_line(name, 40)} ({number:,})" for name, number in draft.classes.counts.items()]
    return listed(counts, most, width=60)


def _designs(draft: Draft) -> str:
    """The qubits that each design takes."""
    rows = [[*_row(one), "← chosen" * (one is draft.design)] for one in draft.designs]
    return f"{counted(len(draft.features), 'feature')} of {counted(len(draft.look.kept), 'column')}\n" + aligned(
        ["network.hidden", "qubits", "networks", "trained", "for", ""], rows
    )


def _row(design: Design) -> list[str]:
    """The cells of a design."""
    number = f"{2**design.num_qubits:,}" if design.num_qubits <= 40 else f"2^{design.num_qubits}"
    return [str(list(design.hidden)), str(design.num_qubits), number, WAYS[design.way], about(design.seconds)]


def _other(draft: Draft) -> str:
    """Another design that is trained as the chosen one, as a setting; without a hidden layer if there is none."""
    same = [one for one in draft.designs if one is not draft.design and one.way == draft.design.way]
    return str(list(same[-1].hidden if same else ())).replace(" ", "")


def _next_commands(draft: Draft, path: Path) -> str:
    """What to type next."""
    file = shlex.quote(str(path))
    commands = [
        (f"qhn run {file}", "train; the page and pictures say how good it is"),
        (f"qhn run {file} --set 'network.hidden={_other(draft)}'", "the same with other networks"),
        (f"qhn baseline {file}", "what classical searches find"),
        ("qhn show", "the page of the latest run, and what its bits mean"),
    ]
    if draft.design.way == "exact":
        commands.insert(2, (f"qhn landscape {file}", "all networks, and the best of them"))
    width = max(len(command) for command, _ in commands)
    lines = [f"  {command:<{width}}  {what}" for command, what in commands]
    return "\n".join([f"wrote {path}; every setting has its reason beside it. Next:", *lines])
