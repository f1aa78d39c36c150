"""What a metered call comes back with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from aimeter_cli.domain.allowance import LimitCheck
from aimeter_cli.domain.money import from_nanos
from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.domain.usage import UsageLine
from aimeter_cli.services.recording.entries import Recorded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MeteredUsage:
    """A recorded usage. ``cost`` is in ``currency`` (None: no price is known), ``charge`` in the
    plan's. ``is_new`` False: its idempotency key was recorded before, and nothing has changed.
    ``state``: ``priced unpriced needs_rate unpaid``."""

    billable: str
    provider: str
    model: str
    feature: str | None
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    currency: str | None
    charge: Decimal
    state: str
    idempotency_key: str
    is_new: bool

    @property
    def total_tokens(self) -> int:
        return sum(getattr(self, name) for name in TOKEN_FIELDS)

    @classmethod
    def of(cls, line: UsageLine, recorded: Recorded) -> MeteredUsage:
        return cls(
            line.billable,
            line.provider,
            line.model,
            line.feature,
            *line.tokens,
            cost=None if recorded.cost is None else from_nanos(recorded.cost),
            currency=recorded.currency,
            charge=from_nanos(recorded.charge),
            state=recorded.state,
            idempotency_key=recorded.key,
            is_new=recorded.is_new,
        )


@dataclass(slots=True, weakref_slot=True)
class MeteredResponse(Generic[T]):
    """A provider's ``response``, untouched, with what was metered.

    ``usage`` is None while a stream goes on. ``limit_check`` is as of after the call; of a stream,
    until it ends, as of before.
    """

    response: T
    usage: MeteredUsage | None
    limit_check: LimitCheck

    @property
    def remaining_tokens(self) -> int | None:
        """None: unlimited."""
        return self.limit_check.remaining_tokens

    @property
    def is_approaching_limit(self) -> bool:
        return self.limit_check.is_approaching
