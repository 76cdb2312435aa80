"""Fig. 5: the interactions of qubits that make up the cost."""

from __future__ import annotations

from qhn.config.file import load_config
from qhn.paper.claims import verdict_of
from qhn.paper.lab import Lab
from qhn.paper.pictures import interactions
from qhn.paper.section import Writer
from qhn.problem.cost import networks_of
from qhn.problem.landscape import Landscape, enumerate_costs

TASKS = ("gaussian-activation", "gaussian-width", "mnist-01", "mnist-01-published", "mnist-37-encoding")
HALF = 0.5  # share of the variance
SHOWN = 5  # orders of interaction in the table


def figure_5(lab: Lab) -> Writer:
    """The section on Fig. 5, with W(S) of all tasks and their landscapes."""
    page = Writer("Fig. 5: interactions W(S) of all tasks")
    page.text(
        "W(S) (Eq. 9) is the sum of the squared Walsh–Fourier coefficients of C over sets of S qubits. Shares of the "
        "variance of C, computed from all costs; the signs of σ_z, on which the text is inconsistent, do not matter."
    )
    landscapes, names = {}, {}
    for task in TASKS:
        data = {"data.directory": str(lab.mnist)} if lab.mnist and task.startswith("mnist") else {}
        problem = networks_of(load_config(task, data).problem())
        landscapes[task] = Landscape(enumerate_costs(problem))
        names[task] = f"{task} ({len(problem.dataset.y):,} samples)"
    shares = {task: found.walsh_weights[1:] / found.walsh_weights[1:].sum() for task, found in landscapes.items()}
    page.picture(
        lambda: interactions(lab.folder / "figure-5.png", {names[task]: share for task, share in shares.items()}),
        "Share of the variance of C that interactions of S qubits make up.",
    )
    head = ["task", "qubits", *(f"S = {size}" for size in range(1, SHOWN + 1)), "C*", "fold", "one-flip minima"]
    rows = []
    for task, found in landscapes.items():
        cells = [f"{share:.4f}" for share in shares[task][:SHOWN]]
        minima = len(found.local_minima)
        rows.append([names[task], found.num_qubits, *cells, f"{found.optimum:.6f}", found.degeneracy, minima])
    page.table(head, rows)
    decays = {task: float(share[:4].sum()) for task, share in shares.items()}
    page.claim(
        "Fig. 5",
        "The cost is dominated by interactions of few qubits",
        verdict_of(min(decays.values()) > 0.9),
        "share of S ≤ 4: " + ", ".join(f"{task} {share:.3f}" for task, share in decays.items()),
    )
    firsts = {task: float(share[0]) for task, share in shares.items()}
    digits = [share for task, share in firsts.items() if task.startswith("mnist")]
    gaussian = [share for task, share in firsts.items() if task.startswith("gaussian")]
    page.claim(
        "Fig. 5",
        "The digits are mostly a sum over single qubits, the Gaussian tasks are not",
        verdict_of(min(digits) > HALF > max(gaussian)),
        "share of S = 1: " + ", ".join(f"{task} {share:.3f}" for task, share in firsts.items()),
    )
    return page
