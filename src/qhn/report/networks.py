"""Reports on binary networks and their data: accuracies, decision boundaries and weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qhn.arrays import Bits
from qhn.problem.cost import BinnProblem
from qhn.report.attempt import attempt
from qhn.text import in_line


@dataclass(frozen=True)
class NetworkReport:
    """The report on binary networks on a data set.

    Attributes:
        problem: the problem with the networks, the data and the loss.
    """

    problem: BinnProblem

    def data_line(self) -> str:
        """The data set, the numbers of its samples, and the loss with its weights of classes, in one line."""
        data = self.problem.dataset
        held_out = f"{len(data.y_validation):,} validation" if data.has_validation else "no validation"
        samples = f"{len(data.y):,} training and {held_out} samples"
        return f"  data        {in_line(data.name)}, {samples}, loss {self.problem.loss_in_words()}"

    def accuracy(self, bits: Bits) -> str:
        """The shares of right predictions of a network on training and validation data, in words.

        Args:
            bits: the bits of the network, ``[num_qubits]``.
        """
        training, validation = self.problem.accuracy(bits)
        held_out = "" if validation is None else f", {float(validation):.1%} validation"
        return f"{float(training):.1%} training{held_out}"

    def numbers(self, best: Bits) -> list[tuple[str, str]]:
        """The accuracy of the best network, and that of always predicting the larger class, as rows of a page.

        Args:
            best: the bits of the best network, ``[num_qubits]``.

        Returns:
            A name and a value in words for each row.
        """
        labels = self.problem.dataset.y
        majority = np.bincount(labels.astype(np.intp)).max() / len(labels)
        return [
            ("accuracy of the best network", self.accuracy(best)),
            ("accuracy of the larger class", f"{majority:.1%} training"),
        ]

    def figures(self, folder: Path, suffix: str, bits: Bits, title: str) -> list[Path]:
        """Draw the decision boundary of a network if the data have two features, and its weights if they are pixels.

        Args:
            folder: the directory for the pictures.
            suffix: the end of the names of the files, before ``.png``.
            bits: the bits of the network, ``[num_qubits]``.
            title: the title of the pictures.

        Returns:
            The paths of the PNG files; their data are beside them. A picture that cannot be drawn is left out, and a
            warning says why.
        """
        network, data = self.problem.network(bits), self.problem.dataset
        paths = []
        if data.num_features == 2:
            path = folder / f"decision{suffix}.png"
            with attempt(path.name):
                from qhn.report.figures import decision_boundary

                paths.append(decision_boundary(path, network, data, title))
        if network.image_shape:
            path = folder / f"weights{suffix}.png"
            with attempt(path.name):
                from qhn.report.figures import weight_image

                paths.append(weight_image(path, network, title))
        return paths
