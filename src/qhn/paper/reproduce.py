"""The paper's experiments, all or some of them, and the report on their results."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from qhn import durable
from qhn.errors import QhnError
from qhn.lock import Lock
from qhn.paper import (
    beyond,
    controls,
    depth,
    digits,
    dynamics,
    frugal,
    interactions,
    look_ahead,
    method,
    noise,
    objectives,
    overfitting,
    plateaus,
    prediction,
    qsgd,
    search,
)
from qhn.paper.claims import Claim, Verdict
from qhn.paper.lab import Lab
from qhn.paper.section import Section, Writer, short
from qhn.text import did_you_mean, markdown

PARTS: dict[str, Callable[[Lab], Writer]] = {  # in the order of the report
    "method": method.method,
    "2": depth.figure_2,
    "3": depth.figure_3,
    "4": digits.figure_4,
    "5": interactions.figure_5,
    "6": overfitting.figure_6,
    "objectives": objectives.objectives,
    "encoding": digits.encoding,
    "search": search.equal_evaluations,
    "beyond": beyond.beyond_enumeration,
    "training": dynamics.training,
    "data-sets": dynamics.data_sets,
    "controls": controls.controls,
    "initial": dynamics.initial,
    "plateaus": plateaus.plateaus,
    "noise": noise.noise,
    "frugal": frugal.frugal,
    "look-ahead": look_ahead.looking_ahead,
    "prediction": prediction.prediction,
    "qsgd": qsgd.qsgd,
}
BY_NAME = ("frugal", "look-ahead", "prediction", "qsgd")  # long parts beyond the paper, done only if they are named
HEAD = """# Quantum hypernetworks: the experiments of arXiv:2301.08292, run again

A referee's report on *Quantum HyperNetworks: Training Binary Neural Networks in Quantum Superposition* (Carrasquilla et
al.). Every number here was computed by `qhn reproduce`; the data of every picture is in the CSV or NPZ file beside it.

The idea has an ancestor in Nikoloska and Simeone (arXiv:2203.17089, 2022), Born machines over the weights of binary
Bayesian networks, and a successor in Nepote et al. (arXiv:2506.05888, 2025), which adds a prior to E.

How to read it:

- Everything in the paper is exact simulation without shots, and so it is here, unless a section says otherwise.
- `eq5` is the order of gates in a block that Eq. 5 and Fig. 1 of the text define: RZ, RY, CX in time. `authors` is that
  of the authors' program: CX, RY, RZ. They are different circuits with different results.
- Rates have 95 % Wilson intervals, differences of rates 95 % Newcombe intervals, both each on its own. A claim on
  rates is *reproduced* if its difference, or distance from a share, is significant; *not decided* if it is within the
  error; reproduced *only* in one order of gates if it is refuted in the other, or significantly larger in the one; and
  *not reproduced* if it is refuted in one order and not shown in the other.
- Claims belong to families of tests. A verdict is corrected for the number of tests in its family (Holm), so that with
  95 % all verdicts of a family are right; *uncorrected* is what each test says alone. Families are not corrected for
  one another.
- Differences between the orders of gates are computed directly: the product state is the same runs in both.
- Thresholds, margins and numbers of starts were fixed before looking, unless a part says otherwise; each prints its
  own. The paper's own thresholds stand beside ours where they differ.
- In tables, *fold* is the number of optimal networks; *gradients* are evaluations of E with its gradient, until a start
  succeeds with failed starts included; ∞ means that none did; the product state has the same rates in both orders,
  since it is the same circuit.
- "Success" is E(θ) − C* < ε for the mean E over the trained distribution, not for its best sample.
- Circuits share the seeds of their starts. Verdicts rest on intervals that take circuits for independent; in Figs. 2,
  3 and 4 those of the same differences paired by start stand beside them.
- One data set stands behind Figs. 2 and 3; the section on data sets says how much another would change.
- Nothing here is a quantum advantage: the circuits are simulated classically, and classical searches stand beside
  them.
