"""The listening socket: accepts connections, a thread for each, and can refuse them for a while."""

import selectors
import socket
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from .wire import Connection

_POLL = 0.2


class Listener(ThreadingHTTPServer):
    """Listens on ``(host, port)``, port 0 = any free one; raises OSError when it cannot."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], handler: type[Connection]) -> None:
        self._wake_in, self._wake_out = socket.socketpair()
        super().__init__(address, handler)
        self._open: set[Connection] = set()
        self._lock = threading.Lock()
        self._resume_at = 0.0
        self._refusing = threading.Event()

    def server_bind(self) -> None:
        """Bind, without asking a name server who we are."""
        TCPServer.server_bind(self)

    @property
    def url(self) -> str:
        """Where it listens, as clients write it."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def opened(self, connection: Connection) -> None:
        """A connection has begun."""
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
        with self._lock:
            self._open.discard(connection)

    def wake(self) -> None:
        """Make :meth:`run` look at what has changed; may be called from a signal handler."""
        self._wake_out.send(b"x")

    def outage(self, seconds: float) -> None:
        """Refuse connections from now on for ``seconds``, and hang up on idle ones.

        Returns once the port is closed; requests that are being answered go on.
        """
        self._refusing.clear()
        self._resume_at = time.monotonic() + seconds
        self.wake()
        self._refusing.wait(2)

    def run(self, stop: threading.Event) -> None:
        """Accept connections until ``stop`` is set; :meth:`wake` makes it notice at once."""
        while not stop.is_set():
            if self._resume_at > time.monotonic():
                self._refuse(stop)
            else:
                self._accept(stop)
        self._hang_up()

    def _accept(self, stop: threading.Event) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._wake_in, selectors.EVENT_READ)
            while not stop.is_set() and self._resume_at <= time.monotonic():
                for key, _ in selector.select(_POLL):
                    if key.fileobj is self._wake_in:
                        self._wake_in.recv(64)
                    else:
                        self._handle_request_noblock()  # type: ignore[attr-defined]

    def _refuse(self, stop: threading.Event) -> None:
        """Keep the port with a socket that is bound and does not listen."""
        self.socket.close()
        self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_bind()
        self._hang_up()
        self._refusing.set()
        while (left := self._resume_at - time.monotonic()) > 0:
            if stop.wait(min(left, _POLL)):
                return
        self.server_activate()

    def _hang_up(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            connection.hang_up()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, without the polite goodbye when it is to be reset."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER):
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show a fault of ours; say nothing when a client goes away in the middle of a request."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Close all sockets."""
        super().server_close()
        self._wake_in.close()
        self._wake_out.close()
