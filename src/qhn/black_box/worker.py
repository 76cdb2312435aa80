"""A process that evaluates the user's function: it loads the function, and answers calls until its parent ends.

What the function prints goes to standard error. The process ends with its parent, also if that is killed, and takes
with it whatever the function has started.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, NamedTuple

from qhn.arrays import Bits
from qhn.black_box.call import raised, value_of, values_of
from qhn.black_box.function import UserFunction
from qhn.errors import QhnError


class Answer(NamedTuple):
    """What a worker answers.

    Attributes:
        costs: costs of bitstrings, in their order; nothing if the call failed.
        wrong: what is wrong with the function or its value, in words.
        raised: the exception of the user's code, in words.
    """

    costs: Any = None
    wrong: str = ""
    raised: str = ""


def main(descriptor: int) -> None:
    """Answer calls that come through a socket.

    Args:
        descriptor: descriptor of the socket.
    """
    _end_with_parent()
    connection, process = Connection(descriptor), os.getpid()
    function, vectorised = connection.recv()
    try:
        evaluate = function.load()
    except QhnError as error:
        connection.send(Answer(wrong=str(error)))
        return
    except BaseException as error:  # a module may also try to end the process
        connection.send(Answer(raised=raised(error, str(function.source))))
        return
    _end_copy_of(process)
    connection.send(Answer())
    try:
        while True:
            for answer in _answers(evaluate, connection.recv(), vectorised, function):
                _end_copy_of(process)
                connection.send(answer)
    except (EOFError, OSError):
        pass  # the parent has gone


def _answers(evaluate: Callable[[Bits], Any], bits: Bits, vectorised: bool, function: UserFunction) -> Any:
    """The answers to one call: one for each bitstring ``[n, num_qubits]``, or one for all if it is vectorised."""
    for part in [bits] if vectorised else bits:
        try:
            costs = values_of(evaluate, part) if vectorised else [value_of(evaluate, part)]
        except QhnError as error:
            yield Answer(wrong=str(error))
            return
        except BaseException as error:
            yield Answer(raised=raised(error, str(function.source)))
            return
        yield Answer(costs)


def _end_copy_of(process: int) -> None:
    """End this process if it is a copy that the user's code has forked and let return: it must not answer as well.

    Args:
        process: the process that answers.
    """
    if os.getpid() != process:
        os._exit(0)


def _end_with_parent() -> None:
    """Take standard input, which only the parent holds open, as the sign that it lives; print to standard error."""
    lifeline = os.dup(0)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)

    def watch() -> None:
        while os.read(lifeline, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    Thread(target=watch, daemon=True).start()
