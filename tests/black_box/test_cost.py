"""A cost that is the user's own function: its values, what goes wrong, and that nothing is evaluated twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import qhn
from qhn import bitstrings
from qhn.black_box.cache import CACHES
from qhn.black_box.cost import BlackBox
from qhn.errors import EvaluationError, QhnError, QhnWarning

ALL = bitstrings.from_integers(np.arange(16), 4)
MODULE = """
import os, random, time
import numpy as np

def noted(bits):
    with open("calls", "a") as file:
        file.write("".join(map(str, bits)) + "\\n")

def cost(bits):
    noted(bits)
    print("to be seen by the user alone")
    return float(bits @ np.arange(1, len(bits) + 1)) - 4 * bits[0] * bits[1]

def many(bits):
    for row in bits:
        noted(row)
    return bits @ np.arange(1, bits.shape[1] + 1) - 4 * bits[:, 0] * bits[:, 1]

def at_1100(what):
    def bad(bits):
        return what() if tuple(bits) == (1, 1, 0, 0) else 0.0
    return bad

def fail():
    raise KeyError("no such licence")

nan, infinite, huge = (at_1100(lambda value=value: value) for value in (float("nan"), -float("inf"), 1e200))
pair, word, nothing, truth = (at_1100(lambda value=value: value) for value in ([1.0, 2.0], "low", None, True))
raising, ending, exiting = at_1100(fail), at_1100(lambda: os._exit(3)), at_1100(lambda: exit(5))
crashing, sleeping = at_1100(lambda: os.kill(os.getpid(), 11)), at_1100(lambda: time.sleep(60))

def forking(bits):
    os.fork()
    return cost(bits)

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")

def mute():
    raise Mute()

class Last(BaseException):
    pass

def last():
    raise Last("of its kind")

silent, final = at_1100(mute), at_1100(last)

def chance(bits):
    return random.random()
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)


def expected(bits: np.ndarray) -> np.ndarray:
    return bits @ np.arange(1.0, 5.0) - 4.0 * bits[..., 0] * bits[..., 1]


def calls() -> list[str]:
    path = Path("calls")
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("function", ["cost", "many"])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_each_bitstring_is_evaluated_once_and_one_twice(function: str, workers: int, capfd) -> None:
    problem = BlackBox(f"mine:{function}", 4, vectorised=function == "many", workers=workers)
    np.testing.assert_array_equal(problem.cost(ALL), expected(ALL))
    np.testing.assert_array_equal(problem.cost(ALL.reshape(2, 8, 4)), expected(ALL).reshape(2, 8))
    assert problem.cost(ALL[3]) == expected(ALL)[3]
    problem.close()
    assert sorted({*calls()}) == sorted(map(bitstrings.text, ALL))
    assert (len(calls()), problem.evaluated) == (17, 16)
    assert not workers or capfd.readouterr().out == "", "what the function prints goes to standard error"


def test_a_function_of_a_session_is_a_problem_as_well() -> None:
    problem = BlackBox(lambda bits: bits.sum(), 4)
    np.testing.assert_array_equal(problem.cost(ALL), ALL.sum(axis=1))
    assert problem.digest == ""
    with pytest.raises(QhnError, match="workers import the function"):
        BlackBox(lambda bits: bits.sum(), 4, workers=1)
    with pytest.raises(QhnError, match="time_limit takes workers"):
        BlackBox(lambda bits: bits.sum(), 4, time_limit=1.0)


def test_a_function_that_forks_gives_each_bitstring_its_own_cost() -> None:
    problem = BlackBox("mine:forking", 4, workers=1)
    np.testing.assert_array_equal(problem.cost(ALL), expected(ALL))
    problem.close()


