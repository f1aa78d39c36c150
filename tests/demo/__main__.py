"""``python -m tests.demo``: play the story; exit 1 where it does not go as it should."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from aimeter_cli.sandbox.process import running
from tests.demo.story import Story
from tests.demo.terminal import Failed, Terminal

_CHECKOUT = Path(__file__).resolve().parents[2]


def main(args: list[str] | None = None) -> int:
    """``--calls`` is the size of the month, ``--folder`` where everything is written."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--calls", type=int, default=40_000)
    parser.add_argument("--folder", type=Path, default=_CHECKOUT / ".demo")
    given = parser.parse_args(args)
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    started = time.perf_counter()
    try:
        with running(given.folder / "sandbox.db", rate_limit=25, renewals="auto") as sandbox:
            Story(Terminal(given.folder), sandbox, given.calls).tell()
    except (Failed, OSError, ValueError, subprocess.TimeoutExpired) as error:
        print(f"\nThe demo failed: {error}", flush=True)
        return 1
    print(f"\nEverything held, in {time.perf_counter() - started:.0f} s.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
