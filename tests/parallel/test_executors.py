"""The same sweep on processes, dask and MPI; and what happens when the others die."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pictures
from qhn import BackendError, QhnError
from qhn.lock import Lock
from qhn.parallel import open_executor
from runs import wait_until

SWEEP = """
experiment = "figure-1"
seeds = 4
repeats = 2
[set]
train.backend = "exact"
train.steps = 12
data.samples = 40
[vary]
train.shots = [20, 25]
"""
RUNS = 8
OF_A_SESSION = ("manifest.json", "timing.jsonl", "circuit.qpy")  # times, machines, and names that Qiskit makes up
MPIEXEC = Path(sys.executable).with_name("mpiexec")


def environment() -> dict[str, str]:
    """That of a child which finds qhn and these tests where this process does, and is not yet an MPI process."""
    paths = [str(Path(pictures.__file__).parent), *filter(None, sys.path)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PMI", "MPI"))}
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def sweep_command(place: Path, results: str, *words: str) -> list[str]:
    return pictures.command("sweep", str(place / "sweep.toml"), "-q", "--results", str(place / results), *words)


def finish(command: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=place, env=environment(), capture_output=True, text=True, timeout=600)


@contextlib.contextmanager
def started(command: list[str], place: Path, output: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """A child with all of its own children, which end with the context."""
    streams: dict[str, Any] = {"stdout": output, "stderr": output, "text": True}
    with subprocess.Popen(command, cwd=place, env=environment(), start_new_session=True, **streams) as child:
        try:
            yield child
        finally:
            for process in [child.pid, *descendants(child.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


def descendants(process: int) -> list[int]:
    """The processes that a process has started, and those that they have started, parents first."""
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.split()
    pairs = list(zip(map(int, found[::2]), map(int, found[1::2]), strict=True))
    children = [pid for pid, parent in pairs if parent == process]
    return children + [below for child in children for below in descendants(child)]


def words_of(process: int) -> str:
    """The command line of a process; nothing if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    except OSError:
        return ""


def contents(results: Path) -> dict[str, bytes]:
    """The bytes of all files that must not depend on who did the work; what a kill cuts short has hidden names."""
    paths = [path for path in results.rglob("[!.]*") if path.is_file() and path.name not in OF_A_SESSION]
    return {str(path.relative_to(results)): path.read_bytes() for path in paths}


def same(one: Path, other: Path) -> None:
    first, second = contents(one), contents(other)
    assert first.keys() == second.keys()
    assert sum(name.endswith("steps.jsonl") for name in first) == RUNS
    assert num_finished(one) == RUNS
    assert [name for name in first if first[name] != second[name]] == []


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``sweep.toml``, and in ``one`` what one process finds."""
    place = tmp_path_factory.mktemp("executors")
    (place / "sweep.toml").write_text(SWEEP)
    done = finish(sweep_command(place, "one", "--workers", "1"), place)
    assert (done.returncode, done.stderr) == (0, "")
    return place


def num_finished(results: Path) -> int:
    return len(list(results.glob("*/sweep-*/members/*.npz")))


# ------------------------------------------------------------ what is asked for


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "proceses"}, "unknown executor 'proceses'; did you mean 'processes'"),
        ({"kind": "threads!"}, "there are processes, dask, mpi"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"workers": 5000}, "workers must be at most 1,024, got 5000"),
        ({"address": "tcp://host:1"}, "executor processes does not have; take executor dask"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(QhnError, match=message), open_executor(**arguments):
        pass


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://host:1", "must be tcp://HOST:PORT, or a scheduler file"),
        ("tcp://host", "must be tcp://HOST:PORT, or a scheduler file"),
        ("", "must be tcp://HOST:PORT, or a scheduler file"),
        ("damaged.json", "damaged.json is no scheduler file of dask"),
        ("other.json", "other.json is no scheduler file of dask"),
    ],
)
def test_an_address_that_is_none_is_refused_at_once(
    address: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    Path("damaged.json").write_text('{"address": "tcp')
    Path("other.json").write_text('{"address": 3}')
    with pytest.raises(QhnError, match=message), open_executor("dask", address=address):
        pass
    with pytest.raises(QhnError, match="leave out workers, or address"), open_executor("dask", 2, address):
        pass


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, package in {"dask": "distributed", "mpi": "mpi4py"}.items():
        monkeypatch.setitem(sys.modules, package, None)
        with (
            pytest.raises(QhnError, match=rf"executor {kind} needs .*pip install 'qhn\[{kind}\]'"),
            open_executor(kind),
        ):
            pass


# ------------------------------------------------------------ the same results


@pytest.mark.slow
def test_four_processes_find_what_one_finds(place: Path) -> None:
    done = finish(sweep_command(place, "four", "--workers", "4"), place)
    assert (done.returncode, done.stderr) == (0, "")
    same(place / "one", place / "four")


@pytest.mark.slow
def test_dask_processes_find_what_one_process_finds(place: Path) -> None:
    pytest.importorskip("distributed")
    done = finish(sweep_command(place, "dask", "--executor", "dask", "--workers", "2"), place)
    assert (done.returncode, done.stderr) == (0, "")
    same(place / "one", place / "dask")


def mpi(*command: str, ranks: int = 3) -> list[str]:
    """A command under the ``mpiexec`` of the environment in which the tests run."""
    pytest.importorskip("mpi4py.MPI", exc_type=Exception)
    if not MPIEXEC.exists():
        pytest.skip("the mpich of PyPI is not installed")
    return [str(MPIEXEC), "-n", str(ranks), *command]


@pytest.mark.slow
def test_ranks_of_mpi_find_what_one_process_finds(place: Path) -> None:
    done = finish(mpi(*sweep_command(place, "mpi", "--executor", "mpi")), place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("page.txt") == 1  # of rank 0 alone
    same(place / "one", place / "mpi")


# ------------------------------------------------------------ what dies


@contextlib.contextmanager
def held_back(place: Path, results: Path) -> Iterator[None]:
    """Context in which half of the runs cannot begin, since others have their locks: no sweep ends within it."""
    later = [
        path.parent.name
        for path in (place / "one" / "figure-1").glob("*/config.json")
        if json.loads(path.read_text(encoding="utf-8"))["train"]["shots"] == 25
    ]
    assert len(later) == RUNS // 2
    with contextlib.ExitStack() as stack:
        for name in later:
            (results / "figure-1" / name).mkdir(parents=True)
            stack.enter_context(Lock(results / "figure-1" / name))
        yield


@contextlib.contextmanager
def cluster(place: Path, workers: int = 2, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A dask scheduler with workers in processes of their own, and its scheduler file."""
    pytest.importorskip("distributed")
    dask, file = str(Path(sys.executable).with_name("dask")), place / "scheduler.json"
    file.unlink(missing_ok=True)
    where = ["--scheduler-file", str(file)]
    with contextlib.ExitStack() as stack:
        words = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        scheduler = stack.enter_context(started([dask, "scheduler", *where, *words], place, subprocess.DEVNULL))
        wait_until(file.exists)
        for _ in range(workers):
            worker = [dask, "worker", *where, "--nthreads", "1", "--no-dashboard"]
            stack.enter_context(started(worker, place, subprocess.DEVNULL))
        yield scheduler, file


