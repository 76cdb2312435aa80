"""Where a descent starts: all parameters trained on a classical computer, and then pruned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.carleman.descent import Descent, descend
from qhn.carleman.glm import GeneralisedLinearModel
from qhn.carleman.pruning import prune
from qhn.errors import QhnError
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.samples import samples_of
from qhn.text import shown


@dataclass(frozen=True, eq=False)
class Start:
    """The start of a descent.

    Attributes:
        dense: the model of all parameters.
        dense_theta: parameters of that model before pruning, ``[num_parameters]``.
        support: numbers of the parameters that are kept, ascending, ``[num_kept]``.
        theta: the kept parameters just after pruning, ``[num_kept]``.
        names: one name per kept parameter.
        remarks: how the columns of a table became inputs, as lines.
    """

    dense: GeneralisedLinearModel
    dense_theta: Floats
    support: Integers
    theta: Floats
    names: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def model(self) -> GeneralisedLinearModel:
        """The model of the kept parameters, while all others are 0."""
        inputs = self.dense.inputs[:, self.support]
        return GeneralisedLinearModel(inputs, self.dense.labels, self.dense.loss_name, self.dense.weight_decay)


def start_of(config: QsgdConfig) -> Start:
    """The start of a descent: dense training from θ = 0, and pruning by magnitude.

    Raises:
        ValueError: if the data cannot be read, there are fewer parameters than are kept, or the training diverges.
    """
    samples = samples_of(config)
    dense = samples.model(config)
    if config.prune.keep > dense.num_parameters:
        raise QhnError(f"prune.keep must be at most {dense.num_parameters}, got {shown(config.prune.keep)}")
    if config.descent.batch > len(dense.labels):
        raise QhnError(f"descent.batch must be at most {len(dense.labels):,}, the samples, got {config.descent.batch}")
    rate, everything = config.dense.learning_rate, np.arange(dense.num_parameters)
    theta = _trained(dense, np.zeros(dense.num_parameters), everything, rate, config.dense.steps)
    is_gradual = config.prune.method == "gradual"
    pruned, support = prune(
        theta,
        config.prune.keep,
        config.prune.rounds if is_gradual else 1,
        lambda values, kept: _trained(dense, values, kept, rate, config.prune.steps),
    )
    names = samples.parameter_names(config)
    return Start(dense, theta, support, pruned[support], tuple(names[place] for place in support), samples.remarks)


def _trained(model: GeneralisedLinearModel, theta: Floats, support: Integers, rate: float, steps: int) -> Floats:
    """Parameters after steps of gradient descent on a support."""
    try:
        *_, found = descend(model, theta, Descent(rate, steps), support)
    except QhnError as error:
        raise QhnError(f"dense.learning_rate: {error}") from None
    return found
