"""Files of networks and ensembles as strangers may make them: what does not fit is refused, and named."""

from __future__ import annotations

import json
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


def encoded_arrays(tmp_path: Path) -> Arrays:
    """The arrays of a network on two columns, one of which is a category of two values."""
    x = {"age": [31.0, None, 40.0, 52.0], "sex": ["f", "m", "m", "f"]}
    data = qhn.Dataset.from_arrays(x, [0, 1, 0, 1], impute="mean", validation_fraction=0)
    space = SearchSpace(2)
    network = qhn.BinnProblem(space, data, "mse").network(np.ones(space.num_qubits, dtype=np.uint8))
    network.save(tmp_path / NETWORK_FILE)
    return arrays_of(tmp_path / NETWORK_FILE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tree: tree["columns"][0].update(kind="colour"), "kind of column 'age' must be one of number, date, ca"),
        (lambda tree: tree["columns"][0].update(fill="x"), r"fill of column 'age' must be a number up to 1e\+100"),
        (lambda tree: tree["columns"][0].update(fill=float("nan")), "fill of column 'age' must be a number"),
        (lambda tree: tree["columns"][0].update(fill=True), "fill of column 'age' must be a number"),
        (lambda tree: tree["columns"][0].update(fill=1e200), "fill of column 'age' must be a number"),
        (lambda tree: tree["columns"][0].update(name=7), "name of a column must be a text, got 7"),
        (lambda tree: tree["columns"][0].update(categories=["a"]), "categories of column 'age' must be different"),
        (lambda tree: tree["columns"][0].update(num_missing=-1), "num_missing of column 'age' must be a whole number"),
        (lambda tree: tree["columns"][0].update(name="sex"), "columns of different names"),
        (lambda tree: tree["columns"][1].update(fill="x"), "fill of column 'sex' must be one of its categories"),
        (lambda tree: tree["columns"][1].update(fill=1.5), "fill of column 'sex' must be a text or null"),
        (lambda tree: tree["columns"][1].update(categories=["f", "f"]), "categories of column 'sex' must be different"),
        (lambda tree: tree["columns"][1].update(categories=["f", 7]), "categories of column 'sex' must be a list of"),
        (lambda tree: tree["columns"][1].update(categories="fm"), "categories of column 'sex' must be a list of texts"),
        (lambda tree: tree["columns"][1].update(has_others=1), "has_others of column 'sex' must be true or false"),
        (lambda tree: tree["columns"][1].update(has_others=True), "encoding must give 2 features, .* and gives 3"),
        (lambda tree: tree["columns"][1].update(more=1), "encoding must have objects with the keys categories, fill"),
        (lambda tree: tree["columns"].pop(), "encoding must give 2 features, one an input, and gives 1"),
        (lambda tree: tree["columns"][0].update(name="old"), "feature_names must be those that the encoding gives"),
        (lambda tree: tree.update(columns=[]), "encoding must have a list of columns"),
        (lambda tree: tree.update(columns={}), "encoding must have a list of columns"),
        (lambda tree: tree.update(missing=[1]), "missing of the encoding must be a list of texts"),
        (lambda tree: tree.update(impute="mode"), "impute of the encoding must be one of none, mean, median"),
        (lambda tree: tree.update(num_rows=0.5), "num_rows of the encoding must be a whole number"),
        (lambda tree: tree.update(marks=["."]), "marks of the encoding must be those before decimals and"),
        (lambda tree: tree.update(marks=["x", ""]), "marks of the encoding must be those before decimals and"),
        (lambda tree: tree.update(marks=[".", "x"]), "marks of the encoding must be those before decimals and"),
        (lambda tree: tree.pop("missing"), "encoding must have objects with the keys columns, impute, m"),
    ],
)
def test_an_encoding_must_be_one(change: Callable[[Any], object], words: str, tmp_path: Path) -> None:
    arrays = encoded_arrays(tmp_path)
    tree = json.loads(str(arrays["encoding"]))
    change(tree)
    np.savez(tmp_path / "x.npz", **arrays | {"encoding": json.dumps(tree)})
    with pytest.raises(ValueError, match=rf"x\.npz is not a network saved by qhn: .*{words}") as found:
        qhn.load_network(tmp_path / "x.npz")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"columns": ', "[" * 100_000, "null"])
def test_what_is_no_encoding_is_refused(text: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **encoded_arrays(tmp_path) | {"encoding": text})
    with pytest.raises(ValueError, match=r"x\.npz is not a network saved by qhn"):
        qhn.load_network(tmp_path / "x.npz")


def test_an_ensemble_needs_an_encoding_that_fits_it(tmp_path: Path) -> None:
    arrays, whole = encoded_arrays(tmp_path), ensemble_arrays(tmp_path)
    fitting = {name: arrays[name] for name in ("encoding", "feature_names")}
    np.savez(tmp_path / "x.npz", **whole | fitting)
    assert qhn.load_ensemble(tmp_path / "x.npz").predict({"age": None, "sex": "m"}) in ("no", "yes")
    for wrong, words in (
        ("{}", "encoding must have objects with the keys"),
        (str(arrays["encoding"])[:-9], "not an e"),
    ):
        np.savez(tmp_path / "x.npz", **whole | fitting | {"encoding": wrong})
        with pytest.raises(ValueError, match=words):
            qhn.load_ensemble(tmp_path / "x.npz")


def test_a_category_may_be_any_text(tmp_path: Path) -> None:
    texts = ["\0a", "a\0", "a", "\ud800", "line\nend", "=", "é", "a = b"]
    kinds = np.array([texts[row % 8] for row in range(28)], dtype=object)
    x = {"kind": kinds, "size": [float(row * row) for row in range(28)]}
    data = qhn.Dataset.from_arrays(x, [row % 2 for row in range(28)], validation_fraction=0)
    space = SearchSpace(data.num_features)
    network = qhn.BinnProblem(space, data, "mse").network(np.ones(space.num_qubits, dtype=np.uint8))
    network.save(tmp_path / NETWORK_FILE)
    found = qhn.load_network(tmp_path / NETWORK_FILE)
    assert found.encoding == network.encoding
    np.testing.assert_array_equal(found.output(x), network.output(x))
