"""Whatever a user hands over: it works, or it is refused in one line that is no defect and no traceback."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn.problem.mnist_files import idx_bytes

FEW = ("--steps", "1", "--shots", "3", "--quiet")
GOOD_TOML = '[data]\nname = "gaussian-mixture"\nsamples = 9\n[train]\nsteps = 1\nshots = 3\n'
ROWS = "a,b,label\n1,2,0\n2,1,1\n3,1,0\n1,1,1\n"
DIGITS = "9" * 5000  # more than Python makes an integer of
BITS = "0x" + "f" * 5000  # an integer that Python cannot write


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def header(text: str) -> bytes:
    """An ``.npy`` file without numbers, whose header is this text."""
    padded = text.encode() + b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def refused(result: Any) -> None:
    """That the command line refused its input as it should."""
    assert result.code == 2, result.err
    assert len(result.err.splitlines()) == 1, result.err
    assert result.err.startswith("qhn: ")
    assert "defect" not in result.err
    assert "Traceback" not in result.err
    assert len(result.err) < 600


TOML = {
    "utf-16": GOOD_TOML.encode("utf-16"),
    "latin-1": b"# caf\xe9\n" + GOOD_TOML.encode(),
    "empty": b"",
    "zeros": bytes(10),
    "zero in a text": GOOD_TOML.encode() + b'backend = "a\\u0000b"\n',
    "zero in a name": b'[data]\nfile = "a\\u0000b.csv"\n',
    "zero in a directory": b'[data]\nname = "mnist-4x4"\ndirectory = "a\\u0000b"\n',
    "nest of lists": b"x = " + b"[" * 5000 + b"]" * 5000,
    "nest of tables": b"a" + b".a" * 5000 + b" = 1\n",
    "thousands of digits": f"seed = {DIGITS}".encode(),
    "thousands of bits": f"{GOOD_TOML}seed = {BITS}\n".encode(),
    "more than 64 bits": f"{GOOD_TOML}seed = {10**20}\n".encode(),
    "nan": f"{GOOD_TOML}target = nan\n".encode(),
    "a date": f"{GOOD_TOML}seed = 2020-01-01\n".encode(),
    "a list for a table": b"data = [1, 2]\n",
    "a number for a table": b"data = 5\n",
    "a text for a table": b'train = "x"\n[data]\nname = "gaussian-mixture"\n',
    "tables for a table": b'[[train]]\nsteps = 1\n[data]\nname = "gaussian-mixture"\n',
    "a list for a file": b"[data]\nfile = [1]\n",
    "a number for a file": b"[data]\nfile = 5\n",
    "a number for a directory": b'[data]\nname = "mnist-4x4"\ndirectory = 5\n',
    "a long name of a file": b'[data]\nfile = "' + b"a" * 5000 + b'"\n',
    "a number for a name": b"[data]\nname = 5\n",
    "a path for an experiment": b'experiment = "../x"\n' + GOOD_TOML.encode(),
    "a table twice": GOOD_TOML.encode() * 2,
    "no key": GOOD_TOML.encode() + b'"" = 1\n',
    "a long key": GOOD_TOML.encode() + b'"' + b"k" * 3000 + b'" = 1\n',
    "a range that overflows": GOOD_TOML.encode() + b"initial = { low = -1e308, high = 1e308 }\n",
    "no options": GOOD_TOML.encode() + b"[network]\nhidden = [[]]\n",
    "one option in text": GOOD_TOML.encode() + b'[network]\nhidden = [[1, "x"]]\n',
    "too many samples": b'[data]\nname = "gaussian-mixture"\nsamples = 4611686018427387904\n',
    "too wide": b'[data]\nname = "gaussian-mixture"\nmeans_scale = 1e308\n',
    "a digit twice": b'[data]\nname = "mnist-4x4"\ndigits = [0, 0]\n',
    "no digits": b'[data]\nname = "digits-8x8"\ndigits = []\n',
    "nothing left": b'[data]\nname = "digits-8x8"\nvalidation_fraction = 0.9999\n',
    "too many layers": GOOD_TOML.encode() + b"[ansatz]\nnum_layers = 9223372036854775807\n",
}


@pytest.mark.parametrize("name", TOML)
def test_a_file_of_a_configuration(qhn, tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.toml").write_bytes(TOML[name])
    refused(qhn("run", "mine.toml", *FEW))


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + GOOD_TOML.encode(), GOOD_TOML.replace("\n", "\r\n").encode()])
def test_a_byte_order_mark_and_line_ends_of_other_systems_are_no_faults(qhn, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    assert qhn("run", "mine.toml", *FEW).code == 0


SETTINGS = [
    "=",
    "=1",
    ".",
    ".=1",
    "train.=5",
    "a." * 3000 + "a=1",
    "schema=2",
    "experiment=",
    "experiment=..",
    "data=[]",
    "train.shots=nan",
    "train.shots=1e400",
    "train.shots=[1]",
    "train.shots={a=1}",
    "train.shots=" + "[" * 5000,
    f"train.shots={DIGITS}",
    f"train.shots={BITS}",
    "train.shots='",
    "train.shots=\udcff",
    "data.file=\udcff.csv",
    "train.shots=9223372036854775807",
    "train.target=1e999",
    "train.seed=-1",
    "train.optimizer=5",
    "data.file=/",
    "data.file=",
    "data.file=/dev/zero",
    "data.file={}",
    "data.name={}",
    "data.file=" + "a" * 5000,
    "train.backend=5",
    "train.initial=run",
    "train.initial={name='run', run='x', theta=[]}",
    "train.initial.high=-1",
    "network.bias=maybe",
    "train.initial={name='normal', width=1e308}",
    "train.gradient={name='spsa', num_directions=9223372036854775807}",
    "network.alphabet=[1e308,-1e308]",
    "network.alphabet=[nan,1]",
    "network.hidden=[99999999999]",
    "network.alphabet=a",
    "ansatz.num_layers=100000000",
    "device.tiles=1.5",
    "device.tiles=inf",
    "device.tiles=nan",
    "train.backend=" + "q" * 5000,
    "device.p1=nan",
    "device.qubits=[[-1]]",
    "data.samples=0",
    "train.backend=fake_",
    "train.backend=fake_../x",
    "experiment=" + "x" * 300,
    "train.objective={name='cvar', alpha=2}",
    "train.objective={name='mmd', width=0}",
    "train.objective={name='mmd', weight=inf}",
    "train.objective=elbo",
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda text: ascii(text[:40]))
def test_a_value_of_set(qhn, setting: str) -> None:
    refused(qhn("run", "figure-1", "--quiet", "--set", setting))


WORDS = [
    *(("run", name) for name in ("", ".", "\udcff", "\udcff.toml", "x" * 5000, "x" * 5000 + ".toml", ".toml")),
    *(("run", "figure-1", option, DIGITS) for option in ("--shots", "--layers", "--seed", "--steps", "--tiles")),
    *(("run", "figure-1", option, "") for option in ("--backend", "--order", "--init-from", "--mitigation")),
    *(("run", "figure-1", "--tiles", "²"), ("run", "figure-1", "--results", "/dev/null")),
    *(("baseline", "figure-1", option, DIGITS) for option in ("--evaluations", "--repeats", "--seed")),
    *(("baseline", "figure-1", "--repeats", "100001"), ("baseline", "figure-1", "--method", "\udcff")),
    *(("estimate", "figure-1", "--budget", budget) for budget in ("nan", "inf", "-inf", "0")),
    *(("estimate", "figure-1", "--backend", "fake_manila", "--steps", "9223372036854775807"),),
    *(("landscape", "figure-1", "--results", "/dev/null"), ("circuit", "figure-1", "--output", "/dev/null")),
    *(("show", name) for name in ("", ".", "\udcff", "x" * 5000, "a\nb", "*")),
    *(("evaluate", "figure-1", "--theta", name) for name in ("", ".", "/dev/zero", "x" * 5000)),
    *(("sweep", "figure-2", "--workers", DIGITS[:400]), ("sweep", "figure-2", "--seeds", DIGITS[:400])),
    *(("sweep", "figure-2", "--set", f"seeds={BITS}"), ("sweep", "figure-2", "--set", "epsilon=[nan]"), ("sweep", "")),
    *(("ensemble", "--step", DIGITS), ("compare", ""), ("reproduce", "4", "--mnist", "")),
]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: ascii(" ".join(words)[:40]))
def test_words_of_the_command_line(qhn, words: tuple[str, ...]) -> None:
    refused(qhn(*words))


@pytest.mark.parametrize("name", ["x", b"\xff"])
@pytest.mark.parametrize("content", [b"seeds = " + b"[" * 5000, b"\xff\xfe", b"seeds = " + DIGITS.encode()])
def test_a_file_of_a_sweep(qhn, tmp_path: Path, name: str | bytes, content: bytes) -> None:
    path = os.fsdecode(name) + ".toml"
    (tmp_path / path).write_bytes(content)
    refused(qhn("sweep", path))


CSV = {
    "empty": b"",
    "header": b"a,b,label\n",
    "utf-16": ROWS.encode("utf-16"),
    "latin-1": b"a,b,label\n1,2,\xe9\n2,1,x\n3,3,x\n4,4,\xe9\n",
    "zeros": bytes(20),
    "a zero": b"a,b,label\n1,2\0,0\n2,1,1\n",
    "an open quote": b'a,b,label\n"1,2,0\n2,1,1\n',
    "a huge field": b"a,b,label\n1," + b"9" * 200_000 + b",0\n2,1,1\n",
    "nan": b"a,b,label\n1,nan,0\n2,1,1\n",
    "too large": b"a,b,label\n1,1e300,0\n2,1,1\n",
    "a short line": ROWS.encode() + b"1,2\n",
    "one class": b"a,b,label\n1,2,0\n1,3,0\n",
    "no classes": b"a,b,label\n" + b"".join(b"%d,2,%d\n" % (i, i) for i in range(200)),
    "no features": b"label\n0\n1\n",
    "a column twice": b"a,a,label\n1,2,0\n1,2,1\n",
    "semicolons": b"a;b;label\n1;2;0\n",
    "blank lines": b"\n\n\n",
    "a long header": b"a,b," + b"x" * 10_000 + b"\n1,2,0\n2,1,1\n",
    "a long feature": b"a," + b"x" * 20_000 + b",label\n1,2,0\n2,1,1\n",
    "a long class": b"a,b,label\n1,2," + b"x" * 20_000 + b"\n2,1,y\n3,3,y\n4,4,y\n",
    "classes of digits": f"a,b,label\n1,2,{20_000 * '9'}\n2,1,1\n3,1,1\n4,1,1\n".encode(),
    "many columns": (",".join(f"c{i}" for i in range(3000)) + "\n" + ",".join("1" * 3000) + "\n").encode(),
    "compressed": gzip.compress(ROWS.encode()),
}


@pytest.mark.parametrize("name", CSV)
def test_a_table_of_data(qhn, tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.csv").write_bytes(CSV[name])
    refused(qhn("run", "figure-1", *FEW, "--set", "data.file=mine.csv"))


def test_classes_of_more_than_64_bits_are_text(qhn, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(ROWS.replace(",0\n", f",{10**20}\n"))
    result = qhn("run", "figure-1", *FEW, "--set", "data.file=mine.csv", "--set", "data.validation_fraction=0")
    assert result.code == 0
    assert qhn("ensemble").code == 0


def test_a_directory_or_a_pipe_is_no_file(qhn, tmp_path: Path) -> None:
    for name in ("mine.csv", "mine.toml", "mine.npy"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for words in (
        ("run", "mine.toml"),
        ("sweep", "mine.toml"),
        ("run", "figure-1", "--set", "data.file=mine.csv"),
        ("run", "figure-1", "--set", "data.file=pipe.csv"),
        ("evaluate", "figure-1", "--theta", "mine.npy"),
    ):
        result = qhn(*words)
        refused(result)
        assert "is not a file" in result.err


X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])
HUGE = header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 4), }")
NPZ = {
    "empty": b"",
    "half": npz(x=X, label=Y)[:200],
    "no member": zipped(),
    "text": b"hello",
    "an array": npy(X),
    "no classes": npz(x=X),
    "no features": npz(label=Y),
    "two features": npz(x=X, label=Y, z=X),
    "shapes": npz(x=X, label=np.arange(3)),
    "complex": npz(x=1j * X, label=Y),
    "complex classes": npz(x=X, label=1j * Y),
    "text for features": npz(x=X.astype(str), label=Y),
    "objects": npz(x=np.array([[1, None]] * 4, dtype=object), label=Y),
    "nan": npz(x=np.nan * X, label=Y),
    "no classes known": npz(x=X, label=np.array([0, 1, np.nan, 0])),
    "no dates known": npz(x=X, label=np.array(["NaT"] * 2 + ["2021-01-01"] * 2, dtype="M8[D]")),
    "durations": npz(x=X.astype("m8[s]"), label=Y),
    "structures": npz(x=np.zeros((4, 2), dtype=[("a", "i4")]), label=Y),
    "too many": zipped(x=HUGE, label=npy(Y)),
    "a header without a shape": zipped(x=header("{'descr': '<f8'}"), label=npy(Y)),
    "a header without an end": zipped(x=header("(" * 300), label=npy(Y)),
    "another version": zipped(x=b"\x93NUMPY\x09\x00aaaa", label=npy(Y)),
}


@pytest.mark.parametrize("name", NPZ)
def test_arrays_of_data(qhn, tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.npz").write_bytes(NPZ[name])
    refused(qhn("run", "figure-1", *FEW, "--set", "data.file=mine.npz"))


THETA = np.zeros(32)
ANGLES = {
    **{f"empty.{kind}": b"" for kind in ("npy", "npz", "json", "csv", "txt")},
    "half.npy": npy(THETA)[:-9],
    "complex.npy": npy(1j * THETA),
    "text.npy": npy(np.array(["1"] * 32)),
    "objects.npy": npy(np.array([None] * 32)),
    "dates.npy": npy(np.zeros(32, "M8[D]")),
    "nan.npy": npy(np.nan * THETA),
    "wide.npy": npy(np.full(32, np.longdouble("1e4000"))),
    "many.npy": HUGE,
    "header.npy": header("(" * 3000),
    "number.npy": npy(np.zeros(())),
    "cube.npy": npy(np.zeros((2, 2, 32))),
    "archive.npy": npz(a=THETA),
    "two.npz": npz(a=THETA, b=THETA),
    "none.npz": zipped(),
    "array.npz": npy(THETA),
    "digits.json": f"[{DIGITS}]".encode(),
    "endless.json": b"[" * 100_000,
    "nest.json": b"[" * 500 + b"]" * 500,
    "object.json": b"{}",
    "null.json": b"null",
    "ragged.json": b"[[1, 2], [3]]",
    "mixed.json": b'[1, "x"]',
    "infinite.json": b"[1e999]",
    "utf-16.json": json.dumps([0.0] * 32).encode("utf-16"),
    "words.csv": b"a,b\n1,2\n",
    "ragged.csv": b"1,2\n3\n",
    "utf-16.csv": "1,2".encode("utf-16"),
    "comment.csv": b"# nothing\n",
    "zeros.csv": bytes(2),
    "short.csv": b"1,2\n",
    "none.doc": b"",
    "none": b"",
}


@pytest.mark.parametrize("name", ANGLES)
def test_a_file_of_angles(qhn, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(ANGLES[name])
    refused(qhn("evaluate", "figure-1", "--shots", "3", "--theta", name))


@pytest.mark.parametrize("content", [json.dumps([0.0] * 32), ",".join("0" * 32)], ids=["json", "csv"])
def test_angles_with_a_byte_order_mark(qhn, tmp_path: Path, content: str) -> None:
    name = "theta.json" if content.startswith("[") else "theta.csv"
    (tmp_path / name).write_text(content, encoding="utf-8-sig")
    assert qhn("evaluate", "figure-1", "--shots", "3", "--theta", name).code == 0


IMAGES = idx_bytes(np.zeros((20, 28, 28), np.uint8))
LABELS = idx_bytes((np.arange(20) % 2).astype(np.uint8))
PACKED = gzip.compress(IMAGES)
IDX: dict[str, tuple[bytes | None, bytes | None, str]] = {
    "nothing": (None, None, ""),
    "no labels": (IMAGES, None, ""),
    "empty": (b"", b"", ""),
    "half": (IMAGES[:-5], LABELS, ""),
    "half a header": (IMAGES[:7], LABELS, ""),
    "other labels": (IMAGES, idx_bytes(np.full(20, 10, np.uint8)), ""),
    "other shape": (idx_bytes(np.zeros((20, 27, 28), np.uint8)), LABELS, ""),
    "other numbers": (b"\0\0\x0d" + IMAGES[3:], LABELS, ""),
    "fewer labels": (IMAGES, idx_bytes(np.zeros(19, np.uint8)), ""),
    "no images": (idx_bytes(np.zeros((0, 28, 28), np.uint8)), idx_bytes(np.zeros(0, np.uint8)), ""),
    "255 dimensions": (b"\0\0\x08\xff" + b"\xff" * 1100, LABELS, ""),
    "no dimension": (b"\0\0\x08\0\1", LABELS, ""),
    "a huge shape": (b"\0\0\x08\3" + b"\xff" * 12, LABELS, ""),
    "half compressed": (PACKED[:-9], gzip.compress(LABELS), ".gz"),
    "not compressed": (IMAGES, LABELS, ".gz"),
    "compressed without a name": (PACKED, LABELS, ""),
    "damaged": (PACKED[:30] + b"\xff" * 9 + PACKED[39:], gzip.compress(LABELS), ".gz"),
}


@pytest.mark.parametrize("name", IDX)
def test_the_original_files_of_mnist(qhn, tmp_path: Path, name: str) -> None:
    images, labels, ending = IDX[name]
    (tmp_path / "mnist").mkdir()
    for part, content in (("images-idx3", images), ("labels-idx1", labels)):
        if content is not None:
            (tmp_path / "mnist" / f"train-{part}-ubyte{ending}").write_bytes(content)
    refused(qhn("run", "mnist-01", *FEW, "--set", "data.directory=mnist"))


def _drop(name: str) -> Callable[[bytes], bytes]:
    """A change of an ``.npz`` file that leaves out one array."""

    def change(content: bytes) -> bytes:
        with np.load(io.BytesIO(content)) as stored:
            return npz(**{key: stored[key] for key in stored.files if key != name})

    return change


DAMAGE: list[tuple[str, Callable[[bytes], bytes]]] = [
    *(
        (name, change)
        for name in ("config.json", "manifest.json", "outcome.json", "steps.jsonl")
        for change in (
            lambda content: b"",
            lambda content: content[: len(content) // 2],
            lambda content: b"\xff\xfe" + content,
            lambda content: b"[" * 100_000,
            lambda content: b"5",
        )
    ),
    ("manifest.json", lambda content: b'{"sessions": [5]}'),
    ("manifest.json", lambda content: content.replace(b'"versions"', b'"version"')),
    ("manifest.json", lambda content: content.replace(b'"backend"', b'"back"')),
    ("outcome.json", lambda content: b'{"name": null, "message": "x"}'),
    ("checkpoint.npz", lambda content: b""),
    ("checkpoint.npz", lambda content: content[:-100]),
    ("checkpoint.npz", _drop("theta")),
    ("checkpoint.npz", _drop("optimizer_first_moment")),
    ("evaluations.bin", lambda content: content[:-1]),
    ("samples/step-000001.npz", lambda content: b"PK"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps."""
    from qhn.config.file import load_config
    from qhn.run.training import train

    config = load_config("figure-1", {"train.shots": 20, "train.steps": 2, "data.samples": 20})
    training = train(config, results=tmp_path_factory.mktemp("kept"))
    for _ in training:
        pass
    training.close()
    assert training.record is not None
    return training.record.directory