@pytest.mark.slow
def test_a_dask_worker_and_then_the_scheduler_are_killed(place: Path) -> None:
    """The job of a worker goes to another; without its scheduler a sweep ends, and goes on with the next one."""
    results = place / "killed"
    with cluster(place) as (scheduler, file):
        command = sweep_command(place, "killed", "--executor", "dask", "--address", str(file))
        with held_back(place, results), started(command, place) as child:
            wait_until(lambda: num_finished(results) >= 1)
            workers = [p for p in descendants(os.getpid()) if "spawn_main" in words_of(p)]
            os.kill(workers[-1], signal.SIGKILL)
            wait_until(lambda: num_finished(results) >= 3)
            os.kill(scheduler.pid, signal.SIGKILL)
            _, err = child.communicate(timeout=120)
    assert child.returncode == 4
    assert len(err.splitlines()) == 1
    assert err.startswith(f"qhn: the dask scheduler at {file} has gone")
    assert num_finished(results) < RUNS
    with cluster(place):
        done = finish(command, place)
    assert (done.returncode, done.stderr) == (0, "")
    same(place / "one", results)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "number", "code", "words"),
    [
        ("job", signal.SIGKILL, 4, "the process of rank 2 of MPI on"),
        ("rank", signal.SIGTERM, 4, "rank 2 of MPI on"),
        ("rank", signal.SIGKILL, 9, ""),
        ("mpiexec", signal.SIGINT, 130, "qhn: stopped; what is finished is kept, and the same command goes on"),
    ],
)
def test_an_mpi_job_of_which_something_is_killed_goes_on(
    victim: str, number: signal.Signals, code: int, words: str, place: Path
) -> None:
    results = place / f"mpi-{victim}-{number.name}"
    command = mpi(*sweep_command(place, results.name, "--executor", "mpi"))
    with held_back(place, results), started(command, place) as child:
        wait_until(lambda: num_finished(results) >= 1)
        below = descendants(child.pid)
        ranks = sorted(
            p for p in below if "--executor mpi" in words_of(p) and p != child.pid and "hydra" not in words_of(p)
        )
        rank = next(p for p in ranks if "PMI_RANK=2" in Path(f"/proc/{p}/environ").read_text(errors="replace"))
        job = [p for p in descendants(rank) if "spawn_main" in words_of(p)][-1]
        os.kill({"mpiexec": child.pid, "rank": rank, "job": job}[victim], number)
        _, err = child.communicate(timeout=120)
        wait_until(lambda: not any(map(words_of, below)))  # nothing is left that could write
    assert child.returncode == code
    assert words in err
    assert "Traceback" not in err
    assert num_finished(results) < RUNS
    done = finish(command, place)
    assert (done.returncode, done.stderr) == (0, "")
    same(place / "one", results)


@pytest.mark.slow
def test_mpi_needs_more_than_one_rank_and_says_what_is_wrong_once(place: Path) -> None:
    alone = finish(mpi(*sweep_command(place, "alone", "--executor", "mpi"), ranks=1), place)
    assert (alone.returncode, len(alone.stderr.splitlines())) == (2, 1)
    assert "executor mpi needs at least 2 ranks" in alone.stderr
    counted = finish(mpi(*sweep_command(place, "counted", "--executor", "mpi", "--workers", "2")), place)
    assert (counted.returncode, len(counted.stderr.splitlines())) == (2, 1)
    assert "mpiexec -n 3; leave out workers" in counted.stderr


@pytest.mark.slow
def test_no_scheduler_answers(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port at which nothing listens, and one at which something does that is no scheduler."""
    pytest.importorskip("distributed")
    from qhn.parallel import dask

    monkeypatch.setattr(dask, "SECONDS_TO_CONNECT", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (1, silent.getsockname()[1]):
            with (
                pytest.raises(BackendError, match=r"no dask scheduler answers at tcp.* within 3 s"),
                open_executor("dask", address=f"tcp://127.0.0.1:{port}"),
            ):
                pass
