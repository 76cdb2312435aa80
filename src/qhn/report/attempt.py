"""Pictures that are tried: one that fails does not take a page, or the end of a run, with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from qhn.errors import QhnWarning
from qhn.text import in_line


@contextmanager
def attempt(picture: str, failed: str = "the picture {} was not drawn") -> Iterator[None]:
    """Context in which a picture is drawn; if that fails, a warning names the picture and the reason.

    Args:
        picture: name of the picture, such as ``training.png``, or of another file.
        failed: beginning of the warning, with ``{}`` in the place of the name.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     with attempt("costs.png"):
    ...         raise OSError(28, "No space left on device")
    >>> print(caught[0].message)
    the picture costs.png was not drawn: No space left on device
    """
    try:
        yield
    except Exception as error:  # of Matplotlib, its fonts, the disk, or a defect of the drawing
        reason = error.strerror if isinstance(error, OSError) and error.strerror else in_line(error)
        words = reason or type(error).__name__
        warnings.warn(f"{failed.format(picture)}: {words}", QhnWarning, stacklevel=3)
