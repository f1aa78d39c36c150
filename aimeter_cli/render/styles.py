"""Colours of words. Each can be read on a light background as well as on a dark one."""

from __future__ import annotations

from aimeter_cli.render.noun import FLAG, STATUS, Column

GOOD = "color(28)"
WAITING = "color(30)"
LOOK = "color(130)"
BAD = "color(160)"
OVER = "color(243)"
QUIET = OVER
"""Of what stands beside the matter."""

STATUSES = {
    GOOD: "active ok processed synced priced delivered created found passed told new add",
    WAITING: "deferred frozen open scheduled trialing pending sending draft upcoming waiting "
    "unchanged duplicate deduct usage would",
    LOOK: "blocked grace held incomplete needs_rate no_customer paused stale unknown unpaid "
    "unpriced warning skipped",
    BAD: "error failed gone quarantined refused stopped too_old",
    OVER: "archived canceled carried deleted expired ignored over removed waived",
}  # fmt: skip
_BY_WORD = {word: style for style, words in STATUSES.items() for word in words.split()}


def style_of(column: Column, text: str) -> str:
    """The style of a cell that says ``text``."""
    if column.kind == STATUS:
        return _BY_WORD.get(text, "")
    if column.kind == FLAG and column.good is not None and text in ("yes", "no"):
        return GOOD if (text == "yes") is column.good else BAD
    return ""
