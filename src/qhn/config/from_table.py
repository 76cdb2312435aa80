"""A configuration for a table: what a look at it suggests, with the reasons, written down to be changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qhn import durable
from qhn.config import RunConfig
from qhn.config.commented import CommentedTable, Entry
from qhn.config.data import FileData
from qhn.config.designs import HIDDEN, Design
from qhn.config.file import config_of
from qhn.config.recommended import ansatz_table, network_table, train_table
from qhn.errors import QhnError
from qhn.table.class_column import Classes, classes_of
from qhn.table.csv_files import Dialect, sniffed
from qhn.table.files import is_text, read_table
from qhn.table.look import KEPT_CATEGORIES, Look, look_at
from qhn.text import counted, in_line

KEPT = "experiment.toml"  # name of the configuration for a table in the record of its run
WAIT = 30.0  # seconds of a run that was not asked how long it may take
MAX_QUBITS, MAX_SAMPLED_QUBITS = 21, 40  # of a design with hidden units that is chosen, without and with shots


@dataclass(frozen=True)
class Draft:
    """A configuration for a table, with the reasons.

    Attributes:
        path: the file of the table.
        dialect: how the file is written; None if it is no text.
        classes: the classes.
        look: what a look at the other columns shows.
        features: the names of the features that the columns become.
        designs: designs of networks, from the smallest on.
        design: the design that is chosen.
    """

    path: Path
    dialect: Dialect | None
    classes: Classes
    look: Look
    features: tuple[str, ...]
    designs: tuple[Design, ...]
    design: Design

    def text(self, folder: Path | None = None) -> str:
        """The configuration in TOML, with comments.

        Args:
            folder: the folder in which the text will be a file, from which the path of the table is written if it is
                in the same; otherwise the path is absolute.
        """
        absolute = self.path.absolute()
        file = absolute.name if folder is not None and folder.absolute() == absolute.parent else str(absolute)
        heads = [
            f"# Networks that predict {in_line(repr(self.classes.column))} of {in_line(self.path.name)}.",
            f"# {counted(self.look.num_rows, 'row')}; a look at them suggested these settings, and any may be changed.",
        ]
        tables = [
            CommentedTable("data", (Entry("file", file), *_data_entries(self.dialect, self.classes, self.look))),
            network_table(self.design, self.designs, self.classes.are_unbalanced),
            ansatz_table(self.design),
            train_table(self.design),
        ]
        return "\n".join(heads) + "\n\n" + "\n\n".join(table.text() for table in tables) + "\n"

    def config(self, settings: Mapping[str, Any] | None = None, naming: int | None = None) -> RunConfig:
        """The configuration, with some values replaced.

        Args:
            settings: values by dotted key, as for :func:`qhn.config.file.load_config`.
            naming: version of the defaults; None for the newest.

        Raises:
            QhnError: if a value is wrong.
        """
        folder = self.path.absolute().parent
        return config_of(self.text(), str(self.path), folder, _stem(self.path), settings, naming)

    def keep(self, directory: Path) -> None:
        """Write the configuration into the directory of a run, unless it is there."""
        path = directory / KEPT
        if not path.exists():
            durable.replace(path, lambda file: file.write(self.text().encode()))


def draft_of(path: str | Path, label: str | None = None) -> Draft:
    """A configuration for a table.

    Args:
        path: the file of the table.
        label: the name of the column of classes; None for the one whose name says so.

    Raises:
        NotFoundError: if there is no such file.
        QhnError: if it cannot be read, or nothing can be learned from it; the message says what to do.
    """
    path = Path(path)
    dialect = sniffed(path) if path.is_file() and is_text(path) else None
    table = read_table(path, dialect)
    classes = classes_of(table, label)
    look = look_at(table.without([classes.column]), classes.counts)
    if not look.kept:
        reasons = "; ".join(f"{in_line(repr(column.name), 40)}: {column.why}" for column in look.dropped[:3])
        raise QhnError(f"{path}: no column is left to learn from beside {in_line(repr(classes.column))} ({reasons})")
    data = FileData(file=path, **{one.key: one.value for one in _data_entries(dialect, classes, look)}).load()
    designs = tuple(Design.of(hidden, data.num_features, data.num_classes, len(data.y)) for hidden in HIDDEN)
    return Draft(path, dialect, classes, look, data.feature_names, designs, _chosen(designs, data.num_classes))


def _chosen(designs: tuple[Design, ...], num_classes: int) -> Design:
    """The design that is recommended: with two classes hidden units, if a run with them is short.

    Of eight tables with two classes the best of all networks had a higher accuracy on validation samples with two
    hidden units than without in all, 0.76 and 0.65 on average. With three classes it was lower (0.86 and 0.90).
    """
    if num_classes > 2:
        return designs[0]
    one_layer = [one for one in designs if len(one.hidden) == 1]
    exact = [one for one in one_layer if one.way == "exact" and one.num_qubits <= MAX_QUBITS and one.seconds <= WAIT]
    sampled = [one for one in one_layer if one.way == "sampled" and one.num_qubits <= MAX_SAMPLED_QUBITS]
    short = [one for one in sampled if one.seconds <= 2 * WAIT]
    if exact:
        return max(exact, key=lambda one: one.num_qubits)
    return min(short, key=lambda one: one.num_qubits, default=designs[0])


def _data_entries(dialect: Dialect | None, classes: Classes, look: Look) -> tuple[Entry, ...]:
    """The keys of ``[data]`` but that of the file."""
    entries = [Entry("label", classes.column, f"the classes, {listed(list(classes.counts))}")]
    if dialect is not None:
        entries += [
            Entry("separator", dialect.separator),
            Entry("decimal", dialect.decimal),
            Entry("encoding", dialect.encoding),
        ]
    if classes.num_missing:
        why = f"{counted(classes.num_missing, 'row')} without a class"
        entries.append(Entry("unlabelled", "leave-out", why))
    if look.dropped:
        why = "\n".join(f"{in_line(column.name, 40)}: {column.why}" for column in look.dropped)
        entries.append(Entry("drop", tuple(column.name for column in look.dropped), why))
    codes = [column for column in look.kept if column.seen == "code"]
    if codes:
        why = "\n".join(f"{in_line(column.name, 40)}: {column.why}" for column in codes)
        entries.append(Entry("categorical", tuple(column.name for column in codes), why))
    if look.codes:
        why = "\n".join(f"{code.text} in {listed(code.columns)} {code.why}" for code in look.codes)
        entries.append(Entry("missing", look.missing, why))
    gaps = [column for column in look.kept if column.share_missing]
    if gaps:
        shares = ", ".join(f"{in_line(column.name, 40)} {share(column.share_missing)}" for column in gaps)
        entries.append(Entry("impute", "median", f"missing are {shares}; of categories the most frequent stands in"))
    if any(column.is_clipped for column in look.kept):
        why = "of a column become features, the most frequent ones; the others count as none of them"
        entries.append(Entry("max_categories", KEPT_CATEGORIES, why))
    entries.append(Entry("validation_fraction", 0.25, "share of the rows that is held out"))
    return tuple(entries)


def share(part: float) -> str:
    """A share in per cent; one that is not 0 is not shown as 0.

    >>> share(0.0), share(0.0004), share(0.1987)
    ('0 %', '< 1 %', '20 %')
    """
    return "< 1 %" if 0 < part < 0.01 else f"{100 * part:.0f} %"


def listed(names: Sequence[str], most: int = 6, width: int = 40) -> str:
    """Names in a line, of which not all are shown if they are many.

    Args:
        names: the names.
        most: the largest number of names that are shown.
        width: the largest number of characters of a name.

    >>> listed(["age", "sex", "fare"], most=2)
    'age, sex and 1 more'
    """
    more = f" and {len(names) - most:,} more" * (len(names) > most)
    return ", ".join(in_line(name, width) for name in names[:most]) + more


def written(draft: Draft, output: Path | None = None) -> Path:
    """Write a configuration into a file that does not exist yet.

    Args:
        draft: the configuration.
        output: the file; by default that of the table's name, beside the table.

    Returns:
        The path of the file.

    Raises:
        QhnError: if there is such a file, or its name does not end in ``.toml``.
        OSError: if it cannot be written.
    """
    path = output or draft.path.with_name(f"{_stem(draft.path)}.toml")
    if path.suffix != ".toml":
        raise QhnError(f"--output must name a file that ends in .toml, got {path}")
    if path.exists() or path.is_symlink():
        raise QhnError(f"{path} exists, and is not overwritten; name another file with --output")
    if not path.parent.is_dir():
        raise QhnError(f"--output must be in a directory that exists, got {path}")
    durable.export(path, lambda file: file.write(draft.text(path.parent).encode()))
    return path


def _stem(path: Path) -> str:
    """The name of a file without its endings."""
    return path.name.split(".")[0] or "table"
