"""The one table of settings: key, variable, type, default and help.

``config.example.toml``, ``aimeter config show`` and the README's table are made from it. In
``aimeter.toml`` a key may stand at the top (``stripe_timeout_seconds = 20``) or in its section
(``[stripe]`` ``timeout_seconds = 20``); its variable is ``AI_METERING_`` and the key in capitals,
unless the table names another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

from aimeter_cli.domain.periods import Alignment, PeriodRule, PeriodType
from aimeter_cli.domain.quota import OverageBehavior
from aimeter_cli.settings import parse, sinks
from aimeter_cli.settings.alerts import AlertSink, alert_sinks
from aimeter_cli.settings.sinks import EventSink

ENV_PREFIX = "AI_METERING_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. ``parse`` turns a text or TOML value into the typed value."""

    parse: Callable[[Any], Any]
    help: str
    example: str
    section: str = ""
    variable: str = ""
    secret: bool = False


def _setting(
    default: Any,
    convert: Callable[[Any], Any],
    text: str,
    *,
    example: str = "",
    section: str = "",
    variable: str = "",
    secret: bool = False,
) -> Any:
    row = Setting(convert, text, example, section, variable, secret)
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"setting": row})
    return field(default=default, repr=not secret, metadata={"setting": row})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, typed. Build it with :func:`aimeter_cli.settings.load.load_settings`."""

    database_url: str = _setting(
        "", parse.text, "SQLAlchemy URL; a relative SQLite path is relative to this file. "
        "Empty: a file in the user's data folder",
        example='"sqlite:///aimeter.db"',
    )  # fmt: skip
    currency: str = _setting(
        "usd", parse.currency, "Currency of plans and costs that name none, and the base through "
        "which others are converted",
        example='"usd"',
    )  # fmt: skip
    overage_behavior: OverageBehavior = _setting(
        "block", parse.choice("block", "allow", "charge"),
        "What exceeding a plan does where the plan does not say: block, allow or charge",
        example='"charge"',
    )  # fmt: skip
    trial_overage_behavior: OverageBehavior = _setting(
        "block", parse.choice("block", "allow", "charge"), "The same, during a trial",
        example='"block"',
    )  # fmt: skip
    overage_markup: Decimal = _setting(
        Decimal(1), parse.factor, "Factor on the cost of what lies beyond a cost or request limit, "
        "or beyond a token limit without a token price",
        example='"1.25"',
    )  # fmt: skip
    no_subscription: str = _setting(
        "allow", parse.choice("allow", "block"),
        "Calls of a billable without a subscription, or with an expired one: allow tracks them "
        "without limit, block refuses them",
        example='"block"',
    )  # fmt: skip
    limit_approaching_percent: int = _setting(
        80, parse.whole(1, 100), "From this percentage of a limit on it is approaching",
        example="80",
    )  # fmt: skip
    credit_overdraft: bool | Decimal = _setting(
        False, parse.overdraft, "How far a wallet of credits may go below zero: false, true (no "
        "limit), or an amount in its currency",
        example='"20"',
    )  # fmt: skip
    overage_sync_strategy: str = _setting(
        "batch", parse.choice("batch", "immediate"),
        "batch: sync-stripe-overages sends; immediate: recording a usage sends, too",
        example='"batch"',
    )  # fmt: skip
    on_subscription_end: str = _setting(
        "invoice", parse.choice("invoice", "keep", "waive"),
        "Overage that is pending when its subscription ends: invoice makes a final invoice, keep "
        "leaves it pending, waive gives it up; ended for non-payment it is held",
        example='"invoice"',
    )  # fmt: skip
    max_amount_per_customer: Decimal = _setting(
        Decimal(0), parse.limit, "The most that a billable is charged for one period without an "
        "operator's release, in the currency above; 0: no limit",
        example='"1000"',
    )  # fmt: skip
    max_amount_per_run: Decimal = _setting(
        Decimal(0), parse.limit, "The same for all that one run charges", example='"20000"'
    )
    late_usage_days: int = _setting(
        35, parse.whole(0, 3650), "Usage of a period that ended longer ago is held", example="35"
    )
    prune_after_days: int = _setting(
        0, parse.whole(0, 36500), "usage prune replaces usages older than this by daily sums; "
        "0: never. At least late_usage_days",
        example="400",
    )  # fmt: skip
    auto_sync_stripe_ids: bool = _setting(
        True, parse.boolean, "subscriptions create, update, change-plan find the Stripe customer "
        "and subscription by themselves; false: sync-stripe-ids and set-stripe-ids do",
        example="false",
    )  # fmt: skip
    payment_failure_grace_period: int = _setting(
        7, parse.whole(0, 365), "Days of grace after the first failed payment of an invoice",
        example="7",
    )  # fmt: skip
    period_type: PeriodType = _setting(
        "monthly", parse.choice("monthly", "weekly", "daily", "yearly"),
        "Length of a metering period", section="period", example='"monthly"',
    )  # fmt: skip
    period_alignment: Alignment = _setting(
        "calendar", parse.alignment,
        "calendar, or anchored at the subscription's start (rolling is the same)",
        section="period", example='"anchored"',
    )  # fmt: skip
    timezone: str = _setting(
        "UTC", parse.timezone, "IANA zone of calendar periods", example='"Europe/Berlin"'
    )
    rate_max_age: timedelta = _setting(
        timedelta(days=7), parse.duration, "Stored rates older than this are not used",
        example='"7d"',
    )  # fmt: skip
    rate_max_move: Decimal = _setting(
        Decimal(20), parse.percent, "Percentage by which a rate may differ from the last one; "
        "rates update holds what moves more until it is confirmed. 0: none is held",
        example="20",
    )  # fmt: skip
    currency_rates: Mapping[str, Decimal] = _setting(
        {}, parse.rates, "Conversion rates without age: 1 USD = 0.85 EUR",
        section="currency_rates", example="usd_eur = 0.85",
    )  # fmt: skip
    prices: Mapping[str, Any] = _setting(
        {}, parse.table, "Prices of models, per million tokens of each class; [[…]] with "
        "from = 2026-01-01 for each that holds from a day on",
        section='prices.openai."gpt-4o-mini"', example='input_per_1m = "0.15"',
    )  # fmt: skip
    price_library: bool = _setting(
        True, parse.boolean, "Models that the configuration does not price have the price of the "
        "package genai-prices; false: they are unpriced",
        example="false",
    )  # fmt: skip
    billable_resolver: str = _setting(
        "", parse.text, "Dotted path to a function of your application that turns its objects into "
        "TYPE:ID, for AiMeter",
        example='"myapp.billing:billable_of"',
    )  # fmt: skip
    tenant_resolver: str = _setting(
        "", parse.text, "Dotted path to a function that tells the tenant of the current call",
        example='"myapp.tenants:current"',
    )  # fmt: skip
    billing_driver: str = _setting(
        "null", parse.text, "null, stripe, another entry point, or a dotted path to a class",
        section="billing", example='"stripe"',
    )  # fmt: skip
    stripe_api_key: str = _setting(
        "", parse.text, "Secret or restricted key, from the environment or .env only",
        section="stripe", variable="STRIPE_API_KEY", secret=True,
    )  # fmt: skip
    stripe_webhook_secret: tuple[str, ...] = _setting(
        (), parse.webhook_secrets, "Signing secrets of webhook endpoints (whsec_…), several "
        "comma-separated while one is rotated, from the environment or .env only",
        section="stripe", variable="STRIPE_WEBHOOK_SECRET", secret=True,
    )  # fmt: skip
    stripe_api_base: str = _setting(
        "", parse.url, "Another address of the Stripe API, such as that of aimeter sandbox",
        section="stripe", variable="STRIPE_API_BASE", example='"http://127.0.0.1:12111"',
    )  # fmt: skip
    stripe_live: bool = _setting(
        False, parse.boolean, "Live keys (sk_live_, rk_live_) are used only when this is true",
        section="stripe", example="false",
    )  # fmt: skip
    stripe_timeout_seconds: int = _setting(
        20, parse.whole(1, 300), "Seconds that Stripe may take to answer", section="stripe",
        example="20",
    )  # fmt: skip
    stripe_requests_per_second: int = _setting(
        20, parse.whole(1, 500), "Requests a second at the most; Stripe allows 25 on one endpoint",
        section="stripe", example="20",
    )  # fmt: skip
    stripe_concurrency: int = _setting(
        8, parse.whole(1, 64), "Requests under way at once", section="stripe", example="8"
    )
    stripe_invoice_item: Mapping[str, Any] = _setting(
        {}, parse.invoice_item,
        "Passed through to every invoice item: tax_behavior, tax_code, tax_rates, discountable",
        section="stripe.invoice_item", example='tax_behavior = "exclusive"',
    )  # fmt: skip
    lease_seconds: int = _setting(
        120, parse.whole(6, 3600),
        "A claim is another process's after this; at least stripe_timeout_seconds + 5",
        example="120",
    )  # fmt: skip
    stripe_final_invoice: Mapping[str, Any] = _setting(
        {}, parse.final_invoice,
        "Passed through to every final invoice: collection_method, days_until_due, automatic_tax, "
        "description, footer",
        section="stripe.final_invoice", example='collection_method = "charge_automatically"',
    )  # fmt: skip
    max_attempts: int = _setting(
        8, parse.whole(1, 1000), "After so many vain attempts OverageSyncFailed is emitted",
        example="8",
    )  # fmt: skip

    event_listeners: tuple[str, ...] = _setting(
        (), sinks.event_listeners, "Functions that are told what happens: package.module:function, "
        "or modules whose import adds listeners",
        example='["myapp.billing:on_overage"]',
    )  # fmt: skip
    event_sinks: tuple[EventSink, ...] = _setting(
        (), sinks.event_sinks, "Where aimeter events deliver takes events to, each a table "
        "[[event_sinks]] with name, command (gets JSON on stdin) or url with secret_env (signed "
        "POST), events, timeout_seconds",
        example='[{ name = "crm", command = ["/usr/local/bin/tell-crm"], '
        'events = ["OverageCharged"] }]',
    )  # fmt: skip
    alerts: tuple[AlertSink, ...] = _setting(
        (), alert_sinks, "Who is told what needs a person, each a table [[alerts]] with "
        "name, command (gets JSON on stdin) or slack_env (the variable that holds a webhook's "
        "address), kinds, repeat, resolve_after, timeout_seconds and thresholds: sync_silence, "
        "jobs, webhook_silence, rate_margin, wallet_low",
        example='[{ name = "ops", slack_env = "SLACK_WEBHOOK_URL", wallet_low = "5" }]',
    )  # fmt: skip
    event_max_attempts: int = _setting(
        20, parse.whole(1, 1000), "After so many vain attempts an event is not delivered any more",
        example="20",
    )  # fmt: skip

    @property
    def destinations(self) -> tuple[EventSink | AlertSink, ...]:
        """Wherever events are delivered to."""
        return (*self.event_sinks, *self.alerts)

    @property
    def period_rule(self) -> PeriodRule:
        return PeriodRule(self.period_type, self.period_alignment, self.timezone)


@dataclass(frozen=True, slots=True)
class Row:
    """A setting with its names: ``key``, the TOML ``path`` and the environment ``variable``."""

    key: str
    path: str
    variable: str
    setting: Setting
    default: Any

    @property
    def is_table(self) -> bool:
        return isinstance(self.default, dict)


def _row(key: str, setting: Setting, default: Any) -> Row:
    if isinstance(default, dict):
        path = setting.section.split(".openai")[0]
    elif setting.section:
        path = f"{setting.section}.{key.removeprefix(setting.section + '_')}"
    else:
        path = key
    return Row(key, path, setting.variable or ENV_PREFIX + key.upper(), setting, default)


ROWS: tuple[Row, ...] = tuple(
    _row(
        item.name, item.metadata["setting"], {} if callable(item.default_factory) else item.default
    )
    for item in fields(Settings)
)
