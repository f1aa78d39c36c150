"""Every overage that cannot be sent, and every usage that could not be priced."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import text
from sqlmodel import func, select

from aimeter_cli.app import App
from aimeter_cli.doctor.check import Check
from aimeter_cli.models.usages import WAITING, Usage
from aimeter_cli.services.sync.blocked import blocked

_HINTS = {
    "unpriced": 'Add a price under [prices.PROVIDER."MODEL"] in aimeter.toml.',
    "needs_rate": "aimeter rates set BASE QUOTE RATE --at TIME",
}


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
    waiting = (
        select(Usage.state, Usage.provider, Usage.model, func.count())
        .where(text(WAITING))
        .group_by(Usage.state, Usage.provider, Usage.model)
        .order_by(Usage.state, Usage.provider, Usage.model)
    )
    with app.database.read() as session:
        rows = session.exec(waiting).all()
    if not rows:
        yield Check("usages", "ok", "every one is priced")
    for state, provider, model, count in rows:
        told = f"{count} {state}: {provider} {model}"
        yield Check("usages", "warning", told, _HINTS[state])
