"""Pools of whole learning curves, on which schedulers are replayed; they are made once and kept in files."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn import durable
from qhn.arrays import Floats, Integers
from qhn.npz import read_npz
from qhn.paper.lab import Lab

PART, BLOCK = 15, 60  # trials of a job, and of a file
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Pool:
    """Whole learning curves of trials on the common grid of resource.

    Attributes:
        name: name of the task.
        unit: the unit of resource in words.
        loss: the loss in words.
        curves: the loss that a scheduler is told at each unit of resource, ``[n, units]``; nan before the first step.
        truth: the loss without the noise of its measurement, or on other data, ``[n, units]``.
        settings: the hyper-parameters as numbers, ``[n, k]``.
        groups: the group of each trial in a survey, ``[n]``, such as its number of layers.
    """

    name: str
    unit: str
    loss: str
    curves: Floats
    truth: Floats
    settings: Floats
    groups: Integers

    def __len__(self) -> int:
        """The number of trials."""
        return len(self.curves)

    @cached_property
    def digest(self) -> str:
        """A text that other curves do not share."""
        parts = (self.curves, self.truth, self.settings, self.groups)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

    @property
    def units(self) -> int:
        """The resource that a whole curve takes, in units."""
        return int(self.curves.shape[1])


def kept(
    lab: Lab, key: Mapping[str, Any], number: int, compute: Callable[[range], Arrays], what: str, part: int = PART
) -> dict[str, NDArray[Any]]:
    """Arrays of trials 0, 1, …, which workers compute in blocks; blocks that were kept in files are read instead.

    Args:
        lab: the workers and folders.
        key: what the arrays are, as JSON values; arrays of another key have another folder.
        number: number of trials.
        compute: a function of a module that computes the arrays of some trials, ``[trials, …]`` each.
        what: what is computed, for messages.
        part: number of trials of a job.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    folder = durable.subfolder(durable.subfolder(lab.folder / "curves") / digest[:12])
    blocks = []
    for first in range(0, number, BLOCK):
        last = min(first + BLOCK, number)
        path = folder / f"{first:05d}-{last:05d}.npz"
        if not path.exists():
            parts = [range(at, min(at + part, last)) for at in range(first, last, part)]
            _save(path, _joined(lab.map(compute, parts, f"{what} {first} to {last - 1}")))
        blocks.append(read_npz(path, own=True))
    return _joined(blocks)


def _joined(parts: Sequence[Arrays]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _save(path: Path, arrays: Arrays) -> None:
    content = io.BytesIO()
    np.savez_compressed(content, **dict[str, Any](arrays))
    durable.replace(path, lambda file: file.write(content.getvalue()))
