"""Wallets and their ledgers, entry by entry.

There a balance and its transactions are changed apart; where they differ, an entry of the kind
``correction`` makes up for it, so that the balance is theirs and the sum of the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aimeter_cli.db.prepared import Row
from aimeter_cli.domain.credits import remaining_of_new
from aimeter_cli.domain.money import from_nanos, in_range
from aimeter_cli.repositories import credits as credits_repo
from aimeter_cli.repositories import imports as repo
from aimeter_cli.repositories.billables import find_billable, get_or_create_billable
from aimeter_cli.services.laravel.mapping import (
    PREFIX,
    TransactionFacts,
    WalletFacts,
    transaction_facts,
    wallet_facts,
)
from aimeter_cli.services.laravel.schema import TRANSACTIONS, WALLETS
from aimeter_cli.services.laravel.values import SourceRow
from aimeter_cli.services.laravel.writing.work import CHANGED, Work

DIFFERENCE = "the balance differed from its transactions before the import"


@dataclass(slots=True)
class _Grant:
    """``id`` None: not stored yet. Nanos."""

    id: int | None
    transaction_id: int
    amount: int
    remaining: int
    created_at: datetime


@dataclass(slots=True)
class _Wallet:
    """``before`` and ``balance`` in nanos; ``grants`` in the order of spending, of which those
    before ``first`` are spent."""

    id: int
    theirs: WalletFacts
    before: int
    balance: int
    grants: list[_Grant]
    first: int = 0

    def book(self, nanos: int, entry_id: int, at: datetime) -> None:
        """What comes is a grant of which a debt is paid first; what goes is the oldest's."""
        if nanos > 0:
            left = remaining_of_new(self.balance, nanos)
            self.grants.append(_Grant(None, entry_id, nanos, left, at))
        self.balance += nanos
        while nanos < 0 and self.first < len(self.grants):
            grant = self.grants[self.first]
            part = min(grant.remaining, -nanos)
            grant.remaining -= part
            nanos += part
            self.first += not grant.remaining


