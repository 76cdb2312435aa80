"""The report on how the networks of a run classify: tables for the page, and files for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn import durable
from qhn.arrays import Integers
from qhn.predict.metrics import Metrics
from qhn.predict.predictions import MAX_WORD, REGRESSION, Predictions
from qhn.report.attempt import attempt
from qhn.run.provenance import label_in_json
from qhn.text import aligned, counted, in_line

MAX_WIDTH = 100  # characters of a confusion matrix whose columns have names
MOST_SHOWN = 20  # classes of a confusion matrix in text
MOST_MISTAKES = 5  # mistakes that are listed in the place of a larger one
UNWRITTEN = "the file {} was not written"
SCORES = ("accuracy", "balanced", "AUC", "log loss", "Brier")


def score_cells(found: Metrics) -> list[str]:
    """The metrics of a predictor as cells of a table, in the order of ``SCORES``."""
    area = "–" if found.roc_auc is None else f"{found.roc_auc:.3f}"
    shares = f"{found.accuracy:.1%}", f"{found.balanced_accuracy:.1%}"
    return [*shares, area, f"{found.log_loss:.4f}", f"{found.brier:.4f}"]


@dataclass(frozen=True)
class ClassificationReport:
    """The report on the predictions of networks beside those of the majority class and of a logistic regression.

    Attributes:
        predictions: the predictions.
    """

    predictions: Predictions

    # ------------------------------------------------------------ the page

    def lines(self) -> list[str]:
        """The metrics of all predictors, the confusion matrix of the first one, and what to beware of, as lines."""
        warning = self.predictions.warning()
        return [*self._table(), *self._notes(), "", *self._confusion(), *(["", warning] if warning else [])]

    def _table(self) -> list[str]:
        sets = self.predictions.metrics
        rows = []
        for found in sets.values():
            for who, one in found.items():
                low, high = one.interval
                accuracy, *others = score_cells(one)
                rows.append([f"  {who}", accuracy, f"{100 * low:.1f}–{high:.1%}", *others])
        accuracy, *others = SCORES
        head, *body = aligned(["", accuracy, "95% interval", *others], rows).splitlines()
        lines = [head]
        for name, found in sets.items():
            lines += [f"{name}, {counted(len(self.predictions.samples[name][1]), 'sample')}", *body[: len(found)]]
            body = body[len(found) :]
        return lines

    def _notes(self) -> list[str]:
        """What the columns of the table mean, and what is not in it."""
        data, predictions = self.predictions.problem.dataset, self.predictions
        area, brier = "area under the ROC curve", "(p − class)²"
        if data.num_classes > 2:
            area, brier = f"{area}, mean of each class against the rest", "Σ (p − [class])²"
        notes = [
            "intervals are of new samples like these, if nothing was learned from these: not of the training samples",
            f"balanced: share right, mean over classes; AUC: {area}",
            f"Brier: mean {brier}; log loss: mean −log p of the true class in nats, p below 2.2e-16 counts as 2.2e-16",
        ]
        name, found = next(iter(predictions.metrics.items()))
        answers = np.flatnonzero(found[predictions.subject].confusion.sum(axis=0))
        if len(answers) == 1:
            notes.append(
                f"the {predictions.subject} answers {predictions.spelt(int(answers[0]))} to all {name} samples"
            )
        for name, found in predictions.metrics.items():
            absent = np.flatnonzero(found[predictions.subject].confusion.sum(axis=1) == 0)
            if len(absent):
                words = in_line(", ".join(predictions.spelt(int(label)) for label in absent))
                notes.append(f"no {name} sample is of class {words}: AUC is not defined, balanced is of the others")
        if predictions.problem.class_weights is not None and predictions.regression:
            notes.append(
                f"{REGRESSION} weighs the classes as the loss of the networks; all numbers are without weights"
            )
        notes += [f"{name} would take long on so many samples: qhn ensemble" for name in predictions.left_out]
        if predictions.regression is None:
            notes.append(f"{REGRESSION} would take long on so many samples, and is left out")
        elif not predictions.regression.has_converged:
            notes.append(f"{REGRESSION} has not converged: its numbers are those of its last iteration")
        return notes

    def _confusion(self) -> list[str]:
        """The confusion matrix of the first predictor, on validation samples if there are any, as lines."""
        predictions = self.predictions
        name, found = next(iter(predictions.metrics.items()))
        counts = found[predictions.subject].confusion
        names = [in_line(label, MAX_WORD) for label in predictions.problem.dataset.classes]
        what = f"of the {predictions.subject}, {name} samples"
        if len(names) > MOST_SHOWN:
            return [f"most frequent mistakes {what}; all are in confusion.csv", *mistakes(counts, names)]
        table = aligned(*confusion_table(counts, names)).splitlines()
        return [f"confusion matrix {what} (rows: true class, columns: predicted)", *table]

    # ------------------------------------------------------------ files

    def write(self, folder: Path) -> None:
        """Write all metrics as ``metrics.json``.

        Args:
            folder: the directory for it.
        """
        predictions = self.predictions
        facts = {
            "classes": [label_in_json(label) for label in predictions.problem.dataset.classes.tolist()],
            "warning": predictions.warning() or None,
            **predictions.facts(),
        }
        content = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        durable.replace(folder / "metrics.json", lambda file: file.write(content.encode()))

    def _write_table(self, path: Path) -> None:
        """Write all metrics but the confusion matrices as CSV."""
        from qhn.report.style import write_csv  # which imports Matplotlib

        rows = [
            {"samples": name, "predictor": key} | _in_columns(facts)
            for name, found in self.predictions.facts().items()
            for key, facts in found.items()
        ]
        write_csv(path, {key: np.array([row[key] for row in rows]) for key in rows[0]})

    def figures(self, folder: Path) -> list[Path]:
        """Draw the confusion matrices of the first predictor and the ROC curves, and write all metrics as JSON and CSV.

        Args:
            folder: the directory for the pictures and their data.

        Returns:
            The paths of the PNG files. What cannot be written is left out, and a warning says why.
        """
        predictions, paths = self.predictions, []
        with attempt("metrics.json", UNWRITTEN):
            self.write(folder)
        with attempt("metrics.csv", UNWRITTEN):
            self._write_table(folder / "metrics.csv")
        labels = predictions.problem.dataset.classes.tolist()
        with attempt("confusion.png"):
            from qhn.report.classification_figures import confusion_matrices

            counts = {name: found[predictions.subject].confusion for name, found in predictions.metrics.items()}
            paths.append(confusion_matrices(folder / "confusion.png", counts, labels, predictions.subject))
        curves = {name: found for name in predictions.samples if (found := predictions.curves(name))}
        if curves:
            with attempt("roc.png"):
                from qhn.report.classification_figures import roc_curves

                pair, title = (predictions.spelt(1), predictions.spelt(0)), ""
                if len(labels) > 2:
                    pair, title = ("the class", "the others"), f"{predictions.subject}, a class against the others"
                paths.append(roc_curves(folder / "roc.png", curves, pair, title))
        return paths


def _in_columns(facts: dict[str, Any]) -> dict[str, Any]:
    """The metrics of a predictor, but its confusion matrix, by the name of a column."""
    low, high = facts["accuracy_interval"]
    others = {key: value for key, value in facts.items() if key not in ("accuracy_interval", "confusion")}
    return others | {"accuracy_low": low, "accuracy_high": high}


def confusion_table(counts: Integers, names: list[str]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a confusion matrix as a table, whose columns are numbered if their names are too long.

    Args:
        counts: number of samples by true class, in rows, and predicted class, in columns, ``[K, K]``.
        names: the names of the classes.

    >>> print(aligned(*confusion_table(np.array([[8, 1], [0, 2]]), ["no", "yes"])))
    true  no  yes
    no     8    1
    yes    0    2
    """
    digits = len(f"{counts.max():,}")
    width = max(map(len, names)) + sum(2 + max(digits, len(name)) for name in names)
    heads = names
    if width > MAX_WIDTH:
        heads = [str(number + 1) for number in range(len(names))]
        names = [f"{head:>{len(heads[-1])}} {name}" for head, name in zip(heads, names, strict=True)]
    rows = [[name, *(f"{count:,}" for count in row)] for name, row in zip(names, counts.tolist(), strict=True)]
    return ["true", *heads], rows


def mistakes(counts: Integers, names: list[str]) -> list[str]:
    """The most frequent mistakes of a confusion matrix, as lines of text.

    Args:
        counts: number of samples by true class, in rows, and predicted class, in columns, ``[K, K]``.
        names: the names of the classes.

    >>> mistakes(np.array([[8, 1], [0, 2]]), ["no", "yes"])
    ['  no taken for yes: 1']
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_MISTAKES]
    places = [divmod(int(place), len(names)) for place in order if wrong.ravel()[place]]
    return [f"  {names[true]} taken for {names[taken]}: {wrong[true, taken]:,}" for true, taken in places] or ["  none"]
