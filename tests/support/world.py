"""A small world to sync in: a database, a sandbox, plans, customers, usages, time that passes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import text
from sqlmodel import select

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.billing.registry import make_driver
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.recording.entries import Recorded
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.services.sync.plan import Options
from aimeter_cli.services.sync.report import Report
from aimeter_cli.services.sync.run import run_sync
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag

START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


def sandbox_settings(url: str, **changes: Any) -> Settings:
    """The Stripe driver on a sandbox, quick: short time-out and lease."""
    return replace(
        Settings(
            billing_driver="stripe",
            stripe_api_key="sk_test_world",
            stripe_api_base=url,
            stripe_timeout_seconds=1,
            stripe_requests_per_second=500,
            lease_seconds=10,
        ),
        **changes,
    )


@dataclass
class World:
    """Everything on one database and one sandbox. ``now`` is business time."""

    database: Database
    sandbox: SandboxControl
    settings: Settings
    now: datetime = NOW
    driver: BillingDriver = field(init=False)

    def __post_init__(self) -> None:
        self.driver = make_driver(self.settings)

    def close(self) -> None:
        self.driver.close()

    def plan(self, slug: str = "pro", **values: Any) -> int:
        """1,000 tokens, then 0.02 per 1,000, charged, unless told otherwise."""
        given: dict[str, Any] = {
            "slug": slug, "name": slug.title(), "currency": "usd", "token_limit": 1000,
            "overage_price_per_1k_tokens": Decimal("0.02"), "overage_behavior": "charge",
            "features": [], "created_at": START, "updated_at": START,
        }  # fmt: skip
        with self.database.write() as session:
            plan = Plan(**(given | values))
            session.add(plan)
            session.flush()
            return plan.id

    def customer(self) -> str:
        """A customer at the sandbox."""
        import stripe

        http = stripe.RequestsClient(timeout=(1, 5))
        client = stripe.StripeClient(
            "sk_test_world", base_addresses={"api": self.sandbox.url}, http_client=http
        )
        made = client.v1.customers.create({"description": "of a test"}).id
        http.close()  # type: ignore[no-untyped-call]
        return str(made)

    def subscriber(
        self,
        ref: str = "user:42",
        *,
        plan: int,
        customer: str | None = "make",
        currency: str | None = None,
        **values: Any,
    ) -> int:
        """A billable with a live subscription since the first of the month; its id."""
        kind, _, ident = ref.partition(":")
        cus = self.customer() if customer == "make" else customer
        with self.database.write() as session:
            billable = Billable(
                type=kind, external_id=ident, stripe_customer_id=cus, currency=currency,
                created_at=START,
            )  # fmt: skip
            session.add(billable)
            session.flush()
            given: dict[str, Any] = {
                "billable_id": billable.id, "plan_id": plan, "started_at": START,
                "period_anchor": START, "created_at": START, "updated_at": START, "meta": {},
            }  # fmt: skip
            session.add(Subscription(**(given | values)))
            return billable.id

    def use(self, tokens: int, ref: str = "user:42", **fields: Any) -> Recorded:
        """Record one usage of so many input tokens, now, under a key of its own."""
        given = {
            "billable": ref, "provider": "openai", "model": "gpt-4o-mini", "input_tokens": tokens,
            "cost": "0", "idempotency_key": uuid4().hex,
        }  # fmt: skip
        line = usage_line(given | fields, now=self.now)
        return Recorder(self.database, self.settings, NO_PRICES).record_one(line, now=self.now)

    def sync(self, *, retry_now: bool = True, **options: Any) -> Report:
        """One run, in this process; back-off is not waited for unless told so."""
        return run_sync(
            self.database, self.settings, self.driver, Options(retry_now=retry_now, **options),
            now=self.now, stop=StopFlag(),
        )  # fmt: skip

    def time_passes(self, seconds: float) -> None:
        """Leases, back-off and unanswered sends lie further back by so much."""
        shift = timedelta(seconds=seconds)
        with self.database.write() as session:
            for item in session.exec(select(InvoiceItem)):
                for name in ("lease_expires_at", "not_before", "unanswered_at", "check_after"):
                    value = getattr(item, name)
                    if value is not None:
                        setattr(item, name, value - shift)
                session.add(item)
            for invoice in session.exec(select(FinalInvoice)):
                for name in ("lease_expires_at", "not_before", "unanswered_at"):
                    value = getattr(invoice, name)
                    if value is not None:
                        setattr(invoice, name, value - shift)
                session.add(invoice)
            for attempt in session.exec(select(SyncAttempt)):
                attempt.first_sent_at -= shift
                attempt.last_sent_at -= shift
                session.add(attempt)

    def rows(self, model: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.exec(select(model).order_by(model.id)))

    @property
    def overages(self) -> list[Overage]:
        return self.rows(Overage)

    @property
    def items(self) -> list[InvoiceItem]:
        return self.rows(InvoiceItem)

    @property
    def attempts(self) -> list[SyncAttempt]:
        return self.rows(SyncAttempt)

    def statuses(self) -> list[str]:
        return [overage.status for overage in self.overages]

    def charged(self) -> list[int]:
        """Amounts of all items at the sandbox, in minor units, oldest first."""
        return sorted(item["amount"] for item in self.sandbox.items())

    def execute(self, statement: str, **values: Any) -> None:
        with self.database.write() as session:
            session.connection().execute(text(statement), values)


__all__ = ["NOW", "NO_PRICES", "START", "World", "sandbox_settings"]
