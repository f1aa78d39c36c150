"""``ai_prices``: the prices that usages were charged with, each written down once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

from sqlalchemy import bindparam, select
from sqlmodel import Session

from aimeter_cli.db.prepared import Prepared
from aimeter_cli.db.upsert import insert_into
from aimeter_cli.domain.money import from_nanos
from aimeter_cli.domain.pricing import PRICE_KEYS, ModelPrice
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.prices import PriceRow

_prices = table_of(PriceRow)
_KNOWN = Prepared(select(_prices.c.id).where(_prices.c.digest == bindparam("digest")))

PriceKey = tuple[str, str, ModelPrice]
"""(provider, model, price): the names are the caller's."""


def keep_prices(session: Session, keys: Iterable[PriceKey], now: datetime) -> dict[PriceKey, int]:
    """Their ids; those that are not there yet are added, in one order for every writer."""
    digests = {_digest(key): key for key in keys}
    found = _ids(session, digests)
    missing = sorted(digests.keys() - found.keys())
    if missing:
        connection = session.connection()
        statement = insert_into(connection.dialect.name, _prices).on_conflict_do_nothing()
        connection.execute(statement, [_row(each, digests[each], now) for each in missing])
        found |= _ids(session, missing)
    return {key: found[digest] for digest, key in digests.items()}


def _ids(session: Session, digests: Iterable[str]) -> dict[str, int]:
    return {digest: row["id"] for digest in digests for row in _KNOWN.rows(session, digest=digest)}


def _row(digest: str, key: PriceKey, now: datetime) -> dict[str, object]:
    provider, model, price = key
    amounts = (None if nanos is None else from_nanos(nanos) for nanos in price.per_1m)
    return {
        "digest": digest,
        "provider": provider,
        "model": model,
        "currency": price.currency,
        "source": price.source,
        "created_at": now,
        **dict(zip(PRICE_KEYS, amounts, strict=True)),
    }


@lru_cache(maxsize=4096)
def _digest(key: PriceKey) -> str:
    provider, model, price = key
    content = "\x1f".join((provider, model, price.currency, price.source, *map(str, price.per_1m)))
    return blake2b(content.encode(), digest_size=16).hexdigest()
