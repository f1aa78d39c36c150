"""Claims and settlements of invoice items, as single statements. The lease token is the fence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    RowMapping,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlmodel import Session

from aimeter_cli.db.upsert import insert_into
from aimeter_cli.domain.money import to_nanos
from aimeter_cli.errors import Conflict
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.models.overages import Overage
from aimeter_cli.repositories.sendable import ItemKey

items = table_of(InvoiceItem)
attempts = table_of(SyncAttempt)
overages = table_of(Overage)

_not_closed = items.c.status != literal_column("'closed'")

# Built once: building a statement anew costs more than running it. The values of an UPDATE or
# INSERT are its parameters that are named as columns.
_ONE = items.c.id == bindparam("which")
_OF_VERSION = and_(
    overages.c.item_id == bindparam("which"),
    overages.c.in_version == bindparam("put_by"),
    overages.c.status != literal_column("'waived'"),
)
_ATTEMPT = and_(
    attempts.c.item_id == bindparam("which"),
    attempts.c.version == bindparam("of_version"),
    attempts.c.generation == bindparam("of_generation"),
)
_ITEM = select(items).where(_ONE)
_SET_ITEM = update(items).where(_ONE)
_SET_LEASED = update(items).where(
    _ONE, items.c.lease_token == bindparam("fence"), items.c.status == literal_column("'sending'")
)
_IN_FLIGHT = select(overages.c.id).where(_OF_VERSION).order_by(overages.c.id)
_SET_IN_FLIGHT = update(overages).where(_OF_VERSION)
_ADD_ATTEMPT = insert(attempts)
_SET_ATTEMPT = update(attempts).where(_ATTEMPT)
_OWN_TOTAL = select(func.sum(overages.c.charge_amount)).where(
    overages.c.item_id == bindparam("which"), overages.c.status != literal_column("'waived'")
)
_CARRIED_TOTAL = select(func.sum(items.c.carry_out)).where(
    items.c.carried_to_id == bindparam("which")
)
_TOTAL = select(_OWN_TOTAL.scalar_subquery(), _CARRIED_TOTAL.scalar_subquery())
_OF_KEY = and_(
    items.c.billable_id == bindparam("billable"),
    items.c.subscription_id == bindparam("subscription"),
    items.c.period_start == bindparam("period"),
    items.c.currency == bindparam("coin"),
)
TO_BE_SYNCED = ("frozen", "carried", "unknown", "failed")
"""The overages of an item that are ``synced`` once Stripe has its amount."""
_MARK_DONE = (
    update(overages)
    .where(overages.c.item_id == bindparam("which"), overages.c.status.in_(TO_BE_SYNCED))
    .values(
        status="synced",
        last_error=None,
        attempts=case(
            (overages.c.in_version == bindparam("put_by"), bindparam("tries")),
            else_=overages.c.attempts,
        ),
    )
    .returning(
        overages.c.id, overages.c.subscription_id, overages.c.period_start, overages.c.period_end,
        overages.c.tokens, overages.c.amount, overages.c.currency, overages.c.charge_amount,
        overages.c.charge_currency,
    )
)  # fmt: skip
_NEXT_SEQUENCE = select(func.coalesce(func.max(items.c.sequence), 0) + 1).where(_OF_KEY)
_LOCK_IDLE = (
    select(items)
    .where(
        _OF_KEY,
        _not_closed,
        items.c.status == literal_column("'idle'"),
        items.c.is_leaving.is_(False),
    )
    .with_for_update(skip_locked=True, key_share=True)
)
_CARRIED_OUT = (
    select(items)
    .where(
        items.c.billable_id == bindparam("billable"),
        items.c.currency == bindparam("coin"),
        items.c.status == literal_column("'idle'"),
        items.c.stripe_item_id.is_(None),
        items.c.confirmed_minor == 0,
        items.c.period_end <= bindparam("now"),
        items.c.period_start < bindparam("period"),
    )
    .with_for_update(skip_locked=True, key_share=True)
)
_PULL_CARRY = update(items).where(
    items.c.billable_id == bindparam("billable"),
    items.c.currency == bindparam("coin"),
    items.c.status == literal_column("'closed'"),
    items.c.carried_to_id.is_(None),
    items.c.carry_out != 0,
)


def _of(key: ItemKey) -> dict[str, Any]:
    return {
        "billable": key.billable_id, "subscription": key.subscription_id,
        "period": key.period_start, "coin": key.currency,
    }  # fmt: skip


def live_item(
    session: Session,
    key: ItemKey,
    uid: str,
    period_end: datetime,
    now: datetime,
    *,
    is_stale: bool = False,
) -> tuple[RowMapping | None, bool]:
    """The pending item of a key, locked; made if there is none, and the sequence goes on counting.

    None: somebody else has it, or it waits for a person. And whether it was made.
    """
    connection = session.connection()
    found = connection.execute(_LOCK_IDLE, _of(key)).mappings().first()
    if found is not None:
        return found, False
    made = connection.execute(
        _insert_once(connection.dialect.name),
        {
            **_of(key), "uid": uid,
            "billable_id": key.billable_id, "subscription_id": key.subscription_id,
            "period_start": key.period_start, "period_end": period_end, "currency": key.currency,
            "status": "idle", "step": "send", "is_dirty": False,
            "may_overwrite": False, "is_leaving": False, "is_stale": is_stale, "version": 0,
            "generation": 0, "target_minor": 0, "confirmed_minor": 0, "confirmed_version": 0,
            "attempts": 0, "created_at": now, "updated_at": now,
        },
    )  # fmt: skip
    return made.mappings().first(), True


@cache
def _insert_once(dialect: str) -> Any:
    """An insert that does nothing, and returns nothing, where there is such a row already."""
    insertion = insert_into(dialect, items).values(sequence=_NEXT_SEQUENCE.scalar_subquery())
    return insertion.on_conflict_do_nothing().returning(items)


def add_closed_item(session: Session, item: RowMapping, /, **values: Any) -> None:
    """Insert a closed item of the same key as ``item``, which lets it have its sequence number."""
    connection = session.connection()
    same = (
        items.c.billable_id == item["billable_id"],
        items.c.subscription_id == item["subscription_id"],
        items.c.period_start == item["period_start"],
        items.c.currency == item["currency"],
    )
    last = connection.execute(select(func.max(items.c.sequence)).where(*same)).scalar_one()
    set_item(session, item["id"], sequence=last + 1)
    copied = ("billable_id", "subscription_id", "period_start", "period_end", "currency",
              "stripe_customer_id", "created_at", "updated_at")  # fmt: skip
    connection.execute(
        insert(items).values(
            **{name: item[name] for name in copied}, sequence=last, status="closed", step="send",
            is_dirty=False, may_overwrite=False, is_leaving=False, is_stale=False, generation=0,
            target_minor=values["final_minor"], confirmed_minor=values["final_minor"],
            confirmed_version=values["version"], attempts=0, **values,
        )
    )  # fmt: skip


def known_uids(session: Session, but: int) -> set[str]:
    """The uids of a billable's items, but for the item ``but`` itself, whose billable it is."""
    mine = select(items.c.billable_id).where(items.c.id == but).scalar_subquery()
    query = select(items.c.uid).where(items.c.billable_id == mine, items.c.id != but)
    return set(session.connection().execute(query).scalars())


