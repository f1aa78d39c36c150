"""What people do to a wallet: add, deduct, refund. Each pays what waits, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.credits import GRANTING, SPENDING, Lot, Standing, given_back
from aimeter_cli.domain.money import Money
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict, InvalidInput, NotFound
from aimeter_cli.repositories import credit_entries
from aimeter_cli.repositories import credits as repo
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.repositories.credit_entries import EntryView
from aimeter_cli.services.billables import billable_named
from aimeter_cli.services.credits.ledger import Entry, Ledger, spent_lots
from aimeter_cli.services.credits.paying import pay_from
from aimeter_cli.services.credits.requests import (
    Note,
    in_one_transaction,
    positive_nanos,
    repeated,
)  # fmt: skip
from aimeter_cli.services.credits.standing import available
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.settings.table import Settings


@dataclass(frozen=True, slots=True)
class Booked:
    """The entry, how many unpaid usages it paid, and how the wallet stands after that.

    ``is_new`` False: its key was used before, nothing has changed.
    """

    entry: EntryView
    is_new: bool
    paid: int
    standing: Standing


def add(
    database: Database,
    settings: Settings,
    billable: BillableRef,
    amount: Decimal,
    *,
    now: datetime,
    currency: str | None = None,
    expires_at: datetime | None = None,
    note: Note | None = None,
    dry_run: bool = False,
) -> Booked:
    """Add credits; the first ones make the wallet, in ``currency``, else the billable's, else the
    configuration's. An overdraft is paid off first, then what is unpaid.

    Raises InvalidInput, or Conflict for a wallet in another currency or a key of another entry.
    """
    note = note or Note()
    nanos = positive_nanos(amount)
    told = note.fingerprint("add", str(billable), nanos, currency, expires_at)

    def work(session: Session) -> Booked:
        who = get_or_create_billable(session, billable, now)
        repo.make_wallet(session, who.id, currency or who.currency or settings.currency, now)
        repo.lock_wallet(session, who.id)
        first = repeated(session, note, told)
        if first is not None:
            return _booked(session, settings, who.id, first, now, is_new=False)
        _refuse_past(expires_at, now)
        ledger = _opened(session, settings, who.id, now)
        if currency not in (None, ledger.standing.currency):
            raise Conflict(f"the wallet of {billable} is in {ledger.standing.currency}")
        entry_id = ledger.credit(_entry("add", nanos, note, told), [Lot(nanos, expires_at)])
        return _paid(ledger, settings, entry_id)

    return in_one_transaction(database, work, dry_run=dry_run)


def deduct(
    database: Database,
    settings: Settings,
    billable: BillableRef,
    amount: Decimal,
    *,
    now: datetime,
    note: Note | None = None,
    dry_run: bool = False,
) -> Booked:
    """Take credits away, in the wallet's currency.

    Raises InsufficientCredits rather than go below what is allowed, NotFound without a wallet,
    InvalidInput, Conflict for a key of another entry.
    """
    note = note or Note()
    nanos = positive_nanos(amount)
    told = note.fingerprint("deduct", str(billable), nanos)

    def work(session: Session) -> Booked:
        who = billable_named(session, billable)
        if not repo.lock_wallet(session, who.id):
            raise NotFound(f"{billable} has no credits", hint=f"aimeter credits add {billable} …")
        first = repeated(session, note, told)
        if first is not None:
            return _booked(session, settings, who.id, first, now, is_new=False)
        ledger = _opened(session, settings, who.id, now)
        [entry_id] = ledger.debit([_entry("deduct", -nanos, note, told)])
        return _booked(session, settings, who.id, entry_id, now)

    return in_one_transaction(database, work, dry_run=dry_run)


def refund(
    database: Database,
    settings: Settings,
    entry_id: int,
    *,
    now: datetime,
    amount: Decimal | None = None,
    expires_at: datetime | None = None,
    note: Note | None = None,
    dry_run: bool = False,
) -> Booked:
    """Reverse an entry, or ``amount`` of it, by a new one.

    What was deducted comes back with the expiry of the credits that it was taken from, those that
    last longest first, or with ``expires_at``; of what was added, only credits that are not spent
    yet can be taken back. Raises NotFound, Conflict for more than is left of the entry or credits
    that have expired since, InsufficientCredits if calls hold it.
    """
    note = note or Note()
    nanos = None if amount is None else positive_nanos(amount, "--amount")
    told = note.fingerprint("refund", entry_id, nanos, expires_at)

    def work(session: Session) -> Booked:
        row = credit_entries.entry_row(session, entry_id)
        if row is None:
            raise NotFound(
                f"there is no credit transaction {entry_id}", hint="aimeter credits transactions"
            )
        repo.lock_wallet(session, row["billable_id"])
        first = repeated(session, note, told)
        if first is not None:
            return _booked(session, settings, row["billable_id"], first, now, is_new=False)
        ledger = _opened(session, settings, row["billable_id"], now)
        if row["kind"] in SPENDING:
            _refuse_past(expires_at, now)
            return _given_back(ledger, settings, row, nanos, expires_at, note, told)
        if row["kind"] in GRANTING:
            if expires_at is not None:
                raise InvalidInput("--expires-at: nothing is given back by correcting an addition")
            return _taken_back(ledger, settings, row, nanos, note, told)
        raise Conflict(
            f"transaction {entry_id} is of the kind {row['kind']}, which cannot be reversed",
            hint=f"aimeter credits add {ledger.standing.billable} AMOUNT",
        )

    return in_one_transaction(database, work, dry_run=dry_run)


def _given_back(
    ledger: Ledger,
    settings: Settings,
    row: RowMapping,
    nanos: int | None,
    expires_at: datetime | None,
    note: Note,
    told: str,
) -> Booked:
    undone = repo.reversed_of(ledger.session, row["id"])
    part = _part(row, nanos, -row["amount"] - undone, ledger.standing.currency)
    lots = [Lot(part, expires_at)]
    if expires_at is None:
        lots = given_back(spent_lots(row["lots"]), -row["amount"], undone, part)
        _refuse_expired(lots, row, ledger)
    entry = _entry("refund", part, note, told, row)
    return _paid(ledger, settings, ledger.credit(entry, lots))


def _refuse_expired(lots: Sequence[Lot], row: RowMapping, ledger: Ledger) -> None:
    for lot in lots:
        if lot.expires_at is not None and lot.expires_at <= ledger.now:
            lost = Money.of_nanos(lot.amount, ledger.standing.currency)
            raise Conflict(
                f"{lost} of transaction {row['id']} were of credits that expired at "
                f"{iso(lot.expires_at)}",
                hint="--expires-at TIME gives them back until then.",
            )


def _taken_back(
    ledger: Ledger, settings: Settings, row: RowMapping, nanos: int | None, note: Note, told: str
) -> Booked:
    grants = repo.grants_of(ledger.session, ledger.wallet_id, row["id"])
    left = sum(grant.remaining for grant in grants)
    part = _part(row, nanos, left, ledger.standing.currency)
    entry_id = ledger.withdraw(_entry("correction", -part, note, told, row), grants)
    return _booked(ledger.session, settings, ledger.billable_id, entry_id, ledger.now)


def _part(row: RowMapping, nanos: int | None, left: int, currency: str) -> int:
    """What of ``left`` is reversed. Raises Conflict."""
    wanted = left if nanos is None else nanos
    if left <= 0 or wanted > left:
        told = f"only {Money.of_nanos(left, currency)}" if left > 0 else "nothing"
        raise Conflict(f"{told} is left of transaction {row['id']} to be reversed")
    return wanted


def _entry(
    kind: str, nanos: int, note: Note, told: str, reversed_: RowMapping | None = None
) -> Entry:
    return Entry(
        kind, nanos, note.reason, note.key, told if note.key is not None else None,
        usage_id=reversed_["usage_id"] if reversed_ is not None else None,
        reverses_id=reversed_["id"] if reversed_ is not None else None,
        meta=note.meta_json,
    )  # fmt: skip


def _refuse_past(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(f"--expires-at: {iso(expires_at)} has passed")


def _opened(session: Session, settings: Settings, billable_id: int, now: datetime) -> Ledger:
    ledger = Ledger.open(session, settings, billable_id, now)
    assert ledger is not None  # noqa: S101 - its wallet is locked
    return ledger


def _paid(ledger: Ledger, settings: Settings, entry_id: int) -> Booked:
    paid = pay_from(ledger, Exchange(ledger.session, settings))
    made = _booked(ledger.session, settings, ledger.billable_id, entry_id, ledger.now)
    return replace(made, paid=len(paid))


def _booked(
    session: Session,
    settings: Settings,
    billable_id: int,
    entry_id: int,
    now: datetime,
    *,
    is_new: bool = True,
) -> Booked:
    [view] = credit_entries.entry_views(session, credit_entries.Filter(entry_id=entry_id), 1)
    return Booked(view, is_new, 0, available(session, settings, billable_id, now))
