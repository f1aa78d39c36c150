"""Claims of final invoices: short transactions that lease one and write its next request down."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.db.clock import database_now, steady
from aimeter_cli.domain.endings import ended_at, ending
from aimeter_cli.domain.sync import Step, entry_step, idempotency_key
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.final_invoices import PHASES
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories import final_invoices as repo
from aimeter_cli.repositories.final_invoices import Uninvoiced
from aimeter_cli.repositories.items import add_attempt, set_item
from aimeter_cli.services.sync.claim import is_due
from aimeter_cli.services.sync.claimed import Context
from aimeter_cli.services.sync.request import item_tag, stored
from aimeter_cli.services.sync.settle import DELETED

NEEDLESS = "not_needed"
LINES = 250
"""Items on one invoice (Stripe); more are the next one's."""

Phase = Literal["create_invoice", "add_lines", "finalize"]


@dataclass(frozen=True, slots=True)
class FinalClaim:
    """A final invoice under lease, with the request of its phase.

    ``items``: (our id, Stripe's id) of what it takes; ``amount_minor``: what they come to.
    ``version`` is the number of the phase. ``send_before`` is on the steady clock.
    """

    invoice_id: int
    token: str
    send_before: float
    tag: str
    billable: str
    billable_id: int
    currency: str
    stripe_customer_id: str
    stripe_invoice_id: str | None
    phase: Phase
    version: int
    generation: int
    step: Step
    params: dict[str, Any]
    key: str
    items: tuple[tuple[int, str], ...]
    amount_minor: int
    overage_ids: tuple[int, ...]
    attempts: int
    unanswered_at: datetime | None
    created_at: datetime


def claim_new(context: Context, what: Uninvoiced) -> FinalClaim | None:
    """Begin a final invoice with all pending items of a subscription in one currency."""
    started = steady()
    with context.write() as session:
        subscription = session.get_one(Subscription, what.subscription_id)
        policy = context.settings.on_subscription_end
        end = ending(subscription, context.now, policy)
        items = repo.lock_takeable(session, what, LINES)
        customer = session.get_one(Billable, what.billable_id).stripe_customer_id
        mine = [item for item in items if item["stripe_customer_id"] == customer]
        if end in ("hold", "waive"):  # what an operator has released since is charged all the same
            over = ended_at(subscription, context.now)
            mine = [item for item in mine if not repo.has_unreleased(session, item["id"], over)]
        if end not in ("invoice", "hold", "waive") or not mine or customer is None:
            session.rollback()
            return None
        now = database_now(session)
        invoice_id = repo.insert_invoice(
            session, uid=uuid.uuid4().hex, billable_id=what.billable_id,
            subscription_id=what.subscription_id, currency=what.currency, status="sending",
            phase=PHASES[0], step=Step.SEND.value, stripe_customer_id=customer, generation=0,
            lease_token=uuid.uuid4().hex, lease_expires_at=now + context.lease, attempts=0,
            created_at=now, updated_at=now,
        )  # fmt: skip
        if invoice_id is None:
            session.rollback()
            return None
        for item in mine:
            set_item(session, item["id"], final_invoice_id=invoice_id, updated_at=now)
        return begin_phase(session, context, invoice_id, started)


def claim_due(context: Context, invoice_id: int, *, retry_now: bool) -> FinalClaim | None:
    """Take over one that a dead process left, or whose back-off is over."""
    started = steady()
    with context.write() as session:
        row = repo.lock_invoice(session, invoice_id)
        now = database_now(session)
        if row is None or not is_due(row, now, retry_now=retry_now):
            session.rollback()
            return None
        if _is_needless(session, context, row):
            _drop(session, row, now)
            return None
        unanswered = row["unanswered_at"]
        if row["status"] == "sending":  # it may have sent until its lease expired
            unanswered = max(filter(None, (unanswered, row["lease_expires_at"])))
        repo.set_invoice(
            session, invoice_id, status="sending", lease_token=uuid.uuid4().hex,
            lease_expires_at=now + context.lease, unanswered_at=unanswered, updated_at=now,
        )  # fmt: skip
        attempt = repo.attempt_of(session, invoice_id, _number(row["phase"]), row["generation"])
        if attempt is None:  # the phase waited for its items before it was begun
            return begin_phase(session, context, invoice_id, started)
        step = entry_step(
            Step(row["step"]), is_update=False, first_sent_at=attempt["first_sent_at"], now=now
        )
        sends = step in (Step.SEND, Step.PROVE)
        if sends and row["phase"] == "finalize" and not _all_settled(session, invoice_id):
            step, sends = Step.LOOK_UP, False  # an amount on it changes: it may only have been done
        if sends:
            repo.set_attempt(
                session, invoice_id, attempt["version"], attempt["generation"],
                last_sent_at=now, sends=attempt["sends"] + 1,
            )  # fmt: skip
        return _leased(session, context, invoice_id, attempt, step, started)


