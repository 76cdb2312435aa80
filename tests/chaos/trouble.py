"""What goes wrong in a round: drawn from a generator, then done to the service and the runner when its time comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from service import Service

POST, STATUS, RESULTS, FIND, BILL = "POST jobs", "GET jobs/*", "GET jobs/*/results", "GET jobs", "GET jobs/*/metrics"
ATTEMPT = "attempt"  # counted like requests: processes that were started
STEPS = 4  # of the run, each of which takes one job
LIFE = 1.5  # seconds that a process lives if nothing goes wrong, about
USAGE_LIMIT = 600.0


@dataclass(frozen=True, eq=False)
class Mishap:
    """Something that goes wrong once.

    Attributes:
        kind: ``"kill"`` the runner, a fault of :meth:`service.Service.fault`, or a state of the service for some
            seconds: ``"usage"`` used up, ``"pending"`` jobs not taken, devices ``"internal"`` or ``"off"``.
        after: what is waited for, ``"attempt"`` or a request.
        nth: how many of them.
        delay: seconds after the last of them.
        fault: how it is done, for :meth:`service.Service.fault`; of a state, ``seconds`` that it lasts.
    """

    kind: str
    after: str = ATTEMPT
    nth: int = 1
    delay: float = 0.0
    fault: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = [self.kind, *(f"{name}={value}" for name, value in self.fault.items())]
        return f"{' '.join(words)} {self.delay:.2f} s after {self.after} {self.nth}"


@dataclass(frozen=True)
class Trouble:
    """What goes wrong in a round.

    Attributes:
        mishaps: in no order.
        conditions: of the service, from the beginning.
        divided: whether an evaluation takes two jobs instead of one.
    """

    mishaps: tuple[Mishap, ...] = ()
    conditions: dict[str, float] = field(default_factory=dict)
    divided: bool = False

    def __str__(self) -> str:
        conditions = [f"{name.removesuffix('_seconds')} {value:.2f} s" for name, value in self.conditions.items()]
        return "; ".join([*["divided"] * self.divided, *conditions, *map(str, self.mishaps)])


def draw(rng: np.random.Generator) -> Trouble:
    """The trouble of a round: one to four mishaps, often with jobs that queue, take their time, or are billed late."""
    conditions = {"job_seconds": _some(rng, 1.5, 2.5)}  # so that a bill is not its price
    for name, share, longest in (("queue", 0.5, 0.6), ("run", 0.3, 0.3), ("billing", 0.3, 2.0), ("listing", 0.2, 0.5)):
        if rng.random() < share:
            conditions[f"{name}_seconds"] = _some(rng, 0.05, longest)
    makers, weights = zip(*MAKERS.items(), strict=True)
    chosen = rng.choice(len(makers), size=rng.integers(1, 5), p=np.array(weights) / sum(weights))
    return Trouble(tuple(mishap for index in chosen for mishap in makers[index](rng)), conditions, rng.random() < 0.25)


def _kill_any_time(rng: np.random.Generator) -> list[Mishap]:
    return [Mishap("kill", ATTEMPT, int(rng.integers(1, 4)), _some(rng, 0, LIFE))]


def _kill_at(route: str, longest: float) -> Callable[[np.random.Generator], list[Mishap]]:
    """A kill after a request, whose answer hangs half of the times."""

    def make(rng: np.random.Generator) -> list[Mishap]:
        nth = int(rng.integers(1, STEPS + 1))
        kill = Mishap("kill", route, nth, _some(rng, 0, longest))
        if rng.random() < 0.5:
            return [kill]
        before = {"after": route, "nth": nth - 1} if nth > 1 else {}
        return [Mishap("hang", **before, fault={"on": route, "seconds": 0.4}), kill]

    return make


def _fault(kind: str, *routes: str, **fault: Any) -> Callable[[np.random.Generator], list[Mishap]]:
    """A fault of some of these requests, after a random one of the run."""

    def make(rng: np.random.Generator) -> list[Mishap]:
        on = {"on": str(rng.choice(routes))} if routes else {}
        drawn = {name: rng.choice(value).item() for name, value in fault.items()}
        after, nth = (POST, int(rng.integers(1, STEPS))) if rng.random() < 0.7 else (ATTEMPT, int(rng.integers(1, 3)))
        return [Mishap(kind, after, nth, _some(rng, 0, 0.2), on | drawn)]

    return make


def _outage(kind: str, longest: float, **fault: Any) -> Callable[[np.random.Generator], list[Mishap]]:
    """Something that lasts."""

    def make(rng: np.random.Generator) -> list[Mishap]:
        (mishap,) = _fault(kind, **fault)(rng)
        return [
            Mishap(kind, mishap.after, mishap.nth, mishap.delay, mishap.fault | {"seconds": _some(rng, 0.2, longest)})
        ]

    return make


def _some(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 2)


MAKERS: dict[Callable[[np.random.Generator], list[Mishap]], float] = {
    _kill_any_time: 3,
    _kill_at(POST, 0.3): 3,
    _kill_at(STATUS, 0.2): 1,
    _kill_at(RESULTS, 0.1): 1.5,
    _kill_at(BILL, 0.1): 1,
    _outage("refuse", 1.5): 1,
    _outage("answer", 1.5, on=["*", "*jobs*", "GET *"], status=[500, 502, 503, 504]): 1.5,
    _fault("accept", POST, times=[1, 1, 2, 6]): 2,
    _fault("drop", POST, STATUS, FIND, RESULTS, BILL, "POST identity/token", times=[1, 3, 6]): 2,
    _fault("truncate", POST, STATUS, FIND, RESULTS, BILL, "GET backends*", times=[1, 2]): 2,
    _fault("hang", POST, STATUS, FIND, RESULTS, BILL, "GET backends*", seconds=[0.3, 0.8]): 0.5,
    _fault("expire"): 1,
    _fault("fail"): 1,
    _fault("cancel"): 1,
    _fault("overtime"): 1,
    _outage("usage", 1.0): 0.7,
    _outage("pending", 1.0): 0.7,
    _outage("internal", 1.0): 0.7,
    _outage("off", 1.0): 0.7,
}


class Weather:
    """The trouble as it comes and goes.

    Attributes:
        trouble: that was planned.
        service: to which it comes.
        made: what came, with the seconds since the beginning.
    """

    def __init__(self, trouble: Trouble, service: Service) -> None:
        self.trouble = trouble
        self.service = service
        self.made: list[str] = []
        self._waiting = list(trouble.mishaps)
        self._since: dict[Mishap, tuple[float, int]] = {}  # when what it waits for was there, and in which attempt
        self._ends: list[tuple[float, dict[str, Any]]] = []
        self._began = time.monotonic()

    def change(self, attempts: int, process: BaseProcess) -> None:
        """Do what is due; the runner is the process of so many attempts."""
        now = time.monotonic()
        for end in [end for end in self._ends if end[0] <= now]:
            self._ends.remove(end)
            self._set(end[1])
        for mishap in self._waiting.copy():
            count = attempts if mishap.after == ATTEMPT else self.service.requests[mishap.after]
            if count < mishap.nth:
                continue
            since, attempt = self._since.setdefault(mishap, (now, attempts))
            if now >= since + mishap.delay:
                self._waiting.remove(mishap)
                if mishap.kind != "kill" or attempt == attempts:  # a process that ended by itself is spared
                    self._come(mishap, now, process)

    def clear(self) -> None:
        """All is well again, and what did not come will not."""
        self._waiting.clear()
        self.service.faults.clear()
        for _, conditions in self._ends:
            self._set(conditions)
        self._set({"billing_seconds": 0.0})

    def _come(self, mishap: Mishap, now: float, process: BaseProcess) -> None:
        if mishap.kind == "kill":
            process.kill()
        elif mishap.kind in ("usage", "pending", "internal", "off"):
            begin, end = {
                "usage": ({"usage_limit": 0.0}, {"usage_limit": USAGE_LIMIT}),
                "pending": ({"pending_limit": 0}, {"pending_limit": None}),
            }.get(mishap.kind, ({"status": mishap.kind}, {"status": "active"}))
            self._set(begin)
            self._ends.append((now + mishap.fault["seconds"], end))
        else:
            self.service.fault(mishap.kind, **mishap.fault)
        self.made.append(f"{mishap} (at {now - self._began:.2f} s)")

    def _set(self, conditions: dict[str, Any]) -> None:
        for name, value in conditions.items():
            setattr(self.service.conditions, name, value)
