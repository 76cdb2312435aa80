"""The connection to a vendor's machine: jobs found again by their ids, where the vendor's client can do that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from qhn.backend.ibm.connection import Connection
from qhn.backend.ibm.failure import Kind
from qhn.backend.vendor.client import BETWEEN, VendorJob
from qhn.errors import QhnError

Answer = TypeVar("Answer")
RETRIEVERS = ("retrieve_job", "job")  # methods of backends and providers that return a job by its id


class VendorService:
    """The jobs of a vendor, found by their ids; no vendor but IBM finds them by tags.

    Args:
        retrieve: function that returns the client's job of the given id.
    """

    def __init__(self, retrieve: Callable[[str], Any]) -> None:
        self._retrieve = retrieve

    def job(self, job_id: str) -> VendorJob:
        """The job of the given id, or the jobs of several ids joined by commas."""
        return VendorJob([self._retrieve(one) for one in job_id.split(BETWEEN)])

    def jobs(self, *, job_tags: list[str], limit: int | None = None) -> list[Any]:
        """The jobs with the given tags: none, since the vendor knows no tags."""
        return []


@dataclass
class VendorConnection(Connection):
    """A vendor's machine and the service that it belongs to.

    A failure is not repeated: what a vendor's exception means is not known, and its client may have waited already.

    Attributes:
        name: name of the machine, for messages.
        bills: whether its jobs are billed, so that they are found again by their ids where that is possible.
    """

    name: str = ""
    bills: bool = False

    @property
    def service(self) -> VendorService | None:
        """The service that finds jobs by their ids; None if jobs are not billed, or the client cannot find them."""
        retrieve = retriever_of(self.device) if self.bills else None
        return None if retrieve is None else VendorService(retrieve)

    @property
    def is_local(self) -> bool:
        """Never: any vendor's client may order bits as it likes, so that all are tested."""
        return False

    @property
    def finds_by_tag(self) -> bool:
        """Never: no vendor but IBM finds jobs by tags."""
        return False

    @property
    def takes_batches(self) -> bool:
        """Never: jobs are submitted one by one."""
        return False

    def complaint(self, job: str, kind: Kind, error: BaseException) -> str:
        """The message about a job that failed; a machine that bills has its own words for account data left out."""
        is_told = not self.bills or isinstance(error, QhnError)
        words = " ".join(str(error).split())[:300] if is_told else ""
        return f"{self.name}: {job} did not end well ({type(error).__name__}{': ' * bool(words)}{words})"

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Put a question to the vendor's client once, and return the answer."""
        return question()

    def renew(self) -> None:
        """Leave the connection as it is: the vendor's client renews its own."""


def retriever_of(device: Any) -> Callable[[str], Any] | None:
    """The function by which a vendor's client returns a job by its id; None if it has none.

    It is ``retrieve_job`` or ``job`` of the backend, or of its provider or service.
    """
    owners = [device]
    for name in ("provider", "service"):
        with contextlib.suppress(Exception):  # a property may ask the network
            owners.append(getattr(device, name))
    for owner in owners:
        for name in RETRIEVERS:
            found = getattr(owner, name, None)
            if callable(found):
                return found  # type: ignore[no-any-return]
    return None
