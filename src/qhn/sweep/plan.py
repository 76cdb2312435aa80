"""The plan of a sweep: a run for every combination of some settings and every seed.

A member of a sweep is a run, identified by its configuration; :mod:`qhn.sweep.workers` finishes a sweep.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from qhn.config import RunConfig
from qhn.config.file import load_config, one_sentence, presets
from qhn.config.section import Section
from qhn.errors import QhnError
from qhn.run.record import results_directory
from qhn.sweep.batch import can_advance_together
from qhn.text import did_you_mean

TOGETHER = 100  # exact members in one batch
MAX_MEMBERS = 100_000
SEED = "train.seed"


class SweepConfig(Section):
    """The content of a sweep's file.

    Attributes:
        name: name of the sweep and of its directory; by default that of the file.
        experiment: name of a preset, or path of a TOML file relative to the sweep's file.
        seeds: number of seeds, which are then 0, 1, …, or a list of seeds.
        epsilon: thresholds ε; a member succeeds if E − C* < ε, and the rate of success is reported for each ε.
        settings: values of settings for all members, by dotted key; ``[set]`` in the file.
        vary: lists of values by dotted key; every combination of them is a member for each seed; ``[vary]`` in the
            file.
        repeats: number of repeats of each classical search; with 0 no searches are made.

    Raises:
        ValidationError: at construction, if a value is wrong; it is a ValueError of pydantic.
    """

    name: str = "sweep"
    experiment: str
    seeds: int | tuple[int, ...] = 10
    epsilon: tuple[Annotated[float, Field(gt=0)], ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict, alias="set")
    vary: dict[str, list[Any]] = Field(default_factory=dict)
    repeats: int = Field(default=20, ge=0)

    @field_validator("settings", "vary", mode="before")
    @classmethod
    def _flat(cls, tables: Any) -> Any:
        return dict(_dotted(tables)) if isinstance(tables, dict) else tables

    @field_validator("name")
    @classmethod
    def _a_directory(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise QhnError(f"name must be of letters, digits, dots and hyphens, got {name!r}; write name = 'mine'")
        return name

    @field_validator("seeds", mode="before")
    @classmethod
    def _number_or_list(cls, seeds: Any) -> Any:
        several = isinstance(seeds, (list, tuple))
        numbers = list(seeds) if several else [seeds]
        whole = all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
        if not whole or not numbers or min(numbers) < (0 if several else 1):
            raise QhnError(f"seeds must be a number from 1, or a list of seeds from 0, got {seeds!r}")
        if not several and seeds > MAX_MEMBERS:
            raise QhnError(f"a sweep has at most {MAX_MEMBERS:,} members, got seeds = {seeds:,}")
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


def _dotted(tables: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested tables by dotted key; a table with a name, such as an optimizer, is one value."""
    for key, value in tables.items():
        if isinstance(value, dict) and not isinstance(value.get("name"), str):
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    Attributes:
        config: the configuration of the run.
        values: values of the settings that the sweep varies, in its order of settings; the seed is not among them.
    """

    config: RunConfig
    values: tuple[Any, ...]

    @property
    def title(self) -> str:
        """The member by its values and its seed, in words."""
        values = "".join(f"{value}, " for value in self.values)
        return f"the member of {values}seed {self.config.train.seed}"

    @cached_property
    def id(self) -> str:
        """The name of the run and its stop rules, by which a finished member is found again."""
        return f"{self.config.run_id}-{self.config.stop_rules_id}"


@dataclass(frozen=True)
class Sweep:
    """A sweep: a run for every combination of varied settings and every seed.

    Attributes:
        config: the content of the sweep's file.
        experiment: name of the experiment, and of the directory of its runs.
        members: the runs; seeds vary fastest, then the settings from the last that is written to the first.
    """

    config: SweepConfig
    experiment: str
    members: tuple[Member, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The dotted keys of the varied settings, in the order in which they are written."""
        return tuple(self.config.vary)

    def directory(self, results: str | Path | None = None) -> Path:
        """The directory of the sweep's files: ``<results>/<experiment>/sweep-<name>``.

        Args:
            results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.
        """
        return results_directory(results) / self.experiment / f"sweep-{self.config.name}"

    def as_json(self) -> bytes:
        """The content of the sweep's file as JSON text."""
        return (json.dumps(self.config.model_dump(mode="json", by_alias=True), indent=2) + "\n").encode()

    @cached_property
    def jobs(self) -> list[list[Member]]:
        """The members by job: up to 100 exact members that can advance together, or a single run.

        The jobs do not depend on the number of workers.
        """
        jobs: list[list[Member]] = []
        for _, found in itertools.groupby(self.members, lambda m: m.values):
            group = list(found)
            size = TOGETHER if can_advance_together(group[0].config) else 1
            jobs += [group[start : start + size] for start in range(0, len(group), size)]
        return jobs


