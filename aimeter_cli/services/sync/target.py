"""An item's new amount: leased with its request written down, or accounted for at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, update
from sqlmodel import Session

from aimeter_cli.db.clock import database_now
from aimeter_cli.domain.money import floor_to_minor
from aimeter_cli.domain.sync import Step, idempotency_key
from aimeter_cli.repositories import items as repo
from aimeter_cli.repositories.payers import Payer, payer_of
from aimeter_cli.services.sync.claimed import Accounted, Claim, Context
from aimeter_cli.services.sync.request import item_params, item_tag, stored

overages = repo.overages


def target_of(session: Session, item: RowMapping, total: int | None = None) -> int:
    """Minor units; ``total``: the nanos that the item stands for, where they are known."""
    nanos = repo.item_total(session, item["id"]) if total is None else total
    return max(0, floor_to_minor(nanos, item["currency"]))


def set_target(
    session: Session,
    context: Context,
    item: RowMapping,
    started: float,
    *,
    placed: Sequence[int] = (),
    total: int | None = None,
    again: bool = False,
    is_known: bool = False,
) -> Claim | Accounted:
    """Lease the item for its new amount, or account for it at once if nothing is to be sent.

    ``placed``: overages that were put on it for this version. ``total``: as in :func:`target_of`.
    ``again``: the same version under a new key. ``is_known``: what Stripe has of it has been looked
    up. A stale item must be, before it is made.
    """
    now = database_now(session)
    target = target_of(session, item, total)
    version = item["version"] if again else item["version"] + 1
    if not again and item["version"] > item["confirmed_version"]:
        _move_in_flight(session, item, version)
    at_stripe = item["stripe_item_id"] is not None
    is_sure = not item["may_overwrite"] and not (item["is_stale"] and at_stripe)
    if target == item["confirmed_minor"] and is_sure:
        return _account_without_sending(session, item, version, now)
    generation = max(item["generation"] + 1 if again else 0, context.first_generation)
    payer = payer_of(session, item["subscription_id"], item["period_end"])
    params = item_params(
        item, payer, install_id=context.install_id, version=version,
        target_minor=target, settings=context.settings, now=context.now,
    )  # fmt: skip
    kind = "update" if at_stripe else "create"
    attempt = {
        "item_id": item["id"], "run_id": context.run_id, "version": version,
        "generation": generation, "kind": kind, "stripe_item_id": item["stripe_item_id"],
        "amount_minor": target, "request": stored(params), "first_sent_at": now,
        "last_sent_at": now, "sends": 1,
        "idempotency_key": idempotency_key(context.install_id, item["uid"], version, generation),
    }  # fmt: skip
    repo.add_attempt(session, **attempt)
    customer = {} if kind == "update" else {"stripe_customer_id": params["customer"]}
    step = Step.CHECK if kind == "update" and not again else Step.SEND
    if kind == "create" and item["is_stale"] and not (again or is_known):
        step = Step.LOOK_UP
    lease = {
        "status": "sending", "step": step.value, "is_dirty": False, "version": version,
        "generation": generation, "target_minor": target, "lease_token": uuid.uuid4().hex,
        "lease_expires_at": now + context.lease, "unanswered_at": None, "updated_at": now,
        "attempts": item["attempts"] if again else 0, "reason": None, **customer,
    }  # fmt: skip
    repo.set_item(session, item["id"], **lease)
    claim = under_lease(context, {**item, **lease}, attempt, payer, step, started)
    if not again and item["version"] == item["confirmed_version"]:  # nothing else is in flight
        return replace(claim, overage_ids=tuple(placed))
    return with_overages(session, claim)


def _move_in_flight(session: Session, item: RowMapping, version: int) -> None:
    """What an earlier version did not get through is part of the new one."""
    connection = session.connection()
    connection.execute(
        update(overages)
        .where(
            overages.c.item_id == item["id"],
            overages.c.in_version > item["confirmed_version"],
            overages.c.in_version < version,
            overages.c.status != "waived",
        )
        .values(in_version=version, status="frozen")
    )
    connection.execute(
        update(repo.items)
        .where(
            repo.items.c.carried_to_id == item["id"],
            repo.items.c.carried_in_version > item["confirmed_version"],
        )
        .values(carried_in_version=version)
    )


def _account_without_sending(
    session: Session, item: RowMapping, version: int, now: datetime
) -> Accounted:
    """The amount at Stripe is right already: only fractions of a minor unit were added."""
    placed = repo.in_flight(session, item["id"], version)
    confirmed = item["confirmed_version"]
    at_stripe = item["stripe_item_id"] is not None
    repo.set_in_flight(
        session, item["id"], version, in_version=confirmed, updated_at=now, last_error=None,
        status="synced" if at_stripe else "carried", synced_at=now if at_stripe else None,
    )  # fmt: skip
    session.connection().execute(
        update(repo.items)
        .where(repo.items.c.carried_to_id == item["id"])
        .where(repo.items.c.carried_in_version == version)
        .values(carried_in_version=confirmed)
    )
    ended = closed_empty(item)
    repo.set_item(
        session, item["id"], **{"status": "idle", **ended}, step="send", is_dirty=False,
        lease_token=None,
        lease_expires_at=None, unanswered_at=None, attempts=0, reason=None, updated_at=now,
    )  # fmt: skip
    return Accounted(tuple(placed), "synced" if at_stripe else "carried")


def closed_empty(item: RowMapping) -> dict[str, Any]:
    """What ends an item whose overages have all moved to another customer, once it is at 0."""
    if not item["is_leaving"] or item["confirmed_minor"]:
        return {}
    return {"status": "closed", "final_minor": 0, "carry_out": Decimal(0), "reason": "moved"}


def with_overages(session: Session, claim: Claim) -> Claim:
    """The claim with the overages that its version puts on the item."""
    return replace(claim, overage_ids=tuple(repo.in_flight(session, claim.item_id, claim.version)))


def under_lease(
    context: Context,
    item: Mapping[Any, Any],
    attempt: Mapping[Any, Any],
    payer: Payer,
    step: Step,
    started: float,
) -> Claim:
    settings = context.settings
    return Claim(
        item_id=item["id"],
        token=item["lease_token"],
        send_before=started + settings.lease_seconds - settings.stripe_timeout_seconds,
        tag=item_tag(context.install_id, item["uid"]),
        billable=payer.billable,
        billable_id=item["billable_id"],
        currency=item["currency"],
        version=item["version"],
        generation=item["generation"],
        step=step,
        kind=attempt["kind"],
        params=json.loads(attempt["request"]),
        key=attempt["idempotency_key"],
        stripe_customer_id=item["stripe_customer_id"] or "",
        stripe_item_id=item["stripe_item_id"],
        target_minor=item["target_minor"],
        confirmed_minor=item["confirmed_minor"],
        confirmed_version=item["confirmed_version"],
        attempts=item["attempts"],
        unanswered_at=item["unanswered_at"],
        created_at=item["created_at"],
        subscription_id=item["subscription_id"],
        period_start=item["period_start"],
        may_overwrite=item["may_overwrite"],
        is_stale=item["is_stale"],
        overage_ids=(),
    )
