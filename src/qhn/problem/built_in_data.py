"""The data sets that come with qhn: a seeded mixture of Gaussians, and small images of real digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.problem.datasets import Dataset
from qhn.problem.mnist_files import read_mnist
from qhn.problem.splitting import split
from qhn.table.values import MAX_FEATURE

RED_MEAN = np.array([-1.0, -2.0])
BLUE_MEANS = np.array([[-2.0, 1.0], [1.0, 1.0], [2.0, -2.0]])
MIXTURE_VARIANCE = 0.1
MAX_SAMPLES = 100_000_000  # of a mixture: two numbers each, 1.6 GB


def gaussian_mixture(
    samples: int = 1000, *, seed: int = 1, validation_samples: int = 1000, means_scale: float = 1.0
) -> Dataset:
    """The four-Gaussian task of arXiv:2301.08292: "red" (y = 0) is one Gaussian, "blue" (y = 1) one of three.

    Red is centred at (−1, −2), blue at (−2, 1), (1, 1) or (2, −2) with equal probability; every covariance is 0.1·I;
    a sample is red or blue with probability ½.

    Args:
        samples: number of training samples.
        seed: seed of the training and the validation samples; the training samples do not depend on
            ``validation_samples``.
        validation_samples: number of validation samples, drawn in addition to ``samples``.
        means_scale: factor on the means of all Gaussians; below 1 the classes overlap (the paper's overfitting study).

    Raises:
        ValueError: if ``samples`` is below 1 or ``validation_samples`` below 0, either is above 100 million, or
            ``means_scale`` so large that squares of features overflow.

    >>> gaussian_mixture(5, seed=3).x.shape
    (5, 2)
    """
    if samples < 1:
        raise QhnError(f"samples must be at least 1, got {samples}")
    if validation_samples < 0:
        raise QhnError(f"validation_samples must be at least 0, got {validation_samples}")
    for name, count in (("samples", samples), ("validation_samples", validation_samples)):
        if count > MAX_SAMPLES:
            raise QhnError(f"{name} must be at most {MAX_SAMPLES:,}, got {count:,}")
    if not abs(means_scale) <= MAX_FEATURE:
        raise QhnError(f"means_scale must be a number up to {MAX_FEATURE:g}, got {means_scale:g}")
    training, validation = np.random.SeedSequence(seed).spawn(2)
    x, y = _draw_mixture(samples, means_scale, np.random.default_rng(training))
    x_validation, y_validation = _draw_mixture(validation_samples, means_scale, np.random.default_rng(validation))
    return Dataset(
        x,
        y,
        x_validation,
        y_validation,
        np.array(["red", "blue"]),
        ("x1", "x2"),
        np.zeros(2),
        np.ones(2),
        name="gaussian-mixture",
    )


def _draw_mixture(samples: int, means_scale: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    blue = rng.random(samples) < 0.5
    means = np.where(blue[:, None], BLUE_MEANS[rng.integers(0, 3, samples)], RED_MEAN)
    noise = rng.normal(0.0, np.sqrt(MIXTURE_VARIANCE), (samples, 2))
    return means_scale * means + noise, blue.astype(np.float64)


def mnist_4x4(
    digits: Sequence[int] = (0, 1),
    *,
    directory: str | Path | None = None,
    validation_fraction: float = 0.0,
    seed: int = 1,
) -> Dataset:
    """MNIST digits of 4×4 pixels with values in [0, 1], one class per digit, in the order of ``digits``.

    The bundled images are 500 real MNIST images of each digit, not all of MNIST: see ``data/README.md`` in the package.

    Args:
        digits: two or more different digits, each from 0 to 9.
        directory: a folder with the original MNIST files, read by :func:`qhn.problem.mnist_files.read_mnist`; all their
            images are used, the ``train`` files for training and the ``t10k`` files, if there are any, for validation.
            None takes the bundled images.
        validation_fraction: share of the training images of each class that is held out for validation, in [0, 1). If
            it is above 0, the ``t10k`` files are not used.
        seed: seed of the split into training and validation images.

    Raises:
        ValueError: if the digits are equal or not digits, the fraction is out of range, or a file of MNIST is wrong.
    """
    if directory is None:
        images, labels = _bundled("digits_4x4.npz")
        return _digits("mnist-4x4", images / 255.0, labels, digits, validation_fraction, seed)
    stored = read_mnist(Path(directory))
    images, labels = stored["train-images-idx3-ubyte"], stored["train-labels-idx1-ubyte"]
    data = _digits("mnist-4x4", images / 255.0, labels, digits, validation_fraction, seed)
    if validation_fraction > 0 or "t10k-images-idx3-ubyte" not in stored:
        return data
    images, labels = stored["t10k-images-idx3-ubyte"], stored["t10k-labels-idx1-ubyte"]
    held_out = _digits("mnist-4x4", images / 255.0, labels, digits, 0.0, seed)
    return replace(data, x_validation=held_out.x, y_validation=held_out.y)


def digits_8x8(digits: Sequence[int] = (3, 8), *, validation_fraction: float = 0.0, seed: int = 1) -> Dataset:
    """Handwritten digits of 8×8 pixels with values in [0, 1], one class per digit, in the order of ``digits``.

    The bundled images are scikit-learn's 1,797 of UCI's optical digits: see ``data/README.md`` in the package.

    Args:
        digits: two or more different digits, each from 0 to 9.
        validation_fraction: share of the images of each class that is held out for validation, in [0, 1).
        seed: seed of the split into training and validation images.

    Raises:
        ValueError: if the digits are equal or not digits, or the fraction is out of range.

    >>> digits_8x8((0, 1, 2)).x.shape
    (537, 64)
    """
    images, labels = _bundled("digits_8x8.npz")
    return _digits("digits-8x8", images / 16.0, labels, digits, validation_fraction, seed)


def _bundled(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the bundled images ``[n, rows, columns]`` of a data set and their digits ``[n]``."""
    with resources.files("qhn").joinpath(f"data/{name}").open("rb") as file, np.load(file) as stored:
        return stored["pixels"], stored["digits"]


def _digits(
    name: str, images: Floats, labels: NDArray[np.uint8], digits: Sequence[int], fraction: float, seed: int
) -> Dataset:
    """The data set of the images ``[n, rows, columns]`` whose label is one of ``digits``."""
    if not 2 <= len(set(digits)) == len(digits) or not all(0 <= digit <= 9 for digit in digits):
        raise QhnError(f"digits must be two different digits from 0 to 9, or more, got {list(digits)}")
    missing = [digit for digit in digits if digit not in labels]
    if missing:
        raise QhnError(f"there are no images of the digit {missing[0]}")
    chosen = np.isin(labels, digits)
    rows, columns = images.shape[1:]
    x = images[chosen].reshape(-1, rows * columns)
    y = (labels[chosen][:, None] == np.array(digits)).argmax(axis=1).astype(np.float64)
    training, validation = split(y, fraction, seed)
    return Dataset(
        x[training],
        y[training],
        x[validation],
        y[validation],
        np.array(digits),
        tuple(f"pixel {row + 1},{column + 1}" for row in range(rows) for column in range(columns)),
        np.zeros(rows * columns),
        np.ones(rows * columns),
        image_shape=(rows, columns),
        name=f"{name} digits {', '.join(map(str, digits[:-1]))} and {digits[-1]}",
    )
