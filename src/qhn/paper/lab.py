"""The surroundings of the paper's experiments: workers, folders, data."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qhn.backend import BackendError
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.config import RunConfig
from qhn.parallel.jobs import lost_words
from qhn.problem.cost import Problem
from qhn.run.directories import results_directory
from qhn.sweep.classical import Searches, search_all
from qhn.sweep.plan import load_sweep
from qhn.sweep.survey import Survey
from qhn.sweep.workers import advance


def circuit_of(config: RunConfig, problem: Problem) -> Hypernetwork:
    """The hypernetwork of a configuration; the paper has no other circuits."""
    ansatz = config.circuit(problem)
    assert isinstance(ansatz, Hypernetwork)
    return ansatz


SEARCHES = 20  # searches by each classical method; no more than initialisations


@dataclass(frozen=True)
class Lab:
    """The workers, folders and data that every experiment uses.

    Attributes:
        executor: executor that runs the members of sweeps.
        results: folder of all runs, or None for the default one.
        mnist: folder of the original IDX files of MNIST, or None for the bundled images.
        seeds: number of initialisations per circuit; None leaves that of the sweeps, the paper's 200.
        tell: function that is told the progress in words, and whether the words are the last on a matter.
    """

    executor: Executor
    results: str | Path | None = None
    mnist: Path | None = None
    seeds: int | None = None
    tell: Callable[[str, bool], object] = lambda text, last: None

    @property
    def folder(self) -> Path:
        """The folder of the report, its pictures and their data: ``<results>/paper``."""
        path = results_directory(self.results) / "paper"
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def setting(self) -> str:
        """The number of initialisations and the data used, in words."""
        starts = f"{self.seeds} starts" if self.seeds else "the planned starts"
        return f"{starts}, {'MNIST from its files' if self.mnist else 'bundled images'}"

    def survey(self, name: str, settings: dict[str, Any] | None = None, *, seeds: int | None = None) -> Survey:
        """Run the sweep of the given name to its end and return its survey.

        Args:
            name: name of a sweep that comes with qhn.
            settings: settings that replace those of the sweep, by dotted key.
            seeds: number of initialisations of a sweep for which it is not the paper's 200.

        Raises:
            BackendError: if a member failed.
        """
        fewer: dict[str, Any] = {"seeds": seeds or self.seeds} if seeds or self.seeds else {}
        if self.seeds and self.seeds < SEARCHES:
            fewer["repeats"] = self.seeds
        sweep = load_sweep(name, fewer | (settings or {}))
        for at in advance(sweep, self.executor, results=self.results):
            self.say(f"{name}: {at.finished:,} of {at.total:,} trainings")
            if at.failures:
                member, message = at.failures[0]
                raise BackendError(f"{name}: {member.title} failed: {message}")
        self.say(f"{name}: done", last=True)
        return Survey(sweep, self.results)

    def searches(self, survey: Survey) -> Searches:
        """Run the classical searches of a sweep's problems."""
        found = search_all(survey, self.executor, lambda text: self.say(f"{survey.sweep.config.name}: {text}"))
        self.say(f"{survey.sweep.config.name}: classical searches done", last=True)
        return found

    def map(self, function: Callable[..., Any], items: list[Any], what: str) -> list[Any]:
        """Return ``[function(item) for item in items]``, computed by the workers; ``what`` names it in messages."""
        found = []
        try:
            for result in self.executor.map(function, items):
                found.append(result)
                self.say(f"{what}: {len(found)} of {len(items)}", last=len(found) == len(items))
        except BrokenExecutor as error:
            raise BackendError(lost_words(error)) from None
        return found

    def say(self, text: str, *, last: bool = False) -> None:
        """Report progress; ``last`` marks the last word on a matter, other words may be overwritten."""
        self.tell(text, last)
