"""``python -m tests.bench``: measure, print a table, write ``.bench/results.json``.

A missed goal is said, and is no failure: the machine decides about that, too.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import figures, importing, metering, recording, start_up, syncing, webhooks

_FOLDER = Path(__file__).resolve().parents[2] / ".bench"
_MEASUREMENTS: dict[str, Callable[[Path], figures.Figure]] = {
    "help": start_up.help_text,
    "list": start_up.list_one,
    "import": importing.import_file,
    "sync": syncing.sync,
    "record": recording.record_one,
    "call": metering.added_by_call,
    "replay": webhooks.replay,
}


def main(args: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("only", nargs="*", help=f"some of {', '.join(_MEASUREMENTS)}")
    wanted = parser.parse_args(args).only or list(_MEASUREMENTS)
    unknown = set(wanted) - _MEASUREMENTS.keys()
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    _FOLDER.mkdir(exist_ok=True)
    work = _FOLDER / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    found: list[figures.Figure] = []
    for name in wanted:
        started = time.perf_counter()
        found.append(_MEASUREMENTS[name](work))
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    shutil.rmtree(work)
    figures.write(found, _FOLDER / "results.json")
    print(figures.table(found), end="")
    missed = [figure.name for figure in found if not figure.is_met]
    if missed:
        print(f"Missed: {'; '.join(missed)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
