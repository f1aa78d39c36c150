"""The import: one snapshot of theirs, one transaction of ours, all or nothing.

Their rows are read while our transaction is open: history of any size passes through in batches,
and a connection that breaks rolls everything back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from sqlalchemy.exc import IntegrityError

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import Conflict
from aimeter_cli.repositories.imports import one_import_at_a_time
from aimeter_cli.services.laravel import schema
from aimeter_cli.services.laravel.names import BillableNames
from aimeter_cli.services.laravel.reconciliation import Reconciliation
from aimeter_cli.services.laravel.schema import SourceTable
from aimeter_cli.services.laravel.source import Source, open_source, safe_url
from aimeter_cli.services.laravel.values import SourceRow
from aimeter_cli.services.laravel.writing.overages import write_overages
from aimeter_cli.services.laravel.writing.overrides import write_overrides
from aimeter_cli.services.laravel.writing.plans import write_plans
from aimeter_cli.services.laravel.writing.subscriptions import write_subscriptions
from aimeter_cli.services.laravel.writing.usages import write_usages
from aimeter_cli.services.laravel.writing.wallets import WalletWriter
from aimeter_cli.services.laravel.writing.work import Work
from aimeter_cli.settings.table import Settings


@dataclass(frozen=True, slots=True)
class Options:
    """``names``: their ``billable_type`` → our type. ``zone``: in which they store times.

    ``keep_existing``: a billable that has another live subscription here keeps it.
    """

    names: Mapping[str, str]
    zone: tzinfo
    keep_existing: bool = False
    dry_run: bool = False


def import_laravel(
    database: Database,
    settings: Settings,
    url: str,
    options: Options,
    *,
    now: datetime,
    advance: Callable[[int, int], object] = lambda _rows, _total: None,
) -> Reconciliation:
    """What became of every row. Nothing is kept where the sums of both sides differ.

    ``advance`` is told the rows that are done and how many there are.

    Raises InvalidInput, ConfigurationError and DatabaseError as ``open_source`` does, InvalidInput
    for names, Conflict for other live subscriptions, or for rows that somebody else made meanwhile.
    """
    report = Reconciliation(safe_url(url), options.dry_run)
    with open_source(url, options.zone) as source:
        report.notes += source.lacks
        names = BillableNames(source.billable_types(), options.names)
        counts = source.counts()
        total = sum(counts.values())
        for table in schema.TABLES:
            report.table(table.name).rows = counts.get(table.name, 0)
        try:
            with database.write(dry_run=options.dry_run) as session:
                one_import_at_a_time(session)
                work = Work(session, settings, names, report, now, options.keep_existing)
                _write(work, source, lambda rows: advance(rows, total))
                if not report.adds_up:
                    session.rollback()
        except IntegrityError:
            raise Conflict(
                "somebody else made the same rows at the same time; nothing was imported",
                hint="Run the same command again.",
            ) from None
    return report


def _write(work: Work, source: Source, advance: Callable[[int], object]) -> None:
    def batches(table: SourceTable) -> Iterator[Sequence[SourceRow]]:
        for rows in source.batches(table):
            yield rows
            advance(len(rows))

    write_plans(work, batches(schema.PLANS))
    write_subscriptions(work, batches(schema.SUBSCRIPTIONS))
    write_overrides(work, batches(schema.OVERRIDES))
    write_usages(work, batches(schema.USAGES))
    write_overages(work, batches(schema.OVERAGES))
    wallets = WalletWriter(work)
    wallets.write_wallets(batches(schema.WALLETS))
    wallets.write_transactions(batches(schema.TRANSACTIONS))
    wallets.finish()
