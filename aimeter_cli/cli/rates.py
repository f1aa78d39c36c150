"""``aimeter rates``."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun, Yes, amount, moment
from aimeter_cli.domain.currency import currency_code
from aimeter_cli.render.nouns.rates import CONVERSION, RATE, REMOVED_RATE, STORED_RATE

app = typer.Typer(no_args_is_help=True)

_Base = Annotated[str, typer.Argument(metavar="BASE", parser=currency_code, help="Such as usd.")]
_Quote = Annotated[str, typer.Argument(metavar="QUOTE", parser=currency_code, help="Such as eur.")]
_At = Annotated[
    datetime | None, typer.Option(parser=moment("--at"), metavar="TIME", help="Default: now.")
]
_Source = Annotated[str | None, typer.Option(metavar="TEXT", help="Where it comes from.")]


@app.command("set")
def set_(
    ctx: typer.Context,
    base: _Base,
    quote: _Quote,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="1 BASE in QUOTE, such as 0.85.")],
    at: _At = None,
    source: _Source = None,
    dry_run: DryRun = False,
) -> None:
    """Store a rate that holds from now, or from --at, until the next one.

    Example: aimeter rates set usd eur 0.85 --at 2026-11-01 --source ECB
    """
    from aimeter_cli.domain.rates import Rate
    from aimeter_cli.services.rates import set_rates
    from aimeter_cli.settings.parse import rate_value

    run = invocation(ctx)
    rate = Rate(base, quote, rate_value(value, "VALUE"), at, source or "manual")
    stored = set_rates(run.app.database, [rate], now=run.now(), dry_run=dry_run)
    run.out.one(STORED_RATE, stored[0])
    run.dry_run_notice(dry_run)


@app.command("list")
def list_(ctx: typer.Context, at: _At = None) -> None:
    """List the newest rate of each pair, stored and configured, with its age.

    Example: aimeter rates list --at 2026-10-31
    """
    from aimeter_cli.services.rates import list_rates

    run = invocation(ctx)
    found = list_rates(run.app.database, run.app.settings, at=at or run.now())
    run.out.rows(RATE, found, empty="No rate yet. Store one: aimeter rates set usd eur 0.85")


@app.command()
def history(ctx: typer.Context, base: _Base, quote: _Quote) -> None:
    """List every stored rate of a pair, newest first.

    Example: aimeter rates history usd eur --format csv
    """
    from aimeter_cli.services.rates import rate_history

    run = invocation(ctx)
    found = rate_history(run.app.database, run.app.settings, base, quote, at=run.now())
    run.out.rows(
        RATE, found, empty=f"No stored rate. Store one: aimeter rates set {base} {quote} …"
    )


@app.command()
def remove(
    ctx: typer.Context,
    base: _Base,
    quote: _Quote,
    at: Annotated[
        datetime | None,
        typer.Option(parser=moment("--at"), metavar="TIME", help="Only the one since then."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Remove the stored rate of a pair. What was priced keeps the rate it was priced with.

    Where there are several, --yes agrees to remove them all.

    Example: aimeter rates remove usd eur --at 2026-11-01
    """
    from aimeter_cli.services.rates import find_rates, remove_rates

    run = invocation(ctx)
    found = find_rates(run.app.database, base, quote, at)
    if len(found) > 1 and not dry_run:
        run.confirm(f"Remove all {len(found)} rates from {base} to {quote}?", yes=yes)
    remove_rates(run.app.database, found, dry_run=dry_run)
    run.out.rows(REMOVED_RATE, found)
    run.dry_run_notice(dry_run)


@app.command()
def convert(
    ctx: typer.Context,
    value: Annotated[
        Decimal, typer.Argument(metavar="AMOUNT", parser=amount("AMOUNT"), help="Such as 10.")
    ],
    base: _Base,
    quote: _Quote,
    at: _At = None,
) -> None:
    """Convert an amount as an overage would be, and show by which rates.

    Example: aimeter rates convert 10 usd eur
    """
    from aimeter_cli.services.rates import convert as convert_amount

    run = invocation(ctx)
    moment_ = at or run.now()
    done = convert_amount(run.app.database, run.app.settings, value, base, quote, at=moment_)
    run.out.one(CONVERSION, done)


@app.command()
def update(
    ctx: typer.Context,
    from_: Annotated[
        Path, typer.Option("--from", metavar="FILE", help="Ends in .json, .toml or .csv.")
    ],
    source: _Source = None,
    dry_run: DryRun = False,
) -> None:
    """Store all rates of a file, or none. The same file again changes nothing.

    JSON and TOML hold base, date and rates, or pairs such as usd_eur; CSV base,quote,rate,date.

    Example: aimeter rates update --from rates-2026-11-01.json
    """
    from aimeter_cli.services.rate_files import read_rates
    from aimeter_cli.services.rates import set_rates

    run = invocation(ctx)
    rates = read_rates(from_, source=source, today=run.now())
    stored = set_rates(run.app.database, rates, now=run.now(), dry_run=dry_run)
    run.out.rows(STORED_RATE, stored)
    counts = {effect: sum(rate.effect == effect for rate in stored) for effect in _EFFECTS}
    run.console.notice(", ".join(f"{counts[effect]} {effect}" for effect in _EFFECTS))
    run.dry_run_notice(dry_run)


_EFFECTS = ("added", "changed", "unchanged")
