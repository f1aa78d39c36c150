"""``aimeter usage record``."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import typer

from aimeter_cli.cli import completion
from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import Currency, DryRun, amount, moment, pairs, whole
from aimeter_cli.cli.usage.recording import recorder, sync_immediately
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.render.nouns.usage import USAGE


def _tokens(option: str) -> typer.models.OptionInfo:
    return typer.Option(option, parser=whole(option), metavar="N")  # type: ignore[no-any-return]


def record(
    ctx: typer.Context,
    billable: Annotated[
        BillableRef,
        typer.Option(
            metavar="TYPE:ID",
            parser=BillableRef.parse,
            help="user:42.",
            autocompletion=completion.billables,
        ),
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
    done = recorder(run).record_one(line, now=run.now(), dry_run=dry_run)
    if not done.is_new:
        run.console.notice("this key was recorded before; nothing was changed")
    if done.beyond_limit:
        run.console.notice(f"{billable} is beyond its plan")
    if dry_run:
        run.dry_run_notice(dry_run)
        return
    sync_immediately(run, [str(billable)] if done.charge else [])
    run.out.one(USAGE, show_usage(run.app.database, done.key, is_new=done.is_new))