"""


def reproduce(lab: Lab, names: Sequence[str] = ()) -> list[Path]:
    """Run some parts, or all of them, and write the report of all that has been done; return its paths.

    Args:
        lab: the workers, folders and data.
        names: names of ``PARTS``; all parts but those of ``BY_NAME`` if none is given.

    Raises:
        ValueError: if a name is unknown, or another process writes the report.
        BackendError: if a training failed.
    """
    for name in names:
        if name not in PARTS:
            hint = did_you_mean(name, PARTS, otherwise=f"there are {', '.join(PARTS)}")
            raise QhnError(f"unknown part {name!r} of the paper; {hint}")
    paths: list[Path] = []
    with Lock(lab.folder):
        durable.clear_abandoned(lab.folder)
        folder = durable.subfolder(lab.folder / "sections")
        for name in names or [name for name in PARTS if name not in BY_NAME]:
            started = time.monotonic()
            written = PARTS[name](lab)
            section = written.section(round(time.monotonic() - started, 1), lab.setting)
            durable.replace(folder / f"{name}.json", lambda file: file.write(section.to_json().encode()))  # noqa: B023
            paths = write_report(lab.folder)  # after each part, so that one who stops here has it
            lab.say(f"{section.title}: {section.seconds:.0f} s", last=True)
    return paths


def write_report(folder: Path) -> list[Path]:
    """Write ``report.md``, ``report.html`` and ``claims.json`` from the sections in a folder; return their paths."""
    sections = {
        name: section for name in PARTS if (section := _read_section(folder / "sections" / f"{name}.json")) is not None
    }
    claims = [claim for section in sections.values() for claim in section.claims]
    missing = [name for name in PARTS if name not in sections and name not in BY_NAME]
    partial = [f"**Not all parts have been done; missing: {', '.join(missing)}.**"] if missing else []
    bodies = [section.markdown() for section in sections.values()]
    text = "\n\n".join([HEAD.strip(), *partial, _summary(claims), *bodies, _times(sections)])
    paths = [folder / "report.md", folder / "report.html", folder / "claims.json"]
    tree = [vars(claim) for claim in claims]
    contents = [text + "\n", as_html(text, folder), json.dumps(tree, indent=1, ensure_ascii=False) + "\n"]
    for path, content in zip(paths, contents, strict=True):
        durable.replace(path, lambda file: file.write(content.encode()))  # noqa: B023 – called at once
    return paths


def _read_section(path: Path) -> Section | None:
    """The section in a file; None if there is none.

    Raises:
        QhnError: if the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return Section.from_json(path.read_text(encoding="utf-8"))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise QhnError(f"{path} is damaged ({type(error).__name__}); delete it, and do its part again") from None


def _summary(claims: Sequence[Claim]) -> str:
    """The number of claims with each verdict, and all claims, in Markdown."""
    counts = [(verdict, sum(claim.verdict is verdict for claim in claims)) for verdict in Verdict]
    rows = [(str(verdict), count) for verdict, count in counts if count]
    head = ("where", "claim", "verdict", "uncorrected")
    tables = [markdown(("verdict", "claims"), rows), markdown(head, [short(claim) for claim in claims])]
    return "\n\n".join(["## All claims", *tables, "The evidence stands in the sections below."])


def _times(sections: dict[str, Section]) -> str:
    rows = [(name, s.title, s.setting, f"{s.seconds:,.0f}") for name, s in sections.items()]
    lines = ["## Time", "Seconds of the last time each part was done; what was finished before is not done again."]
    versions = ", ".join(f"{name} {version(name)}" for name in ("qhn", "numpy", "scipy", "numba", "qiskit"))
    used = (
        f"Python {platform.python_version()}, {versions}. Starts have the seeds 0, 1, …; `qhn reproduce` does "
        f"it all, {', '.join(BY_NAME)} by name only."
    )
    return "\n\n".join([*lines, markdown(("part", "section", "as", "seconds"), rows), used])


def as_html(text: str, folder: Path) -> str:
    """A Markdown report as one HTML file that includes its pictures."""
    import base64
    import re

    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)

    def embed(match: re.Match[str]) -> str:
        if not (folder / match[1]).is_file():  # of a section that was written earlier
            return match[0]
        picture = base64.b64encode((folder / match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{picture}"'

    body = re.sub(r'src="([^":]+\.png)"', embed, body)
    head = f'<head><meta charset="utf-8"><title>{TITLE}</title>{STYLE}</head>'
    return f'<!doctype html>\n<html lang="en">{head}\n<body>\n{body}</body></html>\n'


TITLE = "Quantum hypernetworks, reproduced"
STYLE = (
    "<style>body{font:16px/1.5 sans-serif;max-width:64em;margin:2em auto;padding:0 1em}table{border-collapse:collapse;"
    "font-size:14px}td,th{border:1px solid #ccc;padding:.25em .5em;text-align:left;vertical-align:top}"
    "img{max-width:100%}</style>"
)