def begin_phase(
    session: Session, context: Context, invoice_id: int, started: float
) -> FinalClaim | None:
    """Write the request of the invoice's phase down, under its lease.

    None, and the lease given back, while an item is not settled: the next sync settles it first.
    """
    row = repo.invoice_by_id(session, invoice_id)
    now = database_now(session)
    items = repo.items_of(session, invoice_id)
    if row["phase"] == "finalize" and not _all_settled(session, invoice_id):
        repo.set_invoice(
            session, invoice_id, status="unknown", lease_token=None, lease_expires_at=None,
            not_before=now, updated_at=now,
        )  # fmt: skip
        return None
    version = _number(row["phase"])
    last = repo.last_generation(session, invoice_id, version)
    generation = max(last + 1 if last is not None else 0, context.first_generation)
    add_attempt(
        session, final_invoice_id=invoice_id, run_id=context.run_id, version=version,
        generation=generation, kind=row["phase"], amount_minor=_amount(items),
        request=stored(_params(session, context, row, items)), first_sent_at=now,
        last_sent_at=now, sends=1,
        idempotency_key=idempotency_key(context.install_id, row["uid"], version, generation),
    )  # fmt: skip
    repo.set_invoice(
        session, invoice_id, step=Step.SEND.value, generation=generation, unanswered_at=None,
        lease_expires_at=now + context.lease, updated_at=now,
    )  # fmt: skip
    attempt = repo.attempt_of(session, invoice_id, version, generation)
    assert attempt is not None, "it was just written"  # noqa: S101
    return _leased(session, context, invoice_id, attempt, Step.SEND, started)


def _all_settled(session: Session, invoice_id: int) -> bool:
    """Whether every item is, and nobody changes one just now."""
    free = repo.lock_items_of(session, invoice_id)
    return len(free) == len(repo.items_of(session, invoice_id)) and all(map(_is_settled, free))


def _is_settled(item: RowMapping) -> bool:
    """Whether its amount is the one we want; a closed or deleted one no longer matters."""
    if item["status"] == "idle":
        return not item["is_dirty"]
    return bool(item["status"] == "closed" or item["reason"] == DELETED)


def _is_needless(session: Session, context: Context, row: RowMapping) -> bool:
    """Whether the subscription lives again, or turned out unpaid, before there was a draft."""
    if row["phase"] != PHASES[0] or row["stripe_invoice_id"] is not None:
        return False
    subscription = session.get_one(Subscription, row["subscription_id"])
    end = ending(subscription, context.now, context.settings.on_subscription_end)
    return end is None or (end == "hold" and _is_unreleased(session, context, subscription, row))


def _is_unreleased(
    session: Session, context: Context, subscription: Subscription, row: RowMapping
) -> bool:
    over = ended_at(subscription, context.now)
    items = repo.items_of(session, row["id"])
    return any(repo.has_unreleased(session, item["id"], over) for item in items)


def _drop(session: Session, row: RowMapping, now: datetime) -> None:
    """Give its items back. Should its draft come to be after all, it stays empty."""
    for item in repo.items_of(session, row["id"]):
        set_item(session, item["id"], final_invoice_id=None, updated_at=now)
    repo.set_invoice(
        session, row["id"], status="done", reason=NEEDLESS, lease_token=None,
        lease_expires_at=None, updated_at=now,
    )  # fmt: skip


def _number(phase: str) -> int:
    return PHASES.index(phase) + 1


def _amount(items: Any) -> int:
    return sum(item["confirmed_minor"] for item in items)


def _params(session: Session, context: Context, row: RowMapping, items: Any) -> Mapping[str, Any]:
    if row["phase"] == "finalize":
        return {"auto_advance": True}
    if row["phase"] == "add_lines":
        return {"lines": [{"invoice_item": item["stripe_item_id"]} for item in items]}
    billable = session.get_one(Billable, row["billable_id"])
    extra = dict(context.settings.stripe_final_invoice)
    if "automatic_tax" in extra:
        extra["automatic_tax"] = {"enabled": extra["automatic_tax"]}
    return {
        "customer": row["stripe_customer_id"],
        "currency": row["currency"],
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        "metadata": {
            "aimeter_invoice": item_tag(context.install_id, row["uid"]),
            "aimeter_billable": billable.ref,
            "aimeter_subscription": str(row["subscription_id"]),
        },
        **extra,
    }


def _leased(
    session: Session,
    context: Context,
    invoice_id: int,
    attempt: RowMapping,
    step: Step,
    started: float,
) -> FinalClaim:
    row = repo.invoice_by_id(session, invoice_id)
    items = repo.items_of(session, invoice_id)
    settings = context.settings
    return FinalClaim(
        invoice_id=invoice_id,
        token=row["lease_token"],
        send_before=started + settings.lease_seconds - settings.stripe_timeout_seconds,
        tag=item_tag(context.install_id, row["uid"]),
        billable=session.get_one(Billable, row["billable_id"]).ref,
        billable_id=row["billable_id"],
        currency=row["currency"],
        stripe_customer_id=row["stripe_customer_id"],
        stripe_invoice_id=row["stripe_invoice_id"],
        phase=cast(Phase, row["phase"]),
        version=attempt["version"],
        generation=attempt["generation"],
        step=step,
        params=json.loads(attempt["request"]),
        key=attempt["idempotency_key"],
        items=tuple((item["id"], item["stripe_item_id"]) for item in items),
        amount_minor=_amount(items),
        overage_ids=tuple(repo.overages_of(session, invoice_id)),
        attempts=row["attempts"],
        unanswered_at=row["unanswered_at"],
        created_at=row["created_at"],
    )
