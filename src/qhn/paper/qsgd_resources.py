"""The part of the report on what large models would take: tables, verdicts and published costs beside them."""

from __future__ import annotations

from qhn.carleman.resource_report import (
    PENUEL,
    PRESETS,
    count,
    qubit_table,
    resource_table,
    scaling_rows,
    verdict_in_brief,
)
from qhn.carleman.resources import estimate_resources
from qhn.carleman.verdict import judge
from qhn.paper.claims import Verdict
from qhn.paper.section import Writer

ABSTRACT = "Liu et al. 2024, abstract"
LARGE = ("ResNet-like 7,451,044", "103,000,000")


def resources(page: Writer) -> None:
    """Add to a section what descents of 7 and 103 million parameters would take, under stated assumptions.

    Args:
        page: the section.
    """
    questions = [PRESETS[name] for name in LARGE]
    first = questions[0]
    page.text("### What large models would take")
    page.text(
        "An estimate by formulas of ours, not a simulation. Qubits that hold the history, without ancillas and data "
        "loading:"
    )
    page.table(*qubit_table())
    page.text(
        f"Few qubits are no small cost. Below: N = {first.order}, T = {first.num_steps}, a tenth of the parameters "
        f"read, ε = {first.epsilon:g}, {first.sparsity} terms of each degree in a component of the gradient, κ = "
        f"{first.condition:.3g} extrapolated from dissipative functions of two parameters, no decay, an ideal block "
        "encoding, 1 µs a T gate in sequence against 10¹² classical operations a second. These are assumptions, most "
        "of them in the quantum computer's favour. T gates are counted only under a stated model of data loading; "
        "*classical* is multiply-adds of true descent on the same sparse polynomial."
    )
    page.table(*resource_table(LARGE))
    page.text(
        "What the paper claims of the scaling, beside the queries of this estimate for 7,451,044 parameters. Constants "
        "and powers of log n are not known to us, so that these are leading factors and no counts:"
    )
    page.table(("claim", "leading factor", "what is unknown"), scaling_rows(first))
    page.text(f"{PENUEL}. That is another problem; it is quoted for the order of magnitude of a full count.")
    _judge(page)


def _judge(page: Writer) -> None:
    found = [estimate_resources(PRESETS[name]) for name in LARGE]
    verdicts = [verdict_in_brief(judge(one)) for one in found]
    page.claim(
        ABSTRACT,
        "A quantum enhancement of sparse training is possible early after pruning, for models of 7 to 103 million "
        "parameters",
        Verdict.UNTESTABLE,
        f"the history takes {' and '.join(str(one.system.qubits) for one in found)} qubits, but a download "
        f"{' and '.join(count(one.queries) for one in found)} queries. Under the assumptions above, "
        + " and ".join(dict.fromkeys(verdicts))
        + ", even if a query were a single T gate. An estimate cannot refute what may be; nothing here shows it",
    )
    page.claim(
        ABSTRACT,
        "Cost is O(T² polylog n), and O(T polylog n) if fully dissipative",
        Verdict.UNTESTABLE,
        "lifts have at most 17 parameters here and circuits 4; the growth of κ with T is judged above, that with n is "
        "not, and uploads and downloads of k parameters take at least k operations",
    )
