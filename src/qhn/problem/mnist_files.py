"""The original MNIST files: arrays of bytes in the IDX format, read, checked, and sampled down to 4×4 pixels.

An IDX file is two zero bytes, the type of its numbers (8 for unsigned bytes), the number of dimensions, each dimension
as four bytes, most significant first, and the numbers.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from qhn import limits
from qhn.errors import QhnError
from qhn.limits import open_file

AGAIN = "; copy or download it again"
UnsignedBytes = NDArray[np.uint8]
PARTS = ("t10k", "train")  # MNIST's names of its test and its training images
SUFFIXES = ("images-idx3-ubyte", "labels-idx1-ubyte")


def read_mnist(directory: Path) -> dict[str, UnsignedBytes]:
    """Read a folder of MNIST files: images of 4×4 pixels and labels of all digits, by the original file names.

    The names are ``train-images-idx3-ubyte``, ``uint8[n, 4, 4]``, ``train-labels-idx1-ubyte``, ``uint8[n]``, and, if
    the folder has them, the two of ``t10k``; they are in alphabetical order. Files may end in ``.gz``, or have a dot
    before ``idx``. The pixels are ``image[3::7, 3::7]`` of the 28×28; images that already have 4×4 pixels are not
    changed.

    Raises:
        ValueError: if a file is missing, damaged, or not what its name says; the message names it.
    """
    found = {}
    for part in PARTS:
        paths = [_find(directory, f"{part}-{suffix}") for suffix in SUFFIXES]
        if part == "t10k" and paths == [None, None]:
            continue
        for suffix, path in zip(SUFFIXES, paths, strict=True):
            if path is None:
                raise QhnError(
                    f"data directory {directory} has no {part}-{suffix} (nor the same with .gz); put the original "
                    "files of MNIST there"
                )
            array = read_idx(path)
            if suffix == SUFFIXES[0] and array.shape[1:] not in ((28, 28), (4, 4)):
                raise QhnError(f"{path} must hold images of 28×28 pixels, got an array of shape {list(array.shape)}")
            if suffix == SUFFIXES[1] and (array.ndim != 1 or array.max(initial=0) > 9):
                raise QhnError(f"{path} must hold one label from 0 to 9 an image, got shape {list(array.shape)}")
            found[f"{part}-{suffix}"] = array[:, 3::7, 3::7] if array.shape[1:] == (28, 28) else array
        images, labels = (len(found[f"{part}-{suffix}"]) for suffix in SUFFIXES)
        if images != labels:
            raise QhnError(f"{paths[0]} holds {images} images, {paths[1]} {labels} labels; one of them is another's")
    return found


def _find(directory: Path, name: str) -> Path | None:
    """The file of the given name or of one of its variants, or None if there is none."""
    variants = [name, name.replace("-idx", ".idx")]
    paths = [directory / f"{variant}{ending}" for variant in variants for ending in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def read_idx(path: Path) -> UnsignedBytes:
    """Read the array of an IDX file of unsigned bytes, which may be compressed by gzip.

    Raises:
        ValueError: if the file is not an IDX file of unsigned bytes, or is incomplete.
    """
    try:
        with open_file(path) as file:
            if path.suffix != ".gz":
                return _read_array(path, file, os.fstat(file.fileno()).st_size)
            with gzip.open(file) as unpacked:
                return _read_array(path, unpacked, None)
    except (OSError, EOFError, zlib.error) as error:  # gzip raises all three
        raise QhnError(f"{path} cannot be read ({error}){AGAIN}") from None


def _read_array(path: Path, file: IO[bytes] | gzip.GzipFile, size: int | None) -> UnsignedBytes:
    """The array of an open IDX file, whose bytes are read only if the header asks for as many as there may be.

    Args:
        path: path of the file, for messages.
        file: the open file.
        size: number of bytes in the file; None if it is compressed, and they are unknown until they are read.
    """
    start = file.read(4)
    num_dimensions = start[3] if len(start) > 3 else 0
    dimensions = file.read(4 * num_dimensions)
    if start[:3] != b"\0\0\x08" or len(dimensions) < 4 * num_dimensions:
        hint = "; it is compressed, give its name the ending .gz" if start[:2] == b"\x1f\x8b" else AGAIN
        raise QhnError(f"{path} is not an IDX file of unsigned bytes: it begins with {start.hex(' ')}{hint}")
    if num_dimensions not in (1, 3):
        raise QhnError(f"{path} has {num_dimensions} dimensions; MNIST's labels have 1 and its images 3{AGAIN}")
    shape = tuple(np.frombuffer(dimensions, ">u4").astype(int).tolist())
    header, expected = 4 + len(dimensions), math.prod(shape)
    if size is None:
        limits.BYTES.check(expected, f"{path} has a header of shape {list(shape)} for", "bytes")
        content = file.read(expected + 1)
        found = f"more than {expected + header:,}" if len(content) > expected else f"{len(content) + header:,}"
    else:
        content = file.read(expected) if size == header + expected else b""
        found = f"{size:,}"
    if len(content) != expected or size not in (None, header + expected):
        raise QhnError(
            f"{path} has {found} bytes, its header of shape {list(shape)} asks for {header + expected:,}{AGAIN}"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def idx_bytes(array: UnsignedBytes) -> bytes:
    """The content of the IDX file that holds the given array.

    >>> idx_bytes(np.array([[1, 2, 3]], dtype=np.uint8)).hex(" ")
    '00 00 08 02 00 00 00 01 00 00 00 03 01 02 03'
    """
    return b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
