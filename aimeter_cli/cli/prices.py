"""``aimeter prices``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import moment
from aimeter_cli.render.nouns.prices import PRICE

app = typer.Typer(no_args_is_help=True)

_At = Annotated[
    datetime | None, typer.Option(parser=moment("--at"), metavar="TIME", help="Default: now.")
]


@app.command("list")
def list_(
    ctx: typer.Context,
    provider: Annotated[str | None, typer.Option(help="Such as openai, gemini, bedrock.")] = None,
    source: Annotated[
        str | None, typer.Option(help="configuration, or genai-prices, the library.")
    ] = None,
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="In the name of the model.")
    ] = None,
    at: _At = None,
) -> None:
    """List prices per million tokens of each class, the configuration's first: they win.

    A model has several rows where the price depends on how many input tokens a call has.

    Example: aimeter prices list --provider openai --search mini
    """
    from aimeter_cli.services.prices.catalogue import list_prices

    run = invocation(ctx)
    found = list_prices(
        run.app.prices, at=at or run.now(), provider=provider, source=source, search=search
    )
    run.out.rows(PRICE, found, empty="No price matches. Add one under [prices] of aimeter.toml.")


@app.command()
def show(
    ctx: typer.Context,
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="As usages name it.")],
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As usages name it.")],
    at: _At = None,
) -> None:
    """Show what usages of a model are priced with, a row for each size of call.

    Example: aimeter prices show openai gpt-4o-mini --at 2026-10-31
    """
    from aimeter_cli.services.prices.catalogue import show_price

    run = invocation(ctx)
    run.out.rows(
        PRICE, show_price(run.app.prices, provider, model, at=at or run.now()), footer=False
    )
