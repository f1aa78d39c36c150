"""``ai_credit_*``: prepaid wallets, their append-only ledger, grants that expire, and holds."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from aimeter_cli.db.types import Nanos
from aimeter_cli.models.columns import moment, partial_index, primary_key, reference


class CreditWallet(SQLModel, table=True):
    """A billable's one wallet, in ``currency``. ``balance`` is the sum of its transactions."""

    __tablename__ = "ai_credit_wallets"
    __table_args__ = (Index("uq_wallet_billable", "billable_id", unique=True),)

    id: int = primary_key()
    billable_id: int = reference("ai_billables.id")
    currency: str
    balance: Decimal = Field(default=Decimal(0), sa_type=Nanos)
    created_at: datetime = moment()
    updated_at: datetime = moment()


class CreditTransaction(SQLModel, table=True):
    """One signed entry of the ledger, never changed. ``reverses_id``: the entry that it undoes.

    ``fingerprint``: a hash of what the caller said, by which a repeat of ``idempotency_key`` with
    other content is told from a true one. ``meta`` is a JSON object. ``lots``: what of its amount
    was spent of credits that expire, in the order of spending: JSON, ``[[nanos, ISO time], …]``.
    """

    __tablename__ = "ai_credit_transactions"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('add', 'deduct', 'usage', 'refund', 'expiry', 'correction')",
            name="credit_kind",
        ),
        Index("ix_credit_wallet", "wallet_id", "id"),
        partial_index("ix_credit_usage", "usage_id", where="usage_id IS NOT NULL"),
        partial_index("ix_credit_reverses", "reverses_id", where="reverses_id IS NOT NULL"),
    )  # fmt: skip

    id: int = primary_key()
    wallet_id: int = reference("ai_credit_wallets.id")
    kind: str
    amount: Decimal = Field(sa_type=Nanos)
    balance_after: Decimal = Field(sa_type=Nanos)
    reason: str | None = None
    idempotency_key: str | None = Field(default=None, unique=True)
    fingerprint: str | None = None
    usage_id: int | None = reference("ai_usages.id", nullable=True)
    reverses_id: int | None = reference("ai_credit_transactions.id", nullable=True)
    meta: str | None = None
    created_at: datetime = moment()
    lots: str | None = None


class CreditGrant(SQLModel, table=True):
    """Credits that came at once. ``remaining`` is what is not spent yet; None never expires."""

    __tablename__ = "ai_credit_grants"
    __table_args__ = (
        CheckConstraint("remaining >= 0 AND remaining <= amount", name="grant_remaining"),
        partial_index("ix_grant_left", "wallet_id", "expires_at", where="remaining > 0"),
    )

    id: int = primary_key()
    wallet_id: int = reference("ai_credit_wallets.id")
    transaction_id: int = reference("ai_credit_transactions.id")
    amount: Decimal = Field(sa_type=Nanos)
    remaining: Decimal = Field(sa_type=Nanos)
    expires_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment()


class CreditHold(SQLModel, table=True):
    """An estimate set aside while a call runs, until it is closed or expires."""

    __tablename__ = "ai_credit_holds"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="hold_amount"),
        partial_index("ix_hold_open", "wallet_id", "expires_at", where="closed_at IS NULL"),
    )

    id: int = primary_key()
    uid: str = Field(unique=True)
    wallet_id: int = reference("ai_credit_wallets.id")
    amount: Decimal = Field(sa_type=Nanos)
    expires_at: datetime = moment()
    closed_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment()
