"""Files of learning curves, which outlive the sweeps and studies they were read from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qhn import checksums, durable
from qhn.arrays import Floats
from qhn.errors import NotFoundError, QhnError
from qhn.learning_curves.curve import LearningCurve
from qhn.npz import read_npz
from qhn.text import in_line, parse_json

SCHEMA = 1
SUFFIX = ".curves.npz"  # by which a file of curves is known among results


def save_curves(path: str | Path, curves: Sequence[LearningCurve]) -> None:
    """Write learning curves and their settings to a file that :func:`load_curves` reads.

    The file is a NumPy archive with a checksum: the losses and costs of all curves one after another, and a text of
    JSON with what else is known of each. The same curves make the same bytes.

    Args:
        path: the file, which is replaced if there is one. With the suffix ``.curves.npz`` it is found among results.
        curves: the curves.

    Raises:
        QhnError: if a setting is no JSON value, or there is a directory of that name.
        OSError: if the file cannot be written.
    """
    units = sorted({unit for curve in curves for unit in curve.costs})
    facts = [
        {
            "steps": len(curve),
            "units": sorted(curve.costs),
            "settings": dict(curve.settings),
            **{name: getattr(curve, name) for name in ("problem", "quantity", "name", "source", "is_settled")},
        }
        for curve in curves
    ]
    try:
        text = json.dumps({"schema": SCHEMA, "units": units, "curves": facts}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise QhnError(f"the settings of a learning curve must be JSON values: {error}") from None
    arrays = {"losses": _joined([curve.losses for curve in curves])}
    for place, unit in enumerate(units):
        arrays[f"costs_{place}"] = _joined([curve.costs[unit] for curve in curves if unit in curve.costs])
    content = checksums.arrays(facts=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    durable.export(path, lambda file: file.write(content))


def load_curves(path: str | Path) -> list[LearningCurve]:
    """Read the learning curves of a file that :func:`save_curves` wrote.

    Args:
        path: the file.

    Raises:
        NotFoundError: if there is no such file.
        QhnError: if the file is none of learning curves, was changed, is damaged, or is of a newer version.
        OSError: if it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"file of learning curves {path} {'is no file' if path.exists() else 'does not exist'}")
    try:
        arrays = read_npz(path, own=True, is_checked=True)
        tree = parse_json(arrays["facts"].tobytes())
        if tree["schema"] != SCHEMA:
            raise QhnError(f"it has schema {in_line(tree['schema'])}, and this version of qhn reads {SCHEMA}")
        return _restored(tree, arrays)
    except QhnError as error:
        raise QhnError(f"{path} is no file of learning curves that can be read: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        words = f"{type(error).__name__}: {in_line(error)}"
        raise QhnError(f"{path} is no file of learning curves that can be read ({words})") from None


def _restored(tree: dict[str, Any], arrays: dict[str, Floats]) -> list[LearningCurve]:
    """The curves of a file's text and arrays, whose rows are taken from the beginning one after another."""
    columns = {unit: arrays[f"costs_{place}"] for place, unit in enumerate(tree["units"])}
    begun = dict.fromkeys(["", *columns], 0)

    def rows(column: Floats, key: str, count: int) -> Floats:
        found = column[begun[key] : begun[key] + count]
        begun[key] += count
        return found

    curves = []
    for facts in tree["curves"]:
        count = facts.pop("steps")
        costs = {unit: rows(columns[unit], unit, count) for unit in facts.pop("units")}
        curves.append(LearningCurve(rows(arrays["losses"], "", count), costs, **facts))
    return curves


def _joined(columns: list[Floats]) -> Floats:
    return np.concatenate([np.empty(0), *columns])
