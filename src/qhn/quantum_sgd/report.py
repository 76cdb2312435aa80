"""The report on a quantum gradient descent: a page, and figures with their data, in the directory of its record."""

from __future__ import annotations

from pathlib import Path

from qhn import durable
from qhn.quantum_sgd import figures
from qhn.quantum_sgd.loop import QuantumDescent
from qhn.quantum_sgd.page import page
from qhn.quantum_sgd.record import PAGE
from qhn.report.attempt import attempt
from qhn.text import aligned, markdown


def page_of(descent: QuantumDescent) -> str:
    """The page of a descent for a terminal."""
    return page(descent.config, descent.start, descent.segments, descent.outcome, aligned)


def write_report(descent: QuantumDescent) -> list[Path]:
    """Write the page and the figures into the directory of a descent's record.

    Returns:
        The paths of the page and of the figures, except those that could not be drawn, which a warning says; none for a
        descent that is not recorded.

    Raises:
        OSError: if a file cannot be written.
    """
    if descent.record is None:
        return []
    folder, segments = descent.record.directory, descent.segments
    text = "# Quantum gradient descent\n\n" + page(descent.config, descent.start, segments, descent.outcome, markdown)
    durable.replace(folder / PAGE, lambda file: file.write(f"{text}\n".encode()))
    paths = [folder / PAGE]
    if segments:
        with attempt("losses.png"):
            paths.append(figures.losses(folder, segments))
        with attempt("parameters.png"):
            paths.append(figures.parameters(folder, descent.start, segments))
        if all(one.solved for one in segments):
            with attempt("circuits.png"):
                paths.append(figures.circuits(folder, segments))
    return paths
