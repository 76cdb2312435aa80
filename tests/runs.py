"""Whole runs, for tests of what they leave behind, and waiting for what another process does."""

from __future__ import annotations

import io
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from qhn import checksums
from qhn.config import RunConfig
from qhn.npz import read_npz
from qhn.run.record import Record
from qhn.run.training import train

NEW = ("size_steps.jsonl", "end_jobs.jsonl")  # arrays of a checkpoint that older versions did not write


def finished(config: RunConfig, results: Path) -> Record:
    """The record of a run that was trained to its end."""
    training = train(config, results=results)
    list(training)
    training.close()
    assert training.record is not None
    return training.record


def rewrite_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the values of a JSON document of a record, with a checksum as if qhn had written them."""
    tree = checksums.parse_document(path.read_bytes(), is_checked=False)
    change(tree)
    path.write_bytes(checksums.document(tree))


def rewrite_lines(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the values of each line of a record's file, with numbers and checksums as if qhn had written them."""
    end, trees = checksums.End(), [line.tree for line in checksums.lines_of(path.read_bytes())]
    path.write_bytes(b"")
    for tree in trees:
        change(tree)
        line = checksums.line(json.dumps(tree), end)
        end = end.after(line)
        path.write_bytes(path.read_bytes() + line)


def make_old(directory: Path) -> Path:
    """Turn a run into one as versions without checksums wrote it; one that was written so already stays as it is."""
    for path in [*directory.rglob("*.json"), *directory.rglob("*.jsonl"), *directory.rglob("*.np[yz]")]:
        content = path.read_bytes()
        if path.suffix == ".jsonl":
            lines = (json.dumps(line.tree) for line in checksums.lines_of(content, plain=True))
            path.write_text("".join(f"{line}\n" for line in lines))
        elif path.parent != directory / "calibration" and path.suffix == ".json":
            tree = checksums.parse_document(content, is_checked=False)
            tree |= {"schema": 1} if "schema" in tree else {}
            tree.pop("journal", None)
            for session in tree.get("sessions", []):
                session.pop("journal", None), session.pop("ended", None)
            path.write_text(json.dumps(tree, indent=2) + "\n")
        elif path.suffix == ".npz" and checksums.check(io.BytesIO(content), is_checked=False):
            arrays = {name: value for name, value in read_npz(path).items() if name not in NEW}
            if "checksum_steps.jsonl" in arrays:
                count = int(arrays["num_steps"])
                steps = (directory / "steps.jsonl").read_bytes().splitlines(keepends=True) if count else []
                arrays["checksum_steps.jsonl"] = np.array(zlib.crc32(b"".join(steps[:count])))
            np.savez(path, **arrays)
    for name in ("jobs.end.json", "checkpoint-before.npz"):
        (directory / name).unlink(missing_ok=True)
    return directory


def wait_until(happened: Callable[[], bool], seconds: float = 300) -> None:
    """Until it did; the deadline is there to end a test that would hang, and no machine is that slow."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
