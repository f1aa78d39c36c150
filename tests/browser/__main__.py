"""``make check-browser``: pages of the report in a real browser, and their figures beside JSON's.

``--keep FOLDER`` leaves the pages there, with pictures of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.browser import looks, worlds
from tests.browser.chromium import NoBrowser, Tab, found, tab
from tests.browser.figures import differences, pairs

_AT = ("--as-of", "2026-11-30T12:00:00Z")
_MONTH = ("--month", "2026-11")
_WIDTHS = (400, 780, 840, 1280)
_SPOILT = """<!doctype html><title>t</title><main><p style="width: 3000px; color: #ccc">pale</p>
<img src="https://example.invalid/x.png">
<script>hacked = 1; console.error("oops")</script></main>"""


class Case:
    """A page to look at. ``papers``: how many sheets it may take; ``compares``: with JSON."""

    def __init__(
        self, name: str, build: Callable[[Path], None], span: tuple[str, ...],
        papers: range, *, compares: bool = False,
    ) -> None:  # fmt: skip
        self.name = name
        self.build = build
        self.span = span
        self.papers = papers
        self.compares = compares


CASES = (
    Case("empty", worlds.empty, _MONTH, range(1, 2)),
    Case("busy", worlds.busy, _MONTH, range(2, 7), compares=True),
    Case("large", worlds.large, ("--since", "2025-10-27"), range(4, 11)),
)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.browser")
    options.add_argument("--keep", type=Path, metavar="FOLDER")
    keep = options.parse_args().keep
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            program = found()
        except NoBrowser as error:
            print(f"check-browser: {error}", file=sys.stderr)
            return 1
        with tab(program) as opened:
            control = _control(opened, folder)
            _tell("a spoilt page is found out", control)
            results = [control]
            for case in CASES:
                faults = list(_faults(opened, case, folder, pictures=keep is not None))
                _tell(case.name, faults)
                results.append(faults)
    return 1 if any(results) else 0


def _faults(tab: Tab, case: Case, folder: Path, *, pictures: bool) -> Iterator[str]:
    database, page = folder / f"{case.name}.db", folder / f"{case.name}.html"
    database.unlink(missing_ok=True)
    case.build(database)
    _aimeter(database, "usage", "report", *case.span, "--html", page, "--yes")
    url = page.resolve().as_uri()
    tab.resize(_WIDTHS[-1])
    tab.prefer("light")
    tab.open(url)
    yield from looks.foreign(tab)
    if case.compares:
        yield from _differences(tab, case, database)
    for scheme in ("dark", "light"):
        yield from looks.pale(tab, scheme)
        if pictures:
            (folder / f"{case.name}-{scheme}.png").write_bytes(looks.picture(tab))
    papers = looks.printed_pages(tab)
    if papers not in case.papers:
        yield f"{papers} printed pages, not {case.papers.start} to {case.papers.stop - 1}"
    for width in _WIDTHS:
        yield from looks.overflow(tab, width)
        if pictures:
            (folder / f"{case.name}-{width}.png").write_bytes(looks.picture(tab))
    yield from looks.noises(tab, url)


def _differences(tab: Tab, case: Case, database: Path) -> list[str]:
    def document(*args: str) -> Any:
        return json.loads(_aimeter(database, *args, "--format", "json"))

    faults, count = differences(pairs(tab, {
        "models": document("usage", "report", *case.span),
        "days": document("usage", "report", *case.span, "--by", "day"),
        "overages": document("overages", "list", "--period", "2026-11", "--limit", "100000"),
        "status": document("status"),
    }))  # fmt: skip
    print(f"  {count} figures compared with JSON")
    return faults


def _control(tab: Tab, folder: Path) -> list[str]:
    """What the checks do not see on a page that has every fault."""
    page = folder / "spoilt.html"
    page.write_text(_SPOILT, encoding="utf-8")
    url = page.resolve().as_uri()
    tab.open(url)
    seen = {
        "request": any("asks for" in each for each in looks.noises(tab, url)),
        "console": any("console" in each for each in looks.noises(tab, url)),
        "script": any("executed" in each for each in looks.foreign(tab)),
        "element": any("<img" in each for each in looks.foreign(tab)),
        "width": bool(looks.overflow(tab, 400)),
        "contrast": bool(looks.pale(tab, "light")),
    }
    return [
        f"the check does not see a fault of this kind: {kind}" for kind in seen if not seen[kind]
    ]


def _aimeter(database: Path, *args: object) -> str:
    command = [sys.executable, "-m", "aimeter_cli", "--database-url", f"sqlite:///{database}"]
    done = subprocess.run(
        [*command, *_AT, *map(str, args)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def _tell(name: str, faults: list[str]) -> None:
    print(f"{name}: {'ok' if not faults else f'{len(faults)} fault(s)'}")
    for each in faults[:20]:
        print(f"  {each}")


if __name__ == "__main__":
    sys.exit(main())
