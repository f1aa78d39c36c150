"""HTTP/1.1 on the wire: reads requests, sends answers, cuts connections."""

import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import Any
from urllib.parse import urlsplit

from .control import PREFIX, Control
from .exchange import Answer, Request
from .form import pairs
from .gate import Gate

_ABORT = struct.pack("ii", 1, 0)
_POLL = 0.1


class Connection(BaseHTTPRequestHandler):
    """One client connection, kept alive; ``idle`` while it waits for the next request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    gate: Gate
    control: Control
    stop: threading.Event
    opened: Callable[["Connection"], None]
    closed: Callable[["Connection"], None]

    def __init__(self, request: Any, client_address: Any, server: BaseServer) -> None:
        self.idle = True
        super().__init__(request, client_address, server)

    def setup(self) -> None:
        """Announce the connection to the server."""
        super().setup()
        type(self).opened(self)

    def finish(self) -> None:
        """Withdraw it."""
        type(self).closed(self)
        super().finish()

    def hang_up(self) -> None:
        """Close it when no request is being answered on it; called by other threads."""
        if self.idle:
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def parse_request(self) -> bool:
        """Read line and headers of a request."""
        self.idle = False
        return super().parse_request()

    def do_GET(self) -> None:
        """Answer GET."""
        self._answer()

    def do_POST(self) -> None:
        """Answer POST."""
        self._answer()

    def do_PUT(self) -> None:
        """Answer PUT: there is no such endpoint."""
        self._answer()

    def do_DELETE(self) -> None:
        """Answer DELETE."""
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if len(body) < length:
            self.close_connection = True
            return
        if self.path.startswith(PREFIX):
            answer = self.control.handle(self.command, self.path, body)
        else:
            url = urlsplit(self.path)
            form = pairs(url.query) + pairs(body.decode("utf-8", "replace"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = self.gate.handle(Request(self.command, url.path, form, headers, body))
        try:
            self._deliver(answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        self.idle = True

    def _deliver(self, answer: Answer) -> None:
        if answer.delivery == "silence":
            self._keep_silence(answer.seconds)
            self.close_connection = True
            return
        if answer.seconds:
            self._keep_silence(answer.seconds)
        if answer.delivery == "reset":
            self._abort()
            return
        head = [f"HTTP/1.1 {answer.status} {self.responses[answer.status][0]}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        head += [f"Content-Length: {len(answer.body)}", f"Date: {self.date_time_string()}"]
        if answer.delivery == "truncate":
            self.close_connection = True
            answer.body = answer.body[: len(answer.body) // 2]
        elif self.close_connection:
            head.append("Connection: close")
        self.connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + answer.body)

    def _keep_silence(self, seconds: float) -> None:
        """Wait, until the client gives up or the sandbox stops."""
        end = time.monotonic() + seconds
        while not self.stop.is_set() and (left := end - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], min(left, _POLL))
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _abort(self) -> None:
        """Make the close that follows a reset: the client sees ECONNRESET."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Keep quiet: the ledger is the log."""