def test_an_exception_without_text_is_told_with_its_bits() -> None:
    with pytest.raises(EvaluationError, match=r"raised Mute \(.*\) for bitstring 1100"):
        BlackBox("mine:silent", 4).cost(ALL)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_cost_beyond_the_stated_range_is_refused(workers: int, tmp_path: Path) -> None:
    problem = BlackBox("mine:cost", 4, workers=workers, cost_range=(-1.0, 8.0))
    with pytest.raises(QhnError, match="mine:cost: cost_range is -1 to 8, got 9 for bitstring 0111; state bounds"):
        problem.cost(ALL)
    problem.close()
    kept = BlackBox("mine:cost", 4)
    kept.keep_in(tmp_path)
    kept.cost(ALL)
    later = BlackBox("mine:cost", 4, cost_range=(0.0, 8.0))
    later.keep_in(tmp_path)
    with pytest.raises(QhnError, match="cost_range is 0 to 8, got -1 for bitstring 1100"):
        later.cost([1, 1, 0, 0])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nan", "costs must be finite, got nan for bitstring 1100"),
        ("infinite", "costs must be finite, got -inf for bitstring 1100"),
        ("huge", "got 1e\\+200 for bitstring 1100"),
        ("pair", r"must return one number, got shape \[2\] for bitstring 1100"),
        ("word", "must return numbers, got 'low' for bitstring 1100"),
        ("nothing", "must return numbers, got None for bitstring 1100"),
        ("truth", "must return numbers, got True for bitstring 1100"),
    ],
)
def test_a_wrong_value_is_told_with_its_bits(name: str, words: str, workers: int) -> None:
    problem = BlackBox(f"mine:{name}", 4, workers=workers)
    with pytest.raises(QhnError, match=words) as found:
        problem.cost(ALL)
    assert not isinstance(found.value, EvaluationError)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raising", r"mine:raising raised KeyError: 'no such licence' \(.*mine.py, line \d+\) for bitstring 1100"),
        ("ending", "evaluated bitstring 1100 ended with exit code 3"),
        ("exiting", "raised SystemExit: 5"),
        ("final", "raised Last: of its kind"),
        ("crashing", "evaluated bitstring 1100 was killed by SIGSEGV"),
        ("sleeping", "took longer than problem.time_limit = 0.3 s for bitstring 1100"),
    ],
)
def test_what_may_not_happen_again_is_told_with_its_bits(name: str, words: str, tmp_path: Path) -> None:
    problem = BlackBox(f"mine:{name}", 4, workers=2, time_limit=0.3)
    problem.keep_in(tmp_path)
    with pytest.raises(EvaluationError, match=words) as found:
        problem.cost(ALL)
    assert "\n" not in str(found.value)
    again = BlackBox(f"mine:{name}", 4, workers=1)
    again.keep_in(tmp_path)
    others = ALL[:3]  # of which at least the first was evaluated before the failure
    again.cost(others)
    assert again.cached > 0, "what was evaluated before stays"


def test_a_wrong_shape_of_a_vectorised_function_is_told() -> None:
    with pytest.raises(QhnError, match=r"must return one number a bitstring, \[1\], got shape \[\] for bitstring 0000"):
        BlackBox(lambda bits: 1.0, 4, vectorised=True).cost(ALL)


@pytest.mark.parametrize("workers", [0, 2])
def test_two_values_for_the_same_bits_are_told_and_the_first_is_kept(workers: int) -> None:
    problem = BlackBox("mine:chance", 4, workers=workers)
    with pytest.warns(QhnWarning, match=r"not deterministic: 0\.\d+ and then 0\.\d+ for bitstring 0000; the first"):
        first = problem.cost(ALL)
    with warnings.catch_warnings(action="error"):
        np.testing.assert_array_equal(problem.cost(ALL), first)


def test_a_later_session_evaluates_only_what_is_new_and_compares_one(tmp_path: Path) -> None:
    for known in (4, 16, 16):
        problem = BlackBox("mine:many", 4, vectorised=True)
        problem.keep_in(tmp_path)
        np.testing.assert_array_equal(problem.cost(ALL[:known]), expected(ALL[:known]))
    # four and the first again, then the best known one and the twelve others, then none
    assert len(calls()) == 5 + 13
    assert (problem.evaluated, problem.cached) == (0, 16)


def test_a_cost_that_has_changed_between_sessions_is_told(tmp_path: Path) -> None:
    drift = tmp_path / "drift"
    (tmp_path / "outside.py").write_text(
        "from pathlib import Path\n\ndef cost(bits):\n    return float(Path('drift').read_text()) + bits.sum()\n"
    )
    for value in (1, 2):
        drift.write_text(str(value))
        problem = BlackBox("outside:cost", 4)
        problem.keep_in(tmp_path)
        if value == 1:
            problem.cost(ALL[:8])
        else:
            with pytest.warns(QhnWarning, match="not deterministic: 1 and then 2 for bitstring 0000; the first"):
                problem.cost(ALL)


