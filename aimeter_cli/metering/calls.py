"""One metered call: checked before, recorded after. No transaction is open in between."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from aimeter_cli.db.engine import is_deadlock
from aimeter_cli.domain.allowance import LimitCheck
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.money import to_nanos
from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import BillingMode
from aimeter_cli.domain.usage import NOBODY, Caller, UsageLine, usage_line
from aimeter_cli.errors import AimeterError, InvalidInput, UsageNotRecorded
from aimeter_cli.metering.result import MeteredUsage
from aimeter_cli.metering.runtime import Runtime
from aimeter_cli.providers.base import Metered
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.services.credits.holds import close_hold, hold
from aimeter_cli.services.quota.check import check_after, check_quota
from aimeter_cli.services.recording.counting import LockedCounter

_HOLD = timedelta(hours=1)
"""A call that takes longer loses its hold, not its payment."""
_log = logging.getLogger("aimeter")


@dataclass(frozen=True, slots=True)
class Said:
    """What a builder was told. ``estimate``: tokens and cost to expect of the call."""

    user: BillableRef | None = None
    billable: BillableRef | None = None
    tenant: str | None = None
    billing_mode: BillingMode | None = None
    provider: str | None = None
    model: str | None = None
    feature: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    manual: Mapping[str, Any] | None = None
    estimated_tokens: int = 0
    estimated_cost: Decimal | None = None

    @property
    def payer(self) -> BillableRef:
        """The billable, else the user. Raises InvalidInput without either."""
        found = self.billable or self.user
        if found is None:
            raise InvalidInput("nobody is billed: expected .billable(…) or .for_user(…)")
        return found


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that is under way. ``hold``: what its wallet has set aside for it."""

    said: Said
    tenant: str | None
    check: LimitCheck
    began_at: datetime
    hold: str | None


