"""What a row of theirs is in our words. Pure: rows in, facts out; InvalidInput says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from aimeter_cli.domain.currency import currency_code
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.references import BillableRef, checked_slug, slugify, stripe_id
from aimeter_cli.domain.usage import UsageLine, check_not_future, usage_line
from aimeter_cli.errors import InvalidInput
from aimeter_cli.services.laravel.names import BillableNames
from aimeter_cli.services.laravel.values import SourceRow

PREFIX = "laravel:"
"""Begins the idempotency keys of what was imported."""
_STRIPE = {"stripe_subscription_id": "sub", "stripe_customer_id": "cus"}
Number = TypeVar("Number", int, Decimal)


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """Limits are those of a month there, of the configured period here."""

    slug: str
    name: str
    token_limit: int | None
    cost_limit: Decimal | None
    overage_price: Decimal | None
    features: list[str]
    trial_days: int
    is_active: bool
    created_at: datetime | None


def plan_facts(row: SourceRow) -> PlanFacts:
    slug = row.needed("slug")
    try:
        slug = checked_slug(slug, "slug")
    except InvalidInput:
        slug = slugify(slug)
    return PlanFacts(
        slug,
        row.needed("name").strip() or slug,
        _not_negative(row.whole("monthly_token_limit"), "monthly_token_limit"),
        _not_negative(row.decimal("monthly_cost_limit"), "monthly_cost_limit"),
        _not_negative(row.decimal("overage_price_per_1k_tokens"), "overage_price_per_1k_tokens"),
        _features(row.json("features")),
        _not_negative(row.whole("trial_days"), "trial_days") or 0,
        row.flag("is_active", default=True) and row.text("deleted_at") is None,
        row.moment("created_at"),
    )


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """``started_at`` and ``ends_at`` as they were meant; ``told_start`` as it is stored, by which
    they resolve; ``anchor``: what periods count from.

    ``was_renewed``: their webhook had set its start to that of Stripe's period.
    ``forgotten_grace``: one that ran out, which they neither enforced nor cleared.
    """

    id: int
    fingerprint: str
    ref: BillableRef
    plan: int
    billing_mode: str
    started_at: datetime
    told_start: datetime
    renews_at: datetime | None
    ends_at: datetime | None
    trial_ends_at: datetime | None
    grace_period_ends_at: datetime | None
    anchor: datetime
    stripe_customer: str | None
    stripe_subscription: str | None
    meta: Mapping[str, Any]
    created_at: datetime | None
    was_renewed: bool
    forgotten_grace: bool

    @property
    def has_odd_id(self) -> bool:
        """What ``meta`` calls an id of Stripe is none."""
        return not _STRIPE.keys().isdisjoint(self.meta)


def subscription_facts(row: SourceRow, names: BillableNames, now: datetime) -> SubscriptionFacts:
    plan = row.whole("ai_plan_id")
    if plan is None:
        raise InvalidInput("its plan was deleted")
    meta = row.json("meta") or {}
    if not isinstance(meta, dict):
        meta = {"laravel_meta": meta}
    ids = {name: found for name in _STRIPE if (found := _stripe_id(meta, name)) is not None}
    subscription = ids.get("stripe_subscription_id")
    told, created = row.needed_moment("started_at"), row.moment("created_at")
    was_renewed = subscription is not None and created is not None and created < told
    started = created if was_renewed and created is not None else told
    grace, ends, deleted = (
        row.moment(name) for name in ("grace_period_ends_at", "ends_at", "deleted_at")
    )
    forgotten = ends is None and grace is not None and grace <= now
    if ends is not None and grace is not None:
        ends = max(ends, grace)
    if deleted is not None:
        ends = deleted if ends is None else min(ends, deleted)
    if ends is not None and ends < started:
        raise InvalidInput("it ends before it starts")
    mode = row.text("billing_mode") or "plan"
    if mode not in ("plan", "credits"):
        raise InvalidInput(f"billing_mode: expected plan or credits, got {mode!r}")
    renews = row.moment("renews_at")
    return SubscriptionFacts(
        row.id, row.fingerprint, names.ref(row), plan, mode, started, told, renews,
        ends,
        row.moment("trial_ends_at"), grace if grace is not None and grace > now else None,
        renews or told, ids.get("stripe_customer_id"), subscription,
        {key: value for key, value in meta.items() if key not in ids}, created, was_renewed,
        forgotten,
    )  # fmt: skip


def usage_key(ident: int) -> str:
    return f"{PREFIX}usage:{ident}"


def usage_of(row: SourceRow, names: BillableNames, now: datetime) -> UsageLine:
    """Its tokens are ``total_tokens``, where told: that is what they held against the limit."""
    occurred_at = row.needed_moment("occurred_at")
    check_not_future(occurred_at, now)
    inputs, outputs = row.whole("input_tokens") or 0, row.whole("output_tokens") or 0
    total = row.whole("total_tokens")
    if total is not None:
        outputs = min(outputs, total)
        inputs = total - outputs
    meta = row.json("meta") or {}
    if not isinstance(meta, dict):
        meta = {"laravel_meta": meta}
    key = row.text("idempotency_key")
    return usage_line(
        {
            "billable": str(names.ref(row)),
            "provider": row.text("provider"),
            "model": row.text("model"),
            "feature": row.text("feature"),
            "input_tokens": inputs,
            "output_tokens": outputs,
            "cost": row.decimal("total_cost") or 0,
            "currency": row.needed("currency"),
            "idempotency_key": usage_key(row.id),
            "occurred_at": iso(occurred_at),
            "meta": (meta | ({"laravel_idempotency_key": key} if key is not None else {})) or None,
            "user": names.user(row),
            "tenant": row.text("tenant_id"),
        }
    )


@dataclass(frozen=True, slots=True)
class OverageFacts:
    """``nanos`` of ``currency``; ``moment`` lies in the middle of its period, or is now.

    ``item``: by what it was charged, at ``synced_at``; None: it was not.
    """

    id: int
    fingerprint: str
    ref: BillableRef
    moment: datetime
    period_end: datetime
    tokens: int
    nanos: int
    currency: str
    item: str | None
    synced_at: datetime | None
    created_at: datetime | None


def overage_facts(row: SourceRow, names: BillableNames, now: datetime) -> OverageFacts:
    start, end = row.needed_moment("period_start"), row.needed_moment("period_end")
    if end < start:
        raise InvalidInput("its period ends before it starts")
    synced, item = row.moment("synced_at"), row.text("stripe_invoice_item_id")
    if synced is not None and item is None:
        item = f"{PREFIX}overage:{row.id}"
    nanos = row.nanos("cost")
    if nanos is None or nanos < 0:
        raise InvalidInput("cost: expected an amount from 0")
    return OverageFacts(
        row.id, row.fingerprint, names.ref(row), min(start + (end - start) / 2, now), end,
        row.whole("tokens") or 0, nanos, currency_code(row.needed("currency")), item,
        synced or (now if item else None), row.moment("created_at"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OverrideFacts:
    """A limit of None is the plan's."""

    ref: BillableRef
    starts_at: datetime
    ends_at: datetime
    token_limit: int | None
    cost_limit: Decimal | None


