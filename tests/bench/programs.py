"""Programs as processes of their own, start-up included, away from this host's configuration."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.bench.figures import timed

_OURS = ("AI_METERING_", "AIMETER_", "STRIPE_")
AIMETER = str(Path(sys.executable).parent / "aimeter")
"""The installed command, as a user types it."""

_BARE = Path(__file__).parent


def bare(name: str) -> list[str]:
    """The command line of ``bare_NAME.py``."""
    return [sys.executable, str(_BARE / f"bare_{name}.py")]


def alone(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without this host's configuration, and with ``env``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)} | dict(env or {})


def seconds(
    line: list[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
    *,
    codes: tuple[int] = (0,),
    timeout: float = 300,
) -> float:
    """How long the process takes. Raises RuntimeError if it fails."""

    def run() -> None:
        done = subprocess.run(
            line, cwd=folder, env=alone(folder, env), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False, timeout=timeout,
        )  # fmt: skip
        if done.returncode not in codes:
            raise RuntimeError(f"{' '.join(line)}: exit {done.returncode}: {done.stderr}")

    return timed(run)


def peak_memory(line: list[str], folder: Path, env: Mapping[str, str] | None = None) -> float:
    """The most memory that the process had resident, in MB. Raises RuntimeError if it fails.

    As Linux tells it while the process runs: ``getrusage`` would count its parent's, too.
    """
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            line, cwd=folder, env=alone(folder, env), stdin=subprocess.DEVNULL, stdout=said,
            stderr=said,
        )  # fmt: skip
        peak = 0
        while True:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            peak = max([peak, *map(int, re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE))])
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout=0.05)
                break
        if code:
            said.seek(0)
            raise RuntimeError(f"{' '.join(line)}: exit {code}: {said.read()}")
    return peak / 1000
