"""Reports on binary networks and their data: what the data are, decision boundaries and weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
        features = "".join(f", {line}" for line in data.summary()[:1])
        return f"  data        {in_line(data.name)}, {samples}{features}, loss {self.problem.loss_in_words()}"

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
