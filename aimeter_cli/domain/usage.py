"""A usage line: one metered call as a caller tells it, checked and normalised.

Fields in and out: DESIGN.md, "The command line". Tokens are counts of disjoint classes, ``cost``
is in major units of ``currency``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from aimeter_cli.domain.currency import currency_code
from aimeter_cli.domain.money import nearest_nanos
from aimeter_cli.domain.periods import iso, parse_time
from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import BILLING_MODES, BillingMode
from aimeter_cli.errors import InvalidInput

USAGE_FIELDS = (
    "billable",
    "provider",
    "model",
    "feature",
    *TOKEN_FIELDS,
    "cost",
    "currency",
    "idempotency_key",
    "occurred_at",
    "meta",
)
MAX_TOKENS = 10**12
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far in the future a usage may lie, for hosts whose clocks differ."""

CALLER_FIELDS = ("billing_mode", "user", "tenant")
"""What a line may tell of its caller, beside :data:`USAGE_FIELDS`."""
ADJUSTMENT = "reprice:"
"""How the keys of corrections begin: no caller's may."""
_KNOWN = frozenset((*USAGE_FIELDS, *CALLER_FIELDS))
_TEXT_LIMIT = 200
_SEPARATOR = "\x1f"
_CLASSES = ",".join(["%d"] * len(TOKEN_FIELDS))


class Caller(NamedTuple):
    """What an application says of a call beside the usage itself.

    ``billing_mode`` overrides the subscription's; ``user`` made the call for the billable.
    """

    billing_mode: BillingMode | None = None
    user: str | None = None
    tenant: str | None = None


NOBODY = Caller()


class UsageLine(NamedTuple):
    """A checked usage.

    ``cost`` is nanos of ``currency``, or None: to be priced by us. ``stamp`` is ``occurred_at`` as
    text in UTC. ``key`` is the caller's idempotency key, or None. ``fingerprint`` is a hash of
    everything the caller said, by which a repeat of a key with other content is told from a true
    repeat.
    """

    billable: str
    provider: str
    model: str
    feature: str | None
    tokens: tuple[int, int, int, int, int]
    cost: int | None
    currency: str | None
    key: str | None
    occurred_at: datetime
    stamp: str
    meta: str | None
    fingerprint: str
    caller: Caller = NOBODY

    @property
    def total_tokens(self) -> int:
        return sum(self.tokens)


def usage_line(
    fields: Mapping[str, object],
    *,
    now: datetime | None = None,
    caller: Caller = NOBODY,
    is_measured: bool = False,
) -> UsageLine:
    """Check one usage. Without ``now`` the line must say when it occurred, as imports must.

    ``is_measured``: tokens, cost and time come from a provider, which may tell others when it is
    asked again: they do not tell a repeat of the key from another usage.

    Raises InvalidInput, naming the field and what was expected.
    """
    if not _KNOWN.issuperset(fields):
        unknown = sorted(set(map(str, fields)) - _KNOWN)
        raise InvalidInput(f"unknown field {unknown[0]!r}: expected {', '.join(USAGE_FIELDS)}")
    get = fields.get
    said_billable = get("billable")
    if not isinstance(said_billable, str):
        raise InvalidInput("billable: required, TYPE:ID such as user:42")
    billable = _billable(said_billable)
    provider, model = _name("provider", get("provider")), _name("model", get("model"))
    if provider is None or model is None:
        missing = "provider" if provider is None else "model"
        raise InvalidInput(f"{missing}: required, such as {_EXAMPLES[missing]}")
    feature = _name("feature", get("feature"))
    tokens = tuple(
        [
            n if type(n := get(name, 0)) is int and 0 <= n <= MAX_TOKENS else _count(name, n)
            for name in TOKEN_FIELDS
        ]
    )
    cost, currency = _cost(get("cost"), get("currency"))
    key = _text("idempotency_key", get("idempotency_key"))
    if key is not None and key.startswith(ADJUSTMENT):
        raise InvalidInput(f"idempotency_key: {ADJUSTMENT!r} begins the keys of corrections")
    if not fields.keys().isdisjoint(CALLER_FIELDS) or caller is not NOBODY:
        caller = _caller(fields, caller)
    said = get("occurred_at")
    if said is not None and said != "":
        occurred, stamp = _moment(said)
        told = stamp
    elif now is not None:
        occurred, stamp, told = now, iso(now), ""
    else:
        raise InvalidInput("occurred_at: required in imports, such as 2026-10-31T12:00:00Z")
    meta = _meta(get("meta"))
    content = _SEPARATOR.join(
        (
            billable,
            provider,
            model,
            feature or "",
            *(() if is_measured else (_CLASSES % tokens, str(cost), currency or "", told)),
        )
    )
    if caller is not NOBODY:
        content = _SEPARATOR.join((content, *(part or "" for part in caller)))
    fingerprint = blake2b(f"{content}{_SEPARATOR}{meta}".encode(), digest_size=16).hexdigest()
    return UsageLine(
        billable,
        provider,
        model,
        feature,
        tokens,  # type: ignore[arg-type]  # five classes, by construction of TOKEN_FIELDS
        cost,
        currency,
        key,
        occurred,
        stamp,
        meta,
        fingerprint,
        caller,
    )


