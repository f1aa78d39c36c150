"""Every table, for migrations and for checks of the whole schema."""

from sqlmodel import SQLModel

from aimeter_cli.models import (
    billables,
    domain_events,
    installation,
    items,
    job_runs,
    overages,
    plans,
    rates,
    subscriptions,
    usages,
    webhook_events,
)

METADATA = SQLModel.metadata

__all__ = [
    "METADATA",
    "billables",
    "domain_events",
    "installation",
    "items",
    "job_runs",
    "overages",
    "plans",
    "rates",
    "subscriptions",
    "usages",
    "webhook_events",
]
