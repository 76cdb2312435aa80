"""Time of one exact gradient against the number of qubits and of layers, all contenders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

COLORS = {
    "qhn, one initialisation": "#0072b2",
    "qhn, batch of 200": "#56b4e9",
    "qhn, circuit left whole": "#009e73",
    "qhn, gate by gate as any circuit": "#66c2a5",
    "lightning.qubit adjoint": "#d55e00",
    "qulacs backpropagation": "#e69f00",
    "tensorcircuit-ng": "#cc79a7",
    "tensorcircuit-ng, batch of 200": "#f0c0d8",
    "qiskit-algorithms reverse": "#000000",
    "Aer, exact parameter shift": "#999999",
}


def draw(results: list[dict[str, Any]], path: Path) -> Path:
    """Save the figure as PNG, and as PDF beside it; the numbers are in ``bench.json``."""
    figure = Figure(figsize=(7.0, 3.2), dpi=200, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    gradients = [result for result in results if result.get("order") == "eq5"]
    choices = (("num_qubits", "num_layers", 2, "qubits N"), ("num_layers", "num_qubits", 14, "layers"))
    for axes, (moving, fixed, value, label) in zip(panels, choices, strict=True):
        for name, color in COLORS.items():
            points = sorted(
                (result[moving], result["seconds"][name] * 1e3)
                for result in gradients
                if result[fixed] == value and name in result["seconds"]
            )
            if points:
                style = "-" if len(points) > 1 else ""
                axes.plot(
                    *zip(*points, strict=True), marker="o", markersize=3, linestyle=style, color=color, label=name
                )
        axes.set_yscale("log")
        axes.set_xlabel(label, fontsize=8)
        axes.tick_params(which="both", labelsize=7)
        axes.set_title(f"{value} layers" if fixed == "num_layers" else f"N = {value}", fontsize=8)
    panels[0].set_ylabel("one exact gradient (ms)", fontsize=8)
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=6.5, frameon=False, loc="outside lower center", ncols=3)
    figure.savefig(path)
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
    return path
