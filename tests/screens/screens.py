"""Which commands are shown, and in which of the two worlds: the one that is empty, or the full."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aimeter_cli.migrations import HEAD
from tests.screens.capture import Shown, shown
from tests.screens.frozen import Clock
from tests.screens.story import EVENT, make, make_empty, world

GOLDEN = Path(__file__).parent / "golden"
_REVISION = re.compile(rf"((?:revision|Revision |Newest   )) {HEAD}\b")
WIDTHS: dict[str, int | None] = {"80": 80, "160": 160, "pipe": None}
"""The folder of the golden files, and how many columns there are; a pipe has none."""


@dataclass(frozen=True, slots=True)
class Screen:
    """``name`` of its files. ``is_empty``: in the empty world. ``changes``: in a copy of it."""

    name: str
    args: tuple[str, ...]
    is_empty: bool = False
    changes: bool = False

    @property
    def text(self) -> str:
        """As it is typed."""
        return " ".join(self.args)


def _of(line: str, name: str = "", *, empty: bool = False, changes: bool = False) -> Screen:
    args = tuple(line.split())
    return Screen(name or "-".join(args[:2]), args, empty, changes)


_LISTS = (
    "plans list", "billables list", "subscriptions list", "usage list", "overrides list",
    "overages list", "credits balance", "credits transactions", "rates list", "webhooks list",
    "events list", "alerts list",
)  # fmt: skip
SCREENS: tuple[Screen, ...] = (
    *(_of(line) for line in _LISTS),
    *(_of(line, line.replace(" ", "-") + ".empty", empty=True) for line in _LISTS),
    _of("prices list"),
    _of("rates history usd eur"),
    _of("rates convert 10 usd eur"),
    _of("config show"),
    _of("plans show pro"),
    _of("billables show user:42"),
    _of("subscriptions show user:42"),
    _of("subscriptions list --status grace", "subscriptions-grace"),
    _of("overages show 2"),
    _of("overages list --unsynced", "overages-unsynced"),
    _of("overages explain 2"),
    _of("overages explain 3", "overages-explain-failed"),
    _of("credits balance team:7f3c", "credits-balance-one"),
    _of("prices show openai gpt-4o-mini"),
    _of(f"webhooks show {EVENT}"),
    _of("events show 12"),
    _of("usage check user:42 --tokens 8,000"),
    _of("usage check user:10 --cost 60", "usage-check-credits"),
    _of("usage report"),
    _of("usage report --by day,billable", "usage-report-days"),
    _of("usage report", "usage-report.empty", empty=True),
    _of("status"),
    _of("status", "status.empty", empty=True),
    _of("doctor"),
    _of("doctor", "doctor.empty", empty=True),
    _of("audit"),
    _of("audit", "audit.empty", empty=True),
    _of("sync status"),
    _of("db current"),
    _of("sync-stripe-overages", "sync-run", changes=True),
    _of("sync-stripe-overages --dry-run", "sync-dry-run"),
    _of("sync-stripe-overages", "sync-run.empty", empty=True, changes=True),
    _of("webhooks replay again.jsonl", "webhooks-replay", changes=True),
    _of("alerts check --dry-run"),
    _of("events deliver --dry-run", "events-deliver-dry-run"),
    _of("overages waive 5 --reason goodwill --yes", "overages-waive", changes=True),
    _of("usage import more.jsonl", "usage-import", changes=True),
)  # fmt: skip


class Gallery:
    """Both worlds, in a folder that several processes share, and what commands show in copies."""

    def __init__(self, folder: Path, copies: Path) -> None:
        self._worlds = {True: folder / "empty", False: folder / "full"}
        self._copies = copies
        self._looked_at: dict[bool, Path] = {}

    def make(self) -> None:
        """Both, unless they are there; one that could not be made whole is not."""
        empty, full = self._worlds[True], self._worlds[False]
        if not full.exists():
            half = full.with_name("half-made")
            for left in (empty, half):
                shutil.rmtree(left, ignore_errors=True)
            make_empty(empty)
            make(half, empty)
            half.rename(full)

    def show(self, screen: Screen, width: int | None, *, color: bool = False) -> Shown:
        """What it shows on a terminal of so many columns, or in a pipe."""
        with world(self.folder(screen), Clock()):
            return shown(*screen.args, width=width, color=color)

    def folder(self, screen: Screen) -> Path:
        """Where it is run: a copy of its own if it changes anything."""
        if screen.changes:
            return self.copy(screen)
        if screen.is_empty not in self._looked_at:
            self._looked_at[screen.is_empty] = self.copy(screen)
        return self._looked_at[screen.is_empty]

    def copy(self, screen: Screen) -> Path:
        """Its world, to do with what one likes."""
        folder = tempfile.mkdtemp(dir=self._copies)
        return Path(shutil.copytree(self._worlds[screen.is_empty], folder, dirs_exist_ok=True))

    def golden(self, screen: Screen, kind: str) -> str:
        """The text of its golden file; whatever the newest revision of the schema is, 0000."""
        text = self.show(screen, WIDTHS[kind]).text
        return f"$ aimeter {screen.text}\n" + _REVISION.sub(r"\1 0000", text)


def golden_file(screen: Screen, kind: str) -> Path:
    return GOLDEN / kind / f"{screen.name}.txt"


def write() -> None:
    """All golden files anew, and no others."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        gallery = Gallery(Path(folder), copies=Path(folder))
        gallery.make()
        for kind in WIDTHS:
            (GOLDEN / kind).mkdir(parents=True)
            for screen in SCREENS:
                golden_file(screen, kind).write_text(gallery.golden(screen, kind), encoding="utf-8")
