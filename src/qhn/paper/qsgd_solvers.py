"""The part of the report on quantum linear solvers: pictures, tables and claims."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from qhn.carleman.qsvt import ENCODINGS
from qhn.paper import solver_errors, solver_pictures
from qhn.paper.claims import verdict_of
from qhn.paper.lab import Lab
from qhn.paper.qsgd_plan import QSGD
from qhn.paper.section import Writer
from qhn.paper.solver_errors import COUNTED, EPSILONS, REHEARSAL, REHEARSAL_SHOTS, SYSTEMS, Solution, selected

SUMMARY, OURS = "Liu et al. 2024, summaries", "our own"
SHOWN = (0.1, 0.01, 1e-4)  # errors asked of QSVT that the table shows
SHOWN_PHASE_QUBITS = (5, 7, 9)


def solvers(page: Writer, lab: Lab) -> None:
    """Add to a section what the solvers' circuits do on histories of a lifted descent.

    Args:
        page: the section.
        lab: the workers and folders.
    """
    found = [one for part in lab.map(solver_errors.solutions_of, list(SYSTEMS), "linear systems") for one in part]
    page.text("### Quantum linear solvers")
    page.text(
        "The history of the quartic function above, from a displacement of 0.3, as a linear system of 8 unknowns "
        "(N = 1, T = 3), 32 (N = 2, T = 3) and 64 (N = 2, T = 7). Circuits are simulated gate by gate as state vectors "
        "without shots, and compared with forward substitution, **which solves the same system by T products of a "
        "matrix of 2 or 5 rows with a vector**. α "
        "is the factor by which a block encoding divides the matrix; the degree grows with α‖A⁻¹‖."
    )
    page.picture(
        lambda: solver_pictures.solver_errors(lab.folder / "qsgd-solvers.png", found),
        "Error of QSVT by the degree of its polynomial, and of HHL by its phase qubits; probability that QSVT's "
        f"ancillas are all measured 0. QSVT was asked for errors from {EPSILONS[0]:g} to {EPSILONS[-1]:g}. Systems of "
        "8 and 32 unknowns have the same κ, and the same errors.",
    )
    _table(page, found)
    _judge(page, found)
    _small(page)


def _table(page: Writer, found: Sequence[Solution]) -> None:
    rows = [
        (
            one.num_unknowns,
            f"{one.kappa:.3g}",
            f"{one.method.upper()}, {one.encoding}",
            f"ε = {one.asked:g}" if one.method == "qsvt" else f"{one.asked:g} phase qubits",
            one.qubits,
            f"{one.subnormalisation:.3g}",
            f"{one.queries:,}",
            "–" if one.gates is None else f"{one.gates:,}",
            f"{one.success:.2f}",
            f"{one.error:.1e}",
            f"{one.bound:.1e}",
        )
        for one in found
        if one.asked in (SHOWN if one.method == "qsvt" else SHOWN_PHASE_QUBITS)
    ]
    head = ("unknowns", "κ", "solver", "asked", "qubits", "α", "queries", "CX", "success", "error", "bound")
    page.table(head, rows)


def _judge(page: Writer, found: Sequence[Solution]) -> None:
    qsvt = [one for one in found if one.method == "qsvt"]
    page.claim(
        SUMMARY,
        "A quantum linear solver yields the history of a linearised descent",
        verdict_of(all(one.error <= one.asked for one in qsvt)),
        f"QSVT stayed within the error that was asked for in {sum(one.error <= one.asked for one in qsvt)} of "
        f"{len(qsvt)} cases (largest ratio {max(one.error / one.asked for one in qsvt):.2f}), on {len(SYSTEMS)} "
        "systems of one function, simulated",
    )
    by_bits = {bits: [one for one in found if one.method == "hhl" and one.asked == bits] for bits in SHOWN_PHASE_QUBITS}
    largest = {bits: max(one.error for one in those) for bits, those in by_bits.items()}
    trend = [selected(found, size, "evolution") for size in sorted({one.num_unknowns for one in found})]
    rises = sum(after.error > before.error for those in trend for before, after in itertools.pairwise(those))
    page.claim(
        OURS,
        f"HHL, the cross-check, agrees within {QSGD.hhl:.0%} at 9 phase qubits",
        verdict_of(largest[9] <= QSGD.hhl),
        "largest error of the systems "
        + ", ".join(f"{error:.1e} at {bits}" for bits, error in largest.items())
        + f" phase qubits; one more phase qubit made the error larger in {rises} of "
        f"{sum(len(those) - 1 for those in trend)} cases: it depends on where the singular values lie between bins",
    )
    degrees = {size: [one.degree for one in selected(found, size, "dilation")] for size in (8, 32)}
    page.claim(
        OURS,
        "The degree depends on κ and ε, and not on the number of unknowns",
        verdict_of(degrees[8] == degrees[32]),
        f"8 and 32 unknowns with κ = 3.8 took degrees {', '.join(map(str, degrees[8]))} and "
        f"{', '.join(map(str, degrees[32]))}. What a query costs is another matter",
    )
    gates = {one: [_gates(found, size, one) for size in (8, 64)] for one in ENCODINGS}
    page.claim(
        OURS,
        "The structured encoding takes fewer gates than the dilation, a dense matrix, once there are more unknowns",
        verdict_of(gates["structured"][1] < gates["dilation"][1]),
        f"CX with ε = {COUNTED:g} from 8 to 64 unknowns: "
        + ", ".join(f"{name} {few:,} → {many:,}" for name, (few, many) in gates.items())
        + "; its block, the lift of one step, is dense in both",
    )


def _gates(found: Sequence[Solution], num_unknowns: int, encoding: str) -> int:
    """The CX of a system's circuit with an encoding."""
    return next(one.gates for one in selected(found, num_unknowns, encoding) if one.gates is not None)


def _small(page: Writer) -> None:
    """Add the smallest circuit, without noise and on a rehearsed device."""
    small = solver_errors.small_circuits()
    segment = solver_errors.rehearsed()
    solved, read = segment.solved, segment.read
    assert solved is not None
    assert read is not None
    page.text(
        "The smallest circuit, one step of one parameter of the digits (N = 1, T = 1), is the only one that fits a "
        "QPU of today. *Shortest* is what the compiler makes of the product of the matrices, which is no longer the "
        "algorithm's sequence of queries, and grows with the qubits alone:"
    )
    rows = [
        (
            f"{one.epsilon:g}",
            one.qubits,
            one.degree,
            one.gates,
            one.shortest,
            f"{one.success:.2f}",
            f"{100 * one.error:.2g} %",
        )
        for one in small
    ]
    page.table(("ε", "qubits", "degree", "CX", "shortest", "success", "error of the update, exact amplitudes"), rows)
    update, true = (segment.after[0] - segment.before[0], segment.beside.true[0] - segment.before[0])
    page.text(
        f"On a rehearsal of {REHEARSAL} with {REHEARSAL_SHOTS:,} shots (one run of two circuits, degree "
        f"{solved.degree}, {solved.two_qubit_gates} two-qubit gates, as the compiler shortens them) the update was "
        f"{update:.4f} ± {read.std_error[0]:.4f}, by true descent {true:.4f}. "
        + (f"The download complains: {'; '.join(read.complaints)}." if read.complaints else "")
    )
