"""A locked wallet and what is booked in it: ledger, balance and grants move together.

What has expired is booked out before anything else, so that it can never be spent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session

from aimeter_cli.domain.credits import (
    GRANTING,
    Grant,
    InsufficientCredits,
    Lot,
    Standing,
    remaining_of_new,
    split,
    take,
)  # fmt: skip
from aimeter_cli.domain.events import Emitted, EventName
from aimeter_cli.domain.money import from_nanos, in_range
from aimeter_cli.domain.periods import iso, parse_time
from aimeter_cli.repositories import credits as repo
from aimeter_cli.repositories.outbox import remember, store
from aimeter_cli.services.credits.standing import standing_of
from aimeter_cli.settings.table import Settings


class Entry(NamedTuple):
    """A line of the ledger to be. ``amount`` in nanos, signed; ``meta`` is JSON text."""

    kind: str
    amount: int
    reason: str | None = None
    key: str | None = None
    fingerprint: str | None = None
    usage_id: int | None = None
    reverses_id: int | None = None
    meta: str | None = None
    lots: Sequence[Lot] = ()


class Ledger:
    """The wallet of one billable until the transaction ends. Make it by :meth:`open`."""

    def __init__(
        self, session: Session, billable_id: int, wallet_id: int, standing: Standing, now: datetime
    ) -> None:
        self.session = session
        self.billable_id = billable_id
        self.wallet_id = wallet_id
        self.standing = standing
        self.now = now

    @classmethod
    def open(
        cls, session: Session, settings: Settings, billable_id: int, now: datetime
    ) -> Ledger | None:
        """Lock the wallet and book out what has expired; None if there is no wallet."""
        if not repo.lock_wallet(session, billable_id):
            return None
        # Asked for after the lock: what others did while we waited is seen.
        row = repo.standing_row(session, billable_id, now)
        if row is None:  # pragma: no cover  # a wallet has a billable
            return None
        ledger = cls(session, billable_id, row["wallet_id"], standing_of(row, settings), now)
        if row["expired"]:
            ledger._expire(row["expired"])
        return ledger

    def require(self, amount: int) -> None:
        """Raises InsufficientCredits unless ``amount`` is available."""
        if not self.standing.covers(amount):
            raise InsufficientCredits(self.standing, amount)

    def credit(self, entry: Entry, lots: Sequence[Lot]) -> int:
        """Book what comes, a grant for each lot; a debt is paid first, by the first lots. The
        entry's id."""
        balance = self.standing.balance
        [entry_id] = self._book([entry])
        for lot in lots:
            remaining = remaining_of_new(balance, lot.amount)
            balance += lot.amount
            repo.add_grant(
                self.session, wallet_id=self.wallet_id, transaction_id=entry_id,
                amount=from_nanos(lot.amount), remaining=from_nanos(remaining),
                expires_at=lot.expires_at, created_at=self.now,
            )  # fmt: skip
        return entry_id

    def debit(self, entries: Sequence[Entry]) -> list[int]:
        """Book what is spent, from the grants in their order; the ids.

        Raises InsufficientCredits unless all of it is available.
        """
        amount = -sum(entry.amount for entry in entries)
        self.require(amount)
        expiring = self._spend(amount)
        if expiring:
            spent = split(expiring, [-entry.amount for entry in entries])
            entries = [
                entry._replace(lots=lots) for entry, lots in zip(entries, spent, strict=True)
            ]
        return self._book(entries)

    def _spend(self, amount: int) -> list[Lot]:
        """From the grants in their order; what of it was to expire, which is the first of it."""
        lots: list[Lot] = []
        while amount:
            grants = repo.spendable_grants(self.session, self.wallet_id)
            if not grants:
                break  # the rest is overdraft
            after, amount = take(grants, amount)
            lots += [
                Lot(grant.remaining - after[grant.id], grant.expires_at)
                for grant in grants
                if grant.expires_at is not None and grant.id in after
            ]
            repo.set_remaining(self.session, after)
        return lots

    def withdraw(self, entry: Entry, grants: Sequence[Grant]) -> int:
        """Book what is taken back out of these; the entry's id. Raises InsufficientCredits."""
        self.require(-entry.amount)
        [entry_id] = self._book([entry])
        after, _ = take(grants, -entry.amount)
        repo.set_remaining(self.session, after)
        return entry_id

    def _expire(self, expired: int) -> None:
        grants = repo.expired_grants(self.session, self.wallet_id, self.now)
        self.standing = replace(self.standing, balance=self.standing.balance + expired)
        self._book(
            [
                Entry("expiry", -grant.remaining, reverses_id=grant.transaction_id)
                for grant in grants
            ]
        )
        repo.set_remaining(self.session, {grant.id: 0 for grant in grants})

    def _book(self, entries: Sequence[Entry]) -> list[int]:
        before = balance = self.standing.balance
        rows, balances = [], []
        for entry in entries:
            balance = in_range(balance + entry.amount)
            balances.append(balance)
            rows.append(
                {
                    "wallet_id": self.wallet_id, "kind": entry.kind,
                    "amount": from_nanos(entry.amount), "balance_after": from_nanos(balance),
                    "reason": entry.reason, "idempotency_key": entry.key,
                    "fingerprint": entry.fingerprint, "usage_id": entry.usage_id,
                    "reverses_id": entry.reverses_id, "meta": entry.meta, "created_at": self.now,
                    "lots": _written(entry.lots),
                }
            )  # fmt: skip
        if not repo.set_balance(self.session, self.wallet_id, before, balance, self.now):
            raise RuntimeError(f"wallet {self.wallet_id} was changed by who did not lock it")
        self.standing = replace(self.standing, balance=balance)
        ids = repo.insert_entries(self.session, rows)
        self._emit(entries, ids, balances)
        return ids

    def _emit(self, entries: Sequence[Entry], ids: list[int], balances: list[int]) -> None:
        events = [
            Emitted(
                EventName.CREDITS_ADDED if entry.kind in GRANTING else EventName.CREDITS_DEDUCTED,
                self.billable_id,
                self.now,
                {
                    "billable": self.standing.billable, "kind": entry.kind,
                    "amount": f"{from_nanos(abs(entry.amount)):.9f}",
                    "currency": self.standing.currency, "balance": f"{from_nanos(balance):.9f}",
                    "transaction_id": entry_id, "usage_id": entry.usage_id,
                    "reason": entry.reason,
                },
            )
            for entry, entry_id, balance in zip(entries, ids, balances, strict=True)
        ]  # fmt: skip
        store(self.session, events)
        remember(self.session, events)


def spent_lots(text: str | None) -> list[Lot]:
    """``CreditTransaction.lots``."""
    return [Lot(amount, parse_time(until)) for amount, until in json.loads(text or "[]")]


def _written(lots: Sequence[Lot]) -> str | None:
    told = [(lot.amount, iso(lot.expires_at)) for lot in lots if lot.expires_at is not None]
    return json.dumps(told) if told else None
