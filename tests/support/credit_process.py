"""What a process does that spends from the one wallet of user:42 with seven others: deductions,
usages with and without a hold, top-ups; under a key that the next one uses, too, now and then."""

from __future__ import annotations

from contextlib import suppress

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.credits import InsufficientCredits
from tests.support.credits import Bank

ROUNDS = 12


def main(database_url: str, number: str) -> None:
    database = Database(database_url)
    bank = Bank(database)
    me, other = int(number), (int(number) + 1) % 8
    for n in range(ROUNDS):
        for who in (me, other) if n % 4 == 0 else (me,):
            with suppress(InsufficientCredits):
                bank.deduct("0.7", key=f"deduct:{who}-{n}")
            bank.use("0.3", idempotency_key=f"call:{who}-{n}")
        with suppress(InsufficientCredits):
            bank.use("0.2", idempotency_key=f"held:{me}-{n}", release=bank.hold("0.25"))
        if n % 6 == 5:
            bank.add("4", key=f"add:{me}-{n}")
            bank.add("4", key=f"add:{other}-{n}")
    database.dispose()
