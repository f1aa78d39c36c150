"""A bare SQLModel program: one table, one row read and printed. The file is the argument."""

import sys
from datetime import datetime

from sqlmodel import Field, Session, SQLModel, create_engine, select


class Overage(SQLModel, table=True):
    __tablename__ = "ai_overages"

    id: int | None = Field(default=None, primary_key=True)
    billable_id: int
    period_start: datetime
    tokens: int
    amount: int
    currency: str
    status: str


def main(file: str) -> None:
    with Session(create_engine(f"sqlite:///{file}")) as session:
        for row in session.exec(select(Overage).order_by(Overage.id.desc()).limit(100)):  # type: ignore[union-attr]
            print(
                row.id, row.billable_id, row.period_start, row.tokens, row.amount / 10**9,
                row.currency, row.status, sep="  ",
            )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