class WalletWriter:
    """``write_wallets``, then ``write_transactions``, then ``finish``."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._wallets: dict[int, _Wallet] = {}

    def write_wallets(self, batches: Iterable[Sequence[SourceRow]]) -> None:
        """A wallet that did not come from there is not mixed with theirs."""
        work, tally = self._work, self._work.report.table(WALLETS.name)
        for rows in batches:
            known = work.imported("wallet", rows)
            for row, facts in work.read(
                WALLETS.name, rows, lambda row: wallet_facts(row, work.names)
            ):
                found: Row | None
                if row.id in known:
                    found = repo.wallet_by_id(work.session, known[row.id].row_id)
                    if found["currency"] != facts.currency:
                        work.leave_out(row, f"it is in {found['currency']} here already")
                        continue
                    tally.there_already += 1
                else:
                    found = self._made(row, facts)
                    if found is None:
                        work.leave_out(row, "its billable has a wallet here already")
                        continue
                    work.remember("wallet", row, found["id"])
                self._wallets[row.id] = self._opened(facts, found)

    def write_transactions(self, batches: Iterable[Sequence[SourceRow]]) -> None:
        """In the order of their ids, which is that of their time."""
        work, tally = self._work, self._work.report.table(TRANSACTIONS.name)
        for rows in batches:
            found = work.read(TRANSACTIONS.name, rows, transaction_facts)
            keys = [facts.key for _, facts in found]
            stored = repo.entries_by_key(work.session, keys)
            fresh: list[tuple[SourceRow, TransactionFacts]] = []
            taken: list[TransactionFacts] = []
            for row, facts in found:
                if facts.wallet not in self._wallets:
                    work.leave_out(row, "its wallet is not there, or was left out")
                elif facts.key not in stored:
                    fresh.append((row, facts))
                    taken.append(facts)
                elif stored[facts.key].fingerprint != row.fingerprint:
                    work.leave_out(row, CHANGED)
                else:
                    tally.there_already += 1
                    taken.append(facts)
            self._book(fresh)
            tally.imported += len(fresh)
            stored = repo.entries_by_key(work.session, keys)
            for facts in taken:
                currency = self._wallets[facts.wallet].theirs.currency
                amounts = work.sum_of(TRANSACTIONS.name, "ledger", currency)
                amounts.their_nanos += facts.nanos
                amounts.our_nanos += stored[facts.key].amount

    def finish(self) -> None:
        """Balances and grants as the ledgers say; both sides of the balances."""
        work = self._work
        booked = repo.imported_into_wallets(work.session, PREFIX)
        corrected = [
            each for each in self._wallets.values() if each.theirs.balance != booked.get(each.id, 0)
        ]
        for wallet in corrected:
            self._correct(wallet, wallet.theirs.balance - booked.get(wallet.id, 0))
        work.report.note(
            len(corrected), "wallet(s) had another balance than their transactions: an entry of "
            "the kind correction makes up for it",
        )  # fmt: skip
        for wallet in self._wallets.values():
            self._store(wallet)
        booked = repo.imported_into_wallets(work.session, PREFIX)
        for wallet in self._wallets.values():
            amounts = work.sum_of(WALLETS.name, "balance", wallet.theirs.currency)
            amounts.their_nanos += wallet.theirs.balance
            amounts.our_nanos += booked.get(wallet.id, 0)

    def _made(self, row: SourceRow, facts: WalletFacts) -> Row | None:
        """A new wallet; None: the billable has one."""
        session, now = self._work.session, self._work.now
        billable = find_billable(session, facts.ref)
        if billable is not None and repo.wallet_of(session, billable.id) is not None:
            return None
        billable = billable or get_or_create_billable(session, facts.ref, now)
        created = row.moment("created_at") or now
        credits_repo.make_wallet(session, billable.id, facts.currency, created)
        return repo.wallet_of(session, billable.id)

    def _opened(self, facts: WalletFacts, found: Row) -> _Wallet:
        left = repo.grants_left(self._work.session, found["id"])
        grants = [_Grant(**each) for each in left]
        return _Wallet(found["id"], facts, found["balance"], found["balance"], grants)

    def _book(self, fresh: Sequence[tuple[SourceRow, TransactionFacts]]) -> None:
        if not fresh:
            return
        after: dict[int, int] = {}
        rows: list[dict[str, Any]] = []
        for row, facts in fresh:
            wallet = self._wallets[facts.wallet]
            balance = in_range(after.get(wallet.id, wallet.balance) + facts.nanos)
            after[wallet.id] = balance
            rows.append(
                _entry(
                    wallet, "add" if facts.nanos >= 0 else "deduct", facts.nanos, balance,
                    reason=facts.reason, key=facts.key, fingerprint=row.fingerprint,
                    meta=None if facts.meta is None else json.dumps(_object(facts.meta)),
                    at=facts.created_at,
                )
            )  # fmt: skip
        ids = credits_repo.insert_entries(self._work.session, rows)
        for (_, facts), entry_id in zip(fresh, ids, strict=True):
            self._wallets[facts.wallet].book(facts.nanos, entry_id, facts.created_at)

    def _correct(self, wallet: _Wallet, nanos: int) -> None:
        session, now = self._work.session, self._work.now
        start = f"{PREFIX}wallet:{wallet.theirs.id}:"
        key = f"{start}{repo.count_entries(session, wallet.id, start) + 1}"
        balance = in_range(wallet.balance + nanos)
        entry = _entry(
            wallet, "correction", nanos, balance, reason=DIFFERENCE, key=key, fingerprint=None,
            meta=None, at=now,
        )  # fmt: skip
        [entry_id] = credits_repo.insert_entries(session, [entry])
        wallet.book(nanos, entry_id, now)

    def _store(self, wallet: _Wallet) -> None:
        session, now = self._work.session, self._work.now
        if wallet.balance != wallet.before:
            credits_repo.set_balance(session, wallet.id, wallet.before, wallet.balance, now)
        stored = {each.id: each.remaining for each in wallet.grants if each.id is not None}
        credits_repo.set_remaining(session, stored)
        new = [
            {
                "wallet_id": wallet.id, "transaction_id": grant.transaction_id,
                "amount": from_nanos(grant.amount), "remaining": from_nanos(grant.remaining),
                "expires_at": None, "created_at": grant.created_at,
            }
            for grant in wallet.grants
            if grant.id is None and grant.remaining
        ]  # fmt: skip
        if new:
            repo.add_grants(session, new)


def _entry(
    wallet: _Wallet,
    kind: str,
    nanos: int,
    balance: int,
    *,
    reason: str | None,
    key: str,
    fingerprint: str | None,
    meta: str | None,
    at: datetime,
) -> dict[str, Any]:
    return {
        "wallet_id": wallet.id, "kind": kind, "amount": from_nanos(nanos),
        "balance_after": from_nanos(balance), "reason": reason, "idempotency_key": key,
        "fingerprint": fingerprint, "usage_id": None, "reverses_id": None, "meta": meta,
        "created_at": at,
    }  # fmt: skip


def _object(meta: Any) -> dict[str, Any]:
    return meta if isinstance(meta, dict) else {"laravel_meta": meta}
