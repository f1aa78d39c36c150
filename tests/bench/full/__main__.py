"""``python -m tests.bench.full [PART …]``: measure, print a table, keep ``.bench/full.json``.

The file keeps the figures of parts that ran before. A missed goal is said, and is no failure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.full import claims, figures, imports, limit, quota

_FOLDER = Path(__file__).resolve().parents[3] / ".bench"
_PARTS: dict[str, Callable[[Path], list[figures.Figure]]] = {
    "claim-sqlite": claims.on_sqlite,
    "claim-postgresql": claims.on_postgresql,
    "sync-500-items": limit.few_items,
    "sync-10000-items": limit.many_items,
    "import-postgresql": imports.on_postgresql,
    "import-100-mb": imports.memory_100_mb,
    "import-1-gb": imports.memory_of_keyed,
    "import-1-gb-without-keys": imports.memory_of_keyless,
    "check-sqlite": quota.on_sqlite,
    "check-postgresql": quota.on_postgresql,
}


def main(args: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.full", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"some of {', '.join(_PARTS)}")
    wanted = parser.parse_args(args).part or list(_PARTS)
    unknown = set(wanted) - _PARTS.keys()
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    _FOLDER.mkdir(exist_ok=True)
    for name in wanted:
        work = _FOLDER / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        started = time.perf_counter()
        figures.keep(name, _PARTS[name](work), _FOLDER / "full.json")
        spent = f"{time.perf_counter() - started:.0f} s, load {os.getloadavg()[1]:.1f}"
        print(f"{name}: {spent}", file=sys.stderr, flush=True)
        shutil.rmtree(work)
    found = figures.kept(_FOLDER / "full.json", wanted)
    print(figures.table(found), end="")
    missed = [figure.name for figure in found if figure.is_met is False]
    if missed:
        print(f"Missed: {'; '.join(missed)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
