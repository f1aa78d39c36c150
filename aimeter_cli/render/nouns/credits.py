"""Columns and JSON fields of wallets and of their ledger."""

from __future__ import annotations

from aimeter_cli.render.noun import (
    COUNT,
    FLAG,
    ID,
    MAP,
    MONEY,
    ROWS,
    SERIAL,
    STATUS,
    TIME,
    Column,
    Noun,
)

CREDIT_TRANSACTION = Noun(
    "credit transaction",
    (
        Column("id", SERIAL),
        Column("billable", ID),
        Column("kind", STATUS),
        Column("amount", MONEY),
        Column("currency", table=False),
        Column("balance_after", MONEY),
        Column("reason", priority=20),
        Column("idempotency_key", ID, table=False),
        Column("usage_id", SERIAL, header="Usage", table=False),
        Column("reverses_id", SERIAL, header="Reverses", priority=15),
        Column("meta", MAP, table=False),
        Column("created_at", TIME, header="At"),
    ),
    totals=("amount",),
    next="aimeter credits balance {billable}",
)
GRANT = Noun(
    "grant",
    (
        Column("transaction_id", SERIAL, header="Transaction"),
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
        Column("billable", ID),
        Column("currency", table=False),
        Column("balance", MONEY),
        Column("held", MONEY),
        Column("available", MONEY, none="without limit"),
        Column("has_unpaid", FLAG, header="Unpaid usages", good=False),
        Column("waits_for", table=False),
        Column("grants", ROWS, of=GRANT, table=False),
        Column("unpaid", ROWS, of=UNPAID, table=False),
    ),
    totals=("balance",),
    next="aimeter credits transactions {billable}",
)
