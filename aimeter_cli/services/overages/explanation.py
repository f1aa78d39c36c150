"""What an explanation of an overage consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from aimeter_cli.models.final_invoices import FinalInvoice
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.models.usages import Usage
from aimeter_cli.repositories.overages import OverageView


@dataclass(frozen=True, slots=True)
class PinnedTerms:
    """What the plan said when the period's first usage was counted. Money in ``currency``."""

    plan: str
    period_start: datetime
    period_end: datetime
    is_trial: bool
    token_limit: int | None
    cost_limit: Decimal | None
    request_limit: int | None
    overage_price_per_1k_tokens: Decimal | None
    overage_markup: Decimal
    overage_behavior: str
    currency: str


@dataclass(frozen=True, slots=True)
class PeriodTotals:
    """What was used in the period, how much of it lies beyond the allowance, and its charge.

    ``charged``: what all overages of the period come to, this one among them.
    """

    tokens: int
    requests: int
    cost: Decimal
    excess_tokens: int
    excess_requests: int
    excess_cost: Decimal
    excess_token_cost: Decimal
    excess_request_cost: Decimal
    charge: Decimal
    charged: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One of the three charges; the largest decides."""

    of: str
    basis: str
    amount: Decimal
    currency: str
    decides: bool


@dataclass(frozen=True, slots=True)
class UsageLine:
    """A usage with what it added; ``plan_currency`` is that of ``plan_cost`` and ``charge``."""

    usage: Usage
    plan_currency: str


@dataclass(frozen=True, slots=True)
class OlderUsages:
    """What is not shown one by one."""

    count: int
    tokens: int
    charge: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class PrunedDay:
    """The sums of those usages of a day (UTC) that were pruned."""

    day: str
    requests: int
    tokens: int
    charge: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Converted:
    """``amount`` in ``currency`` is ``charge_amount`` in ``charge_currency``.

    ``rate`` and ``via`` None: the same currency.
    """

    amount: Decimal
    currency: str
    charge_amount: Decimal
    charge_currency: str
    rate: Decimal | None
    via: str | None


@dataclass(frozen=True, slots=True)
class Rounding:
    """How the item's amount is rounded: ``total`` = ``overages`` + ``carried_in``, down to
    ``amount_minor`` whole minor units; the ``remainder`` stays."""

    overages_count: int
    overages: Decimal
    carried_in: Decimal
    carried_from: tuple[int, ...]
    total: Decimal
    amount_minor: int
    amount: Decimal
    remainder: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one overage. ``usages`` are the newest, ``older_usages`` the rest of them,
    ``pruned_days`` what is left of those that were pruned;
    ``attempts`` the first that put it on its item, of ``attempts_in_all``.
    ``invoice_status``: ``void`` or ``uncollectible`` where nobody pays its invoice."""

    in_words: str
    next_step: str | None
    overage: OverageView
    terms: PinnedTerms
    totals: PeriodTotals
    charges: tuple[ChargeLine, ...]
    usages: tuple[UsageLine, ...]
    older_usages: OlderUsages
    pruned_days: tuple[PrunedDay, ...]
    conversion: Converted | None
    rounding: Rounding | None = None
    item: InvoiceItem | None = None
    final_invoice: FinalInvoice | None = None
    attempts: Sequence[SyncAttempt] = ()
    attempts_in_all: int = 0
    invoice_status: str | None = None

    @property
    def id(self) -> int:
        return self.overage.id
