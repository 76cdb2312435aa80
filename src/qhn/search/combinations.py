"""The hyper-parameters of a survey's trials: every combination of lists of values, for equally many trials."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qhn.errors import QhnError
from qhn.fields import Whole, settle
from qhn.search.space import Range, Space


@dataclass(frozen=True)
class Combinations(Space):
    """Every combination of hyper-parameters in turn, in the place of random draws.

    The trials 0, 1, … have the first values, and the last hyper-parameter varies fastest.

    Attributes:
        trials_per_group: number of trials of each combination.

    Raises:
        QhnError: at construction, if a hyper-parameter has no list of values.

    >>> grid = Combinations({"depth": [0, 1], "rate": [0.1, 0.2]}, trials_per_group=50)
    >>> grid.groups, grid.draw(seed=0, trial=99), grid.draw(seed=0, trial=100)
    (4, {'depth': 0, 'rate': 0.2}, {'depth': 1, 'rate': 0.1})
    """

    trials_per_group: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, trials_per_group=Whole(1))
        for name, values in self.dimensions.items():
            if isinstance(values, Range):
                raise QhnError(f"a survey has every combination of lists of values; list some values of {name}")

    @property
    def groups(self) -> int:
        """The number of combinations."""
        return math.prod(len(values) for values in self._lists.values())

    @cached_property
    def _lists(self) -> Mapping[str, list[Any]]:
        return {name: list(values) for name, values in self.dimensions.items() if not isinstance(values, Range)}

    def draw(self, seed: int, trial: int) -> dict[str, Any]:
        """The hyper-parameters of a trial.

        Args:
            seed: the seed of the study, on which they do not depend.
            trial: the number of the trial.
        """
        place = trial // self.trials_per_group
        chosen = next(itertools.islice(itertools.product(*self._lists.values()), place, None))
        return dict(zip(self._lists, chosen, strict=True))
