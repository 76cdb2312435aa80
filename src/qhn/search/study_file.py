"""The file ``study.toml`` as values: what the trials of a study share, in what they differ, how they are scheduled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from qhn.config import RunConfig
from qhn.config.section import Section
from qhn.errors import QhnError
from qhn.learning_curves.predictors import Predictor, predictor
from qhn.scheduling.combinations import Combinations
from qhn.scheduling.curves import KnownCurves
from qhn.scheduling.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.scheduling.schedule import MAX_RESOURCE
from qhn.scheduling.scheduler import Rule
from qhn.scheduling.space import Range, Space
from qhn.scheduling.survey_rule import SurveyRule
from qhn.scheduling.swift_hyperband import SwiftHyperband
from qhn.sweep.files import directory_name, dotted
from qhn.text import shown

MAX_TRIALS = 10_000
SEED, STEPS = "train.seed", "train.steps"
RANGE = ("low", "high", "log", "integer")  # keys of a range
OF_PREDICTION = ("predictor", "training_curves", "full_share", "known", "quantile", "warm_start")


class StudyConfig(Section):
    """A study as its file says it: what its trials share, in what they differ, and how they are scheduled.

    Attributes:
        name: the study's name, after which its directory is called; by default the file's.
        experiment: the name of a preset, or the path of an experiment's TOML file, which lies beside the study's file.
        mode: ``"search"`` for the best run, or ``"survey"`` for the distribution of all runs.
        scheduler: ``"hyperband"``, ``"swift-hyperband"``, ``"successive-halving"``, or ``"all"``, which stops no trial.
        max_resource: the most resource R that a trial takes, in units: a unit is a step of the cheapest trial.
        eta: the factor η: the best of every η trials goes on to the next round, and is trained η times as long.
        resource: ``"shots"``, ``"qpu-seconds"`` or ``"steps"``; by default shots, and steps where E is exact.
        trials: number of trials of successive halving and of ``"all"``; Hyperband's follow from R and η.
        seeds: number of trials of each combination in a survey, which begins every combination of the varied settings.
        epsilon: distances from the optimum: a trial of a survey succeeds if E − C* is below; each has a success rate.
        loss: what is compared: ``"mean"``, E = ⟨C⟩; ``"value"``, the objective; ``"validation"``, the mean validation
            cost; or ``"best_cost"``, the lowest C so far.
        predictor: the name of a predictor of Swift-Hyperband or a survey, or a table with its name, features and
            options.
        training_curves: number of curves from which the predictor learns at least.
        full_share: share of the trials of the next round that go on at a decision point in any case; in a survey, of
            each combination's trials, which are trained to the end.
        known: share of a round at which its decision point lies, or of R in a survey.
        quantile: quantile of the losses of those trials, below which a predicted loss is good enough.
        warm_start: directories of studies and sweeps from whose curves the predictor learns as well, or ``"all"``.
        seed: the seed from which the hyper-parameters and seeds of all trials derive.
        max_qpu_seconds: largest number of QPU seconds that the whole study may be billed.
        settings: values for all trials by dotted key, such as ``train.shots``; the table ``[set]`` of the file.
        vary: a list of values or a range ``{ low = …, high = …, log = true }`` by dotted key; the table ``[vary]``.

    Raises:
        ValueError: at construction, if a value cannot be taken.
    """

    name: str = "study"
    experiment: str
    mode: Literal["search", "survey"] = "search"
    scheduler: Literal["hyperband", "swift-hyperband", "successive-halving", "all"] = "hyperband"
    max_resource: int = Field(default=60, ge=1, le=MAX_RESOURCE)
    eta: int = Field(default=3, ge=2)
    resource: Literal["shots", "qpu-seconds", "steps"] | None = None
    trials: int | None = Field(default=None, ge=1, le=MAX_TRIALS)
    seeds: int | None = Field(default=None, ge=1, le=MAX_TRIALS)
    epsilon: tuple[Annotated[float, Field(gt=0)], ...] = ()
    loss: Literal["mean", "value", "validation", "best_cost"] = "mean"
    predictor: str | dict[str, Any] = "last"
    training_curves: int = Field(default=15, ge=2)
    full_share: float = Field(default=0.5, ge=0, le=1)
    known: float = Field(default=0.5, gt=0, lt=1)
    quantile: float = Field(default=0.25, ge=0, le=1)
    warm_start: tuple[str, ...] | Literal["all"] = ()
    seed: int = Field(default=0, ge=0)
    max_qpu_seconds: float | None = Field(default=None, gt=0)
    settings: dict[str, Any] = Field(default_factory=dict, alias="set")
    vary: dict[str, Any] = Field(default_factory=dict)

    @field_validator("settings", mode="before")
    @classmethod
    def _flat(cls, tables: Any) -> Any:
        return dict(dotted(tables)) if isinstance(tables, dict) else tables

    @field_validator("vary", mode="before")
    @classmethod
    def _flat_but_ranges(cls, tables: Any) -> Any:
        return dict(dotted(tables, RANGE)) if isinstance(tables, dict) else tables

    @field_validator("name")
    @classmethod
    def _a_directory(cls, name: str) -> str:
        return directory_name(name)

    @field_validator("settings", "vary")
    @classmethod
    def _own_of_each_trial(cls, table: dict[str, Any]) -> dict[str, Any]:
        if SEED in table:
            raise QhnError(f"each trial has a seed of its own instead of {SEED}; seed = 0 changes all of them")
        if STEPS in table:
            raise QhnError(f"the steps of a trial follow from max_resource; leave {STEPS} out")
        return table

    @field_validator("vary")
    @classmethod
    def _values_or_ranges(cls, vary: dict[str, Any]) -> dict[str, Any]:
        for key, values in vary.items():
            table, _, last = key.rpartition(".")
            if table == "train" and last in RunConfig.STOP_RULES:
                raise QhnError(f"vary.{key}: a stop rule makes no other run; set it for all under [set]")
            dimension(key, values)
        return vary

    @model_validator(mode="after")
    def _of_its_mode(self) -> StudyConfig:
        if self.mode == "survey":
            if self.seeds is None:
                raise QhnError("mode = 'survey' needs seeds = 100, or how many trials of each combination it begins")
            foreign = {"scheduler", "eta", "trials", "quantile", "training_curves", "warm_start"}
            if unread := sorted(foreign & self.model_fields_set):
                raise QhnError(f"mode = 'survey' stops trials at random and reads no {unread[0]}; leave it out")
            Combinations({key: dimension(key, values) for key, values in self.vary.items()}, self.seeds)
        elif unread := sorted({"seeds", "epsilon"} & self.model_fields_set):
            raise QhnError(f"{unread[0]} belongs to mode = 'survey'; leave it out, or set the mode")
        return self

    @field_validator("predictor")
    @classmethod
    def _a_predictor(cls, chosen: str | dict[str, Any]) -> str | dict[str, Any]:
        _predictor(chosen)
        return chosen

    @property
    def space(self) -> Space:
        """The hyper-parameters of which trials differ."""
        dimensions = {key: dimension(key, values) for key, values in self.vary.items()}
        return Space(dimensions) if self.seeds is None else Combinations(dimensions, self.seeds)

    @property
    def chosen_predictor(self) -> Predictor:
        """The predictor of Swift-Hyperband or a survey."""
        return _predictor(self.predictor)

    @property
    def unread(self) -> list[str]:
        """The keys of the file that its scheduler does not read."""
        if self.mode == "survey" or self.scheduler == "swift-hyperband":
            return []
        foreign = OF_PREDICTION if self.scheduler != "all" else ("eta", *OF_PREDICTION)
        return [key for key in foreign if key in self.model_fields_set]

    def rule(self, earlier: KnownCurves | None = None) -> Rule:
        """The rule by which trials are scheduled.

        Args:
            earlier: curves of earlier trials, from which a predictor learns as well.

        Raises:
            QhnError: if the number of trials is missing, or given where it follows from the other numbers.
        """
        if isinstance(space := self.space, Combinations):
            return SurveyRule(space.groups, space.trials_per_group, self.max_resource, self.known, self.full_share)
        by_trials = self.scheduler in ("successive-halving", "all")
        if by_trials != (self.trials is not None):
            needed = "needs trials = 20, or how many it begins" if by_trials else "has as many trials as follow from R"
            raise QhnError(f"scheduler = {self.scheduler!r} {needed}, got trials = {self.trials or 'none'}")
        if self.scheduler == "successive-halving":
            return SuccessiveHalving(self.trials or 0, self.max_resource, self.eta)
        if self.scheduler == "all":
            return RunAll(self.trials or 0, self.max_resource)
        if self.scheduler == "hyperband":
            return Hyperband(self.max_resource, self.eta)
        return SwiftHyperband(
            self.max_resource,
            self.chosen_predictor,
            self.eta,
            self.training_curves,
            self.full_share,
            self.known,
            self.quantile,
            earlier,
        )


def dimension(key: str, values: Any) -> Range | list[Any]:
    """The values of a hyper-parameter, as ``[vary]`` has them.

    A range whose ends are both written as integers is one of integers.

    Args:
        key: the dotted key of the hyper-parameter.
        values: a list of values, or a table with the ends of a range.

    Raises:
        QhnError: if it is neither, or a range without ends.

    >>> dimension("ansatz.num_layers", {"low": 0, "high": 4})
    Range(low=0.0, high=4.0, log=False, integer=True)
    """
    if isinstance(values, list):
        if not values:
            raise QhnError(f"vary.{key} must hold at least one value")
        return values
    if not isinstance(values, dict):
        raise QhnError(
            f"vary.{key} must be a list of values or a range {{ low = 0.1, high = 1.0 }}, got {shown(values)}"
        )
    unknown = [name for name in values if name not in RANGE]
    if unknown or not {"low", "high"} <= values.keys():
        what = f"unknown key {unknown[0]}" if unknown else "low or high is missing"
        raise QhnError(f"vary.{key}: {what}; a range has low, high, log and integer")
    whole = all(isinstance(values[end], int) for end in ("low", "high"))
    try:
        return Range(**{"integer": whole} | values)
    except QhnError as error:
        raise QhnError(f"vary.{key}: {error}") from None


def _predictor(chosen: str | Mapping[str, Any]) -> Predictor:
    return predictor(chosen) if isinstance(chosen, str) else predictor(**chosen)
