"""Learning curves as runs and sweeps have left them on disk, read where they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.config import RunConfig
from qhn.config.defaults import FIRST
from qhn.errors import NotFoundError, QhnError
from qhn.learning_curves.curve import LearningCurve, quantity_of, settings_of
from qhn.learning_curves.store import SUFFIX, load_curves
from qhn.run.directories import run_directories
from qhn.run.record import CONFIG, Record
from qhn.run.step import Ending
from qhn.sweep.plan import PLAN, Member, Sweep, make_sweep
from qhn.sweep.workers import finished_members, read_columns
from qhn.text import counted, did_you_mean, in_line, parse_json, read_text, shown

LOSSES = ("mean", "value", "validation", "best_cost")
COLUMNS = {"mean": "mean", "validation": "validation", "best_cost": "best_costs"}  # of a sweep
STUDY, TRIALS = "study.json", "trials.jsonl"  # the definition of a study, and the journal of its trials


@dataclass
class Found:
    """The learning curves that were found on disk.

    Attributes:
        curves: the curves.
        skipped: the number of runs, sweeps and files that could not be read or were not asked for, by the reason.
    """

    curves: list[LearningCurve] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def words(self) -> str:
        """One sentence on how many curves were found, and what was skipped."""
        first = f"{counted(len(self.curves), 'learning curve')} found"
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in self.skipped.most_common())
        return f"{first}; skipped: {reasons}" if reasons else first


def find_curves(path: str | Path, loss: str = "mean", problem: str | None = None) -> Found:
    """The learning curves in a file of curves, the directory of a run, a sweep or a study, or a directory of results.

    What lies in a directory of results and cannot be read is skipped and counted; a file, run, sweep or study that is
    named itself must be readable. A run that is also the member of a sweep is found twice, under the same name. Of a
    study those trials are found that are recorded runs.

    Args:
        path: the file or directory.
        loss: what the losses are: ``"mean"`` for E, ``"value"`` for the objective, ``"validation"`` for the mean
            validation cost, or ``"best_cost"`` for the lowest C measured so far.
        problem: the id of the only problem that is asked for, ``config.problem_id``; None for all problems.

    Raises:
        NotFoundError: if there is no such file or directory.
        QhnError: if there is no such kind of loss, or the file, run, sweep or study is damaged.
        OSError: if it cannot be read.
    """
    if loss not in LOSSES:
        hint = did_you_mean(str(loss), LOSSES, otherwise=f"there are {', '.join(LOSSES)}")
        raise QhnError(f"a learning curve has no loss {shown(loss)}; {hint}")
    path, found = Path(path), Found()
    if not path.exists():
        raise NotFoundError(f"{path}, in which learning curves are looked for, does not exist")
    add = next((add for name, add in KINDS.items() if (path / name).exists()), _add_results)
    (_add_file if path.is_file() else add)(found, path, loss, problem)
    return found


def _add_results(found: Found, results: Path, loss: str, problem: str | None) -> None:
    """Add all curves below a directory of results; what cannot be read is skipped."""
    sources = [
        *(("sweeps", _add_sweep, plan.parent) for plan in sorted(results.glob(f"*/*/{PLAN}"))),
        *(("runs", _add_run, directory) for directory in run_directories(results)),
        *(("files", _add_file, file) for end in ("", "*/") for file in sorted(results.glob(f"{end}*{SUFFIX}"))),
    ]
    for kind, add, path in sources:
        try:
            add(found, path, loss, problem)
        except (QhnError, OSError):
            found.skipped[f"{kind} that cannot be read"] += 1


def _add_file(found: Found, path: Path, loss: str, problem: str | None) -> None:
    for curve in load_curves(path):
        if _is_asked_for(found, curve.problem, problem):
            if curve.quantity in (loss, "mean" if loss == "value" else loss):
                found.curves.append(curve)
            else:
                found.skipped["of another loss"] += 1


def _is_asked_for(found: Found, problem: str, asked: str | None) -> bool:
    """Whether a problem is the one that is asked for; another one is counted as skipped."""
    if asked not in (None, problem):
        found.skipped["of another problem"] += 1
    return asked in (None, problem)


# ---------------------------------------------------------------- runs


def _add_run(found: Found, directory: Path, loss: str, problem: str | None) -> None:
    record = Record.load(directory)
    if _is_asked_for(found, record.config.problem_id, problem):
        curve = curve_of_run(record, loss)
        if curve is None:
            found.skipped["without steps"] += 1
        else:
            found.curves.append(curve)


def curve_of_run(record: Record, loss: str = "mean") -> LearningCurve | None:
    """The learning curve of a recorded run; None if it has no steps yet.

    Its costs are known in steps; with shots also in shots; and on a device in QPU seconds, by the price of each step.

    Args:
        record: the record of the run.
        loss: what the losses are, as in :func:`find_curves`.

    Raises:
        RecordError: if the record is damaged.
    """
    steps = record.steps()
    if not steps:
        return None
    values = [getattr(step, loss) for step in steps]
    costs = {"steps": np.arange(1.0, len(steps) + 1)}
    if record.config.train.shots is not None:
        costs["shots"] = np.array([step.shots for step in steps], dtype=np.float64)
        costs |= _seconds(record, len(steps))
    outcome = record.outcome()
    return LearningCurve(
        np.array([np.nan if value is None else value for value in values]),
        costs,
        is_settled=outcome is not None and outcome.name is Ending.CONVERGED,
        **_facts(record.config, loss, str(record.directory)),
    )


def _seconds(record: Record, num_steps: int) -> dict[str, Floats]:
    """The QPU seconds by the end of each step, by the unit; empty if the machine has no price or a time was lost."""
    if not record.config.train.machine.has_chip:
        return {}
    prices = {entry["step"]: entry.get("price_seconds") for entry in record.timing()}
    if any(prices.get(step) is None for step in range(num_steps)):
        return {}
    return {"qpu_seconds": np.cumsum([prices[step] for step in range(num_steps)])}


def _facts(config: RunConfig, loss: str, source: str) -> dict[str, Any]:
    """What a learning curve tells of its run."""
    return {
        "settings": settings_of(config),
        "problem": config.problem_id,
        "quantity": quantity_of(config, loss),
        "name": config.run_id,
        "source": source,
    }


# ---------------------------------------------------------------- sweeps


def _add_sweep(found: Found, folder: Path, loss: str, problem: str | None) -> None:
    sweep, places = load_begun_sweep(folder), finished_members(folder)
    missing = sum(member.id not in places for member in sweep.members)
    if missing:
        found.skipped["members of sweeps that are not finished"] += missing
    files = {path: read_columns(path) or {} for path in {path for path, _ in places.values()}}
    for member in sweep.members:
        if member.id in places and _is_asked_for(found, member.config.problem_id, problem):
            path, row = places[member.id]
            _add_member(found, member, {name: column[row] for name, column in files[path].items()}, folder, loss)


def _add_member(found: Found, member: Member, row: Mapping[str, Any], folder: Path, loss: str) -> None:
    """Add the curve of a member of a sweep from what is kept of it, unless that does not tell its losses."""
    column = COLUMNS.get(quantity_of(member.config, loss))
    if column is None:
        found.skipped["members of sweeps, which do not keep an objective that is no mean"] += 1
        return
    length = int(row["num_steps"])
    found.curves.append(
        LearningCurve(
            row[column][:length],
            _member_costs(member, folder, length, int(row["shots"])),
            is_settled=str(row["outcome"]) == Ending.CONVERGED,
            **_facts(member.config, loss, str(folder)),
        )
    )


def load_begun_sweep(folder: str | Path) -> Sweep:
    """The sweep whose files are in a directory, with the defaults under which it was begun.

    Args:
        folder: the directory of the sweep, ``<results>/<experiment>/sweep-<name>``.

    Raises:
        FileNotFoundError: if its experiment is the user's own file and is gone.
        QhnError: if the directory was renamed or moved alone, or its plan is damaged.
    """
    path = Path(folder).resolve() / PLAN
    try:
        tree = parse_json(read_text(path))
        naming = tree.pop("naming", FIRST)
        sweep = make_sweep(**tree).as_begun(path.parents[2])
    except (AttributeError, TypeError) as error:
        raise QhnError(f"{path} is damaged ({in_line(error)}); restore it") from None
    if sweep.directory(path.parents[2]) != path.parent or sweep.naming != naming:
        words = f"the sweep {sweep.config.name} of {sweep.experiment}"
        raise QhnError(f"{path.parent} holds {words}, and must be {sweep.directory('<results>')}; move it back")
    return sweep


def _member_costs(member: Member, folder: Path, num_steps: int, shots: int) -> dict[str, Floats]:
    """What a member of a sweep had taken by the end of each step, by the unit.

    The sweep keeps the shots of the whole run. Where each step takes as many as any other, those of a step follow;
    otherwise they are read in the record of the run, if it is still there.
    """
    steps = np.arange(1.0, num_steps + 1)
    if not shots:
        return {"steps": steps}
    if takes_equal_shots(member.config):
        return {"steps": steps, "shots": steps * (shots / num_steps)}
    directory = folder.parent / member.config.run_id
    curve = curve_of_run(Record.load(directory)) if (directory / CONFIG).exists() else None
    if curve is None or len(curve) < num_steps:
        return {"steps": steps}
    return {unit: values[:num_steps] for unit, values in curve.costs.items()}


def takes_equal_shots(config: RunConfig) -> bool:
    """Whether every step of a run takes as many shots as any other.

    Schedules of shots, selections of angles, line searches and calibrations of a device are the exceptions.

    >>> takes_equal_shots(RunConfig(train={"shots": 100})), takes_equal_shots(RunConfig(train={"angles": "sparse"}))
    (True, False)
    """
    train = config.train
    is_constant = train.shot_schedule is None and train.angles.name == "all" and not train.machine.has_chip
    return is_constant and train.optimizer.build().max_evaluations == 1


# ---------------------------------------------------------------- studies


def _add_study(found: Found, folder: Path, loss: str, problem: str | None) -> None:
    for run in _runs_of_study(folder):
        directory = folder.parent / run
        if (directory / CONFIG).exists():
            _add_run(found, directory, loss, problem)
        else:
            found.skipped["trials of studies without a record of their run"] += 1


def _runs_of_study(folder: Path) -> list[str]:
    """The ids of the runs that are trials of a study, in the order in which they began, as its journal has them.

    Raises:
        QhnError: if the journal is damaged.
    """
    path = folder / TRIALS
    content = path.read_bytes() if path.exists() else b""
    try:
        lines = [parse_json(line) for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
        runs = [str(one["facts"].get("run", "")) for line in lines for one in line["told"]]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise QhnError(f"{path} is damaged ({in_line(error)}); restore it") from None
    return [run for run in dict.fromkeys(runs) if run]


KINDS = {CONFIG: _add_run, PLAN: _add_sweep, STUDY: _add_study}  # of directories, by the file that tells them
