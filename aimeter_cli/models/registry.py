"""Every table, for migrations and for checks of the whole schema."""

from sqlalchemy import text
from sqlmodel import SQLModel

from aimeter_cli.models import (
    alerts,
    billables,
    domain_events,
    final_invoices,
    imported_rows,
    installation,
    items,
    job_runs,
    overages,
    overrides,
    plans,
    prices,
    rates,
    subscriptions,
    usages,
    wallets,
    webhook_events,
)

METADATA = SQLModel.metadata

for _table in METADATA.tables.values():
    for _index in _table.indexes:
        if "where" in _index.info:
            for _dialect in ("sqlite", "postgresql"):
                _index.dialect_kwargs[f"{_dialect}_where"] = text(_index.info["where"])

__all__ = [
    "METADATA",
    "alerts",
    "billables",
    "domain_events",
    "final_invoices",
    "imported_rows",
    "installation",
    "items",
    "job_runs",
    "overages",
    "overrides",
    "plans",
    "prices",
    "rates",
    "subscriptions",
    "usages",
    "wallets",
    "webhook_events",
]
