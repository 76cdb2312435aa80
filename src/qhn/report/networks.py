"""What a page says of binary networks and their data, beyond what it says of any bitstring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qhn.arrays import Bits
from qhn.problem.cost import BinnProblem


@dataclass(frozen=True)
class NetworkReport:
    """Binary networks on a data set.

    Attributes:
        problem: the networks, the data and the loss.
    """

    problem: BinnProblem

    def data_line(self) -> str:
        """The data set, the numbers of its samples, and the loss, in one line."""
        data = self.problem.dataset
        held_out = f"{len(data.y_validation):,} validation" if data.has_validation else "no validation"
        return f"  data        {data.name}, {len(data.y):,} training and {held_out} samples, loss {self.problem.loss}"

    def accuracy(self, bits: Bits) -> str:
        """The share of right predictions of one network ``[num_qubits]``, in words."""
        training, validation = self.problem.accuracy(bits)
        held_out = "" if validation is None else f", {float(validation):.1%} validation"
        return f"{float(training):.1%} training{held_out}"

    def numbers(self, best: Bits) -> list[tuple[str, str]]:
        """How well the best network predicts, and how well one would that always named the larger class."""
        labels = self.problem.dataset.y
        majority = np.bincount(labels.astype(np.intp)).max() / len(labels)
        return [
            ("accuracy of the best network", self.accuracy(best)),
            ("accuracy of the larger class", f"{majority:.1%} training"),
        ]

    def figures(self, folder: Path, suffix: str, bits: Bits, title: str) -> list[Path]:
        """The decision boundary of a network on two features, and its weights if its inputs are pixels."""
        from qhn.report import figures

        network, data = self.problem.network(bits), self.problem.dataset
        paths = []
        if data.num_features == 2:
            paths.append(figures.decision_boundary(folder / f"decision{suffix}.png", network, data, title))
        if network.image_shape:
            paths.append(figures.weight_image(folder / f"weights{suffix}.png", network, title))
        return paths
