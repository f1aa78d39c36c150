"""``aimeter init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import Currency
from aimeter_cli.render.nouns.settings import INITIALISED


def init(
    ctx: typer.Context,
    path: Annotated[Path, typer.Option(metavar="DIR", help="Where aimeter.toml goes.")] = Path(),
    currency: Currency = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the aimeter.toml that is there.")
    ] = False,
) -> None:
    """Write aimeter.toml with every setting explained, and make the database.

    With --database-url the file names that database instead of aimeter.db beside it.

    Example: aimeter init --currency eur
    """
    from aimeter_cli.migrations.first_use import initialise

    run = invocation(ctx)
    made = initialise(path, database_url=run.database_url, currency=currency or "usd", force=force)
    run.out.one(INITIALISED, made)
    for line in _NEXT:
        run.console.notice(line)


_NEXT = (
    "Next, make a plan and put somebody on it:",
    (
        "  aimeter plans create Pro --token-limit 1,000,000 --overage-price-per-1k 0.02 "
        "--overage-behavior charge"
    ),
    "  aimeter subscriptions create --billable user:42 --plan pro",
    "  aimeter usage import usage.jsonl",
    "To bill, set the driver in aimeter.toml and STRIPE_API_KEY in .env, then: aimeter doctor",
)
