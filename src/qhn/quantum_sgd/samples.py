"""The samples of a descent: two classes as 0 and 1, or numbers to predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats
from qhn.carleman.glm import GeneralisedLinearModel
from qhn.config.data import FileData
from qhn.errors import QhnError
from qhn.problem.column_choice import ColumnChoice
from qhn.problem.sample_arrays import find_label
from qhn.quantum_sgd.config import QsgdConfig
from qhn.table.columns import Table
from qhn.table.encoding import Encoding
from qhn.table.files import read_table
from qhn.table.values import typed
from qhn.text import counted

BIAS = "bias"
CONSTANT = 1e-12  # relative: an input whose standard deviation is below is constant


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of which a generalised linear model learns.

    Attributes:
        inputs: the inputs, ``[num_samples, num_inputs]``.
        labels: what is predicted, ``[num_samples]``.
        names: one name per input.
        classes: the classes that labels 0 and 1 stand for; empty if labels are numbers.
        remarks: how the columns of a table became inputs, and what stands in for missing values, as lines.
    """

    inputs: Floats
    labels: Floats
    names: tuple[str, ...]
    classes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def model(self, config: QsgdConfig) -> GeneralisedLinearModel:
        """The model on these samples, standardised if the configuration says so, with its bias as last parameter."""
        inputs, labels = self.inputs, self.labels
        if config.model.standardise:
            inputs = standardised(inputs)
            labels = labels if self.classes else standardised(labels[:, None])[:, 0]
        make = GeneralisedLinearModel.with_bias if config.model.bias else GeneralisedLinearModel
        return make(inputs, labels, config.model.loss, config.model.weight_decay)

    def parameter_names(self, config: QsgdConfig) -> tuple[str, ...]:
        """One name per parameter of the model."""
        return (*self.names, *[BIAS] * config.model.bias)


def standardised(values: Floats) -> Floats:
    """Columns shifted to mean 0 and scaled to standard deviation 1; those that are constant become 0.

    >>> standardised(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    deviation = values.std(axis=0)
    is_constant = deviation <= CONSTANT * np.abs(values).max(axis=0, initial=0.0)
    found: Floats = (values - values.mean(axis=0)) / np.where(is_constant, 1.0, deviation)
    return found


def samples_of(config: QsgdConfig) -> Samples:
    """The samples that a configuration names: the training samples of classes, or all rows of numbers.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the data cannot be read, or there are more than two classes.
    """
    data = config.data
    if config.model.loss == "mse" and isinstance(data, FileData) and data.file.suffix.lower() != ".npz":
        table = read_table(data.unchanged(), data.dialect)
        find_label(data.label, list(table.names), "column", data.file)
        label = typed(table[data.label], missing=data.missing)
        if label.kind == "number" and len(np.unique(label.values)) > 2:
            return _of_numbers(table, label.values, data)
    found = data.load()
    if found.num_classes != 2:
        remedy = "name two digits" if not isinstance(data, FileData) else "make a column of two classes"
        raise QhnError(
            f"{found.name} has {found.num_classes} classes, and a generalised linear model tells two apart; {remedy}"
            ", or predict a number with model.loss = 'mse'"
        )
    classes = tuple(str(one) for one in found.classes.tolist())
    return Samples(found.x, found.y, found.feature_names, classes, tuple(found.summary()))


def _of_numbers(table: Table, labels: Floats, data: FileData) -> Samples:
    """The samples of a table of which one column of numbers is predicted."""
    known = np.isfinite(labels)
    if not known.all() and data.unlabelled == "refuse":
        raise QhnError(
            f"{data.file}: {int((~known).sum())} rows have no {data.label!r}; set data.unlabelled = 'leave-out'"
        )
    choice = ColumnChoice(
        data.label, data.columns, data.drop, data.categorical, data.missing, data.impute, data.max_categories
    )
    features = choice.features_of(table.rows(known))
    encoding = Encoding.fit(features, data.impute, data.missing, data.max_categories)
    inputs, known_labels = encoding.features(features), labels[known].astype(np.float64)
    unlabelled = [f"{counted(int((~known).sum()), 'row')} without a label left out"] * (not known.all())
    remarks = (*encoding.summary(), *unlabelled)
    return Samples(inputs, known_labels, encoding.feature_names, remarks=remarks)
