"""``aimeter usage``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import Currency, DryRun, amount, moment, pairs, whole
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import AimeterError, RowsFailed
from aimeter_cli.render.nouns.usage import IMPORT, USAGE

if TYPE_CHECKING:
    from aimeter_cli.services.recording.record import Recorder

app = typer.Typer(no_args_is_help=True)


def _tokens(option: str) -> typer.models.OptionInfo:
    return typer.Option(option, parser=whole(option), metavar="N")  # type: ignore[no-any-return]


@app.command()
def record(
    ctx: typer.Context,
    billable: Annotated[
        BillableRef, typer.Option(metavar="TYPE:ID", parser=BillableRef.parse, help="user:42.")
    ],
    provider: Annotated[str, typer.Option(help="Such as openai.")],
    model: Annotated[str, typer.Option(help="Such as gpt-4o-mini.")],
    feature: Annotated[str | None, typer.Option(help="Of your product.")] = None,
    input_tokens: Annotated[int | None, _tokens("--input-tokens")] = None,
    cached_input_tokens: Annotated[int | None, _tokens("--cached-input-tokens")] = None,
    cache_write_tokens: Annotated[int | None, _tokens("--cache-write-tokens")] = None,
    output_tokens: Annotated[int | None, _tokens("--output-tokens")] = None,
    reasoning_tokens: Annotated[int | None, _tokens("--reasoning-tokens")] = None,
    cost: Annotated[
        Decimal | None,
        typer.Option(parser=amount("--cost"), metavar="AMOUNT", help="Else by the price list."),
    ] = None,
    currency: Currency = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="A repeat changes nothing. Made up, if not given.")
    ] = None,
    occurred_at: Annotated[
        datetime | None,
        typer.Option(parser=moment("--occurred-at"), metavar="TIME", help="Now, if not given."),
    ] = None,
    meta: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat for several.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Record one metered call. Token classes are disjoint.

    Example: aimeter usage record --billable user:42 --provider openai --model gpt-4o-mini --input-tokens 1,200 --output-tokens 300 --cost 0.00036
    """  # noqa: E501
    from uuid import uuid4

    from aimeter_cli.domain.usage import check_not_future, usage_line
    from aimeter_cli.services.usages import show_usage

    run = invocation(ctx)
    fields = {
        "billable": str(billable), "provider": provider, "model": model, "feature": feature,
        "input_tokens": input_tokens, "cached_input_tokens": cached_input_tokens,
        "cache_write_tokens": cache_write_tokens, "output_tokens": output_tokens,
        "reasoning_tokens": reasoning_tokens, "cost": cost, "currency": currency,
        "occurred_at": occurred_at, "meta": pairs("--meta", meta or ()),
        "idempotency_key": idempotency_key or uuid4().hex,
    }  # fmt: skip
    line = usage_line(fields, now=run.now())
    check_not_future(line.occurred_at, run.now())
    done = _recorder(run).record_one(line, now=run.now(), dry_run=dry_run)
    if not done.is_new:
        run.console.notice("this key was recorded before; nothing was changed")
    if done.beyond_limit:
        run.console.notice(f"{billable} is beyond its plan")
    if dry_run:
        run.dry_run_notice(dry_run)
        return
    _sync_immediately(run, [str(billable)] if done.charge else [])
    run.out.one(USAGE, show_usage(run.app.database, done.key, is_new=done.is_new))


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSONL or CSV; - is stdin.")],
    input_format: Annotated[
        Literal["jsonl", "csv"] | None, typer.Option(help="By the file's ending, if not given.")
    ] = None,
    on_error: Annotated[
        Literal["stop", "skip"], typer.Option(help="At a bad line; good ones are kept.")
    ] = "skip",
    dry_run: DryRun = False,
) -> None:
    """Import usages; the same file again, renamed too, adds nothing. Lines must say occurred_at.

    Exit 3 if there were bad lines; they are listed with their number and reason.

    Example: aimeter usage import october.jsonl --on-error stop
    """
    from aimeter_cli.services.recording.import_file import format_of, import_usages, open_source

    run = invocation(ctx)
    form = format_of(file, input_format)
    with open_source(file, _stdin) as source, run.progress("Importing") as advance:
        report = import_usages(
            _recorder(run), source, name=file, form=form, now=run.now(), on_error=on_error,
            dry_run=dry_run, advance=advance,
        )  # fmt: skip
    _sync_immediately(run, [] if dry_run else report.billables)
    run.out.one(IMPORT, report)
    if report.unpriced:
        run.console.warn(
            f"{report.unpriced} usages have no cost and no price in [prices]: they are counted, "
            "but not priced"
        )
    run.dry_run_notice(dry_run)
    if report.bad:
        raise RowsFailed(
            f"{file}: {report.bad} bad line(s)"
            + (", reading stopped there" if report.stopped else ", the others were kept"),
            hint=report.hint,
        )


def _stdin() -> BinaryIO:
    return sys.stdin.buffer


def _recorder(run: Invocation) -> Recorder:
    from aimeter_cli.services.recording.record import Recorder

    return Recorder(run.app.database, run.app.settings, run.app.prices)


def _sync_immediately(run: Invocation, billables: Iterable[str]) -> None:
    """With the strategy ``immediate``; a failing Stripe never fails the recording."""
    if run.app.settings.overage_sync_strategy != "immediate" or not billables:
        return
    from aimeter_cli.services.sync.immediate import sync_now
    from aimeter_cli.signals import stop_on_signals

    app = run.app
    try:
        with stop_on_signals() as stop:
            notices = sync_now(
                app.database, app.settings, app.driver, billables, now=run.now(), stop=stop
            )
    except AimeterError as error:
        notices = [f"not synced: {error.message}"]
    for notice in notices:
        run.console.warn(notice)
