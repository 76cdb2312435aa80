"""``qhn <verb>``: parse, call one function, print.

Data goes to standard output, progress and errors to standard error. Exit codes: 0 done; 2 bad input; 3 stopped by a
budget or a plateau; 4 the machine or its service failed, resumable; 130 interrupted, resumable.
"""

from __future__ import annotations

import errno
import sys

import typer
from typer.exceptions import TyperException

from qhn.cli import devices, experiments, replay, runs, sweeps
from qhn.cli.app import app
from qhn.cli.options import BAD_INPUT, FAILED, INTERRUPTED

__all__ = ["app", "devices", "experiments", "main", "replay", "runs", "sweeps"]


def main() -> None:
    """The console script: one line for an error, a traceback only with ``--debug``."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        code = _complain(error.format_message(), BAD_INPUT, debug)
    except (KeyboardInterrupt, typer.Abort):
        code = _complain("stopped; complete steps are kept, and qhn resume goes on", INTERRUPTED, False)
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say
        sys.stdout = None
        code = INTERRUPTED
    except (ValueError, OSError, MemoryError) as error:
        lost = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT)
        code = _complain(_explain(error), FAILED if lost else BAD_INPUT, debug)
    except RuntimeError as error:
        from qhn.backend import BackendError

        if not isinstance(error, BackendError):
            raise
        code = _complain(str(error), FAILED, debug)
    sys.exit(code)


def _explain(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _complain(message: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"qhn: {' '.join(message.split())}", file=sys.stderr)
    return code
