"""A billable without the person: who it was is removed for good, what was charged stays.

Kept: amounts, tokens, times, models, features, tenants, idempotency keys (so that nothing is
recorded twice), Stripe's ids, and what operators wrote as a reason. Only once everything is
settled: a request to Stripe that may be sent again must stay as it is, byte for byte.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import is_over
from aimeter_cli.errors import Conflict, NotFound
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories import anonymize as repo
from aimeter_cli.repositories.billables import find_billable

PREFIX = "anon-"
_PERSONAL = ("meta", "user")
"""Keys of stored events under which callers' own words stand."""
_HINTS = {
    "live subscriptions": "aimeter subscriptions cancel {ref}",
    "overages that are not settled": "aimeter overages list --unsynced --billable {ref}",
    "invoice items that are not closed": "wait for their invoice, then aimeter "
    "sync-stripe-overages",
    "final invoices that are not done": "aimeter sync-stripe-overages",
    "usages that are not priced or paid": "aimeter usage reprice --billable {ref}",
    "wallets that are not empty": "aimeter credits deduct {ref} AMOUNT --reason …",
    "events that are not delivered": "aimeter events deliver",
    "webhook events that are not handled": "aimeter webhooks list --status received",
}


@dataclass(frozen=True, slots=True)
class Anonymized:
    """The billable under its new reference, and in how many rows they were named.

    ``is_new`` False: it was anonymised before.
    """

    billable: str
    is_new: bool
    anonymized_at: datetime
    stripe_customer_id: str | None
    usages: int
    webhook_events: int
    domain_events: int
    sync_attempts: int


def anonymize(
    database: Database, ref: BillableRef, *, now: datetime, dry_run: bool = False
) -> Anonymized:
    """Remove who it was: all of it in one transaction.

    Once more under its new reference it removes what has come since. Raises NotFound, and Conflict
    while something of theirs is not settled.
    """
    with database.write(dry_run=dry_run) as session:
        billable = find_billable(session, ref, lock=True)
        if billable is None:
            raise NotFound(
                f"there is no billable {ref}",
                hint="From a former reference nothing leads to one that was anonymised.",
            )
        is_new = billable.anonymized_at is None
        names = repo.stripe_ids(session, billable.id, billable.stripe_customer_id) | {str(ref)}
        webhooks = repo.webhook_events(session, _quoted(names))
        if is_new:
            _refuse_unsettled(session, billable, webhooks, now)
            billable.external_id = PREFIX + secrets.token_hex(12)
            billable.anonymized_at = now
        billable.email = billable.name = None
        session.add(billable)
        session.flush()
        counts = _clear(session, billable, ref, webhooks)
        shown = f"{ref.type}:{PREFIX}…" if dry_run and is_new else billable.ref
        at = billable.anonymized_at or now
        return Anonymized(shown, is_new, at, billable.stripe_customer_id, **counts)


def _refuse_unsettled(
    session: Session, billable: Billable, webhooks: dict[int, str], now: datetime
) -> None:
    own = select(Subscription).where(
        Subscription.billable_id == billable.id, col(Subscription.is_live)
    )
    live = sum(not is_over(subscription, now) for subscription in session.exec(own))
    waiting = sum(status == "received" for status in webhooks.values())
    found = {
        "live subscriptions": live,
        **repo.unsettled(session, billable.id),
        "webhook events that are not handled": waiting,
    }
    found = {what: count for what, count in found.items() if count}
    if found:
        told = ", ".join(f"{count:,} {what}" for what, count in found.items())
        first = _HINTS[next(iter(found))].format(ref=billable.ref)
        raise Conflict(
            f"{billable.ref} cannot be anonymised: it has {told}; nothing was changed",
            hint=f"Settle that first: {first}",
        )


def _clear(
    session: Session, billable: Billable, ref: BillableRef, webhooks: dict[int, str]
) -> dict[str, int]:
    rename = _renaming(str(ref), billable.ref)
    repo.clear_meta(session, billable.id)
    repo.remove_payloads(session, webhooks)
    repo.rewrite_texts(session, billable.id, str(ref), rename)
    return {
        "usages": repo.clear_usages(session, billable.id, str(ref)),
        "webhook_events": len(webhooks),
        "domain_events": repo.rewrite_events(session, billable.id, _in_json(rename)),
        "sync_attempts": repo.rewrite_requests(session, billable.id, _in_json(rename), rename),
    }


def _renaming(old: str, new: str) -> Callable[[str], str]:
    """Replaces the reference where it stands alone: ``user:4`` is not in ``user:42``."""
    pattern = re.compile(rf"(?<![\w.\\-]){re.escape(old)}(?![^\s\"',;:!?)\]}}.]|[.:]\S)")
    return lambda text: pattern.sub(lambda _: new, text)


def _in_json(change: Callable[[str], str]) -> Callable[[str], str]:
    """Changes every string of a JSON object, and clears what callers said in it."""

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {name: None if name in _PERSONAL else each for name, each in value.items()}
            return {name: changed(each) for name, each in kept.items()}
        if isinstance(value, list):
            return [changed(each) for each in value]
        return change(value) if isinstance(value, str) else value

    def rewritten(document: str) -> str:
        before = json.loads(document)
        after = changed(before)
        return document if after == before else json.dumps(after, sort_keys=True)

    return rewritten


def _quoted(names: Iterable[str]) -> set[str]:
    """As they stand in JSON, however it was written."""
    return {json.dumps(name, ensure_ascii=ascii_) for name in names for ascii_ in (True, False)}
