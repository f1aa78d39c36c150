"""Limit overrides: those of a billable must not overlap here; there one was picked at random."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aimeter_cli.models.overrides import UsageLimitOverride
from aimeter_cli.repositories.billables import find_billable
from aimeter_cli.repositories.overrides import overlapping
from aimeter_cli.services.laravel.mapping import override_facts
from aimeter_cli.services.laravel.schema import OVERRIDES
from aimeter_cli.services.laravel.values import SourceRow
from aimeter_cli.services.laravel.writing.work import CHANGED, Work


def write_overrides(work: Work, batches: Iterable[Sequence[SourceRow]]) -> None:
    for rows in batches:
        known = work.imported("override", rows)
        for row, facts in work.read(
            OVERRIDES.name, rows, lambda row: override_facts(row, work.names)
        ):
            if row.id in known:
                if known[row.id].fingerprint == row.fingerprint:
                    work.report.table(OVERRIDES.name).there_already += 1
                else:
                    work.leave_out(row, CHANGED)
                continue
            billable = find_billable(work.session, facts.ref)
            if billable is None:
                work.leave_out(row, "its billable has no subscription")
            elif overlapping(work.session, billable.id, facts.starts_at, facts.ends_at):
                work.leave_out(row, "another override of its billable holds at the same time")
            else:
                override = UsageLimitOverride(
                    billable_id=billable.id,
                    starts_at=facts.starts_at,
                    ends_at=facts.ends_at,
                    token_limit=facts.token_limit,
                    cost_limit=facts.cost_limit,
                    reason="imported",
                    created_at=work.now,
                )
                work.session.add(override)
                work.session.flush()
                work.remember("override", row, override.id)
