"""Pictures: the same whatever the user's settings of Matplotlib, and users' texts in them as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Literal

import matplotlib
import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from pictures import is_drawn
from qhn.errors import QhnWarning
from qhn.problem.landscape import Landscape
from qhn.report import figures, plotting
from qhn.report.attempt import attempt
from qhn.report.plotting import Figure, label_of
from qhn.report.style import label_colorbar, one_panel

DRAW = """
import sys
from pathlib import Path
from qhn.problem.landscape import Landscape
from qhn.report.figures import density_of_states
import numpy as np
density_of_states(Path(sys.argv[1]), Landscape(np.arange(1024.0) ** 2))
"""
DAMAGED = b"\xff\xfe not text"
SETTINGS = (
    b"text.usetex: True\nfont.size: 30\nsavefig.bbox: tight\naxes.facecolor: red\nlines.linewidth: 9\nbackend: Nope\n"
)


def drawn(folder: Path, **environment: str) -> bytes:
    """The picture that a process of its own draws, with another working directory and environment."""
    place = folder / "drawn"
    place.mkdir(exist_ok=True)
    environment = {**os.environ, "PATH": "/usr/bin:/bin", **environment}
    done = subprocess.run([sys.executable, "-c", DRAW, str(place)], cwd=folder, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return (place / "density.png").read_bytes()


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return drawn(tmp_path_factory.mktemp("usual"), MATPLOTLIBRC=str(tmp_path_factory.mktemp("none")), MPLBACKEND="")


@pytest.mark.parametrize("content", [DAMAGED, SETTINGS, b"nonsense\nno.such.key: 3\nfont.size: huge\n"])
@pytest.mark.parametrize("place", ["variable", "working directory"])
def test_settings_of_the_user_do_not_matter(content: bytes, place: str, usual: bytes, tmp_path: Path) -> None:
    folder = tmp_path if place == "working directory" else tmp_path / "home"
    folder.mkdir(exist_ok=True)
    (folder / "matplotlibrc").write_bytes(content)
    assert drawn(tmp_path, MATPLOTLIBRC=str(tmp_path / "home" / "matplotlibrc")) == usual


@pytest.mark.parametrize("backend", ["TkAgg", "no such backend", "module://nowhere", "svg"])
def test_the_backend_of_the_user_does_not_matter(backend: str, usual: bytes, tmp_path: Path) -> None:
    assert drawn(tmp_path, MPLBACKEND=backend) == usual


def test_a_folder_of_settings_that_cannot_be_written_does_not_matter(usual: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert drawn(tmp_path, MPLCONFIGDIR=str(tmp_path / "file"), HOME="/nowhere") == usual


def test_settings_of_the_process_stay_as_they_were(tmp_path: Path) -> None:
    with matplotlib.rc_context({"font.size": 31.0}):
        before = dict(matplotlib.rcParams)
        figures.density_of_states(tmp_path, Landscape(np.arange(8.0)))
        assert dict(matplotlib.rcParams) == before


TEXTS = [
    "$x$ costs $5",
    "$",
    r"a\$b$c$",
    r"$\frac{$",
    "_hidden",
    "__",
    "a_b^c",
    r"\alpha{}%#&~",
    "<script>alert(1)</script>",
    "[red]x[/red]",
    "\x1b[31mred",
    "two\nlines",
    "\u202eevil",
    "שלום عالم",
    "9" * 5000,
    "",
    "a\x00b",
    "{}{0}%s",
    "中文 😀",
]
SHOWN = {"\x1b[31mred": r"\x1b[31mred", "two\nlines": r"two\nlines", "\u202eevil": r"\u202eevil", "a\x00b": r"a\x00b"}
SHOWN |= {"9" * 5000: "9" * 19 + "…" + "9" * 19}


@pytest.mark.pictures
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_any_text_is_drawn_as_itself(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from qhn.problem.built_in_data import gaussian_mixture
    from qhn.problem.network import Network

    seen: list[str] = []
    print_it = plotting.print_figure

    def print_figure(figure: Figure, file: IO[bytes], kind: Literal["png", "pdf"]) -> None:
        print_it(figure, file, kind)
        seen.extend(shown._preprocess_math(shown.get_text()) for shown in figure.findobj(Text))

    monkeypatch.setattr(plotting, "print_figure", print_figure)
    data = replace(gaussian_mixture(20), classes=np.array([text, "other"]), feature_names=(text, "x2"), name="any")
    network = Network((np.ones((2, 1)),), (np.ones(1),), "sigmoid", (-1.0, 1.0), mean=np.zeros(2), scale=np.ones(2))
    figures.decision_boundary(tmp_path / "x.png", network, data, "title", points=10)
    expected = SHOWN.get(text, text)
    once = [words.removeprefix("\N{ZERO WIDTH SPACE}") for words, is_math in seen if not is_math]
    wanted = 2 if text else 0  # in the legend, unless it is empty, and on the axis; in PNG and PDF
    assert once.count(expected) >= 2 * wanted


@pytest.mark.parametrize("text", ["_", "$", "\n" * 100, "x" * 5000])
def test_a_label_is_short_and_on_one_line(text: str) -> None:
    assert len(label_of(text)) <= 41
    assert "\n" not in label_of(text)


def test_a_picture_that_fails_is_a_warning_with_its_name_and_the_reason() -> None:
    with pytest.warns(QhnWarning, match="^the picture x.png was not drawn: latex was not found$"), attempt("x.png"):
        raise RuntimeError("latex was not found")
    with pytest.warns(QhnWarning, match="the picture x.png was not drawn: MemoryError"), attempt("x.png"):
        raise MemoryError
    with pytest.raises(KeyboardInterrupt), attempt("x.png"):
        raise KeyboardInterrupt


@pytest.mark.pictures
@pytest.mark.parametrize("has_bar", [False, True])
def test_a_figure_is_laid_out_once_and_its_png_is_that_of_matplotlib(
    has_bar: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn() -> Figure:
        figure, axes = one_panel()
        image = axes.imshow(np.arange(6).reshape(2, 3))
        axes.set_ylabel("two rows")
        if has_bar:
            label_colorbar(figure.colorbar(image, ax=axes), "number")
        return figure

    expected = tmp_path / "expected.png"
    drawn().savefig(expected)
    layouts = []
    execute = ConstrainedLayoutEngine.execute
    monkeypatch.setattr(
        ConstrainedLayoutEngine, "execute", lambda engine, figure: layouts.append(figure) or execute(engine, figure)
    )
    plotting.save(drawn(), tmp_path / "x.png")
    assert len(layouts) == 1
    assert (tmp_path / "x.png").read_bytes() == expected.read_bytes()
    assert is_drawn(tmp_path / "x.png")


def test_the_boundary_of_encoded_columns_is_that_of_their_features(tmp_path: Path) -> None:
    from qhn.problem.cost import BinnProblem
    from qhn.problem.datasets import Dataset
    from qhn.problem.search_space import SearchSpace

    ages = [31.0, None, 40.0, 52.0]
    x = {"age": ages, "sex": ["f", "m", "m", "f"]}
    data = Dataset.from_arrays(x, [0, 1, 0, 1], impute="mean", validation_fraction=0)
    network = BinnProblem(SearchSpace(2), data, "mse").network([1, 0, 1])
    figures.decision_boundary(tmp_path / "x.png", network, data, "title", points=5)
    with np.load(tmp_path / "x.npz") as drawn:
        np.testing.assert_allclose(drawn["samples"], [[31, 0], [41, 1], [40, 1], [52, 0]])
        weights, bias = network.weights[0][:, 0], network.biases[0]
        z = [[(weights / data.scale) @ ([a, b] - data.mean) + bias[0] for a in drawn["x"]] for b in drawn["y"]]
        np.testing.assert_allclose(drawn["output"], 1 / (1 + np.exp(-np.array(z))), rtol=1e-12)
