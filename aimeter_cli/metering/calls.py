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
from sqlmodel import Session

from aimeter_cli.db.engine import is_deadlock
from aimeter_cli.domain.allowance import LimitCheck
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.money import to_nanos
from aimeter_cli.domain.periods import iso
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
from aimeter_cli.repositories.usages import known_keys
from aimeter_cli.services.credits.holds import close_hold, hold
from aimeter_cli.services.quota.check import check_after, check_quota_in
from aimeter_cli.services.recording.counting import LockedCounter
from aimeter_cli.services.recording.entries import key_conflict

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
        with self._runtime.database.read() as session:
            return self._check(session, said)

    def _check(self, session: Session, said: Said) -> LimitCheck:
        runtime, cost = self._runtime, said.estimated_cost
        return check_quota_in(
            session, runtime.settings, said.payer, now=runtime.now(), tokens=said.estimated_tokens,
            cost=0 if cost is None else to_nanos(cost), billing_mode=said.billing_mode,
        )  # fmt: skip

    def begin(self, said: Said) -> Begun:
        """Raises LimitExceeded or InsufficientCredits: the call is not to be made."""
        runtime = self._runtime
        if said.provider is None:
            raise InvalidInput("no provider is named: expected .using_provider('openai', MODEL)")
        tenant = said.tenant if said.tenant is not None else runtime.tenant()
        draft = self._draft(said, tenant)
        with runtime.database.read() as session:
            _refuse_conflict(session, said, draft)
            check = self._check(session, said)
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
        said = begun.said
        fields = _fields(said, None)
        try:
            if said.manual is None:
                fields = _fields(said, self._told(begun, read()), str(fields["idempotency_key"]))
            line = self.line(said, begun.tenant, fields, now=begun.began_at)
            [(usage, counter)] = self._record([line], release=begun.hold)
        except Exception as error:
            caller = {
                "occurred_at": iso(begun.began_at), "billing_mode": begun.check.billing_mode,
                "user": str(said.user) if said.user else None, "tenant": begun.tenant,
            }  # fmt: skip
            raise UsageNotRecorded(_reason(error), fields | caller, response) from error
        return usage, counter

    def _draft(self, said: Said, tenant: str | None) -> UsageLine:
        """What is known before the call is paid for. Raises InvalidInput: it cannot be recorded."""
        fields = _fields(said, None)
        fields["model"] = said.model or "-"  # else the response's
        return self.line(said, tenant, fields, now=self._runtime.now())

    def _told(self, begun: Begun, metered: Metered | None) -> Metered | None:
        if metered is None:
            _log.warning(
                "the response of %s tells no usage: recorded as unpriced", begun.said.provider
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
        try:
            return self.check(said)
        except (AimeterError, SQLAlchemyError) as error:
            _log.warning("the limits could not be read after the call: %s", _reason(error))
            return begun.check

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

    def give_back(self, begun: Begun) -> None:
        """The call is not made after all."""
        if begun.hold is not None:
            with self._runtime.database.write() as session:
                close_hold(session, begun.hold, now=self._runtime.now())

    def line(
        self,
        said: Said,
        tenant: str | None,
        fields: Mapping[str, Any],
        *,
        now: datetime,
        is_told: bool = False,
    ) -> UsageLine:
        """A checked usage line. Raises InvalidInput. ``is_told``: its figures are the caller's."""
        caller = Caller(said.billing_mode, str(said.user) if said.user else None, tenant)
        return usage_line(
            fields, now=now, caller=NOBODY if caller == NOBODY else caller,
            is_measured=said.manual is None and not is_told,
        )  # fmt: skip

    def record(self, lines: list[UsageLine]) -> list[MeteredUsage]:
        """One transaction, all or nothing. Raises Conflict, InvalidInput."""
        return [usage for usage, _ in self._record(lines)]

    def _record(
        self, lines: list[UsageLine], *, release: str | None = None
    ) -> list[tuple[MeteredUsage, LockedCounter | None]]:
        runtime = self._runtime
        recorded = runtime.recorder().record(
            lines, now=runtime.now(), release=release, all_or_nothing=True
        )
        pairs = zip(lines, recorded, strict=True)
        usages = [(MeteredUsage.of(line, each), each.counter) for line, each in pairs]
        self._sync({usage.billable for usage, _ in usages if usage.charge})
        return usages

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
        except (AimeterError, SQLAlchemyError) as error:
            notices = [f"not synced: {_reason(error)}"]
        for notice in notices:
            _log.warning("%s", notice)


def _refuse_conflict(session: Session, said: Said, draft: UsageLine) -> None:
    """Before the call is paid for. Raises Conflict for a key of another usage."""
    if said.key is None or said.model is None:
        return
    known = known_keys(session, [said.key]).get(said.key)
    if known is not None and known["fingerprint"] != draft.fingerprint:
        raise key_conflict(said.key)


def _fields(said: Said, metered: Metered | None, key: str | None = None) -> dict[str, Any]:
    """The fields of a usage line; what was said by hand comes before what was found."""
    fields: dict[str, Any] = {
        "billable": str(said.payer),
        "provider": said.provider,
        "model": said.model or (metered.model if metered is not None else None),
        "feature": said.feature,
        "meta": dict(said.meta) or None,
        "idempotency_key": said.key or key or uuid.uuid4().hex,
    }
    if said.manual is not None:
        return fields | dict(said.manual)
    if metered is not None:
        fields |= dict(zip(TOKEN_FIELDS, metered.tokens, strict=True))
        fields |= {"cost": metered.cost, "currency": metered.currency}
    return fields


def _reason(error: Exception) -> str:
    """Without the statement and its parameters, which a driver's message quotes."""
    if isinstance(error, AimeterError):
        return error.message
    return "a deadlock in the database" if is_deadlock(error) else type(error).__name__
