"""The plan of a study of runs: what its file ``study.toml`` says, and the configuration of each of its trials."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qhn.config import RunConfig
from qhn.config.defaults import NAMING
from qhn.config.file import check_values, load_config, one_sentence
from qhn.config.strategy import DecayingConfig
from qhn.errors import NotFoundError, QhnError
from qhn.run.directories import results_directory
from qhn.scheduling.space import Range, Space
from qhn.scheduling.trial import seed_of
from qhn.search.study_file import MAX_TRIALS, SEED, StudyConfig
from qhn.sweep.files import read_tables, refuse_twice, refuse_unknown, titles


@dataclass(frozen=True)
class StudyPlan:
    """A study of runs, as far as it is known before anything is run.

    Attributes:
        config: the study as it was written.
        naming: version of the defaults (:mod:`qhn.config.defaults`) of values that the study leaves out.
    """

    config: StudyConfig
    naming: int = NAMING

    @cached_property
    def space(self) -> Space:
        """The hyper-parameters of which trials differ."""
        return self.config.space

    @cached_property
    def num_trials(self) -> int:
        """The number of trials."""
        return self.config.rule().num_trials

    @cached_property
    def configs(self) -> dict[int, RunConfig]:
        """The configurations of all trials by number, without those that cannot be configured so.

        Their steps, and the steps over which a learning rate falls, are not those that they take: see :meth:`trained`.
        """
        found: dict[int, RunConfig] = {}
        for trial in range(self.num_trials):
            try:
                found[trial] = self.configured(
                    self.space.draw(self.config.seed, trial), seed_of(self.config.seed, trial)
                )
            except FileNotFoundError:
                raise
            except QhnError as error:
                self._faults[trial] = str(error)
        return found

    @cached_property
    def _faults(self) -> dict[int, str]:
        return {}

    @property
    def faults(self) -> dict[int, str]:
        """What is wrong with the trials that cannot be configured, by number."""
        return self._faults if self.configs is not None else {}

    @property
    def experiment(self) -> str:
        """The name of the experiment, after which the directory of the runs is called."""
        return next(iter(self.configs.values())).experiment

    def configured(self, values: Mapping[str, Any], seed: int) -> RunConfig:
        """The configuration of a trial, as far as it is known before its steps are.

        Args:
            values: the hyper-parameters by dotted key.
            seed: the seed of the trial.

        Raises:
            FileNotFoundError: if there is no such experiment.
            QhnError: if a key or value is wrong.
        """
        return load_config(self.config.experiment, self.config.settings | dict(values) | {SEED: seed}, self.naming)

    def trained(self, values: Mapping[str, Any], seed: int, steps: int) -> RunConfig:
        """The configuration of the run that a trial is.

        A learning rate that falls, falls over all of these steps, unless the experiment or the study says otherwise.

        Args:
            values: the hyper-parameters by dotted key.
            seed: the seed of the trial.
            steps: number of steps that the trial takes if it is not stopped.

        Raises:
            FileNotFoundError: if there is no such experiment.
            QhnError: if a key or value is wrong.
        """
        config = self.configured(values, seed)
        optimizer = config.train.optimizer
        if has_whole_decay(config):
            optimizer = optimizer.model_copy(update={"decay_steps": steps})
        train = config.train.model_copy(update={"steps": steps, "optimizer": optimizer})
        train.model_fields_set.update({"steps", "optimizer"})
        return config.model_copy(update={"train": train})

    def directory(self, results: str | Path | None = None) -> Path:
        """The directory of the study's files, ``<results>/<experiment>/study-<name>``.

        Args:
            results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.
        """
        return results_directory(results) / self.experiment / f"study-{self.config.name}"

    def definition(self) -> dict[str, Any]:
        """What defines the study, as JSON values: what differs from the defaults, and a digest of the runs' ids."""
        names = " ".join(f"{number} {config.run_id}" for number, config in self.configs.items())
        tree = self.config.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"max_qpu_seconds"})
        return {"naming": self.naming} | tree | {"runs": hashlib.sha256(names.encode()).hexdigest()[:10]}


