"""What is charged at Stripe, but on no invoice before long."""

from __future__ import annotations

from collections.abc import Iterator

from aimeter_cli.app import App
from aimeter_cli.doctor.check import Check
from aimeter_cli.services.overages.stranded import find_stranded


def stranded(app: App) -> Iterator[Check]:
    found = find_stranded(app.database, app.settings, now=app.now())
    if not found:
        yield Check("stranded", "ok", "an invoice is to be expected for every pending item")
    for each in found:
        who = ", ".join(each.billables)
        told = f"{len(each.items)} item(s) on no invoice within 35 days: {each.reason}: {who}"
        yield Check("stranded", "warning", told, each.hint)
