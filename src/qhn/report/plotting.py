"""Matplotlib as qhn uses it: the same pictures whatever the user's settings, and users' texts shown as themselves.

Every other module takes what it needs of Matplotlib from here, so that a damaged ``matplotlibrc`` in the user's folders
or an unknown ``MPLBACKEND``, which Matplotlib refuses when it is imported, stop no picture.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Literal, ParamSpec, TypeVar

from qhn import durable
from qhn.text import in_line

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
MAX_LABEL = 40  # characters of a user's text in a picture, about as wide as a column
HIDING = "_"  # Matplotlib leaves labels that begin with it out of a legend
UNSEEN = "\N{ZERO WIDTH SPACE}"


@contextmanager
def _without_settings() -> Iterator[None]:
    """A context without the user's settings of Matplotlib, for its import."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    defaults = Path(spec.origin).parent / "mpl-data"
    before = {name: os.environ.get(name) for name in ("MATPLOTLIBRC", "MPLBACKEND")}
    here = Path.cwd() if Path("matplotlibrc").exists() else None  # which Matplotlib prefers to all others
    os.environ["MATPLOTLIBRC"] = str(defaults / "matplotlibrc")
    os.environ.pop("MPLBACKEND", None)
    try:
        if here:
            os.chdir(defaults)
        yield
    finally:
        if here:
            os.chdir(here)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _import_matplotlib() -> None:
    """Import Matplotlib with the user's settings, which other code of the process may need, or if they fail without."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # what is wrong with settings that are not used is no concern
    try:
        try:
            importlib.import_module("matplotlib.figure")
        except ImportError:
            raise
        except Exception:
            for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
                del sys.modules[name]  # what was imported halfway
            with _without_settings():
                importlib.import_module("matplotlib.figure")
    finally:
        log.setLevel(level)


_import_matplotlib()

import matplotlib  # noqa: E402
from matplotlib import colormaps  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.backends.backend_pdf import FigureCanvasPdf  # noqa: E402
from matplotlib.collections import LineCollection  # noqa: E402
from matplotlib.colorbar import Colorbar  # noqa: E402
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, LogNorm, to_rgb  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.text import Text  # noqa: E402
from matplotlib.ticker import FixedFormatter, FuncFormatter, LogLocator, MaxNLocator  # noqa: E402

__all__ = [
    "Axes",
    "Colorbar",
    "Figure",
    "FuncFormatter",
    "Line2D",
    "LineCollection",
    "LinearSegmentedColormap",
    "ListedColormap",
    "LogLocator",
    "LogNorm",
    "MaxNLocator",
    "colormaps",
    "in_own_style",
    "label_of",
    "print_figure",
    "save",
    "to_rgb",
]


def in_own_style(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function that draws a picture, with Matplotlib's default settings in the place of the user's."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with matplotlib.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)  # of settings nobody asked for
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a box stands for it
            defaults = matplotlib.rcParamsDefault
            matplotlib.rcParams.update({key: defaults[key] for key in defaults if not key.startswith("backend")})
            return draw(*args, **kwargs)

    return drawn


def label_of(value: object) -> str:
    """A user's text as a label, a title or a tick of a picture: on one line, without its middle if it is too long.

    >>> label_of("long" * 1000)
    'longlonglonglonglon…onglonglonglonglong'
    """
    text = in_line(value, MAX_LABEL)
    return UNSEEN + text if text.startswith(HIDING) else text


def save(figure: Figure, path: Path) -> Path:
    """Save a figure as PNG, and beside it as PDF for print; no text in it is read as a formula.

    Args:
        figure: the figure.
        path: the PNG file to write.

    Returns:
        The path of the PNG file.
    """
    for text in _texts(figure):
        text.set_parse_math(False)
    durable.replace(path, lambda file: print_figure(figure, file, "png"))
    figure.set_layout_engine("none")  # the panels stay where they were put for the PNG
    durable.replace(path.with_suffix(".pdf"), lambda file: print_figure(figure, file, "pdf"))
    return path


def print_figure(figure: Figure, file: IO[bytes], kind: Literal["png", "pdf"]) -> None:
    """Draw a figure once, and write it to an open binary file.

    ``Figure.savefig`` would draw it twice, the first time for its layout alone.

    Args:
        figure: the figure.
        file: the file, open in binary mode.
        kind: the format of the file.
    """
    if kind == "png":
        FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
    else:
        FigureCanvasPdf(figure).print_pdf(file, metadata={"CreationDate": None})  # type: ignore[no-untyped-call]


def _texts(figure: Figure) -> list[Text]:
    """All texts of a figure but the numbers on its axes, whose powers of ten are formulas."""
    axes = [axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)]
    numbered = [axis for axis in axes if not isinstance(axis.get_major_formatter(), FixedFormatter)]
    numbers = {text for axis in numbered for text in (*axis.get_ticklabels(which="both"), axis.get_offset_text())}
    return [text for text in figure.findobj(Text) if text not in numbers]
