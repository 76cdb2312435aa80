"""One call of a user's function: which values are numbers, and what is said of bits and exceptions."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn import QhnError
from qhn.black_box.call import named, raised, value_of, values_of

BITS = np.array([[1, 0, 1], [0, 1, 1]], dtype=np.uint8)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int8(2), np.array(2.0)])
def test_a_number_of_any_kind_is_one(value: Any) -> None:
    found = value_of(lambda bits: value, BITS[0])
    assert (found, type(found)) == (2.0, float)
    many = values_of(lambda bits: [value] * len(bits), BITS)
    assert (many.tolist(), many.dtype) == ([2.0, 2.0], np.float64)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1.0], r"must return one number, got shape \[1\]"),
        (np.ones((1, 2)), r"must return one number, got shape \[1, 2\]"),
        (True, "must return numbers, got True"),
        (np.bool_(1), "must return numbers, got np.True_"),
        (1 + 0j, r"must return numbers, got \(1\+0j\)"),
        ("1.0", "must return numbers, got '1.0'"),
        (None, "must return numbers, got None"),
        (np.ma.masked, "must return numbers, got masked"),
        (np.datetime64("2020-01-01"), "must return numbers, got"),
    ],
)
def test_what_is_no_number_is_refused(value: Any, words: str) -> None:
    with pytest.raises(QhnError, match=words):
        value_of(lambda bits: value, BITS[0])


@pytest.mark.parametrize(
    ("value", "shape"), [(1.0, r"\[\]"), ([1.0], r"\[1\]"), ([[1.0], [2.0]], r"\[2, 1\]"), (np.ones(3), r"\[3\]")]
)
def test_values_are_one_a_bitstring(value: Any, shape: str) -> None:
    with pytest.raises(QhnError, match=rf"must return one number a bitstring, \[2\], got shape {shape}"):
        values_of(lambda bits: value, BITS)
    with pytest.raises(QhnError, match=r"must return numbers, got \['a', 'b'\]"):
        values_of(lambda bits: ["a", "b"], BITS)


@pytest.mark.parametrize(("call", "given"), [(value_of, BITS[0]), (values_of, BITS)])
def test_the_bits_stay_what_they_are_whatever_the_function_does_with_them(call: Callable, given: np.ndarray) -> None:
    def spoil(bits: np.ndarray) -> np.ndarray:
        bits[...] = 7
        return bits.sum(axis=-1)

    before = given.copy()
    call(spoil, given)
    np.testing.assert_array_equal(given, before)


def test_an_exception_of_the_function_passes() -> None:
    def fail(bits: np.ndarray) -> float:
        raise KeyError("own")

    for call, given in ((value_of, BITS[0]), (values_of, BITS)):
        with pytest.raises(KeyError, match="own"):
            call(fail, given)


def test_bitstrings_are_named_by_the_first() -> None:
    assert named(BITS[:1]) == "bitstring 101"
    assert named(np.repeat(BITS, 600, axis=0)) == "the 1,200 bitstrings from 101"


def caught(run: Callable[[], Any]) -> BaseException:
    try:
        run()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_an_exception_is_told_in_one_line_with_the_last_line_of_the_users_file(tmp_path: Path) -> None:
    mine, other = str(tmp_path / "mine.py"), str(tmp_path / "other.py")
    scope: dict[str, Any] = {}
    exec(compile("\n\ndef deep():\n    raise ValueError('two\\nlines\\x1b[2J')\n", other, "exec"), scope)
    exec(compile("def inner():\n    deep()\n\ndef outer():\n    inner()\n", mine, "exec"), scope)
    error = caught(scope["outer"])
    assert raised(error, mine) == f"ValueError: two lines\\x1b[2J ({mine}, line 2)"
    assert raised(error, "nowhere.py") == f"ValueError: two lines\\x1b[2J ({other}, line 4)"
    assert raised(ValueError(), mine) == "ValueError"
    assert raised(ValueError("never raised"), mine) == "ValueError: never raised"
    assert len(raised(ValueError("x" * 10_000), mine)) < 200


def test_a_syntax_error_is_told_by_its_own_place(tmp_path: Path) -> None:
    error = caught(lambda: compile("a = 1\nb = (\n", str(tmp_path / "mine.py"), "exec"))
    words = raised(error, "elsewhere.py")
    assert words.startswith("SyntaxError: ")
    assert words.endswith(f"({tmp_path / 'mine.py'}, line 2)")
    own = caught(lambda: (_ for _ in ()).throw(SyntaxError("by hand")))
    line = traceback.extract_tb(own.__traceback__)[-1].lineno
    assert raised(own, __file__) == f"SyntaxError: by hand ({__file__}, line {line})"


def test_an_exception_whose_text_fails_is_told_by_its_type() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert raised(Mute(), "mine.py") == "Mute"
