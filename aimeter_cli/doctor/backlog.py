"""Every overage that cannot be sent, and every usage that could not be priced or paid."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select, text

from aimeter_cli.app import App
from aimeter_cli.doctor.check import Check
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.usages import UNPAID, WAITING, Usage, UsageCounter
from aimeter_cli.repositories.outbox import references
from aimeter_cli.services.sync.blocked import blocked


def overages(app: App) -> Iterator[Check]:
    with app.database.read() as session:
        found = blocked(session)
    if not found:
        yield Check("overages", "ok", "none is blocked")
    for entry in found:
        who = ", ".join(entry.billables)
        more = f" ({entry.detail})" if entry.detail else ""
        told = f"{entry.count} cannot be sent: {entry.reason}{more}: {who}"
        yield Check("overages", "failed", told, entry.hint)


def usages(app: App) -> Iterator[Check]:
    """Usages that are counted, but not priced."""
    usage, counter = table_of(Usage), table_of(UsageCounter)
    what = (
        usage.c.state, usage.c.provider, usage.c.model, usage.c.currency,
        counter.c.currency.label("plan_currency"),
    )  # fmt: skip
    waiting = (
        select(*what, func.count(), func.min(usage.c.occurred_at))
        .select_from(usage.outerjoin(counter, counter.c.id == usage.c.counter_id))
        .where(text(WAITING))
        .group_by(*what)
        .order_by(*what)
    )
    with app.database.read() as session:
        rows = session.connection().execute(waiting).all()
    if not rows:
        yield Check("usages", "ok", "every one is priced")
    for state, provider, model, currency, plan_currency, count, oldest in rows:
        if state == "unpriced":
            told = f"{count} without a price: {provider} {model}"
            hint = f'Add a price under [prices.{provider}."{model}"], then aimeter usage reprice.'
        else:
            told = f"{count} in {currency} without a rate into {plan_currency}: {provider} {model}"
            hint = (
                "aimeter rates update --from ecb-90d, or aimeter rates set "
                f"{currency} {plan_currency} RATE --at {oldest:%Y-%m-%d}; then aimeter usage "
                "reprice."
            )
        yield Check("usages", "warning", told, f"{hint} Until then not charged by cost.")


def unpaid(app: App) -> Iterator[Check]:
    """Usages that no wallet covered when they were recorded, or had no rate into its currency."""
    usage = table_of(Usage)
    count = select(func.count(), func.count(usage.c.billable_id.distinct())).where(text(UNPAID))
    first = select(func.min(usage.c.billable_id)).where(text(UNPAID))
    with app.database.read() as session:
        connection = session.connection()
        number, people = connection.execute(count).one()
        if not number:
            yield Check("unpaid usages", "ok", "none")
            return
        who = references(session, [connection.execute(first).scalar_one()])
    [name] = who.values()
    told = f"{number} usage(s) of {people} billable(s) in credits mode are not paid, such as {name}"
    hint = f"aimeter credits add {name} AMOUNT pays the oldest first."
    yield Check("unpaid usages", "warning", told, hint)
