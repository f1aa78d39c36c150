"""An HTTP server that gets what is delivered."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """An HTTP server that keeps what it gets; ``answers`` are statuses by event id, else 200.

    What has no id, as for Slack, has 0.
    """

    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[int, int] = field(default_factory=dict)
    location: str | None = None

    @property
    def ids(self) -> list[int]:
        return [json.loads(body)["id"] for _, body in self.got]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """On a port of its own, within the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((dict(self.headers), body))
            self.send_response(made.answers.get(json.loads(body).get("id", 0), 200))
            if made.location:
                self.send_header("Location", made.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()
