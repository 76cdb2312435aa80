"""The plan of a sweep: runs with every combination of some settings, for many seeds.

A member of a sweep is a run, identified by its configuration; :mod:`qhn.sweep.workers` finishes a sweep.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from qhn.config import RunConfig
from qhn.config.defaults import FIRST, NAMING
from qhn.config.file import check_values, load_config, one_sentence
from qhn.config.section import Section
from qhn.errors import NotFoundError, QhnError
from qhn.run.directories import results_directory
from qhn.sweep.batch import can_advance_together
from qhn.sweep.files import directory_name, dotted, read_tables, refuse_twice, refuse_unknown, titles
from qhn.text import clipped, parse_json, read_text, shown

TOGETHER = 100  # exact members in one batch
MAX_MEMBERS = 100_000
SEED = "train.seed"
PLAN = "sweep.json"  # the sweep as it was written, in its directory


class SweepConfig(Section):
    """A sweep as its file says it: what is set, what varies, and for how many seeds.

    Attributes:
        name: the sweep's name, after which its directory is called; by default the file's.
        experiment: the name of a preset, or the path of an experiment's TOML file, which lies beside the sweep's file.
        seeds: the number of seeds of each combination, which are then 0, 1, …, or a list of seeds.
        epsilon: distances from the optimum: a member succeeds if E − C* is below; each distance has a success rate.
        settings: values for all members by dotted key, such as ``train.steps``; the table ``[set]`` of the file.
        vary: lists of values by dotted key, every combination of which is a member for each seed; the table ``[vary]``
            of the file.
        repeats: number of repeats, each with its own seed, of every classical search that stands beside the members;
            0 leaves the searches out.
        max_evaluations: largest number of different bitstrings that one classical search evaluates.

    Raises:
        ValueError: at construction, if a name, a number of seeds or a varied setting cannot be taken.
    """

    name: str = "sweep"
    experiment: str
    seeds: int | tuple[int, ...] = 10
    epsilon: tuple[Annotated[float, Field(gt=0)], ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict, alias="set")
    vary: dict[str, list[Any]] = Field(default_factory=dict)
    repeats: int = Field(default=20, ge=0)
    max_evaluations: int = Field(default=50_000, ge=1)

    @field_validator("settings", "vary", mode="before")
    @classmethod
    def _flat(cls, tables: Any) -> Any:
        return dict(dotted(tables)) if isinstance(tables, dict) else tables

    @field_validator("name")
    @classmethod
    def _a_directory(cls, name: str) -> str:
        return directory_name(name)

    @field_validator("seeds", mode="before")
    @classmethod
    def _number_or_list(cls, seeds: Any) -> Any:
        several = isinstance(seeds, (list, tuple))
        numbers = list(seeds) if several else [seeds]
        whole = all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
        if not whole or not numbers or min(numbers) < (0 if several else 1):
            raise QhnError(f"seeds must be a number from 1, or a list of seeds from 0, got {seeds!r}")
        if not several and seeds > MAX_MEMBERS:
            raise QhnError(f"a sweep has at most {MAX_MEMBERS:,} members, got seeds = {clipped(f'{seeds:,}')}")
        return seeds

    @field_validator("vary")
    @classmethod
    def _some_values(cls, vary: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for key, values in vary.items():
            table, _, last = key.rpartition(".")
            if table == "train" and last in RunConfig.STOP_RULES:
                raise QhnError(f"vary.{key}: a stop rule makes no other run; set it for all under [set]")
            if not values:
                raise QhnError(f"vary.{key} must hold at least one value")
        return vary


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    Attributes:
        config: the run's configuration.
        values: the values of the settings that the sweep varies, in their order, without the seed.
    """

    config: RunConfig
    values: tuple[Any, ...]

    @property
    def title(self) -> str:
        """The member in words, by its varied values and its seed."""
        values = "".join(f"{value}, " for value in self.values)
        return f"the member of {values}seed {self.config.train.seed}"

    @cached_property
    def id(self) -> str:
        """A name of the run with its stop rules, by which a finished member is found again."""
        return f"{self.config.run_id}-{self.config.stop_rules_id}"


