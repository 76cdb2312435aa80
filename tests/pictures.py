"""Pictures that are not drawn: drawing takes three quarters of the time of a run of four qubits.

``python tests/pictures.py …`` is ``qhn …`` without drawing, for tests that need a process of its own.
"""

from __future__ import annotations

import base64
import signal
import sys
from pathlib import Path
from typing import IO

from matplotlib.figure import Figure
from matplotlib.image import imread

from qhn.report import plotting

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
BLANK = {"png": base64.b64decode(_PIXEL), "pdf": b"%PDF-1.4\n%%EOF\n"}


def print_blank(figure: Figure, file: IO[bytes], kind: str) -> None:
    """In the place of ``plotting.print_figure``: one white pixel, or a PDF without a page.

    All that would be drawn has been put together by then, and the data behind it are written as ever.
    """
    file.write(BLANK[kind])


def is_drawn(path: Path) -> bool:
    """Whether something stands in a picture, and in its PDF; never without the mark ``pictures``."""
    pixels = imread(path)
    shows = pixels.shape[0] > 100 and pixels.std() > 0.01
    return shows and b"/Type /Page " in path.with_suffix(".pdf").read_bytes()


def command(*words: str) -> list[str]:
    """``qhn`` without drawing, as a process of its own."""
    return [sys.executable, __file__, *words]


if __name__ == "__main__":
    from qhn.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it would be ignored
    plotting.print_figure = print_blank
    main()
