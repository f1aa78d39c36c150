"""Programs as processes of their own, start-up included, away from this host's configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.bench.figures import timed

_OURS = ("AI_METERING_", "AIMETER_", "STRIPE_")
AIMETER = str(Path(sys.executable).parent / "aimeter")
"""The installed command, as a user types it."""

_BARE = Path(__file__).parent


def bare(name: str) -> list[str]:
    """The command line of ``bare_NAME.py``."""
    return [sys.executable, str(_BARE / f"bare_{name}.py")]


def seconds(
    line: list[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
    *,
    codes: tuple[int] = (0,),
    timeout: float = 300,
) -> float:
    """How long the process takes. Raises RuntimeError if it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    alone = kept | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)} | dict(env or {})

    def run() -> None:
        done = subprocess.run(
            line, cwd=folder, env=alone, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=timeout,
        )  # fmt: skip
        if done.returncode not in codes:
            raise RuntimeError(f"{' '.join(line)}: exit {done.returncode}: {done.stderr}")

    return timed(run)