@dataclass(frozen=True)
class Sweep:
    """Many runs: every combination of the varied settings, for every seed.

    Attributes:
        config: the sweep as it was written.
        experiment: the name of the experiment, after which the directory of its runs is called.
        members: the runs, in the order of the varied settings as they were written, of which the last varies fastest,
            and then of the seeds.
        naming: version of the defaults (:mod:`qhn.config.defaults`) of values that the sweep leaves out.
    """

    config: SweepConfig
    experiment: str
    members: tuple[Member, ...]
    naming: int = NAMING

    @property
    def keys(self) -> tuple[str, ...]:
        """The dotted keys of the varied settings, in the order in which they were written."""
        return tuple(self.config.vary)

    def directory(self, results: str | Path | None = None) -> Path:
        """The directory of the sweep's files, ``<results>/<experiment>/sweep-<name>``.

        Args:
            results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.
        """
        return results_directory(results) / self.experiment / f"sweep-{self.config.name}"

    def as_json(self) -> bytes:
        """The sweep as it was written, and its naming, as the content of its ``sweep.json``."""
        tree = {"naming": self.naming} | self.config.model_dump(mode="json", by_alias=True)
        return (json.dumps(tree, indent=2) + "\n").encode()

    def as_begun(self, results: str | Path | None = None) -> Sweep:
        """The sweep with the naming under which its directory was begun, so that finished members are found again.

        Args:
            results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.

        Raises:
            QhnError: if its ``sweep.json`` is damaged, or was written by a newer version of qhn.
        """
        path = self.directory(results) / PLAN
        if not path.exists():
            return self
        try:
            naming = parse_json(read_text(path)).get("naming", FIRST)  # which was not written at first
        except (OSError, ValueError, AttributeError) as error:
            raise QhnError(
                f"{path} is damaged ({error}); restore it, or move the directory of the sweep away"
            ) from None
        if naming not in range(FIRST, NAMING + 1):
            raise QhnError(f"{path} has naming {shown(naming)}, this version of qhn knows {FIRST} to {NAMING}")
        return self if naming == self.naming else _sweep(self.config, naming)

    @cached_property
    def jobs(self) -> list[list[Member]]:
        """The members in groups that one worker does at a time: exact ones that may advance together, or a single run.

        The jobs do not depend on the number of workers.
        """
        jobs: list[list[Member]] = []
        for _, found in itertools.groupby(self.members, lambda m: m.values):
            group = list(found)
            size = TOGETHER if can_advance_together(group[0].config) else 1
            jobs += [group[start : start + size] for start in range(0, len(group), size)]
        return jobs


def sweeps() -> dict[str, str]:
    """The sweeps that come with qhn: a line on each by its name."""
    return titles("sweeps")


def load_sweep(source: str | Path, settings: dict[str, Any] | None = None) -> Sweep:
    """Load a sweep that comes with qhn, or one from a TOML file.

    Args:
        source: the name of a sweep that comes with qhn (:func:`sweeps`), or the path of a file.
        settings: values that take the place of the file's, by dotted key. The keys ``name``, ``experiment``, ``seeds``,
            ``epsilon``, ``repeats`` and ``max_evaluations`` are the sweep's, all others are set for every member.

    Raises:
        FileNotFoundError: if there is no such sweep, or no such experiment.
        ValueError: if a key or value is wrong; the error says so in one sentence.

    >>> sweep = load_sweep("figure-2", {"seeds": 10, "train.steps": 50})
    >>> sweep.members[0].title, len(sweep.members) % 10, sweep.members[0].config.train.steps
    ('the member of eq5, 0, seed 0', 0, 50)
    """
    own = set(SweepConfig.model_fields) - {"settings", "vary"}
    tree = read_tables(source, "sweeps", "sweep", settings or {}, own)
    try:
        return make_sweep(**tree)
    except FileNotFoundError as error:
        raise NotFoundError(f"{source}: {error}") from None
    except QhnError as error:
        raise QhnError(f"{source}: {error}") from None


def make_sweep(**fields: Any) -> Sweep:
    """Make a sweep from the fields of its file.

    Args:
        fields: the keys of the file, as :class:`SweepConfig` lists them, with ``set`` for ``settings``.

    Raises:
        FileNotFoundError: if there is no such experiment.
        ValueError: if a key or value is wrong; the error says so in one sentence.

    >>> sweep = make_sweep(name="depth", experiment="figure-1", seeds=3, vary={"ansatz.num_layers": [0, 1]})
    >>> [(member.values, member.config.train.seed) for member in sweep.members[2:4]]
    [((0,), 2), ((1,), 0)]
    """
    refuse_unknown(SweepConfig, "sweep", fields)
    check_values({key: value for key, value in fields.items() if not (key == "seeds" and isinstance(value, int))})
    try:
        config = SweepConfig.model_validate(fields)
    except ValidationError as error:
        raise QhnError(one_sentence(error, fields)) from None
    if SEED in config.vary or SEED in config.settings:
        raise QhnError(f"the seeds of a sweep are given by seeds = 10 or a list of them, not by {SEED}")
    refuse_twice(config.settings, config.vary)
    return _sweep(config, NAMING)


def _sweep(config: SweepConfig, naming: int) -> Sweep:
    """Make a sweep whose members have the defaults of a naming.

    Raises:
        FileNotFoundError: if there is no such experiment.
        QhnError: if a member cannot be configured so, or two are the same.
    """
    seeds = range(config.seeds) if isinstance(config.seeds, int) else config.seeds
    total = math.prod(map(len, config.vary.values())) * len(seeds)
    if total > MAX_MEMBERS:
        raise QhnError(f"a sweep has at most {MAX_MEMBERS:,} members, this one would have {total:,}")
    members = []
    for values in itertools.product(*config.vary.values()):
        chosen = config.settings | dict(zip(config.vary, values, strict=True))
        first = load_config(config.experiment, chosen, naming)
        for seed in seeds:
            train = first.train.model_copy(update={"seed": seed})
            train.model_fields_set.add("seed")
            members.append(Member(first.model_copy(update={"train": train}), values))
    names = [member.id for member in members]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        found = [member for member in members if member.id == twice]
        raise QhnError(f"{found[0].title} and {found[1].title} are the same run; give each value once")
    return Sweep(config, members[0].config.experiment, tuple(members), naming)
