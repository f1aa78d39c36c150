"""The sandbox as a subprocess, for tests and demos."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .client import SandboxControl

STOP_SECONDS = 5.0


def command(
    db: str | Path | None = None, *, port: int = 0, faults: Iterable[str] = (), **options: Any
) -> list[str]:
    """The command line; ``options`` are those of ``python -m aimeter_cli.sandbox``.

    ``True`` gives a switch, None and False leave the option out.
    """
    line = [sys.executable, "-m", "aimeter_cli.sandbox", "--port", str(port)]
    if db is not None:
        line += ["--db", str(db)]
    for fault in faults:
        line += ["--fault", fault]
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            line.append(option)
        elif value is not None and value is not False:
            line += [option, str(value)]
    return line


@contextmanager
def running(
    db: str | Path | None = None, *, port: int = 0, faults: Iterable[str] = (), **options: Any
) -> Iterator[SandboxControl]:
    """Run a sandbox during the block, on a free port unless one is given, and stop it after.

    Options as for :func:`command`: ``rate_limit=25``, ``latency_ms=100``,
    ``key_retention="never"``, ``lock_timeout="stored"``, ``no_replay_header=True``,
    ``renewals="auto"``. Raises RuntimeError when it does not start. It also ends with this process,
    however that dies.
    """
    line = command(db, port=port, faults=faults, until_eof=True, **options)
    process = subprocess.Popen(
        line,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        first = process.stdout.readline() if process.stdout else ""
        if not first:
            raise RuntimeError(f"the sandbox did not start, exit code {process.wait()}")
        control = SandboxControl(json.loads(first)["url"])
        control.health()
        yield control
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