def lock_item(session: Session, item_id: int, *status: str) -> RowMapping | None:
    """An item by its id, locked, if it is in one of these states and nobody else has it."""
    return (
        session.connection()
        .execute(
            select(items)
            .where(items.c.id == item_id, items.c.status.in_(status))
            .with_for_update(skip_locked=True, key_share=True)
        )
        .mappings()
        .first()
    )


def item_by_id(session: Session, item_id: int) -> RowMapping:
    return session.connection().execute(_ITEM, {"which": item_id}).mappings().one()


def set_item(session: Session, item_id: int, /, **values: Any) -> None:
    """Change an item that this transaction has locked."""
    session.connection().execute(_SET_ITEM, {"which": item_id, **values})


def set_leased(session: Session, item_id: int, token: str, **values: Any) -> bool:
    """Change an item whose lease is still ours. False: another process has taken it over."""
    result = session.connection().execute(_SET_LEASED, {"which": item_id, "fence": token, **values})
    return result.rowcount == 1


def pull_carry(session: Session, item_id: int, key: ItemKey, version: int) -> bool:
    """What closed items of this billable and currency left over goes into this item, if any."""
    pulled = session.connection().execute(
        _PULL_CARRY,
        {"billable": key.billable_id, "coin": key.currency,
         "carried_to_id": item_id, "carried_in_version": version},
    )  # fmt: skip
    return bool(pulled.rowcount)


