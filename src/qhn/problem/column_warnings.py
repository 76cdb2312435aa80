"""Warnings of columns from which nothing, or nothing but the number of a row, can be learned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from qhn.errors import QhnWarning
from qhn.problem.splitting import Places
from qhn.table.columns import Column, Table
from qhn.table.suspicion import Suspicion, suspicion_of
from qhn.text import in_line

MAX_NAMED = 3  # columns that a warning names
USED, USELESS = "is used as a feature", "tells nothing"


def warn_of_columns(source: str, table: Table, training: Places, remedy: str) -> None:
    """Warn of columns that most likely are no features: numbers of rows, identifiers, and columns of one value.

    Args:
        source: what holds the table.
        table: the columns that are learned from.
        training: the places of the training samples.
        remedy: what leaves a column out.
    """
    found = [_fault_of(column, training, j == 0) for j, column in enumerate(table)]
    for fault in dict.fromkeys(filter(None, found)):
        names = [column.name for column, its in zip(table, found, strict=True) if its == fault]
        _warn(source, names, fault, remedy)


def _fault_of(column: Column, training: Places, is_first: bool) -> str:
    """What speaks against learning from a column, as the end of a sentence about it; empty if nothing does."""
    is_known = ~column.is_missing
    known, learned = column.values[is_known], column.values[training][is_known[training]]
    if not len(learned):
        return "is empty in all training samples, and gives no feature"
    if (known == known[0]).all():
        return f"{Suspicion.CONSTANT.value}, and {USELESS}"
    if (learned == learned[0]).all():
        return f"has the same value in all training samples, and {USELESS}"
    suspicion = suspicion_of(column.name, column.values, is_first) if column.kind == "number" else None
    return f"{suspicion.value}, and {USED}" if suspicion else ""


def _warn(source: str, names: Sequence[str], fault: str, remedy: str) -> None:
    listed = ", ".join(in_line(repr(name)) for name in names[:MAX_NAMED])
    more = f" (and {len(names) - MAX_NAMED:,} more like it)" if len(names) > MAX_NAMED else ""
    words = f"{source}: column {listed}{more} {fault}; {remedy} if it should not be learnt from"
    warnings.warn(words, QhnWarning, stacklevel=5)
