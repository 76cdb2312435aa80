"""The errors that qhn raises on purpose; any other error that escapes from qhn is a defect of it."""

from __future__ import annotations


class QhnError(ValueError):
    """An error in what was asked for; the message names the value, the bound and the remedy.

    It is a ``ValueError``, so that code which knows nothing of qhn can catch it. The command line tells it from the
    errors of libraries, which are defects rather than bad input.

    >>> try:
    ...     import qhn
    ...     qhn.hypernetwork(0, 1)
    ... except QhnError as error:
    ...     print(error)
    num_qubits must be at least 1, got 0
    """


class NotFoundError(QhnError, FileNotFoundError):
    """There is no file, preset, sweep or run of the name that was given: the text names what there is instead.

    >>> try:
    ...     import qhn
    ...     qhn.load_network("gone.npz")
    ... except FileNotFoundError as error:
    ...     print(error)
    network file gone.npz does not exist
    """


class EvaluationError(QhnError):
    """The failure of a cost function of the user's own: an exception, a time limit, or the end of its process.

    Unlike a wrong value it need not happen again, so that a run may be resumed; what was evaluated is kept.
    """


class RecordError(QhnError):
    """The error of a run whose files are damaged, belong to another run, or are being written by another process."""


class BusyError(RecordError):
    """The error of a run that another process is writing: it may be done when that process has ended."""


class QhnWarning(UserWarning):
    """A fact that a user should know, though what was asked for goes on: the text is one sentence.

    The command line prints it as one line.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warnings.warn("the picture costs.png was not drawn: No space left on device", QhnWarning)
    >>> print(caught[0].message)
    the picture costs.png was not drawn: No space left on device
    """


class RecordWarning(QhnWarning):
    """The warning that a file of a run is damaged or missing, and what of the run is shown nevertheless."""
