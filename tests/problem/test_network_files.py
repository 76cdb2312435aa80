"""Files of networks and ensembles as strangers may make them: what does not fit is refused, and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qhn
from qhn.predict.ensemble import Ensemble
from qhn.problem.search_space import SearchSpace

Arrays = dict[str, Any]
NETWORK_FILE, ENSEMBLE_FILE = "network.npz", "ensemble.npz"


def network_arrays(tmp_path: Path) -> Arrays:
    """The arrays of a 2-3-1 network."""
    space = SearchSpace(2, hidden=(3,))
    space.decode(np.ones(space.num_qubits, dtype=np.uint8)).save(tmp_path / NETWORK_FILE)
    return arrays_of(tmp_path / NETWORK_FILE)


def ensemble_arrays(tmp_path: Path) -> Arrays:
    """The arrays of an ensemble of two networks."""
    space = SearchSpace(2, hidden=(3,))
    bits = np.array([[0] * space.num_qubits, [1] * space.num_qubits])
    Ensemble(space, bits, [0.5, 0.5], np.array(["no", "yes"]), np.zeros(2), np.ones(2)).save(tmp_path / ENSEMBLE_FILE)
    return arrays_of(tmp_path / ENSEMBLE_FILE)


def arrays_of(path: Path) -> Arrays:
    with np.load(path) as stored:
        return dict(stored)


@pytest.mark.parametrize(
    ("arrays", "load", "count"), [(network_arrays, "network", 11), (ensemble_arrays, "ensemble", 8)]
)
def test_an_array_that_is_missing_strange_or_no_finite_number_is_named(
    arrays: Callable[[Path], Arrays], load: str, count: int, tmp_path: Path
) -> None:
    whole, path, read = arrays(tmp_path), tmp_path / "x.npz", getattr(qhn, f"load_{load}")
    assert len(whole) == count
    np.savez(path, **whole)
    read(path)
    for name, array in whole.items():
        np.savez(path, **{other: kept for other, kept in whole.items() if other != name})
        if (load, name) == ("ensemble", "feature_names"):  # which older versions did not write
            read(path)
            continue
        with pytest.raises(
            ValueError, match=rf"x\.npz is not an? {load} saved by qhn: it has no array '(\w+)'"
        ) as found:
            read(path)
        assert name in str(found.value)
        others = [np.array(["text"]), np.full(np.shape(array), np.nan), np.zeros((2, 2, 7)), np.array([], dtype=float)]
        for other in others:
            if name in ("feature_names", "image_shape") and not other.size:
                continue  # there need not be any
            if name == "classes" and other.shape == array.shape:
                continue  # any label may be
            np.savez(path, **whole | {name: other})
            with pytest.raises(ValueError, match=rf"x\.npz is not an? {load} saved by qhn"):
                read(path)
    np.savez(path, **whole | {"weights_7x": np.zeros(1)})
    with pytest.raises(ValueError, match="unknown array 'weights_7x'"):
        read(path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("weights_1", np.ones((2, 1)), r"weights_1 must have shape \[3, 1\], got \[2, 1\]"),
        ("weights_1", np.ones((3, 1), dtype=complex), "weights_1 must hold numbers, got complex128"),
        ("biases_0", np.array([0, np.inf, 0]), "biases_0 must hold finite numbers, got inf"),
        ("scale", np.array([1.0, 0.0]), "scale must be above 0"),
        ("mean", np.zeros(3), r"mean must have shape \[2\] or \[1\], got \[3\]"),
        ("classes", np.array([1, 1]), "classes must be different labels"),
        ("classes", np.arange(3), "classes must be 2 labels"),
        ("activation", np.array("cube"), "activation must be one of .* got 'cube'"),
        ("feature_names", np.array(["a"]), "feature_names must be 2 texts or none"),
        ("image_shape", np.array([3, 3]), "image_shape must be the rows and columns of 2 pixels"),
    ],
)
def test_a_network_must_fit_together(name: str, value: Any, words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **network_arrays(tmp_path) | {name: value})
    with pytest.raises(ValueError, match=words):
        qhn.load_network(tmp_path / "x.npz")


def test_no_python_object_is_read(tmp_path: Path) -> None:
    """An unpickled object could run anything."""
    for arrays, load in ((network_arrays, qhn.load_network), (ensemble_arrays, qhn.load_ensemble)):
        np.savez(tmp_path / "x.npz", **arrays(tmp_path) | {"classes": np.array([Trap(), Trap()], dtype=object)})
        with pytest.raises(ValueError, match="holds Python objects"):
            load(tmp_path / "x.npz")
    assert not Trap.was_sprung


class Trap:
    was_sprung = False

    def __reduce__(self) -> Any:
        return setattr, (Trap, "was_sprung", True)
