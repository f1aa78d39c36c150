"""A small bank: wallets on a database, usages that they pay, time that passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.credits import Standing
from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.usage import Caller, UsageLine, usage_line
from aimeter_cli.models.wallets import CreditTransaction
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.credits import changes
from aimeter_cli.services.credits.changes import Booked
from aimeter_cli.services.credits.holds import hold
from aimeter_cli.services.credits.reading import WalletView, wallet
from aimeter_cli.services.credits.requests import Note
from aimeter_cli.services.credits.standing import available
from aimeter_cli.services.recording.entries import Recorded
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.settings.table import Settings
from tests.support.world import NOW

ADA = BillableRef("user", "42")
CREDITS = Caller("credits")


def credit_line(cost: str, *, now: datetime = NOW, **fields: Any) -> UsageLine:
    """A usage of so much, that a wallet has to pay."""
    given = {
        "billable": str(ADA), "provider": "openai", "model": "m", "input_tokens": 10,
        "cost": cost, "idempotency_key": uuid4().hex,
    }  # fmt: skip
    return usage_line(given | fields, now=now, caller=CREDITS)


@dataclass
class Bank:
    """Amounts are texts in major units."""

    database: Database
    settings: Settings = field(default_factory=Settings)
    now: datetime = NOW

    def add(self, amount: str, **said: Any) -> Booked:
        return self._changed(changes.add, said, Decimal(amount))

    def deduct(self, amount: str, **said: Any) -> Booked:
        return self._changed(changes.deduct, said, Decimal(amount))

    def refund(self, entry_id: int, amount: str | None = None, **said: Any) -> Booked:
        notes = {name: said.pop(name) for name in ("key", "reason", "meta") if name in said}
        return changes.refund(
            self.database, self.settings, entry_id, now=self.now, note=Note(**notes),
            amount=None if amount is None else Decimal(amount), **said,
        )  # fmt: skip

    def _changed(self, change: Any, said: dict[str, Any], amount: Decimal) -> Booked:
        notes = {name: said.pop(name) for name in ("key", "reason", "meta") if name in said}
        ref = said.pop("ref", ADA)
        done: Booked = change(
            self.database, self.settings, ref, amount, now=self.now, note=Note(**notes), **said
        )
        return done

    def use(self, cost: str, *, release: str | None = None, **fields: Any) -> Recorded:
        """Record one usage that a wallet has to pay."""
        line = credit_line(cost, now=self.now, **fields)
        recorder = Recorder(self.database, self.settings, NO_PRICES)
        return recorder.record_one(line, now=self.now, release=release)

    def hold(self, amount: str, **ttl: float) -> str:
        return hold(
            self.database, self.settings, ADA, Decimal(amount), now=self.now,
            ttl=timedelta(**(ttl or {"hours": 1})),
        )  # fmt: skip

    def standing(self, ref: BillableRef = ADA) -> Standing:
        with self.database.write(dry_run=True) as session:
            billable = get_or_create_billable(session, ref, self.now)
            return available(session, self.settings, billable.id, self.now)

    def wallet(self, ref: BillableRef = ADA) -> WalletView:
        return wallet(self.database, self.settings, ref, now=self.now)

    @property
    def balance(self) -> Decimal:
        return self.wallet().balance

    def ledger(self) -> list[tuple[str, str]]:
        """Kind and amount of every entry, oldest first."""
        return [(entry.kind, f"{entry.amount.normalize():f}") for entry in self.entries()]

    def entries(self) -> list[CreditTransaction]:
        with self.database.read() as session:
            statement = select(CreditTransaction).order_by(CreditTransaction.id)  # type: ignore[arg-type]
            return list(session.exec(statement))

    def assert_sound(self) -> None:
        """Every balance, chain, grant and paid usage agrees with the ledger."""
        assert run_audit(self.database).differences == []
