"""MNIST's original files, as small synthetic ones."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from qhn.config.file import load_config
from qhn.problem.built_in_data import mnist_4x4
from qhn.problem.mnist_files import idx_bytes, read_mnist
from qhn.run.record import load_run
from qhn.run.training import train

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def mnist(tmp_path: Path, rng: np.random.Generator) -> Path:
    """60 training and 20 test images of digits 0 … 4."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, count in (("train", 60), ("t10k", 20)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 5).astype(np.uint8)
        # written from the description of the format, with other code than what reads it
        head = bytes.fromhex("00000803") + count.to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            bytes.fromhex("00000801") + count.to_bytes(4, "big") + labels.tobytes()
        )
    return folder


def pixels(folder: Path, part: str) -> np.ndarray:
    raw = np.frombuffer((folder / f"{part}-images-idx3-ubyte").read_bytes()[16:], np.uint8).reshape(-1, 28, 28)
    rows = [3, 10, 17, 24]
    return raw[:, rows][:, :, rows].reshape(-1, 16) / 255


def test_every_image_of_the_digits_is_there_and_the_test_images_are_for_validation(mnist: Path) -> None:
    data = mnist_4x4((3, 0, 2), directory=mnist)
    labels, held_out = np.arange(60) % 5, np.arange(20) % 5
    np.testing.assert_array_equal(data.x, pixels(mnist, "train")[np.isin(labels, (0, 2, 3))])
    np.testing.assert_array_equal(np.array([3, 0, 2])[data.y.astype(int)], labels[np.isin(labels, (0, 2, 3))])
    np.testing.assert_array_equal(data.x_validation, pixels(mnist, "t10k")[np.isin(held_out, (0, 2, 3))])
    assert data.classes.tolist() == [3, 0, 2]
    assert data.num_classes == 3
    assert data.name == "mnist-4x4 digits 3, 0 and 2"
    part = mnist_4x4((0, 1), directory=mnist, validation_fraction=0.25)
    assert (len(part.y), len(part.y_validation)) == (18, 6)
    (mnist / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(ValueError, match="has no t10k-images-idx3-ubyte"):
        mnist_4x4(directory=mnist)
    (mnist / "t10k-labels-idx1-ubyte").unlink()
    assert not mnist_4x4(directory=mnist).has_validation
    with pytest.raises(ValueError, match="no images of the digit 7"):
        mnist_4x4((0, 7), directory=mnist)


def test_compressed_and_dotted_names_are_the_same_images(mnist: Path) -> None:
    settings = {"data.directory": str(mnist), "data.validation_fraction": 0}
    plain, config = mnist_4x4(directory=mnist), load_config("mnist-01", settings)
    for path in list(mnist.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    np.testing.assert_array_equal(mnist_4x4(directory=mnist).x, plain.x)
    assert load_config("mnist-01", settings).run_id == config.run_id
    for path in list(mnist.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    np.testing.assert_array_equal(mnist_4x4(directory=mnist).x_validation, plain.x_validation)


def test_identity_follows_the_pixels_and_not_the_place(mnist: Path, tmp_path: Path) -> None:
    config = load_config("mnist-01", {"data.directory": str(mnist)})
    assert config.run_id != load_config("mnist-01").run_id
    moved = mnist.rename(tmp_path / "elsewhere")
    file = tmp_path / "mine.toml"
    file.write_text('[data]\nname = "mnist-4x4"\ndirectory = "elsewhere"\n')
    relative = load_config(file)
    assert relative.problem().num_qubits == 17
    assert relative.data.sha256 == config.data.sha256
    assert load_config("mnist-01", {"data.directory": str(moved)}).run_id == config.run_id
    content = bytearray((moved / IMAGES).read_bytes())
    content[16] ^= 1  # a pixel that is not sampled
    (moved / IMAGES).write_bytes(content)
    assert load_config(file).run_id == relative.run_id
    content[16 + 3 * 28 + 3] ^= 1
    (moved / IMAGES).write_bytes(content)
    assert load_config(file).run_id != relative.run_id
    with pytest.raises(ValueError, match="have changed since the run was configured"):
        relative.problem()


def test_a_run_holds_its_images_and_goes_on_without_the_files(mnist: Path, tmp_path: Path) -> None:
    small = {"train.steps": 2, "train.shots": 20, "ansatz.num_layers": 0}
    config = load_config("mnist-01", small | {"data.directory": str(mnist)})
    expected = config.problem().dataset
    training = train(config, results=tmp_path)
    steps = list(training)
    assert training.record is not None
    directory = training.record.directory.rename(training.record.directory.with_name("moved~1"))
    directory = directory.rename(directory.with_name(config.run_id))
    for path in mnist.iterdir():
        path.unlink()
    record = load_run(directory)
    assert record.config.run_id == config.run_id
    data = record.config.problem().dataset
    np.testing.assert_array_equal(data.x, expected.x)
    np.testing.assert_array_equal(data.x_validation, expected.x_validation)
    assert steps[-1].validation is not None
    kept = sorted((directory / "data").iterdir())
    assert sum(path.stat().st_size for path in kept) < 80 * 17 + 100
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in kept)).hexdigest()
    assert record.config.data.sha256 == digest
    assert str(mnist) not in (directory / "config.json").read_text()


def test_idx_bytes_are_read_back(mnist: Path) -> None:
    for name, array in read_mnist(mnist).items():
        (mnist / name).write_bytes(idx_bytes(array))
    again = mnist_4x4(directory=mnist)
    assert again.x.shape == (24, 16)
    assert list(read_mnist(mnist)) == sorted(path.name for path in mnist.iterdir())


WRONG = {
    "cut short": (IMAGES, lambda content: content[:-1], r"has 47,055 bytes, its header .* asks for 47,056; copy"),
    "too long": (LABELS, lambda content: content + b"0", "has 69 bytes"),
    "other numbers": (
        IMAGES,
        lambda content: b"\0\0\x0d" + content[3:],
        "is not an IDX file .* begins with 00 00 0d 03",
    ),
    "a page": (IMAGES, lambda content: b"<html>", "begins with 3c 68 74 6d"),
    "empty": (LABELS, lambda content: b"", "is not an IDX file"),
    "half a header": (LABELS, lambda content: content[:6], "is not an IDX file"),
    "compressed": (LABELS, gzip.compress, "it is compressed, give its name the ending .gz"),
    "labels for images": (IMAGES, lambda content: idx_bytes(np.zeros(60, np.uint8)), r"28×28 pixels, .* shape \[60\]"),
    "other images": (IMAGES, lambda content: idx_bytes(np.zeros((60, 8, 8), np.uint8)), r"shape \[60, 8, 8\]"),
    "letters": (LABELS, lambda content: content[:-1] + b"\x0a", "one label from 0 to 9 an image"),
    "other labels": (LABELS, lambda content: idx_bytes(np.zeros(59, np.uint8)), "60 images, .* 59 labels"),
    "huge": (LABELS, lambda content: b"\0\0\x08\x03" + b"\xff" * 12, "asks for 79,228"),
}


@pytest.mark.parametrize(("name", "change", "message"), WRONG.values(), ids=WRONG)
def test_wrong_files_are_named(mnist: Path, name: str, change, message: str) -> None:
    path = mnist / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=message) as caught:
        load_config("mnist-01", {"data.directory": str(mnist)})
    assert name in str(caught.value)


def test_missing_and_torn_compressed_files_are_named(mnist: Path) -> None:
    content = gzip.compress((mnist / LABELS).read_bytes())
    (mnist / LABELS).unlink()
    with pytest.raises(ValueError, match=r"has no train-labels-idx1-ubyte .* put the original files of MNIST there"):
        load_config("mnist-01", {"data.directory": str(mnist)})
    for torn in (content[:30], b"plain", content[:15] + b"\xff\xff\xff" + content[18:]):
        (mnist / f"{LABELS}.gz").write_bytes(torn)
        with pytest.raises(ValueError, match=r"train-labels-idx1-ubyte.gz cannot be read .*; copy or download"):
            load_config("mnist-01", {"data.directory": str(mnist)})
    with pytest.raises(ValueError, match=r"data directory .*nowhere has no train-images"):
        load_config("mnist-01", {"data.directory": "nowhere"})
