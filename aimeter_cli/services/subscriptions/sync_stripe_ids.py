"""Stripe ids found by asking Stripe, for one billable or for all that lack one.

Stripe is asked with no transaction open; what it said is then set in one of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from sqlmodel import Session

from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import NotFound
from aimeter_cli.repositories import subscriptions as repository
from aimeter_cli.repositories.billables import shared_emails
from aimeter_cli.repositories.plans import prices_by_plan
from aimeter_cli.services.billables import billable_named
from aimeter_cli.services.subscriptions.at_stripe import Known, Unclear, look_up
from aimeter_cli.services.subscriptions.found_ids import FoundIds, settle, unsettled

UNREACHABLE_LIMIT = 5
"""So many billables in a row for whom nobody answers end a run."""


def wanted_ids(
    database: Database,
    *,
    now: datetime,
    billables: Sequence[BillableRef] = (),
    include_complete: bool = False,
) -> list[Known]:
    """Live subscriptions that lack an id, or all of them; those of ``billables``, or everybody's.

    Raises NotFound for a billable that has no subscription.
    """
    with database.read() as session:
        if billables:
            found = [_newest(session, ref, now) for ref in dict.fromkeys(billables)]
        else:
            found = list(
                repository.list_subscriptions(
                    session, now=now, live=True, missing_stripe_ids=not include_complete
                )
            )
        return known_ids(session, found)


def known_ids(session: Session, found: Sequence[repository.Found]) -> list[Known]:
    """What Stripe is asked with for each of these."""
    prices = prices_by_plan(session, {plan.id for _, _, plan in found})
    unknown = [b.email for _, b, _ in found if b.email and b.stripe_customer_id is None]
    shared = shared_emails(session, unknown)
    return [
        Known(
            billable.ref, billable.email, billable.stripe_customer_id, subscription.id,
            subscription.stripe_subscription_id, tuple(prices.get(plan.id, ())),
            (billable.email or "").lower() in shared,
        )
        for subscription, billable, plan in found
    ]  # fmt: skip


def sync_stripe_ids(
    database: Database,
    driver: DirectoryDriver,
    wanted: Sequence[Known],
    *,
    now: datetime,
    concurrency: int = 1,
    dry_run: bool = False,
) -> Iterator[FoundIds]:
    """Ask for each and set what is missing, one result each; fewer where Stripe is unreachable.

    An id that is stored is never replaced. Raises ConfigurationError where the key is refused.
    """
    unreachable = 0
    with ThreadPoolExecutor(concurrency) as pool:
        for first in range(0, len(wanted), concurrency):
            some = wanted[first : first + concurrency]
            for known, seen in zip(some, pool.map(partial(look_up, driver), some), strict=True):
                if isinstance(seen, Unclear):
                    unreachable = unreachable + 1 if seen.unreachable else 0
                    yield unsettled(known, seen)
                else:
                    unreachable = 0
                    yield settle(database, known, seen, now, dry_run=dry_run)
            if unreachable >= UNREACHABLE_LIMIT:
                return


def _newest(session: Session, ref: BillableRef, now: datetime) -> repository.Found:
    billable_named(session, ref)
    found = repository.newest_of(session, ref, now)
    if found is None:
        hint = f"aimeter subscriptions create --billable {ref} --plan SLUG"
        raise NotFound(f"{ref} has no subscription", hint=hint)
    return found
