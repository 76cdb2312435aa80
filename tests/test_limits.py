"""Files that ask for more memory than there should be: refused by their headers and sizes, in little memory."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from qhn.config.file import load_config
from qhn.errors import QhnError
from qhn.limits import BYTES
from qhn.npz import load_npy, open_npz
from qhn.problem.datasets import load_file
from qhn.run.training import train

MEBIBYTE = 2**20
BOMB = 100 * MEBIBYTE
MEASURED = """
import resource, sys
from pathlib import Path
import numpy, qhn, qhn.config.data, qhn.run.evaluate, qhn.predict.ensemble
from qhn.problem.datasets import load_file
from qhn.problem.mnist_files import read_idx
from qhn.run.evaluate import read_theta
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load = {"data": load_file, "idx": read_idx, "theta": read_theta, "config": qhn.load_config,
        "network": qhn.load_network, "ensemble": qhn.load_ensemble}[sys.argv[1]]
try:
    load(Path(sys.argv[2]))
except ValueError as error:
    print(error, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def refused(load: str, path: Path, **variables: str) -> tuple[str, float]:
    """The message of an error, and the mebibytes that were needed to find it."""
    words = [sys.executable, "-c", MEASURED, load, str(path)]
    found = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | variables)
    return found.stderr.strip(), int(found.stdout) / 1024


def header(shape: tuple[int, ...], file) -> None:
    npy.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})


def npz_bomb(path: Path) -> None:
    """A compressed archive of zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
        header((BOMB // 8,), member)
        for _ in range(BOMB // MEBIBYTE):
            member.write(bytes(MEBIBYTE))


def npz_of_a_large_header(path: Path) -> None:
    """An archive whose array says it has 80 gigabytes, which do not follow."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as member:
        header((10**10,), member)


def npy_of_holes(path: Path) -> None:
    """A file of 4 GiB that takes no room on the disk."""
    with path.open("wb") as file:
        header((2**29,), file)
        file.truncate(file.tell() + 2**32)


def npy_of_a_large_header(path: Path) -> None:
    with path.open("wb") as file:
        header((2**29,), file)


def idx_of_a_large_header(path: Path) -> None:
    path.write_bytes(bytes.fromhex("00000803 ffffffff 0000001c 0000001c"))


def compressed_idx_of_a_large_header(path: Path) -> None:
    path.write_bytes(gzip.compress(bytes.fromhex("00000803 ffffffff 0000001c 0000001c")))


def compressed_idx_of_more_than_its_header(path: Path) -> None:
    path.write_bytes(gzip.compress(bytes.fromhex("00000801 0000000a") + bytes(BOMB)))


def table_of_many_columns(path: Path) -> None:
    names = [f"c{number}" for number in range(100_000)]
    path.write_text(",".join([*names, "label"]) + "\n" + ("0," * 100_000 + "a\n") * 3)


def table_of_a_long_row(path: Path) -> None:
    path.write_text("x,label\n0,a\n" + "1," * (50 * MEBIBYTE))


def text_of_holes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**32)


@pytest.mark.parametrize(
    ("load", "name", "make", "words"),
    [
        ("data", "x.npz", npz_bomb, "QHN_MAX_BYTES=104857728 allows it"),
        ("network", "x.npz", npz_bomb, "it unpacks to 104,857,728 bytes, at most 50,000,000 are read"),
        ("ensemble", "x.npz", npz_bomb, "it unpacks to"),
        ("theta", "x.npz", npz_bomb, "it unpacks to"),
        ("data", "x.npz", npz_of_a_large_header, "has a header for 80,000,000,000 bytes of numbers, and 0 follow"),
        ("theta", "x.npy", npy_of_a_large_header, "it has a header for 4,294,967,296 bytes"),
        ("theta", "x.npy", npy_of_holes, "QHN_MAX_BYTES=4294967424 allows it"),
        ("theta", "x.json", text_of_holes, "QHN_MAX_TEXT=4294967296 allows it"),
        ("config", "x.toml", text_of_holes, "QHN_MAX_TEXT=4294967296 allows it"),
        ("data", "x.csv", text_of_holes, "QHN_MAX_TEXT=4294967296 allows it"),
        (
            "data",
            "x.csv",
            table_of_many_columns,
            "has 100,001 columns, at most 10,000 are read; QHN_MAX_COLUMNS=",
        ),
        ("data", "x.csv", table_of_a_long_row, "x.csv has a line of at least 1,048,577 characters"),
        (
            "idx",
            "x-ubyte",
            idx_of_a_large_header,
            "has 16 bytes, its header of shape [4294967295, 28, 28] asks for",
        ),
        ("idx", "x-ubyte.gz", compressed_idx_of_a_large_header, "QHN_MAX_BYTES=3367254359280 allows it"),
        ("idx", "x-ubyte.gz", compressed_idx_of_more_than_its_header, "has more than 18 bytes"),
    ],
)
def test_what_would_take_much_memory_is_refused_in_little(
    load: str, name: str, make: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    message, mebibytes = refused(load, tmp_path / name, QHN_MAX_BYTES="50000000")
    assert words in message
    assert message.count("\n") == 0
    assert mebibytes < 20


def test_the_user_raises_a_limit_as_the_message_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ",".join(f"c{j}" for j in range(30)) + ",label",
        *(",".join([str(k)] * 30) + f",{c}" for k, c in enumerate("abab")),
    ]
    (tmp_path / "x.csv").write_text("\n".join(rows))
    monkeypatch.setenv("QHN_MAX_COLUMNS", "20")
    with pytest.raises(ValueError, match="has 31 columns, at most 20 are read; QHN_MAX_COLUMNS=31 allows it"):
        load_file(tmp_path / "x.csv", validation_fraction=0)
    monkeypatch.setenv("QHN_MAX_COLUMNS", "31")
    assert load_file(tmp_path / "x.csv", validation_fraction=0).num_features == 30


@pytest.mark.parametrize("value", ["many", "0", "-3", "1e9", "1" * 30])
def test_a_limit_is_a_whole_number(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QHN_MAX_BYTES", value)
    with pytest.raises(QhnError, match=r"QHN_MAX_BYTES must be a whole number above 0, got"):
        _ = BYTES.value


def test_what_qhn_wrote_may_be_as_large_as_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No limit keeps anybody from shots that were paid for; a bomb is smaller on the disk than in memory."""
    monkeypatch.setenv("QHN_MAX_BYTES", "1000")
    bits = np.arange(100_000)
    np.savez(tmp_path / "own.npz", bits=bits)
    np.savez_compressed(tmp_path / "bomb.npz", bits=np.zeros(100_000))
    np.save(tmp_path / "own.npy", bits)
    with open_npz(tmp_path / "own.npz", own=True) as stored:
        np.testing.assert_array_equal(stored["bits"], bits)
    np.testing.assert_array_equal(load_npy(tmp_path / "own.npy", own=True), bits)
    with pytest.raises(QhnError, match="unpacks to"), open_npz(tmp_path / "bomb.npz", own=True):
        pass
    with pytest.raises(QhnError, match="it has"), open_npz(tmp_path / "own.npz"):
        pass
    training = train(load_config("figure-1", {"train.steps": 2, "train.shots": 500}), results=tmp_path)
    assert len(list(training)) == 2
    assert len(training.record.samples(1)) == 500


@pytest.mark.parametrize("name", ["x.npz", "x.csv", "x.toml", "x.json"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    load = {"x.toml": "config", "x.json": "theta"}.get(name, "data")
    assert str(tmp_path / name) in refused(load, tmp_path / name)[0]