def has_whole_decay(config: RunConfig) -> bool:
    """Whether the learning rate of a trial falls over all of its steps, since nothing else was said.

    Args:
        config: the configuration of the trial, as the experiment and the study say it.
    """
    optimizer = config.train.optimizer
    return isinstance(optimizer, DecayingConfig) and "decay_steps" not in optimizer.model_fields_set


def studies() -> dict[str, str]:
    """The studies that come with qhn: a line on each by its name."""
    return titles("studies")


def load_study(source: str | Path, settings: Mapping[str, Any] | None = None) -> StudyPlan:
    """Load a study that comes with qhn, or one from a TOML file.

    Args:
        source: the name of a study that comes with qhn (:func:`studies`), or the path of a file.
        settings: values that take the place of the file's, by dotted key. Keys of :class:`StudyConfig` are the study's,
            all others are set for every trial.

    Raises:
        FileNotFoundError: if there is no such study, or no such experiment.
        ValueError: if a key or value is wrong; the error says so in one sentence.

    >>> plan = load_study("depth", {"max_resource": 9, "train.shots": 50})
    >>> plan.num_trials, plan.configs[0].train.shots
    (17, 50)
    """
    own = set(StudyConfig.model_fields) - {"settings", "vary"}
    tree = read_tables(source, "studies", "study", settings or {}, own)
    try:
        return make_study(**tree)
    except FileNotFoundError as error:
        raise NotFoundError(f"{source}: {error}") from None
    except QhnError as error:
        raise QhnError(f"{source}: {error}") from None


def make_study(**fields: Any) -> StudyPlan:
    """Make the plan of a study from the fields of its file.

    Args:
        fields: the keys of the file, as :class:`StudyConfig` lists them, with ``set`` for ``settings``.

    Raises:
        FileNotFoundError: if there is no such experiment.
        ValueError: if a key or value is wrong; the error says so in one sentence.

    >>> plan = make_study(experiment="figure-1", max_resource=4, eta=2, vary={"ansatz.num_layers": [0, 1]})
    >>> [plan.configs[trial].ansatz.num_layers for trial in range(plan.num_trials)]
    [0, 0, 0, 1, 1, 1, 0, 0, 1, 0]
    """
    refuse_unknown(StudyConfig, "study", fields)
    check_values(fields)
    try:
        config = StudyConfig.model_validate(fields)
    except ValidationError as error:
        raise QhnError(one_sentence(error, fields)) from None
    refuse_twice(config.settings, config.vary)
    plan = StudyPlan(config)
    if plan.num_trials > MAX_TRIALS:
        raise QhnError(f"a study has at most {MAX_TRIALS:,} trials, this one would have {plan.num_trials:,}")
    _refuse_faults(plan)
    return plan


def _refuse_faults(plan: StudyPlan) -> None:
    """Refuse a study of which no trial can be configured, or a value with which none can.

    Raises:
        QhnError: if there is one; the message is that of the first fault.
    """
    if not plan.faults:
        return
    if not plan.configs:
        raise QhnError(next(iter(plan.faults.values())))
    drawn = {trial: plan.space.draw(plan.config.seed, trial) for trial in range(plan.num_trials)}
    for key, values in plan.space.dimensions.items():
        if isinstance(values, Range):
            continue
        for value in values:
            trials = [trial for trial in drawn if drawn[trial][key] == value]
            if trials and all(trial in plan.faults for trial in trials) and _fits_nowhere(plan, key, value):
                raise QhnError(plan.faults[trials[0]])


def _fits_nowhere(plan: StudyPlan, key: str, value: Any) -> bool:
    """Whether a value cannot stand in the place of that of any trial that can be configured."""
    for trial in plan.configs:
        try:
            plan.configured(plan.space.draw(plan.config.seed, trial) | {key: value}, 0)
        except QhnError:
            continue
        return False
    return True
