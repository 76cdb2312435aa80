"""The directories of runs: where they are, and which of them a name means."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from glob import escape
from pathlib import Path

from qhn import checksums
from qhn.errors import NotFoundError, QhnError, RecordWarning
from qhn.run.checkpoint import JOURNAL, STEPS
from qhn.run.record import CHECKPOINT, CONFIG, MANIFEST, TIMING, Record
from qhn.text import did_you_mean, read_text

DESCENT = "qsgd-"  # what the directories of quantum gradient descents begin with, which stand among those of runs
NO_RUN = "is the record of a quantum gradient descent: its page is report.md, and the same qhn qsgd goes on with it"
LAST_BYTES = 65_536  # of a file whose last line is looked for


def results_directory(explicit: str | Path | None = None) -> Path:
    """The directory of all runs: the argument, else ``$QHN_RESULTS``, else ``results`` in the working directory.

    Args:
        explicit: a directory that takes the place of the other two; None to use them.

    >>> results_directory("trials").name
    'trials'
    """
    return Path(explicit or os.environ.get("QHN_RESULTS") or "results")


def run_directories(results: Path) -> list[Path]:
    """The directories of all runs below a directory of results, sorted by experiment and then by age.

    Args:
        results: the directory of all runs.
    """
    found = {path.parent for name in (CONFIG, STEPS, JOURNAL, CHECKPOINT) for path in results.glob(f"*/*/{name}")}
    found = {path for path in found if not path.name.startswith(DESCENT)}
    return sorted(found, key=lambda path: (path.parent.name, _made(path)))


def find_run(results: Path, name: str | None) -> Path:
    """The directory of a run given by its path or the beginning of its id.

    Args:
        results: the directory of all runs.
        name: the path of the run's directory, or the beginning of its id; None for the run that was written last.

    Raises:
        FileNotFoundError: if there is no such run.
        QhnError: if the ids of several runs begin with ``name``, or it is a quantum gradient descent.
    """
    if name is not None and (Path(name) / CONFIG).is_file():
        if Path(name).resolve().name.startswith(DESCENT):
            raise QhnError(f"{name} {NO_RUN}")
        return Path(name)
    runs = run_directories(results)
    if name is None:
        if not runs:
            has_descents = any(results.glob(f"*/{DESCENT}*/{CONFIG}"))
            also = ", only descents, with which qhn qsgd goes on and which qhn list shows" if has_descents else ""
            raise NotFoundError(f"there are no runs in {results}{also}; qhn run makes one")
        return max(runs, key=_last_advanced)
    matching = [path for path in runs if path.name.startswith(name)]
    matching = [path for path in matching if "~" not in path.name or "~" in name] or matching  # not those set aside
    if not matching and (descents := sorted(results.glob(f"*/{escape(name)}*/{CONFIG}"))):
        raise QhnError(f"{descents[0].parent} {NO_RUN}")
    if not matching and Path(name).exists():
        raise NotFoundError(f"{name} is not the directory of a run: it has no config.json")
    if not matching:
        hint = did_you_mean(name, [path.name for path in runs], otherwise="qhn list shows all")
        raise NotFoundError(f"there is no run {name!r} in {results}; {hint}")
    if len(matching) > 1 and name not in [path.name for path in matching]:
        raise QhnError(f"several runs begin with {name!r}: {', '.join(path.name for path in matching)}")
    return next((path for path in matching if path.name == name), matching[0])


def costs_beside(record: Record) -> Path:
    """The directory in which costs of a function are kept for all runs of the same results, or in a moved run its own.

    Args:
        record: the record of the run.
    """
    directory = record.directory.resolve()
    is_at_home = directory.parent.name == record.config.experiment
    return directory.parents[1] if is_at_home else directory


def journals_beside(directory: Path) -> list[Path]:
    """The paths of the journals of all other runs and descents in the same results directory.

    Args:
        directory: the directory of the run that asks.
    """
    own = directory.resolve()
    return sorted(path for path in own.parents[1].glob(f"*/*/{JOURNAL}") if path.parent != own)


def _made(directory: Path) -> float:
    """The time at which a run's configuration was written, or else its directory changed."""
    path = directory / CONFIG
    return (path if path.exists() else directory).stat().st_ctime


def _last_advanced(directory: Path) -> tuple[str, int]:
    """The time at which a run was last advanced, by its record and then by its files; reading changes neither.

    Returns:
        The later of the last session's beginning and the last step's end in UTC, empty if neither can be read; and of
        equal ones the time of the last change of ``checkpoint.npz`` or ``config.json`` in nanoseconds.
    """
    times = [""]
    for name, time_in in ((MANIFEST, _last_session), (TIMING, _last_step)):
        try:
            times.append(time_in(directory / name))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, LookupError, TypeError):
            words = "cannot be read, or was changed: another run may be taken for the latest; name the one you mean"
            warnings.warn(RecordWarning(f"{directory / name} {words}"), stacklevel=2)
    files = [directory / name for name in (CHECKPOINT, CONFIG)]
    return max(times), max((path.stat().st_mtime_ns for path in files if path.exists()), default=0)


def _last_session(path: Path) -> str:
    """The time at which the last session began, by the manifest."""
    tree = checksums.parse_document(read_text(path).encode(), is_checked=False)
    return str(tree["sessions"][-1]["time"])


def _last_step(path: Path) -> str:
    """The time at which the last step ended, by the times of the steps; empty if there is none."""
    for line in reversed(list(checksums.lines_at_end(path, LAST_BYTES))):
        with suppress(ValueError):  # a torn line of an older version
            return str(line.tree["time"])
    return ""
