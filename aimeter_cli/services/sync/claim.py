"""Claims: short transactions that freeze overages, set an item's target and lease it.

What will be sent is written down here, before anything is sent. A claim ends with a lease token; a
process that dies leaves it to expire.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, bindparam, literal_column, select, update
from sqlmodel import Session

from aimeter_cli.db.clock import database_now, steady
from aimeter_cli.domain.money import floor_to_minor, from_nanos, to_nanos
from aimeter_cli.domain.rates import NoRate
from aimeter_cli.domain.sync import Step, entry_step
from aimeter_cli.models.billables import Billable
from aimeter_cli.repositories import items as repo
from aimeter_cli.repositories.payers import payer_of
from aimeter_cli.repositories.sendable import ItemKey, renew
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.services.sync.claimed import Accounted, Claim, Context, Held
from aimeter_cli.services.sync.events import emit_failed
from aimeter_cli.services.sync.guards import Candidate
from aimeter_cli.services.sync.target import set_target, target_of, under_lease, with_overages

overages = repo.overages
_THESE = overages.c.id.in_(bindparam("ids", expanding=True))
_SET = update(overages).where(_THESE)
_AS_IT_IS = {"exchange_rate": None, "exchange": None, "reason": None}
_SET_AS_IT_IS = _SET.values(charge_amount=overages.c.amount)
_LOCK = (
    select(
        overages.c.id, overages.c.amount, overages.c.currency, overages.c.charge_amount,
        overages.c.period_end, overages.c.released_at,
    )
    .where(
        _THESE,
        overages.c.item_id.is_(None),
        overages.c.status.in_([literal_column("'open'"), literal_column("'frozen'")]),
    )
    .order_by(overages.c.id)
    .with_for_update(skip_locked=True, key_share=True)
)  # fmt: skip


def claim_fresh(
    context: Context, key: ItemKey, overage_ids: Iterable[int]
) -> Claim | Accounted | None:
    """Claim the given overages of one item; None where somebody else has it, or a rate lacks."""
    started = steady()
    with context.write() as session:
        rows = _lock_overages(session, list(overage_ids))
        exchange = Exchange(session, context.settings)
        values = {row["id"]: _converted(row, key.currency, exchange, context.now) for row in rows}
        priced = [row for row in rows if values[row["id"]].get("status") != "needs_rate"]
        item, is_new, held = None, False, None
        if priced:
            item, is_new = _item_for(session, context, key, priced[0]["period_end"])
            if item is None:
                session.rollback()
                return None
            held = _hold(session, context, exchange, key, priced, values)
        placed = [row["id"] for row in priced if "status" not in values[row["id"]]]
        if item is not None:
            on_item = {"item_id": item["id"], "in_version": item["version"] + 1}
            for row_id in placed:
                values[row_id] |= {"status": "frozen", **on_item}
        _set_overages(session, rows, values, run_id=context.run_id, updated_at=context.now)
        if item is None or not placed:
            return Accounted((), "held", held) if held is not None else None
        _close_what_never_reached_a_cent(session, key, context.now)
        carried = repo.pull_carry(session, item["id"], key, item["version"] + 1)
        total = None
        if is_new and not carried:  # nothing else can be on it
            its = set(placed)
            total = sum(_charged(row, values[row["id"]]) for row in rows if row["id"] in its)
        claim = set_target(session, context, item, started, placed=placed, total=total)
        return replace(claim, held=held) if held is not None else claim


def claim_dirty(context: Context, item_id: int) -> Claim | Accounted | None:
    """Claim an idle item whose overages changed: waived, or left by a failed version."""
    started = steady()
    with context.write() as session:
        item = repo.lock_item(session, item_id, "idle")
        if item is None or not item["is_dirty"]:
            session.rollback()
            return None
        return set_target(session, context, item, started)


def claim_due(context: Context, item_id: int, *, retry_now: bool) -> Claim | None:
    """Take over an item left by a dead process, or one whose back-off is over."""
    started = steady()
    with context.write() as session:
        item = repo.lock_item(session, item_id, "sending", "unknown")
        now = database_now(session)
        if item is None or not is_due(item, now, retry_now=retry_now):
            session.rollback()
            return None
        token = uuid.uuid4().hex
        unanswered = item["unanswered_at"]
        if item["status"] == "sending":  # it may have sent until its lease expired
            unanswered = max(filter(None, (unanswered, item["lease_expires_at"])))
        repo.set_in_flight(session, item_id, item["version"], run_id=context.run_id)
        repo.set_item(
            session, item_id, status="sending", lease_token=token, unanswered_at=unanswered,
            lease_expires_at=now + context.lease, updated_at=now,
        )  # fmt: skip
        attempt = repo.attempt_of(session, item_id, item["version"], item["generation"])
        step = entry_step(
            Step(item["step"]),
            is_update=attempt["kind"] == "update",
            first_sent_at=attempt["first_sent_at"],
            now=now,
        )
        if step in (Step.SEND, Step.PROVE, Step.CHECK):
            repo.set_attempt(
                session, item_id, item["version"], item["generation"],
                last_sent_at=now, sends=attempt["sends"] + 1,
            )  # fmt: skip
        payer = payer_of(session, item["subscription_id"], item["period_end"])
        leased = repo.item_by_id(session, item_id)
        claim = under_lease(context, leased, attempt, payer, step, started)
        return with_overages(session, claim)


def raise_generation(context: Context, claim: Claim) -> Claim | Accounted | None:
    """The old key is spent without effect: a new one, and a new amount if it changed meanwhile.

    Returns as :func:`claim_fresh` does; None: the lease was lost.
    """
    started = steady()
    with context.write() as session:
        if not repo.set_leased(session, claim.item_id, claim.token, unanswered_at=None):
            session.rollback()
            return None
        item = repo.item_by_id(session, claim.item_id)
        reason = why_impossible(session, item)
        if reason is not None:
            return dissolve(session, item, reason)
        target = target_of(session, item)
        same = target == item["target_minor"] and not item["is_dirty"]
        return set_target(session, context, item, started, again=same)


def renew_waiting_rates(context: Context, pairs: Iterable[tuple[str, str]]) -> None:
    """Rows that wait for a rate which is there now can be sent again."""
    with context.write() as session:
        exchange = Exchange(session, context.settings)
        for base, quote in pairs:
            try:
                exchange.conversion(base, quote, context.now)
            except NoRate:
                continue
            renew(session, base, quote, context.now)


def why_impossible(session: Session, item: RowMapping) -> str | None:
    """Why an item of which nothing has reached Stripe cannot be made there any more: the billable's
    currency was corrected, or its customer deleted, in between. None: it can."""
    if item["stripe_item_id"] is not None:
        return None
    billable = session.get_one(Billable, item["billable_id"])
    if billable.stripe_customer_id is None:
        return "no_customer"
    corrected = billable.currency is not None and billable.currency != item["currency"]
    return "currency_corrected" if corrected and not item["confirmed_version"] else None


def dissolve(session: Session, item: RowMapping, reason: str) -> Accounted:
    """Nothing of the item is at Stripe: its overages are converted and claimed anew."""
    now = database_now(session)
    freed = repo.in_flight(session, item["id"], item["version"])
    session.connection().execute(
        update(overages)
        .where(overages.c.item_id == item["id"])
        .where(overages.c.status != "waived")
        .values(
            status="frozen", item_id=None, in_version=None, charge_amount=None,
            charge_currency=None, exchange_rate=None, exchange=None, updated_at=now,
        )
    )  # fmt: skip
    repo.return_carry(session, item["id"])
    repo.set_item(
        session, item["id"], status="closed", lease_token=None, lease_expires_at=None,
        final_minor=0, carry_out=Decimal(0), is_dirty=False, reason=reason,
        updated_at=now,
    )  # fmt: skip
    return Accounted(tuple(freed), "freed")


def is_due(item: RowMapping, now: datetime, *, retry_now: bool) -> bool:
    """Whether an item, or a final invoice, was left by a dead process, or its back-off is over."""
    if item["status"] == "sending":
        return bool(item["lease_expires_at"] < now)
    return retry_now or item["not_before"] is None or bool(item["not_before"] <= now)


def _lock_overages(session: Session, overage_ids: list[int]) -> Sequence[RowMapping]:
    return session.connection().execute(_LOCK, {"ids": overage_ids}).mappings().all()


def _set_overages(
    session: Session,
    rows: Sequence[RowMapping],
    values: dict[int, dict[str, Any]],
    **same: Any,
) -> None:
    """Each row's own values and the ``same`` for all: in one statement for rows that get the same,
    and most do, since few are converted from another currency."""
    alike: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        new = values[row["id"]]
        own = new.get("charge_amount") == row["amount"]
        rest = {name: new[name] for name in new if name != "charge_amount"} if own else new
        alike.setdefault((own, *rest.items()), []).append(row["id"])
    for (own, *group), ids in alike.items():
        statement = _SET_AS_IT_IS if own else _SET
        session.connection().execute(statement, {"ids": ids, **dict(group), **same})


def _item_for(
    session: Session, context: Context, key: ItemKey, period_end: datetime
) -> tuple[RowMapping | None, bool]:
    """The pending item of a key, locked, and whether it was made; None: somebody else has it."""
    clock = database_now(session)  # look-ups search from this time on
    restored = context.restored_at
    is_stale = restored is not None and key.period_start <= restored
    return repo.live_item(session, key, uuid.uuid4().hex, period_end, clock, is_stale=is_stale)


def _hold(
    session: Session,
    context: Context,
    exchange: Exchange,
    key: ItemKey,
    rows: Sequence[RowMapping],
    values: dict[int, dict[str, Any]],
) -> Held | None:
    """Set aside in ``values`` what the guards do not let pass."""
    candidates = [_candidate(row, values[row["id"]]) for row in rows]
    reasons = context.guards.held(session, exchange, key, candidates, context.now)
    if not reasons:
        return None
    for row_id, reason in reasons.items():
        values[row_id] |= {"status": "held", "reason": reason, "last_error": reason}
    ids = tuple(reasons)
    reason = reasons[ids[0]]
    emit_failed(session, context, key.billable_id, ids, reason)
    billable = session.get_one(Billable, key.billable_id)
    total = sum(each.nanos for each in candidates if each.overage_id in reasons)
    return Held(
        ids, billable.ref, billable.stripe_customer_id or "", key.currency,
        floor_to_minor(total, key.currency), reason,
    )  # fmt: skip


def _candidate(row: RowMapping, new: dict[str, Any]) -> Candidate:
    return Candidate(row["id"], _charged(row, new), row["released_at"] is not None)


def _charged(row: RowMapping, new: dict[str, Any]) -> int:
    """Nanos in the customer's currency."""
    return to_nanos(new.get("charge_amount", row["charge_amount"]))


def _converted(row: RowMapping, currency: str, exchange: Exchange, now: datetime) -> dict[str, Any]:
    """The overage in the customer's currency, with the rate pinned; or that it needs one."""
    if row["charge_amount"] is not None:
        return {}
    if row["currency"] == currency:
        return {"charge_amount": row["amount"], **_AS_IT_IS, "charge_currency": currency}
    try:
        conversion = exchange.conversion(row["currency"], currency, now)
    except NoRate as error:
        return {"status": "needs_rate", "reason": error.message}
    return {
        "charge_amount": from_nanos(conversion.apply(to_nanos(row["amount"]))),
        "charge_currency": currency,
        "exchange_rate": conversion.rate,
        "exchange": conversion.via,
        "reason": None,
    }


def _close_what_never_reached_a_cent(session: Session, key: ItemKey, now: datetime) -> None:
    for old in repo.carried_out_items(session, key, now):
        rest = from_nanos(repo.item_total(session, old["id"]))
        repo.set_item(
            session, old["id"], status="closed", final_minor=0, carry_out=rest, updated_at=now
        )
