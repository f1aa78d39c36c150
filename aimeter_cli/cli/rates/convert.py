"""``aimeter rates convert``."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import amount
from aimeter_cli.cli.rates.arguments import At, Base, Quote
from aimeter_cli.render.nouns.rates import CONVERSION


def convert(
    ctx: typer.Context,
    value: Annotated[
        Decimal, typer.Argument(metavar="AMOUNT", parser=amount("AMOUNT"), help="Such as 10.")
    ],
    base: Base,
    quote: Quote,
    at: At = None,
) -> None:
    """Convert an amount as an overage would be, and show by which rates.

    Example: aimeter rates convert 10 usd eur
    """
    from aimeter_cli.services.rates import convert as convert_amount

    run = invocation(ctx)
    moment_ = at or run.now()
    done = convert_amount(run.app.database, run.app.settings, value, base, quote, at=moment_)
    run.out.one(CONVERSION, done)
