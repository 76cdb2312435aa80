"""The service: devices, jobs, tokens and sessions, and what it answers to which request."""

from __future__ import annotations

import base64
import json
import math
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from qhn.backend.rehearsal import stored_device

from .clock import Clock
from .connection import API, Listener, Refusal
from .faults import JOB_FAULTS, Conditions, Faults
from .jobs import FINAL, Job, real_name

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/stand-in:instance::"
TOKEN = "stand-in-key"
NO_SESSIONS, QUOTA, TOO_MANY_REQUESTS = 1352, 4317, 1202


class Service:
    """A service on a free port of this machine while the ``with`` block lasts.

    Attributes:
        devices: the stored ones, by the names that clients know.
        conditions: see :class:`Conditions`.
        jobs: all that were ever accepted, by id, the oldest first; they are run when a client asks for them or by
            :meth:`settle`.
        sessions: by id, as clients are told of them; those of batches too.
        requests: number of requests of each route, such as ``"POST jobs"`` or ``"GET jobs/*/results"``.
        faults: those that are still to happen.
        clock: what time it is for jobs, sessions and faults; a test may stop it, or move it on.
        raw_keys: requests that came with the key itself instead of a token.
    """

    def __init__(self, devices: list[str], **conditions: Any) -> None:
        self.devices = {real_name(stored): stored_device(stored) for stored in devices}
        self.conditions = Conditions(**conditions)
        self.jobs: dict[str, Job] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.requests: Counter[str] = Counter()
        self.raw_keys = 0
        self.clock = Clock()
        self.faults = Faults(self.clock)
        self._tokens: set[str] = set()
        self._issued = 0
        self._lock = threading.RLock()
        self._listener = Listener(self)

    def __enter__(self) -> Service:
        self._listener.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that connect a client of any process. Without usage data a request takes 3 instead of 10 ms."""
        return {
            "QISKIT_IBM_TOKEN": TOKEN,
            "QISKIT_IBM_INSTANCE": CRN,
            "QISKIT_IBM_CHANNEL": "ibm_quantum_platform",
            "QISKIT_IBM_URL": f"{self.url}/{API.rstrip('/')}",
            "IAM_URL": self.url,
            "GLOBAL_SEARCH_URL": self.url,
            "GLOBAL_CATALOG_URL": f"{self.url}/catalog",
            "NO_PROXY": "127.0.0.1",
            "USAGE_DATA_OPT_OUT": "True",
        }

    # ------------------------------------------------------------------------------------------ faults and counters

    def fault(
        self,
        kind: str,
        on: str = "*",
        times: int = 1,
        seconds: float | None = None,
        status: int = 502,
        code: int = 0,
        retry_after: str = "",
    ) -> None:
        """Something goes wrong the next times, or for some seconds.

        Args:
            kind: of requests: ``"answer"`` with a status at once; ``"accept"`` the request, then answer with a status;
                ``"drop"`` the connection after accepting; ``"hang"`` so many seconds before the answer; ``"truncate"``
                the answer's body. Of jobs that are posted: ``"fail"``, ``"cancel"`` or ``"overtime"``. And
                ``"refuse"`` connections for some seconds, or ``"expire"`` all tokens.
            on: which requests, where ``*`` stands for anything, slashes too: ``"POST jobs"``, ``"GET jobs/*/results"``.
            times: how often, unless ``"answer"`` has seconds.
            seconds: how long; connections are refused for good without.
            status: of the answer.
            code: of the service, in the answer.
            retry_after: seconds or a date, in the answer's header of that name.

        Raises:
            ValueError: if there is no such fault.
        """
        if kind == "expire":
            self._tokens.clear()
        elif kind == "refuse":
            self._listener.refuse(seconds)
        else:
            self.faults.add(kind, on, times, seconds, status, code, retry_after)

    def listen(self) -> None:
        """Accept connections again that were refused for good."""
        self._listener.open()

    def settle(self) -> None:
        """Bring all jobs to where they are by now."""
        with self._lock:
            now, conditions = self.clock.now(), self.conditions
            for job in self.jobs.values():
                if job.status in FINAL or conditions.status != "active" or self.usage >= conditions.usage_limit:
                    continue
                if job.looks < conditions.queue_looks:
                    continue
                waited = now - job.created - conditions.queue_seconds
                if waited >= conditions.run_seconds:
                    job.run(conditions.job_seconds, reversed_bits=conditions.reversed_bits)
                elif waited >= 0:
                    job.status = "Running"

    @property
    def usage(self) -> float:
        """QPU seconds of the instance."""
        return self.conditions.usage_before + sum(job.seconds for job in self.jobs.values())

    def count(self, method: str, route: list[str]) -> None:
        """Count a request; all jobs and all sessions are one route."""
        first, *rest = route
        if rest and first in ("jobs", "sessions"):
            rest[0] = "*"
        with self._lock:
            self.requests[f"{method} {'/'.join([first, *rest])}"] += 1

    def counters(self) -> dict[str, Any]:
        """Requests by route, jobs by status and by tag, and seconds billed: JSON values."""
        with self._lock:
            self.settle()
            jobs = self.jobs.values()
            return {
                "requests": dict(self.requests),
                "raw_keys": self.raw_keys,
                "status": dict(Counter(job.status for job in jobs)),
                "tags": dict(Counter(tag for job in jobs for tag in job.tags)),
                "seconds": sum(job.seconds for job in jobs),
            }

    # ------------------------------------------------------------------------------------------------------ answers

    def answer(self, method: str, route: list[str], query: dict[str, list[str]], body: bytes) -> Any:
        """What a request is answered with: JSON values, or text.

        Raises:
            Refusal: for any status but 200.
        """
        with self._lock:
            match method, *route:
                case "POST", "identity", "token":
                    return self._token()
                case "POST", "v3", "resources", "search":
                    item = {"crn": CRN, "name": "stand-in", "service_plan_unique_id": "open", "tags": []}
                    return {"items": [item | {"doc": {"extensions": {"allocation": 600}}}], "limit": 100}
                case "GET", "catalog", _:
                    names = {"overview_ui": {"en": {"display_name": "Open"}}}
                    return names | {"metadata": {"pricing": {"type": "free"}}}
                case "GET", "instances", "usage":
                    limit, used = self.conditions.usage_limit, self.usage
                    facts = {"instance_id": CRN, "plan_id": "open", "usage_consumed_seconds": used}
                    return facts | {"usage_limit_seconds": limit, "usage_limit_reached": used >= limit}
                case "GET", "backends":
                    return {"devices": [self._listed(name) for name in self.devices]}
                case "GET", "backends", name, what:
                    return self._described(name, what)
                case "POST", "jobs":
                    return self._accept(json.loads(body))
                case "GET", "jobs":
                    return self._list(query)
                case _, "jobs", job_id, *what:
                    return self._about(method, self._job(job_id), what, query)
                case "POST", "sessions":
                    return self._start(json.loads(body))
                case _, "sessions", session_id, *what:
                    return self._session(method, session_id, what)
                case "GET", "control":
                    return self.counters()
                case "POST", "control":
                    return self._control(json.loads(body))
        raise Refusal(404, "no such address")

    def _control(self, body: dict[str, Any]) -> dict[str, Any]:
        """``{"fault": {"kind": …}, "conditions": {…}, "bills": {job: seconds}}``, each if wanted; returns counters."""
        for name, value in body.get("conditions", {}).items():
            if not hasattr(self.conditions, name):
                raise Refusal(400, f"there is no condition {name}")
            setattr(self.conditions, name, value)
        for job_id, seconds in body.get("bills", {}).items():
            self._job(job_id).seconds = seconds
        if "fault" in body:
            try:
                self.fault(**body["fault"])
            except (TypeError, ValueError) as error:
                raise Refusal(400, str(error)) from None
        return self.counters()

    def _token(self) -> dict[str, Any]:
        now, self._issued = int(time.time()), self._issued + 1  # the client compares it with the clock of the machine
        claims = {"iat": now, "exp": now + int(self.conditions.token_seconds), "jti": str(self._issued)}
        parts = ({"alg": "RS256", "typ": "JWT"}, claims, "stand-in")
        token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        self._tokens.add(token)
        expiry = {"expires_in": int(self.conditions.token_seconds), "expiration": claims["exp"]}
        return {"access_token": token, "refresh_token": "not_supported", "token_type": "Bearer"} | expiry

    def check_token(self, authorization: str) -> None:
        scheme, _, credential = authorization.partition(" ")
        if scheme == "apikey":
            self.raw_keys += 1
        elif scheme != "Bearer" or credential not in self._tokens:
            raise Refusal(401, "the token is not valid or has expired")

    def _listed(self, name: str) -> dict[str, Any]:
        online = "offline" if self.conditions.status == "off" else "online"
        facts = {"name": name, "qubits": self.devices[name].num_qubits, "status": {"name": online}}
        return facts | {"queue_length": self._pending(), "is_simulator": False}

    def _described(self, name: str, what: str) -> dict[str, Any]:
        if name not in self.devices:
            raise Refusal(404, f"there is no device {name}")
        device, status = self.devices[name], self.conditions.status
        if what == "status":
            facts = {"backend_version": device.backend_version, "length_queue": self._pending()}
            return facts | {"state": status != "off", "status": status}
        file = {"configuration": device.conf_filename, "properties": device.props_filename}[what]
        return json.loads((Path(device.dirname) / file).read_text()) | {"backend_name": name}

    def _pending(self) -> int:
        self.settle()
        return sum(job.status not in FINAL for job in self.jobs.values())

    def _accept(self, request: dict[str, Any]) -> dict[str, Any]:
        limit, session = self.conditions.pending_limit, request.get("session_id")
        if request["backend"] not in self.devices:
            raise Refusal(404, f"there is no device {request['backend']}")
        if session and not self.sessions.get(session, {}).get("accepting_jobs"):
            raise Refusal(400, "the session is closed", 1217)
        if limit is not None and self._pending() >= limit:
            raise Refusal(400, f"more than {limit} pending jobs", 3458)
        if self.conditions.refuses_beyond_usage and self.usage >= self.conditions.usage_limit:
            raise Refusal(403, "You have exceeded your monthly quota.", QUOTA)
        self._check_rate()
        fault = self.faults.due(JOB_FAULTS, "POST jobs")
        job = Job(f"job{len(self.jobs):06}", request, self.clock.now(), fault and fault.kind, clock=self.clock)
        self.jobs[job.job_id] = job
        self.settle()
        return {"id": job.job_id, "backend": job.backend, "session_id": session}

    def _check_rate(self) -> None:
        """Refuse a job that is one too many for the last minute, with the seconds until the oldest is a minute ago."""
        limit, window, now = self.conditions.rate_limit, self.conditions.rate_seconds, self.clock.now()
        recent = sorted(job.created for job in self.jobs.values() if job.created > now - window)
        if limit is not None and len(recent) >= limit:
            seconds = math.ceil(recent[-limit] + window - now)
            raise Refusal(429, f"more than {limit} jobs a minute", TOO_MANY_REQUESTS, str(seconds))

    def _list(self, query: dict[str, list[str]]) -> dict[str, Any]:
        self.settle()
        latest = self.clock.now() - self.conditions.listing_seconds
        found = [
            job.to_json(with_params=False)
            for job in self.jobs.values()
            if job.created <= latest
            and set(query.get("tags", ())) <= set(job.tags)
            and query.get("backend", [job.backend]) == [job.backend]
            and query.get("session_id", [job.request.get("session_id")]) == [job.request.get("session_id")]
            and query.get("pending", [""])[0] in ("", "false" if job.status in FINAL else "true")
        ]
        if query.get("sort") != ["ASC"]:
            found.reverse()
        first, most = int(query.get("offset", ["0"])[0]), int(query.get("limit", ["200"])[0])
        return {"jobs": found[first : first + most], "count": len(found), "limit": most, "offset": first}

    def _job(self, job_id: str) -> Job:
        self.settle()
        if job_id not in self.jobs:
            raise Refusal(404, f"there is no job {job_id}", 1291)
        return self.jobs[job_id]

    def _about(self, method: str, job: Job, what: list[str], query: dict[str, list[str]]) -> Any:
        match method, *what:
            case ("GET",):
                job.looks += 1
                return job.to_json(with_params=query.get("exclude_params") != ["true"])
            case "GET", "results":
                return job.result
            case "GET", "metrics":
                return job.metrics(self.conditions.billing_seconds)
            case "POST", "cancel":
                if job.status in FINAL:
                    raise Refusal(409, f"the job is {job.status}")
                if job.status == "Running":
                    job.seconds = self.conditions.job_seconds
                job.end("Cancelled", "cancelled by its owner")
                return {}
        raise Refusal(404, "no such address")

    def _began(self, session_id: str) -> float | None:
        """When the first job of a session did."""
        return min(
            (job.created for job in self.jobs.values() if job.request.get("session_id") == session_id), default=None
        )

    def _start(self, wish: dict[str, Any]) -> dict[str, Any]:
        if wish.get("mode") == "dedicated" and not self.conditions.has_sessions:
            raise Refusal(400, "the plan has no sessions", NO_SESSIONS)
        name = f"session{len(self.sessions):03}"
        facts = {"id": name, "backend_name": wish["backend"], "mode": wish.get("mode"), "max_ttl": wish.get("max_ttl")}
        self.sessions[name] = facts | {"state": "open", "accepting_jobs": True}
        return self.sessions[name]

    def _session(self, method: str, session_id: str, what: list[str]) -> dict[str, Any]:
        if session_id not in self.sessions:
            raise Refusal(404, f"there is no session {session_id}")
        session = self.sessions[session_id]
        if session["state"] != "closed" and (began := self._began(session_id)):
            session["elapsed_time"] = self.clock.now() - began
        if method == "PATCH" or what == ["close"]:
            session |= {"accepting_jobs": False, "state": "closed"}
        if method == "DELETE":
            for job in self.jobs.values():
                if job.request.get("session_id") == session_id and job.status not in FINAL:
                    job.end("Cancelled", "its session was closed")
        return session
