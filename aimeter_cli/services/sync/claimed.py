"""What a claim is: the context of a run, an item under lease, or nothing to send."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.sync import Step
from aimeter_cli.models.installation import Installation
from aimeter_cli.services.sync.guards import Guards
from aimeter_cli.settings.table import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """What every claim and settlement of a run needs. ``now`` is business time.

    ``restored_at``: when a backup took the database's place; ``first_generation`` of every version,
    so that no key of before that time is used again.
    """

    database: Database
    settings: Settings
    install_id: str
    run_id: str
    now: datetime
    dry_run: bool = False
    restored_at: datetime | None = None
    first_generation: int = 0
    guards: Guards = field(default_factory=Guards)

    @classmethod
    def of(
        cls,
        here: Installation,
        database: Database,
        settings: Settings,
        *,
        run_id: str,
        now: datetime,
        dry_run: bool,
        guards: Guards | None = None,
    ) -> Context:
        return cls(
            database, settings, here.install_id, run_id, now, dry_run, here.restored_at,
            here.first_generation, guards or Guards.of(settings),
        )  # fmt: skip

    def write(self) -> AbstractContextManager[Session]:
        """A transaction; rolled back at its end in a dry run."""
        return self.database.write(dry_run=self.dry_run)

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.settings.lease_seconds)


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that this process has leased, with the request it is to send.

    ``send_before`` is on the steady clock: lease expiry minus the request time-out.
    """

    item_id: int
    token: str
    send_before: float
    tag: str
    billable: str
    billable_id: int
    currency: str
    version: int
    generation: int
    step: Step
    kind: str
    params: dict[str, Any]
    key: str
    stripe_customer_id: str
    stripe_item_id: str | None
    target_minor: int
    confirmed_minor: int
    confirmed_version: int
    attempts: int
    unanswered_at: datetime | None
    created_at: datetime
    subscription_id: int
    period_start: datetime
    may_overwrite: bool
    is_stale: bool
    overage_ids: tuple[int, ...]
    held: Held | None = None

    @property
    def draft_invoice_id(self) -> str | None:
        """The draft that a create names."""
        found: str | None = self.params.get("invoice")
        return found


@dataclass(frozen=True, slots=True)
class Accounted:
    """Overages for which nothing was to be sent: ``synced``, ``carried``, or ``freed`` from an item
    that never was at Stripe, for another one; or none, where a guard held every one."""

    overage_ids: tuple[int, ...]
    status: str
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Overages of one customer that guards keep back until an operator releases them."""

    overage_ids: tuple[int, ...]
    billable: str
    stripe_customer_id: str
    currency: str
    amount_minor: int
    reason: str
