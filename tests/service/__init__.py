"""A stand-in of IBM's service on this machine, for the client as it is installed: devices, jobs, and what goes wrong.

    with Service(["fake_jakarta"]) as service:
        ...  # with service.environment in os.environ, QiskitRuntimeService() is connected to it

What it answers was read off the client and IBM's list of error codes; the statuses of refusals are guesses.
"""

from .clock import Clock
from .faults import Conditions
from .jobs import Job
from .service import CRN, Service

__all__ = ["CRN", "Clock", "Conditions", "Job", "Service"]
