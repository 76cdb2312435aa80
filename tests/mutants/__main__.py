"""``make mutants``: a sample of mutants, each run against the tests of its module, and those that survived."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from .mutator import Mutant, mutants

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "qhn"
PARTS = ("estimator", "optimize", "budget", "problem", "circuit", "black_box", "exact/energy.py")
PASSED, FAILED = 0, (1, 2, 3, 4)  # of pytest; a mutant that cannot even be imported is noticed as well
PATIENCE, SLOWER = 120.0, 10.0  # seconds, and times as long as the tests take without a mutant: then it hangs


def main() -> int:
    """Run the sample and say what survived; 1 if tests fail without any mutant."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--package", action="append", help=f"package or module (default {', '.join(PARTS)})")
    parser.add_argument("--limit", type=int, default=60, help="how many mutants, 0 for all (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default %(default)s, one a core)")
    asked = parser.parse_args()
    chosen = sample(modules(asked.package or PARTS), asked.limit, asked.seed)
    with tempfile.TemporaryDirectory(prefix="qhn-mutants-") as folder:
        benches: SimpleQueue[Bench] = SimpleQueue()
        for number in range(asked.jobs):
            benches.put(Bench(Path(folder) / str(number)))

        def judge(case: tuple[Path, Mutant]) -> str:
            bench = benches.get()
            try:
                verdict = bench.judge(*case)
            finally:
                benches.put(bench)
            print(f"{verdict:8} {case[0].relative_to(ROOT)}:{case[1]}", file=sys.stderr, flush=True)
            return verdict

        with ThreadPoolExecutor(asked.jobs) as pool:
            try:
                verdicts = list(pool.map(judge, chosen))
            except BaselineFailed as error:
                pool.shutdown(cancel_futures=True)
                print(error)
                return 1
    for (path, mutant), verdict in zip(chosen, verdicts, strict=True):
        if verdict != "caught":
            print(f"{verdict}: {path.relative_to(ROOT)}:{mutant}")
    counts = Counter(verdicts)
    others = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("caught", "survived", "timeout"))
    print(f"{len(chosen)} mutants of seed {asked.seed}: {others}")
    return 0


def modules(names: list[str] | tuple[str, ...]) -> list[Path]:
    """The source files of packages and modules, named below ``src/qhn``."""
    found = []
    for name in names:
        path = SOURCE / name
        if not path.exists():
            sys.exit(f"there is no {path.relative_to(ROOT)}")
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def sample(paths: list[Path], limit: int, seed: int) -> list[tuple[Path, Mutant]]:
    """So many mutants of some files, the same for a seed, in the order of the files."""
    every = [(path, mutant) for path in paths for mutant in mutants(path.read_text())]
    if not 0 < limit < len(every):
        return every
    places = random.Random(seed).sample(range(len(every)), limit)
    return [every[place] for place in sorted(places)]


def tests_of(path: Path) -> list[Path]:
    """The test file of a module's name; all those of its package if it has none."""
    folder = ROOT / "tests" / path.relative_to(SOURCE).parent
    own = folder / f"test_{path.stem}.py"
    return [own] if own.exists() else sorted(folder.glob("test_*.py"))


class BaselineFailed(Exception):
    """Tests fail without a mutant."""


class Bench:
    """A copy of the source that is changed and tested in a process of its own.

    Attributes:
        folder: what holds the copy.
    """

    seconds: dict[Path, float] = {}  # noqa: RUF012 – that the tests of a module take, known to all benches
    lock = threading.Lock()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(SOURCE, folder / "qhn")

    def judge(self, path: Path, mutant: Mutant) -> str:
        """``caught``, ``survived``, or ``timeout``.

        Raises:
            BaselineFailed: if the tests do not pass without the mutant.
        """
        with self.lock:
            if path not in self.seconds:
                began = time.monotonic()
                code, said = self._run(path, None)
                if code != PASSED:
                    raise BaselineFailed(f"the tests of {path.relative_to(ROOT)} fail without a mutant:\n{said}")
                self.seconds[path] = time.monotonic() - began
        place = self.folder / "qhn" / path.relative_to(SOURCE)
        place.write_text(mutant.applied(path.read_text()))
        try:
            code, said = self._run(path, PATIENCE + SLOWER * self.seconds[path])
        finally:
            shutil.copy2(path, place)  # with its time, by which compiled code is known
        if code not in (None, PASSED, *FAILED):
            raise BaselineFailed(f"pytest ended with {code}:\n{said}")
        return "timeout" if code is None else "survived" if code == PASSED else "caught"

    def _run(self, path: Path, patience: float | None) -> tuple[int | None, str]:
        """The exit code of the tests of a module, and what they said; None if they did not end."""
        own = self.folder / "qhn" / path.relative_to(SOURCE)
        words = ["-x", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml"]
        command = [sys.executable, "-m", "pytest", *words, "-m", "not slow", *map(str, [*tests_of(path), own])]
        known = {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            command, cwd=ROOT, env=os.environ | known, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                said, _ = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return None, ""
        return process.returncode, said


sys.exit(main())
