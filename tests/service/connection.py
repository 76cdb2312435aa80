"""Connections: the server's socket, and requests as they come in."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from .faults import REQUEST_FAULTS

if TYPE_CHECKING:
    from .service import Service

UNHEARD = ("accept", "drop", "truncate")
API = "experimental/api/v1/"  # the client leaves an address alone that contains "experimental"


class Refusal(Exception):
    """An answer other than 200, which may ask to wait: ``retry_after`` is seconds or a date."""

    def __init__(self, status: int, message: str, code: int = 0, retry_after: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.retry_after = status, message, code, retry_after


class Listener:
    """A port of this machine, at which a service answers."""

    def __init__(self, service: Service) -> None:
        self.port = 0
        self.closing = threading.Event()
        self._handler = type("BoundHandler", (Handler,), {"service": service, "closing": self.closing})
        self._server: ThreadingHTTPServer | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Accept connections, if they are not."""
        with self._lock:
            if self._server is None and not self.closing.is_set():
                self._server = Quiet(("127.0.0.1", self.port), self._handler)
                self.port = self._server.server_address[1]
                threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def refuse(self, seconds: float | None) -> None:
        """No connections for some seconds, or until :meth:`open`."""
        self._shut()
        if seconds is not None:
            threading.Thread(target=self._reopen, args=(seconds,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self._shut()

    def _shut(self) -> None:
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _reopen(self, seconds: float) -> None:
        if not self.closing.wait(seconds):
            self.open()


class Quiet(ThreadingHTTPServer):
    """Clients may leave whenever they like; errors of our own are printed."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    service: Service
    closing: threading.Event

    def handle_request(self) -> None:
        service, address = self.service, urlsplit(self.path)
        path = address.path.lstrip("/").removeprefix(API)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        route = path.split("/")
        service.count(self.command, route)
        fault = service.faults.due(REQUEST_FAULTS, f"{self.command} {path}") if path != "control" else None
        kind, retry_after = fault.kind if fault else "", ""
        try:
            if self.path.startswith(f"/{API}"):
                service.check_token(self.headers.get("Authorization", ""))
            if fault and kind == "answer":
                raise Refusal(fault.status, "out of order", fault.code, fault.retry_after)
            content = service.answer(self.command, route, parse_qs(address.query), body)
            if kind in UNHEARD and (self.command, path) == ("POST", "jobs"):
                service.jobs[content["id"]].unheard = kind
            if fault and kind == "accept":
                raise Refusal(fault.status, "out of order", fault.code, fault.retry_after)
            status = 200
        except Refusal as refusal:
            status, retry_after = refusal.status, refusal.retry_after
            content = {"errors": [{"code": refusal.code, "message": refusal.message}]}
        if kind == "drop":
            self.close_connection = True
            return
        if fault and kind == "hang":
            self.closing.wait(fault.seconds)
        text = content if isinstance(content, str) else json.dumps(content)
        self._send(status, text, retry_after, cut=kind == "truncate")

    def _send(self, status: int, text: str, retry_after: str, *, cut: bool) -> None:
        sent = text.encode()
        sent = sent[: len(sent) // 2] if cut else sent
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(sent)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_request

    def log_message(self, *_: Any) -> None: ...