_EXAMPLES = {"provider": "openai", "model": "gpt-4o-mini"}


def content_key(fingerprint: str, occurrence: int) -> str:
    """The key of a line without one: its content, and which of its equals in the file it is."""
    return f"content:{fingerprint}:{occurrence}"


def check_not_future(occurred_at: datetime, now: datetime) -> None:
    """Raises InvalidInput for a usage more than five minutes ahead of ``now``."""
    if occurred_at > now + CLOCK_TOLERANCE:
        raise InvalidInput(
            f"occurred_at: {iso(occurred_at)} lies in the future (now is {iso(now)})"
        )


@lru_cache(maxsize=4096)
def _billable(text: str) -> str:
    return str(BillableRef.parse(text))


def _name(field: str, value: object) -> str | None:
    """A text of which there are few: checked once."""
    return _known_text(field, value) if isinstance(value, str) else _text(field, value)


def _text(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidInput(f"{name}: expected text, got {value!r}")
    if len(value) > _TEXT_LIMIT:
        raise InvalidInput(f"{name}: longer than {_TEXT_LIMIT} characters")
    if not value.isprintable():
        raise InvalidInput(f"{name}: contains control characters")
    return value


def _caller(fields: Mapping[str, object], usual: Caller) -> Caller:
    mode = _text("billing_mode", fields.get("billing_mode")) or usual.billing_mode
    if mode not in (None, *BILLING_MODES):
        raise InvalidInput(f"billing_mode: expected {' or '.join(BILLING_MODES)}, got {mode!r}")
    user = _text("user", fields.get("user") or usual.user)
    found = Caller(mode, user, _text("tenant", fields.get("tenant") or usual.tenant))
    return NOBODY if found == NOBODY else found


_known_text = lru_cache(maxsize=4096)(_text)


def _count(name: str, value: object) -> int:
    if value is None or value == "":
        return 0
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit()):
            raise InvalidInput(f"{name}: expected a whole number, got {value!r}")
        value = int(value) if len(value) < 20 else MAX_TOKENS + 1
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput(f"{name}: expected a whole number, got {value!r}")
    if not 0 <= value <= MAX_TOKENS:
        raise InvalidInput(f"{name}: expected 0 to {MAX_TOKENS}, got {value}")
    return value


def _cost(value: object, currency: object) -> tuple[int | None, str | None]:
    if currency is None or currency == "":
        code = None
    elif isinstance(currency, str):
        code = _currency(currency)
    else:
        raise InvalidInput(f"currency: expected a code such as usd, got {currency!r}")
    if value is None or value == "":
        return None, code
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidInput(f"cost: expected a decimal number such as '0.0021', got {value!r}")
    nanos = nearest_nanos(value, "cost")
    if nanos < 0:
        raise InvalidInput(f"cost: cannot be negative, got {value}")
    return nanos, code


_currency = lru_cache(maxsize=256)(currency_code)


def _moment(value: object) -> tuple[datetime, str]:
    """The time, aware UTC, and its text."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidInput("occurred_at: has no time zone: pass an aware datetime")
        moment = value.astimezone(UTC)
    elif isinstance(value, str):
        moment = parse_time(value, "occurred_at")
        if len(value) == 20 and value[4:11:3] == "--T" and value[13:20:3] == "::Z":
            return moment, value
    else:
        raise InvalidInput(f"occurred_at: expected an ISO 8601 text, got {value!r}")
    return moment, iso(moment)


def _meta(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise InvalidInput("meta: expected a JSON object") from None
    if not isinstance(value, Mapping):
        raise InvalidInput(f"meta: expected an object, got {value!r}")
    try:
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput("meta: expected what JSON can hold, in valid Unicode") from None
    return text
