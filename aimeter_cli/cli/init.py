"""``aimeter init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import Currency, Yes, given
from aimeter_cli.render.nouns.settings import INITIALISED


def init(
    ctx: typer.Context,
    path: Annotated[Path, typer.Option(metavar="DIR", help="Where aimeter.toml goes.")] = Path(),
    currency: Currency = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the aimeter.toml that is there.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Write aimeter.toml with every setting explained, and make the database.

    On a terminal it asks for the database, the currency and the Stripe key, which goes into .env
    (mode 0600); --yes asks nothing. With --database-url the file names that database instead of
    aimeter.db beside it.

    Example: aimeter init --currency eur --yes
    """
    from aimeter_cli.cli.init_questions import ask
    from aimeter_cli.migrations.first_use import Wanted, initialise, refuse_existing

    run = invocation(ctx)
    refuse_existing(path, force=force)
    wanted = Wanted(**given(database_url=run.database_url, currency=currency))
    if run.has_somebody_to_ask and not yes:
        wanted = ask(run, wanted, database=run.database_url is None, currency=currency is None)
    made = initialise(path, wanted, force=force)
    run.out.one(INITIALISED, made)
    if made.secrets is not None:
        run.console.notice(f"Secrets are in {made.secrets}, for you alone: never commit it.")
    for line in (*_NEXT, _DOCTOR if wanted.stripe_key else _BILLING):
        run.console.notice(line)


_NEXT = (
    "Next, make a plan and put somebody on it:",
    (
        "  aimeter plans create Pro --token-limit 1,000,000 --overage-price-per-1k 0.02 "
        "--overage-behavior charge"
    ),
    "  aimeter subscriptions create --billable user:42 --plan pro",
    "  aimeter usage import usage.jsonl",
)
_BILLING = "To bill, set the driver in aimeter.toml and STRIPE_API_KEY in .env; then aimeter doctor"
_DOCTOR = "Whether Stripe takes the key: aimeter doctor"
