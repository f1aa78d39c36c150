"""How an event gets to a sink: to a command on stdin, or to an address in a signed POST."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from typing import Any, Protocol

from aimeter_cli.domain.periods import iso
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.repositories.deliveries import Due
from aimeter_cli.services.events.signatures import HEADER, signature
from aimeter_cli.settings.load import secret_of
from aimeter_cli.settings.secrets import redacted
from aimeter_cli.settings.sinks import EventSink

_CONNECT_SECONDS = 5
_ERROR_LIMIT = 200


class NotDelivered(Exception):
    """Why not. ``unreachable``: the sink did not answer at all, so others would not arrive, too."""

    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unreachable = unreachable


class Sender(Protocol):
    """Sends one event. Raises NotDelivered."""

    def send(self, due: Due) -> None: ...
    def close(self) -> None: ...


def make_sender(sink: EventSink) -> Sender:
    """Raises ConfigurationError if its secret is not set."""
    return CommandSender(sink) if sink.command else HttpSender(sink)


def document(due: Due) -> bytes:
    """What every sink gets, the same at every attempt. ``id`` tells a repeat."""
    told = {
        "id": due.event_id, "name": due.name, "created_at": iso(due.created_at),
        "billable": due.billable, "data": json.loads(due.payload),
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False).encode()


class CommandSender:
    """Runs the command with the event on stdin: delivered if it exits with 0 in time.

    Without a shell, in a process group of its own, which is killed when its time is up.
    """

    def __init__(self, sink: EventSink) -> None:
        self._command = sink.command
        self._seconds = sink.timeout_seconds

    def send(self, due: Due) -> None:
        # Files, not pipes: nothing breaks or waits, whatever the command reads or leaves running.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(document(due))
            given.seek(0)
            code = self._run(given, said)
            if code:
                said.seek(max(said.seek(0, os.SEEK_END) - _ERROR_LIMIT, 0))
                raise NotDelivered(_failure(code, said.read().decode(errors="replace")))

    def _run(self, given: Any, said: Any) -> int:
        try:
            process = subprocess.Popen(  # noqa: S603  # the operator's own, without a shell
                self._command, stdin=given, stdout=subprocess.DEVNULL, stderr=said,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            reason = f"{self._command[0]} cannot be run: {error.strerror}"
            raise NotDelivered(reason, unreachable=True) from None
        try:
            return process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            raise NotDelivered(f"not done in {self._seconds} s", unreachable=True) from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def close(self) -> None:
        """Nothing is kept open."""


class HttpSender:
    """Posts the event with its signature: delivered if the answer is 2xx. No redirects."""

    def __init__(self, sink: EventSink) -> None:
        secret = secret_of(sink.secret_env)
        if not secret:
            raise ConfigurationError(
                f"event sink {sink.name}: {sink.secret_env} is not set",
                hint="Put the secret into the environment or .env.",
            )
        import requests

        self._secret = secret
        self._url = sink.url
        self._timeout = (min(_CONNECT_SECONDS, sink.timeout_seconds), sink.timeout_seconds)
        self._session = requests.Session()

    def send(self, due: Due) -> None:
        import requests

        body = document(due)
        headers = {
            "Content-Type": "application/json",
            "Aimeter-Event": due.name,
            "Aimeter-Event-Id": str(due.event_id),
            HEADER: signature(body, self._secret, int(time.time())),
        }
        try:
            with self._session.post(
                self._url, data=body, headers=headers, timeout=self._timeout,
                allow_redirects=False, stream=True,
            ) as answer:  # fmt: skip
                status = answer.status_code
        except requests.Timeout:
            reason = f"no answer in {self._timeout[1]} s"
            raise NotDelivered(reason, unreachable=True) from None
        except requests.RequestException as error:  # its text holds the address
            raise NotDelivered(type(error).__name__, unreachable=True) from None
        if not 200 <= status < 300:
            raise NotDelivered(f"answered {status}")

    def close(self) -> None:
        self._session.close()


def _failure(code: int, said: str) -> str:
    how = f"exit {code}" if code > 0 else f"killed by signal {-code}"
    lines = said.strip().splitlines()
    return redacted(f"{how}: {lines[-1]}") if lines else how
