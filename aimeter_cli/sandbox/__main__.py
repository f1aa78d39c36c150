"""``python -m aimeter_cli.sandbox``: run the sandbox as a process.

Prints one line to stdout when it is ready: ``{"url": "http://127.0.0.1:PORT"}``.
"""

import argparse
import json
import os
import sqlite3
import sys
import threading
from typing import Any

from .server import serve
from .settings import CHOICES, LOCK_MODES


def _retention(text: str) -> float | None:
    return None if text == "never" else float(text)


def _end_of_input() -> threading.Event:
    """An event that is set when standard input ends, with the process that holds its other end."""
    ended = threading.Event()

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m aimeter_cli.sandbox", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=12111, help="0 picks a free one")
    add("--db", help="file of the state; a temporary one when left out")
    add("--rate-limit", type=float, help="requests per second on one endpoint")
    add("--latency-ms", type=float, help="milliseconds that every request takes")
    add("--fault", action="append", default=[], help="KIND:OPTION=VALUE,…; repeatable")
    add("--key-retention", type=_retention, default=False, help="seconds, or never")
    add("--lock-timeout", choices=LOCK_MODES, help="429 for concurrent writes on one customer")
    add("--renewals", choices=CHOICES["renewals"], help="auto: time does what is due")
    add("--until-eof", action="store_true", help="stop when standard input ends")
    add("--no-replay-header", action="store_true", help="strip Idempotent-Replayed")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run it; returns 2 when options, file or port are unusable."""
    given = arguments().parse_args(argv)
    settings: dict[str, Any] = {}
    if given.key_retention is not False:
        settings["key_retention"] = given.key_retention
    if given.lock_timeout is not None:
        settings["lock_timeout"] = given.lock_timeout
    if given.renewals is not None:
        settings["renewals"] = given.renewals
    if given.no_replay_header:
        settings["replay_header"] = False
    try:
        serve(
            given.host,
            given.port,
            given.db,
            rate_limit=given.rate_limit,
            latency_ms=given.latency_ms,
            faults=given.fault,
            ready=lambda url: print(json.dumps({"url": url}), flush=True),
            stop=_end_of_input() if given.until_eof else None,
            **settings,
        )
    except (ValueError, OSError, sqlite3.Error) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
