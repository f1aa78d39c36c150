"""How an event gets to a sink: to a command on stdin, or to an address in a signed POST."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any, Protocol

from aimeter_cli.domain.periods import iso
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.repositories.deliveries import Due
from aimeter_cli.services.events.posting import NotDelivered, Poster
from aimeter_cli.services.events.signatures import HEADER, signature
from aimeter_cli.services.events.slack import SlackSender, words_of
from aimeter_cli.settings.alerts import AlertSink
from aimeter_cli.settings.load import secret_of
from aimeter_cli.settings.secrets import redacted
from aimeter_cli.settings.sinks import EventSink

_ERROR_LIMIT = 200


class Sender(Protocol):
    """Sends one event. Raises NotDelivered."""

    def send(self, due: Due) -> None: ...
    def close(self) -> None: ...


def make_sender(sink: EventSink | AlertSink) -> Sender:
    """Raises ConfigurationError if its secret is not set."""
    is_alert = isinstance(sink, AlertSink)
    if sink.command:
        return CommandSender(sink, alert_document if is_alert else document)
    return SlackSender(sink) if isinstance(sink, AlertSink) else HttpSender(sink)


def document(due: Due) -> bytes:
    """What every sink gets, the same at every attempt. ``id`` tells a repeat."""
    return _encoded(_told(due))


def alert_document(due: Due) -> bytes:
    """The same, with a ``text`` for people."""
    return _encoded(_told(due) | {"text": words_of(due)})


def _told(due: Due) -> dict[str, Any]:
    return {
        "id": due.event_id, "name": due.name, "created_at": iso(due.created_at),
        "billable": due.billable, "data": json.loads(due.payload),
    }  # fmt: skip


def _encoded(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode()


class CommandSender:
    """Runs the command with the event on stdin: delivered if it exits with 0 in time.

    Without a shell, in a process group of its own, which is killed when its time is up.
    """

    def __init__(self, sink: EventSink | AlertSink, document: Callable[[Due], bytes]) -> None:
        self._document = document
        self._command = sink.command
        self._seconds = sink.timeout_seconds

    def send(self, due: Due) -> None:
        # Files, not pipes: nothing breaks or waits, whatever the command reads or leaves running.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(self._document(due))
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
    """Posts the event with its signature: delivered if the answer is 2xx."""

    def __init__(self, sink: EventSink) -> None:
        secret = secret_of(sink.secret_env)
        if not secret:
            raise ConfigurationError(
                f"event sink {sink.name}: {sink.secret_env} is not set",
                hint="Put the secret into the environment or .env.",
            )
        self._secret = secret
        self._poster = Poster(sink.url, sink.timeout_seconds)

    def send(self, due: Due) -> None:
        body = document(due)
        headers = {
            "Content-Type": "application/json",
            "Aimeter-Event": due.name,
            "Aimeter-Event-Id": str(due.event_id),
            HEADER: signature(body, self._secret, int(time.time())),
        }
        self._poster.post(body, headers)

    def close(self) -> None:
        self._poster.close()


def _failure(code: int, said: str) -> str:
    how = f"exit {code}" if code > 0 else f"killed by signal {-code}"
    lines = said.strip().splitlines()
    return redacted(f"{how}: {lines[-1]}") if lines else how
