"""Where a person is named: found, cleared and renamed. Also what of theirs is not settled yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from sqlalchemy import ColumnElement, Table, or_, select, text, true, union, update
from sqlmodel import Session

from aimeter_cli.domain.events import EventName
from aimeter_cli.models.alerts import Alert
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.models.usages import Usage
from aimeter_cli.models.wallets import CreditTransaction, CreditWallet
from aimeter_cli.models.webhook_events import WebhookEvent

Change = Callable[[str], str]
NO_PAYLOAD = "{}"
"""No event at all: the inbox takes it for one whose payload is not kept any more."""
REMOVED = "its payload was removed: the billable was anonymised"

_UNSETTLED = {
    "overages that are not settled":
        "ai_overages WHERE billable_id = :billable"
        " AND status NOT IN ('carried', 'synced', 'waived')",
    "invoice items that are not closed":
        "ai_invoice_items WHERE billable_id = :billable AND status <> 'closed'",
    "final invoices that are not done":
        "ai_final_invoices WHERE billable_id = :billable AND status <> 'done'",
    "usages that are not priced or paid":
        "ai_usages WHERE billable_id = :billable AND state <> 'priced'",
    "wallets that are not empty":
        "ai_credit_wallets WHERE billable_id = :billable AND balance <> 0",
    "events that are not delivered":
        "ai_event_deliveries d JOIN ai_domain_events e ON e.id = d.event_id"
        " WHERE e.billable_id = :billable AND d.status = 'pending'",
}  # fmt: skip

_usages = table_of(Usage)
_items = table_of(InvoiceItem)
_finals = table_of(FinalInvoice)
_attempts = table_of(SyncAttempt)
_subscriptions = table_of(Subscription)
_overages = table_of(Overage)
_webhooks = table_of(WebhookEvent)
_events = table_of(DomainEvent)
_wallets = table_of(CreditWallet)
_ledger = table_of(CreditTransaction)
_jobs = table_of(JobRun)
_alerts = table_of(Alert)
_OF_ALERTS = (EventName.ALERT_RAISED.value, EventName.ALERT_RESOLVED.value)


def unsettled(session: Session, billable_id: int) -> dict[str, int]:
    """How many of what stand in the way, in words; only what there is."""
    connection = session.connection()
    counts = {
        what: int(
            connection.execute(
                text(f"SELECT COUNT(*) FROM {where}"), {"billable": billable_id}
            ).scalar_one()
        )
        for what, where in _UNSETTLED.items()
    }
    return {what: count for what, count in counts.items() if count}


def stripe_ids(session: Session, billable_id: int, customer: str | None) -> set[str]:
    """Every customer and subscription that they are, or were, at Stripe."""
    found = union(
        *(
            select(table.c[name]).where(table.c.billable_id == billable_id)
            for table, name in (
                (_items, "stripe_customer_id"),
                (_finals, "stripe_customer_id"),
                (_subscriptions, "stripe_subscription_id"),
            )
        )
    )
    ids = set(session.connection().execute(found).scalars()) | {customer}
    return {each for each in ids if each}


def webhook_events(session: Session, names: Collection[str]) -> dict[int, str]:
    """The stored events whose payload has one of these, JSON strings, in it: id → status.

    Reads the whole inbox.
    """
    if not names:
        return {}
    c = _webhooks.c
    named = or_(*(c.payload.contains(name, autoescape=True) for name in sorted(names)))
    rows = session.connection().execute(select(c.id, c.status).where(named))
    return {row[0]: row[1] for row in rows}


def remove_payloads(session: Session, ids: Collection[int]) -> None:
    """Of these stored events. A failed one can never be handled again: it is ignored."""
    c = _webhooks.c
    chosen = update(_webhooks).where(c.id.in_(ids))
    connection = session.connection()
    connection.execute(chosen.values(payload=NO_PAYLOAD))
    connection.execute(chosen.where(c.status == "failed").values(status="ignored", error=REMOVED))


def clear_usages(session: Session, billable_id: int, ref: str) -> int:
    """What callers said beside the figures; whoever made the call, in everybody's usages. Reads
    all usages. How many rows were changed."""
    c = _usages.c
    mine = (c.billable_id == billable_id) & or_(c.meta.is_not(None), c.user_ref.is_not(None))
    connection = session.connection()
    own = connection.execute(update(_usages).where(mine).values(meta=None, user_ref=None))
    made = connection.execute(update(_usages).where(c.user_ref == ref).values(user_ref=None))
    return int(own.rowcount) + int(made.rowcount)


def clear_meta(session: Session, billable_id: int) -> None:
    """Of subscriptions and of credit transactions; amounts and reasons stay."""
    connection = session.connection()
    connection.execute(
        update(_subscriptions).where(_subscriptions.c.billable_id == billable_id).values(meta={})
    )
    wallets = select(_wallets.c.id).where(_wallets.c.billable_id == billable_id)
    connection.execute(update(_ledger).where(_ledger.c.wallet_id.in_(wallets)).values(meta=None))


def rewrite_requests(
    session: Session, billable_id: int, change: Change, change_error: Change
) -> int:
    """Stored requests to Stripe, JSON, none of which is sent any more. How many were changed."""
    items = select(_items.c.id).where(_items.c.billable_id == billable_id)
    finals = select(_finals.c.id).where(_finals.c.billable_id == billable_id)
    c = _attempts.c
    theirs = or_(c.item_id.in_(items), c.final_invoice_id.in_(finals))
    _rewrite(session, _attempts, ("error",), theirs, change_error)
    return _rewrite(session, _attempts, ("request",), theirs, change)


def rewrite_events(session: Session, billable_id: int, change: Change) -> int:
    """Payloads, JSON, of domain events about them, and of alerts, which may name anybody. Reads
    all events. How many events were changed."""
    theirs = (_events.c.billable_id == billable_id) | _events.c.name.in_(_OF_ALERTS)
    _rewrite(session, _alerts, ("facts",), true(), change)
    return _rewrite(session, _events, ("payload",), theirs, change)


def rewrite_texts(session: Session, billable_id: int, ref: str, change: Change) -> None:
    """Reasons and errors that may name them."""
    theirs = _overages.c.billable_id == billable_id
    _rewrite(session, _overages, ("reason", "last_error"), theirs, change)
    for table, name in (
        (_jobs, "error"), (_webhooks, "error"), (_alerts, "subject"),
    ):  # fmt: skip
        _rewrite(session, table, (name,), table.c[name].contains(ref, autoescape=True), change)


def _rewrite(
    session: Session,
    table: Table,
    names: Iterable[str],
    where: ColumnElement[bool],
    change: Change,
) -> int:
    """Texts of some rows, each changed; how many became others."""
    connection, columns = session.connection(), [table.c[name] for name in names]
    rows = connection.execute(select(table.c.id, *columns).where(where)).all()
    changed = 0
    for row_id, *texts in rows:
        values = {
            column.name: change(told)
            for column, told in zip(columns, texts, strict=True)
            if told is not None and change(told) != told
        }
        if values:
            connection.execute(update(table).where(table.c.id == row_id).values(values))
            changed += 1
    return changed
