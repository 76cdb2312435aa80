"""Where the experiments of the paper are done: workers, directories, data."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qhn.backend import BackendError
from qhn.run.record import results_directory
from qhn.sweep.classical import Searches, search_all
from qhn.sweep.plan import load_sweep
from qhn.sweep.survey import Survey
from qhn.sweep.workers import DIED, advance

SEARCHES = 20  # of each classical method; no more than initialisations


@dataclass(frozen=True)
class Lab:
    """What an experiment needs.

    Attributes:
        executor: that does the members of sweeps.
        results: directory of all runs, or None for the usual one.
        mnist: directory of the original IDX files of MNIST, or None for the bundled images.
        seeds: initialisations a circuit; None leaves those of the sweeps, which are the paper's 200.
        tell: is told progress in words, and whether they are the last on a matter.
    """

    executor: Executor
    results: str | Path | None = None
    mnist: Path | None = None
    seeds: int | None = None
    tell: Callable[[str, bool], object] = lambda text, last: None

    @property
    def folder(self) -> Path:
        """Of the report, its pictures and their data: ``<results>/paper``."""
        path = results_directory(self.results) / "paper"
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def setting(self) -> str:
        """Starts and data, in words."""
        starts = f"{self.seeds} starts" if self.seeds else "the paper's starts"
        return f"{starts}, {'MNIST from its files' if self.mnist else 'bundled images'}"

    def survey(self, name: str, settings: dict[str, Any] | None = None, *, seeds: int | None = None) -> Survey:
        """The sweep of that name, finished.

        Args:
            name: of a sweep that comes with qhn.
            settings: other values by dotted key.
            seeds: of a sweep whose number of initialisations is not the paper's.

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
        """Classical searches of a sweep's problems."""
        found = search_all(survey, self.executor, lambda text: self.say(f"{survey.sweep.config.name}: {text}"))
        self.say(f"{survey.sweep.config.name}: classical searches done", last=True)
        return found

    def map(self, function: Callable[..., Any], items: list[Any], what: str) -> list[Any]:
        """``[function(item) for item in items]`` by the workers, in order."""
        found = []
        try:
            for result in self.executor.map(function, items):
                found.append(result)
                self.say(f"{what}: {len(found)} of {len(items)}", last=len(found) == len(items))
        except BrokenExecutor as error:
            raise BackendError(f"{DIED}: {error}") from None
        return found

    def say(self, text: str, *, last: bool = False) -> None:
        """Tell progress to who asked for it: ``last`` is the last word on a matter, the others may be overwritten."""
        self.tell(text, last)
