"""``webhooks serve`` as a process, and who delivers to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from tests.webhooks.doors.signing import SECRET, signed


@contextmanager
def serving(
    database: Path, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address; it is killed at the end unless it has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "aimeter_cli", "webhooks", "serve", "--port", "0",
         "--log-file", str(log)],
        env={**os.environ, "AI_METERING_DATABASE_URL": f"sqlite:///{database}",
             "STRIPE_WEBHOOK_SECRET": SECRET, **(env or {})},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("Listening at "), line + process.stderr.read()
        yield process, line.split()[-1]
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def deliver(url: str, bodies: Sequence[bytes], threads: int = 4) -> list[bytes]:
    """Deliver them, several at once, until the server is gone; returns what was acknowledged."""
    parts, acknowledged = urlsplit(url), list[bytes]()

    def some(mine: Sequence[bytes]) -> None:
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            for body in mine:
                header = {"Stripe-Signature": signed(body, time.time())}
                connection.request("POST", parts.path, body, header)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    acknowledged.append(body)
        except (OSError, HTTPException):
            return
        finally:
            connection.close()

    workers = [threading.Thread(target=some, args=(bodies[n::threads],)) for n in range(threads)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    return acknowledged