class Calls:
    """Begins, ends and fails calls for every meter of a runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def check(self, said: Said) -> LimitCheck:
        """What is left, and whether the estimated call is allowed. Changes nothing."""
        runtime = self._runtime
        cost = said.estimated_cost
        return check_quota(
            runtime.database, runtime.settings, said.payer, now=runtime.now(),
            tokens=said.estimated_tokens, cost=0 if cost is None else to_nanos(cost),
            billing_mode=said.billing_mode,
        )  # fmt: skip

    def begin(self, said: Said) -> Begun:
        """Raises LimitExceeded or InsufficientCredits: the call is not to be made."""
        runtime = self._runtime
        if said.provider is None:
            raise InvalidInput("no provider is named: expected .using_provider('openai', MODEL)")
        tenant = said.tenant if said.tenant is not None else runtime.tenant()
        check = self.check(said)
        check.raise_if_blocked()
        held = None
        if check.billing_mode == "credits" and said.estimated_cost is not None:
            held = hold(
                runtime.database, runtime.settings, said.payer, said.estimated_cost,
                now=runtime.now(), ttl=_HOLD,
            )  # fmt: skip
        return Begun(said, tenant, check, runtime.now(), held)

    def end(
        self, begun: Begun, read: Callable[[], Metered | None], response: object
    ) -> tuple[MeteredUsage, LockedCounter | None]:
        """Record what was said by hand, or what ``read`` finds in the response.

        With the counter, if it was counted. Raises UsageNotRecorded, which carries the response.
        """
        fields = self._fields(begun, None)
        try:
            if begun.said.manual is None:
                fields = self._fields(begun, self._told(begun, read()))
            line = self.line(begun.said, begun.tenant, fields, now=begun.began_at)
            [(usage, counter)] = self._record([line], release=begun.hold)
        except (AimeterError, SQLAlchemyError) as error:
            raise UsageNotRecorded(_reason(error), fields, response) from error
        return usage, counter

    def _told(self, begun: Begun, metered: Metered | None) -> Metered | None:
        if metered is None:
            _log.warning(
                "the response of %s tells no usage: recorded without tokens", begun.said.provider
            )
        return metered

    def after(self, begun: Begun, counter: LockedCounter | None) -> LimitCheck:
        """How the limits stand once the call is recorded."""
        runtime, said = self._runtime, begun.said
        if counter is not None:
            cost = said.estimated_cost
            found = check_after(
                begun.check, counter, now=runtime.now(), tokens=said.estimated_tokens,
                cost=0 if cost is None else to_nanos(cost),
            )  # fmt: skip
            if found is not None:
                return found
        return self.check(said)

    def fail(self, begun: Begun, error: BaseException) -> None:
        """The provider raised: tell so, and give the hold back. Raises nothing itself."""
        runtime, said = self._runtime, begun.said
        try:
            with runtime.database.write() as session:
                if begun.hold is not None:
                    close_hold(session, begun.hold, now=runtime.now())
                billable = get_or_create_billable(session, said.payer, runtime.now())
                emit(
                    session, EventName.PROVIDER_CALL_FAILED, billable_id=billable.id,
                    now=runtime.now(),
                    payload={
                        "billable": str(said.payer), "provider": said.provider,
                        "model": said.model, "feature": said.feature,
                        "error": type(error).__name__,
                    },
                )  # fmt: skip
        except (AimeterError, SQLAlchemyError) as trouble:
            _log.error("ProviderCallFailed could not be told: %s", _reason(trouble))

    def line(
        self, said: Said, tenant: str | None, fields: Mapping[str, Any], *, now: datetime
    ) -> UsageLine:
        """A checked usage line. Raises InvalidInput."""
        caller = Caller(said.billing_mode, str(said.user) if said.user else None, tenant)
        return usage_line(
            fields, now=now, caller=NOBODY if caller == NOBODY else caller,
            is_measured=said.manual is None,
        )  # fmt: skip

    def record(self, lines: list[UsageLine]) -> list[MeteredUsage]:
        """One transaction. Raises Conflict or InvalidInput for the first line that cannot be."""
        return [usage for usage, _ in self._record(lines)]

    def _record(
        self, lines: list[UsageLine], *, release: str | None = None
    ) -> list[tuple[MeteredUsage, LockedCounter | None]]:
        runtime = self._runtime
        recorded = runtime.recorder().record(lines, now=runtime.now(), release=release)
        for each in recorded:
            each.raise_if_refused()
        pairs = zip(lines, recorded, strict=True)
        usages = [(MeteredUsage.of(line, each), each.counter) for line, each in pairs]
        self._sync({usage.billable for usage, _ in usages if usage.charge})
        return usages

    def _fields(self, begun: Begun, metered: Metered | None) -> dict[str, Any]:
        """The fields of a usage line; what was said by hand comes before what was found."""
        said = begun.said
        fields: dict[str, Any] = {
            "billable": str(said.payer),
            "provider": said.provider,
            "model": said.model or (metered.model if metered is not None else None),
            "feature": said.feature,
            "meta": dict(said.meta) or None,
            "idempotency_key": said.key or uuid.uuid4().hex,
        }
        if said.manual is not None:
            return fields | dict(said.manual)
        if metered is not None:
            fields |= dict(zip(TOKEN_FIELDS, metered.tokens, strict=True))
            fields |= {"cost": metered.cost, "currency": metered.currency}
        return fields

    def _sync(self, billables: set[str]) -> None:
        """With the strategy ``immediate``; a failing Stripe never fails the recording."""
        runtime = self._runtime
        if runtime.settings.overage_sync_strategy != "immediate" or not billables:
            return
        from aimeter_cli.services.sync.immediate import sync_now
        from aimeter_cli.signals import StopFlag

        app = runtime.app
        try:
            notices = sync_now(
                app.database, app.settings, app.driver, billables, now=runtime.now(),
                stop=StopFlag(),
            )  # fmt: skip
        except AimeterError as error:
            notices = [f"not synced: {error.message}"]
        for notice in notices:
            _log.warning("%s", notice)


def _reason(error: AimeterError | SQLAlchemyError) -> str:
    """Without the statement and its parameters, which a driver's message quotes."""
    if isinstance(error, AimeterError):
        return error.message
    return "a deadlock in the database" if is_deadlock(error) else type(error).__name__
