"""Workers for tests of what is handed to workers."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any


class AtOnce(Executor):
    """Does each job when it is submitted."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