def override_facts(row: SourceRow, names: BillableNames) -> OverrideFacts:
    start, end = row.needed_moment("period_start"), row.needed_moment("period_end")
    if end <= start:
        raise InvalidInput("its period ends before it starts")
    return OverrideFacts(
        names.ref(row), start, end, _not_negative(row.whole("token_limit"), "token_limit"),
        _not_negative(row.decimal("cost_limit"), "cost_limit"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class WalletFacts:
    """``balance`` in nanos of ``currency``."""

    id: int
    ref: BillableRef
    balance: int
    currency: str


def wallet_facts(row: SourceRow, names: BillableNames) -> WalletFacts:
    currency = currency_code(row.needed("currency"))
    return WalletFacts(row.id, names.ref(row), row.nanos("balance") or 0, currency)


@dataclass(frozen=True, slots=True)
class TransactionFacts:
    """``nanos`` are signed: what was added is positive."""

    id: int
    fingerprint: str
    wallet: int
    nanos: int
    reason: str | None
    meta: Any
    created_at: datetime

    @property
    def key(self) -> str:
        return f"{PREFIX}transaction:{self.id}"


def transaction_facts(row: SourceRow) -> TransactionFacts:
    wallet, nanos, direction = row.whole("wallet_id"), row.nanos("amount"), row.text("direction")
    if wallet is None or nanos is None or nanos < 0:
        raise InvalidInput("amount: expected an amount from 0, in a wallet")
    if direction not in ("credit", "debit"):
        raise InvalidInput(f"direction: expected credit or debit, got {direction!r}")
    return TransactionFacts(
        row.id, row.fingerprint, wallet, nanos if direction == "credit" else -nanos,
        row.text("reason"), row.json("meta"), row.needed_moment("created_at"),
    )  # fmt: skip


def _not_negative(value: Number | None, name: str) -> Number | None:
    if value is not None and value < 0:
        raise InvalidInput(f"{name}: cannot be negative, got {value}")
    return value


def _features(told: Any) -> list[str]:
    """A list of names; of an object the names of what is on."""
    if isinstance(told, dict):
        told = [name for name, value in told.items() if value]
    return [each for each in told or () if isinstance(each, str)] if told != {} else []


def _stripe_id(meta: Mapping[str, Any], name: str) -> str | None:
    """None also for what has not the shape of one: it stays in ``meta``."""
    try:
        return stripe_id(str(meta.get(name) or ""), _STRIPE[name], name)
    except InvalidInput:
        return None
