"""The whole audit: every local check in one snapshot, then, if asked for, Stripe's side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from sqlmodel import Session

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.repositories import audit as repo
from aimeter_cli.repositories.installation import bound_installation
from aimeter_cli.repositories.lost_invoices import lost_items
from aimeter_cli.services.audit import (
    balance,
    conversion,
    items,
    metering,
    notes,
    remote,
    structure,
    wallets,
)
from aimeter_cli.services.audit.balance import Balance
from aimeter_cli.services.audit.difference import Difference
from aimeter_cli.services.audit.lost import Lost
from aimeter_cli.services.sync.account import check_mode, refuse_another

Check = Callable[[Session, int | None], Iterator[Difference]]

CHECKS: tuple[Check, ...] = (
    metering.counters,
    metering.adjusted,
    metering.adjustments,
    metering.charges,
    metering.overages,
    conversion.conversions,
    items.items,
    items.attempts,
    structure.statuses,
    structure.carry,
    wallets.wallets,
    wallets.ledgers,
    wallets.paid_usages,
)
MOST = 100
"""Differences of one check that are shown."""


@dataclass(frozen=True, slots=True)
class Audit:
    """``items``, ``overages``, ``usages``: how many were looked at; ``at_stripe``: how many items
    there, None if it was not asked. ``notes`` are no differences, but should be known; so are
    ``lost``, the items on invoices that are void or uncollectible."""

    usages: int
    overages: int
    items: int
    at_stripe: int | None
    differences: list[Difference]
    totals: list[Balance]
    notes: list[str]
    lost: list[Lost]

    @property
    def adds_up(self) -> bool:
        return not self.differences

    @property
    def in_words(self) -> str:
        """The verdict as one line."""
        there = "" if self.at_stripe is None else f", {self.at_stripe:,} at Stripe"
        seen = f"{self.usages:,} usages, {self.overages:,} overages, {self.items:,} items{there}"
        if self.adds_up:
            return f"Everything adds up: {seen}."
        return f"{len(self.differences):,} difference(s) among {seen}."


def run_audit(
    database: Database,
    *,
    billable_id: int | None = None,
    driver: BillingDriver | None = None,
    advance: Callable[[int, int], object] = lambda _done, _total: None,
) -> Audit:
    """Changes nothing. ``driver``: ask Stripe, too, once the transaction is over. ``advance`` is
    told each step that is done, and how many there are.

    Raises ConfigurationError for a driver that cannot be asked or a key of another account,
    AimeterError if nobody answers.
    """
    asked = remote.listing_driver(driver) if driver is not None else None
    if asked is not None:
        with database.read() as session:
            here = bound_installation(session)
        check_mode(here, asked)
        refuse_another(here, asked.account())
    steps = len(CHECKS) + 1 + (asked is not None)
    with database.read() as session:
        repo.one_snapshot(session)
        told = list(notes.notes(session, billable_id))
        lost = [Lost.of(each) for each in lost_items(session, billable_id=billable_id)]
        told += notes.lost_notes(lost)
        found: list[Difference] = []
        for check in CHECKS:
            first = list(islice(check(session, billable_id), MOST + 1))
            if len(first) > MOST:
                told.append(f"more than {MOST} differences of {first[0].check}: the first ones")
            found += first[:MOST]
            advance(1, steps)
        balances = balance.balances(session, billable_id)
        found += islice(balance.differences(balances), MOST)
        usages = repo.count_rows(session, "ai_usages", billable_id)
        overages = repo.count_rows(session, "ai_overages", billable_id)
        mirrors = repo.count_rows(session, "ai_invoice_items", billable_id)
        ours = remote.expected(session, billable_id) if asked is not None else None
    advance(1, steps)
    at_stripe = None
    if asked is not None and ours is not None:
        compared = remote.compare(database, asked, ours)
        found += compared.differences
        told += compared.notes
        at_stripe = compared.items
        advance(1, steps)
    shown = _shown(balances, billable_id)
    return Audit(usages, overages, mirrors, at_stripe, found, shown, told, lost)


def _shown(balances: list[Balance], billable_id: int | None) -> list[Balance]:
    """Of all, the totals, and those billables that do not balance; or the one that is asked for."""
    if billable_id is not None:
        return balances
    return balance.totals(balances) + [each for each in balances if each.difference][:MOST]
