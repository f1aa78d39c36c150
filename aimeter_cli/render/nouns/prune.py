"""Columns and JSON fields of a prune."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, ROWS, TIME, Column, Noun

_REASONS = {
    "unpriced": "without a price: aimeter usage reprice",
    "needs_rate": "without a rate: aimeter rates update, then aimeter usage reprice",
    "unpaid": "not paid from a wallet yet",
    "in_ledger": "paid from a wallet, whose ledger names them",
    "recent_period": "of a period that goes on, or may get late usage",
    "unsettled": "of a period that is not wholly priced and on closed invoice items",
    "correction": "correct, or are corrected by, one that stays",
}
KEPT = Noun(
    "kept",
    (
        Column("reason", table=False),
        Column("count", COUNT, header="Kept usages"),
        Column("because", get=lambda kept: _REASONS[kept.reason]),
    ),
)
PRUNE = Noun(
    "prune",
    (
        Column("dry_run", FLAG),
        Column("before", TIME, none="never", is_dated=True),
        Column("pruned", COUNT, header="Pruned usages"),
        Column("daily_sums", COUNT),
        Column("kept", ROWS, of=KEPT),
    ),
)