@pytest.mark.parametrize(("name", "change"), DAMAGE, ids=[f"{name} {k}" for k, (name, _) in enumerate(DAMAGE)])
def test_a_damaged_run(qhn, tmp_path: Path, trained: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    directory = tmp_path / "results" / "figure-1" / trained.name
    for words in (("show",), ("resume", "--steps", "3", "-q"), ("replay",), ("evaluate",)):
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(trained, directory)
        (directory / name).write_bytes(change((directory / name).read_bytes()))
        result = qhn(words[0], str(directory), *words[1:])
        if result.code != 0:  # not every verb reads every file
            refused(result)
    assert qhn("list").code == 0


@pytest.mark.parametrize("name", ["timing.jsonl", "best.json", "network.npz", "landscape.npy"])
def test_a_file_that_a_run_can_do_without(qhn, tmp_path: Path, trained: Path, name: str) -> None:
    directory = tmp_path / "results" / "figure-1" / trained.name
    for content in (b"", b"PK\x03\x04", b"{}\n{}\n", b"[" * 100_000):
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(trained, directory)
        (directory / name).write_bytes(content)
        assert qhn("show", str(directory)).code == 0
    assert qhn("resume", str(directory), "--steps", "3", "-q").code == 0


def test_a_calibration_that_was_changed(qhn) -> None:
    words = ("run", "figure-1", "--backend", "fake_manila", "--set", "data.samples=20", *FEW)
    directory = Path(qhn(*words).out.strip())
    (path,) = (directory / "calibration").iterdir()
    path.write_text(path.read_text().replace("num_qubits", "qubits"))
    result = qhn("show", str(directory))
    refused(result)
    assert "calibration" in result.err


@pytest.mark.parametrize(
    ("words", "both"),
    [
        (("--shots", "30", "--set", "train.shots=40"), "--set train.shots=40 and --shots 30 both give train.shots"),
        (("--steps", "3", "--set", "train.steps=3"), "--set train.steps=3 and --steps 3 both give train.steps"),
        (
            ("--set", "train.seed=1", "--set", "train.seed=2"),
            "--set train.seed=1 and --set train.seed=2 both give train.seed",
        ),
        (("--layers", "1", "--set", "ansatz.num_layers=2"), "--layers 1 both give ansatz.num_layers; leave out one"),
    ],
)
def test_a_setting_given_twice_is_refused_by_both_names(qhn: Any, words: tuple[str, ...], both: str) -> None:
    result = qhn("run", "figure-1", *words)
    assert result.code == 2
    assert both in result.err


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qhn.circuit.hypernetwork import product_state
    from qhn.circuit.openqasm import write_files
    from qhn.durable import append
    from qhn.report.plotting import save
    from qhn.report.style import new_figure, write_csv

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    writers: dict[str, Callable[[], object]] = {
        "steps.jsonl": lambda: append(tmp_path / "steps.jsonl", b"a line"),
        "data.csv": lambda: write_csv(tmp_path / "data.csv", {"x": np.arange(3)}),
        "picture.png": lambda: save(new_figure()[0], tmp_path / "picture.png"),
        "chain.qasm": lambda: write_files(product_state(1), "chain", tmp_path),
    }
    for name, write in writers.items():
        with pytest.raises(OSError, match="No space left") as error:
            write()
        assert Path(error.value.filename).name == name


@pytest.mark.parametrize("verb", ["run", "sweep", "landscape", "baseline", "estimate"])
def test_a_directory_or_another_encoding_is_told_with_the_name(qhn: Any, tmp_path: Path, verb: str) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "latin.toml").write_bytes('experiment = "é"'.encode("latin-1"))
    for name, words in (("folder.toml", "is not a file"), ("latin.toml", "is not text in UTF-8: byte 15 is 0xe9")):
        result = qhn(verb, str(tmp_path / name))
        assert result.code == 2
        assert f"{tmp_path / name} {words}" in result.err