def test_the_cache_is_that_of_the_source_the_version_and_the_size(tmp_path: Path) -> None:
    def digest(**changed: object) -> str:
        return BlackBox(**({"function": "mine:cost", "num_qubits": 4} | changed)).digest  # type: ignore[arg-type]

    first = digest()
    assert first == digest(workers=1) == digest(noun="design")
    different = {first, digest(version="2"), digest(num_qubits=5), digest(function="mine:many")}
    (tmp_path / "mine.py").write_text(MODULE + "# changed\n")
    assert len({*different, digest()}) == 5


def test_a_directory_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / CACHES).symlink_to(tmp_path.parent)
    problem = BlackBox("mine:cost", 4)
    with pytest.warns(QhnWarning, match="costs are not kept in"):
        problem.keep_in(tmp_path)
    np.testing.assert_array_equal(problem.cost(ALL), expected(ALL))


def test_the_compiled_module_of_another_source_is_not_run(tmp_path: Path) -> None:
    """Python takes a cached module for that of a source of the same size and time."""
    source = tmp_path / "same.py"
    for value in "12":
        source.write_text(f"def cost(bits):\n    return {value}.0\n")
        os.utime(source, (1e9, 1e9))
        assert BlackBox("same:cost", 2, workers=1).cost([0, 1]) == float(value)
        subprocess.run([sys.executable, "-c", "import same"], check=True)


def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(
        "import os, subprocess, time\n"
        "def cost(bits):\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        "    open('pids', 'a').write(f'{os.getpid()} {child.pid} ')\n"
        "    time.sleep(600)\n"
    )
    code = "from qhn.black_box.cost import BlackBox as B; B('endless:cost', 2, workers=1).cost([0, 1])"
    run = subprocess.Popen([sys.executable, "-c", code])

    def pids() -> list[int]:
        path = tmp_path / "pids"
        return [int(word) for word in path.read_text().split()] if path.exists() else []

    wait_for(lambda: len(pids()) == 2)
    run.kill()
    run.wait()
    wait_for(lambda: not any(is_running(pid) for pid in pids()))


def is_running(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has waited for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_black_box_from_python_is_trained_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    import mine

    config = qhn.RunConfig(experiment="own", train={"shots": 20, "steps": 2}, ansatz={"num_layers": 0})
    problem = qhn.BlackBox(mine.cost, 4, noun="design", cost_range=(-4, 10))
    training = qhn.train(config, problem=problem, results=tmp_path / "results")
    steps = list(training)
    training.close()
    assert steps[-1].mean_interval is not None, "the range of the costs is known"
    longer = qhn.resume(training.record.directory, {"train.steps": 3}, problem=qhn.BlackBox(mine.cost, 4))
    assert len(list(longer)) == 3
    longer.close()
    assert len(calls()) <= 16 + 2


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_few_bitstrings_are_enough_to_begin_with(size: int, tmp_path: Path) -> None:
    problem = BlackBox("mine:cost", 4)
    problem.keep_in(tmp_path)
    np.testing.assert_array_equal(problem.cost(ALL[:size]), expected(ALL[:size]))
    np.testing.assert_array_equal(problem.cost(ALL[: size + 1]), expected(ALL[: size + 1]))


def test_two_at_work_at_once_share_what_they_find(tmp_path: Path) -> None:
    bits = bitstrings.from_integers(np.arange(128), 7)
    (tmp_path / "slow.py").write_text(MODULE + "\ndef slow(bits):\n    time.sleep(0.05)\n    return cost(bits)\n")
    code = (
        "import numpy as np; from pathlib import Path; from qhn import bitstrings; from qhn.black_box.cost import "
        "BlackBox as B; p = B('slow:slow', 7, workers=1); p.keep_in(Path()); p.start(); "
        "p.cost(bitstrings.from_integers(np.arange(128), 7))"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    assert {*calls()} == {*map(bitstrings.text, bits)}
    assert len(calls()) < 2 * 128 - 30
