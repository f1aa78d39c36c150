"""Columns and JSON fields of wallets and of their ledger."""

from __future__ import annotations

from aimeter_cli.render.noun import COUNT, FLAG, MAP, MONEY, ROWS, STATUS, TIME, Column, Noun

CREDIT_TRANSACTION = Noun(
    "credit transaction",
    (
        Column("id", COUNT),
        Column("billable"),
        Column("kind", STATUS),
        Column("amount", MONEY),
        Column("currency", table=False),
        Column("balance_after", MONEY),
        Column("reason"),
        Column("idempotency_key", table=False),
        Column("usage_id", COUNT, header="Usage", table=False),
        Column("reverses_id", COUNT, header="Reverses"),
        Column("meta", MAP, table=False),
        Column("created_at", TIME, header="At"),
    ),
)
GRANT = Noun(
    "grant",
    (
        Column("transaction_id", COUNT, header="Transaction"),
        Column("amount", MONEY),
        Column("remaining", MONEY),
        Column("currency", table=False),
        Column("expires_at", TIME, header="Expires", none="never"),
    ),
)
UNPAID = Noun(
    "unpaid",
    (
        Column("usages", COUNT, header="Unpaid usages"),
        Column("cost", MONEY),
        Column("currency", table=False),
    ),
)
WALLET = Noun(
    "wallet",
    (
        Column("billable"),
        Column("currency", table=False),
        Column("balance", MONEY),
        Column("held", MONEY),
        Column("available", MONEY, none="without limit"),
        Column("has_unpaid", FLAG, header="Unpaid usages"),
        Column("waits_for", table=False),
        Column("grants", ROWS, of=GRANT, table=False),
        Column("unpaid", ROWS, of=UNPAID, table=False),
    ),
)