def return_carry(session: Session, item_id: int, version: int | None = None) -> None:
    """What was carried into an item (by one version of it) waits for another item again."""
    statement = update(items).where(items.c.carried_to_id == item_id)
    if version is not None:
        statement = statement.where(items.c.carried_in_version == version)
    session.connection().execute(statement.values(carried_to_id=None, carried_in_version=None))


def empty_item(session: Session, item_id: int, now: datetime) -> None:
    """Take everything off a settled item: the next sync sets it to 0 and closes it, and then puts
    its overages on a successor. Raises Conflict if it is not settled."""
    if lock_item(session, item_id, "idle") is None:
        raise Conflict("an invoice item is being sent just now", hint="Try again in a moment.")
    session.connection().execute(
        update(overages)
        .where(overages.c.item_id == item_id, overages.c.status != "waived")
        .values(status="frozen", item_id=None, in_version=None, synced_at=None, updated_at=now)
    )
    return_carry(session, item_id)
    set_item(session, item_id, is_dirty=True, is_leaving=True, updated_at=now)


def carried_out_items(session: Session, key: ItemKey, now: datetime) -> Sequence[RowMapping]:
    """Items of past periods that never reached one minor unit: nothing to wait for any more."""
    given = {
        "billable": key.billable_id, "coin": key.currency, "now": now, "period": key.period_start,
    }  # fmt: skip
    return session.connection().execute(_CARRIED_OUT, given).mappings().all()


def charged_unreleased(session: Session, key: ItemKey) -> int:
    """Nanos that a billable's items of one service period stand for, but for released overages."""
    query = select(func.sum(overages.c.charge_amount)).where(
        overages.c.billable_id == key.billable_id,
        overages.c.period_start == key.period_start,
        overages.c.charge_currency == key.currency,
        overages.c.item_id.is_not(None),
        overages.c.released_at.is_(None),
        overages.c.status != "waived",
    )
    total = session.connection().execute(query).scalar()
    return to_nanos(total) if total is not None else 0


def item_total(session: Session, item_id: int) -> int:
    """Nanos that an item stands for: its overages that are not waived, and what was carried in."""
    parts = session.connection().execute(_TOTAL, {"which": item_id}).one()
    return sum(to_nanos(part) for part in parts if part is not None)


def in_flight(session: Session, item_id: int, version: int) -> list[int]:
    """Ids of the overages that a version puts on the item."""
    given = {"which": item_id, "put_by": version}
    return list(session.connection().execute(_IN_FLIGHT, given).scalars())


def set_in_flight(session: Session, item_id: int, version: int, /, **values: Any) -> None:
    """Change the overages of the version in flight."""
    session.connection().execute(_SET_IN_FLIGHT, {"which": item_id, "put_by": version, **values})


def mark_done(
    session: Session, item_id: int, version: int, now: datetime, tries: int
) -> Sequence[RowMapping]:
    """Stripe has the item's amount: its overages are synced; this version took so many tries.

    The overages that were not before.
    """
    given = {"which": item_id, "put_by": version, "tries": tries}
    values = {**given, "synced_at": now, "updated_at": now}
    return session.connection().execute(_MARK_DONE, values).mappings().all()


def add_attempt(session: Session, **values: Any) -> None:
    session.connection().execute(_ADD_ATTEMPT, values)


def attempt_of(session: Session, item_id: int, version: int, generation: int) -> RowMapping:
    return (
        session.connection()
        .execute(
            select(attempts).where(
                attempts.c.item_id == item_id,
                attempts.c.version == version,
                attempts.c.generation == generation,
            )
        )
        .mappings()
        .one()
    )


def set_attempt(
    session: Session, item_id: int, version: int, generation: int, **values: Any
) -> None:
    session.connection().execute(
        _SET_ATTEMPT,
        {"which": item_id, "of_version": version, "of_generation": generation, **values},
    )


def amounts_we_set(session: Session, item_id: int) -> set[tuple[int, int]]:
    """Every (version, amount in minor units) that we ever sent for an item."""
    query = select(attempts.c.version, attempts.c.amount_minor).where(
        attempts.c.item_id == item_id, attempts.c.sends > 0
    )
    return {(row[0], row[1]) for row in session.connection().execute(query)}