def sweeps() -> dict[str, str]:
    """The sweeps that come with qhn, by name, each with a line that describes it.

    >>> "figure-3" in sweeps()
    True
    """
    files = sorted(resources.files("qhn").joinpath("sweeps").iterdir(), key=lambda file: file.name)
    return {f.name.removesuffix(".toml"): f.read_text().split("\n", 1)[0].lstrip("# ") for f in files}


def load_sweep(source: str | Path, settings: dict[str, Any] | None = None) -> Sweep:
    """Load a sweep that comes with qhn, or a sweep from a TOML file.

    Args:
        source: name of a sweep that comes with qhn, or path of a file that ends in ``.toml``.
        settings: values to be changed, by key: fields of :class:`SweepConfig` such as ``seeds``, ``epsilon``,
            ``repeats`` and ``name``, or dotted keys of settings for all members.

    Raises:
        FileNotFoundError: if there is no such sweep or experiment.
        QhnError: if a key or value is wrong; the message is one sentence.
    """
    known, path = sweeps(), Path(source)
    if str(source) in known:
        content, folder = resources.files("qhn").joinpath(f"sweeps/{source}.toml").read_bytes(), Path()
    elif path.suffix == ".toml":
        if not path.is_file():
            raise FileNotFoundError(f"sweep file {path} does not exist")
        content, folder = path.read_bytes(), path.parent
    else:
        hint = did_you_mean(str(source), known, otherwise=f"there are {', '.join(known)}")
        raise FileNotFoundError(f"there is no sweep {str(source)!r}; {hint} (a file of your own must end in .toml)")
    try:
        tree: dict[str, Any] = {"name": path.stem} | tomllib.loads(content.decode())
        own = set(SweepConfig.model_fields) - {"settings", "vary"}
        for key, value in (settings or {}).items():
            if key in own:
                tree[key] = value
            elif isinstance(tree.setdefault("set", {}), dict):
                tree["set"] = dict(_dotted(tree["set"])) | {key: value}
        if isinstance(tree.get("experiment"), str) and tree["experiment"] not in presets():
            tree["experiment"] = str(folder / tree["experiment"])
        return make_sweep(**tree)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{source}: {error}") from None
    except ValueError as error:
        raise QhnError(f"{source}: {error}") from None


def make_sweep(**fields: Any) -> Sweep:
    """Make a sweep from values instead of a file.

    Args:
        fields: the fields of :class:`SweepConfig`, with ``set`` for ``settings``.

    Raises:
        FileNotFoundError: if there is no such experiment.
        QhnError: if a key or value is wrong; the message is one sentence.

    >>> sweep = make_sweep(name="depth", experiment="figure-1", seeds=3, vary={"ansatz.num_layers": [0, 1]})
    >>> [(member.values, member.config.train.seed) for member in sweep.members[2:4]]
    [((0,), 2), ((1,), 0)]
    """
    known = [field.alias or name for name, field in SweepConfig.model_fields.items()]
    for key in fields:
        if key not in known:
            hint = did_you_mean(key, known, otherwise=f"a sweep has {', '.join(known)}")
            raise QhnError(f"unknown key {key} of a sweep; {hint}")
    try:
        config = SweepConfig.model_validate(fields)
    except ValidationError as error:
        raise QhnError(one_sentence(error, fields)) from None
    if SEED in config.vary or SEED in config.settings:
        raise QhnError(f"the seeds of a sweep are given by seeds = 10 or a list of them, not by {SEED}")
    both = sorted(set(config.vary) & set(config.settings))
    if both:
        raise QhnError(f"{both[0]} stands in both [set] and [vary]; leave one out")
    seeds = range(config.seeds) if isinstance(config.seeds, int) else config.seeds
    total = math.prod(map(len, config.vary.values())) * len(seeds)
    if total > MAX_MEMBERS:
        raise QhnError(f"a sweep has at most {MAX_MEMBERS:,} members, this one would have {total:,}")
    members = []
    for values in itertools.product(*config.vary.values()):
        chosen = config.settings | dict(zip(config.vary, values, strict=True))
        first = load_config(config.experiment, chosen)
        for seed in seeds:
            train = first.train.model_copy(update={"seed": seed})
            train.model_fields_set.add("seed")
            members.append(Member(first.model_copy(update={"train": train}), values))
    names = [member.id for member in members]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        found = [member for member in members if member.id == twice]
        raise QhnError(f"{found[0].title} and {found[1].title} are the same run; give each value once")
    return Sweep(config, members[0].config.experiment, tuple(members))
