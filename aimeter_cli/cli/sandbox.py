"""``aimeter sandbox``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation


class Renewals(StrEnum):
    """What time does by itself."""

    AUTO = "auto"
    BY_HAND = "by-hand"


def sandbox(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 12111,
    db: Annotated[
        str | None, typer.Option(metavar="FILE", help="Keeps its state; else it is forgotten.")
    ] = None,
    rate_limit: Annotated[
        float | None, typer.Option(min=0, metavar="N", help="Requests a second, as Stripe's 25.")
    ] = None,
    latency_ms: Annotated[
        float | None, typer.Option(min=0, metavar="MS", help="Wait before each answer.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Repeat for several.")
    ] = None,
    forward_to: Annotated[
        str | None, typer.Option(metavar="URL", help="Send all events there, signed, as webhooks.")
    ] = None,
    renewals: Annotated[
        Renewals, typer.Option(help="Whether time ends periods, finalises drafts, tries payments.")
    ] = Renewals.AUTO,
) -> None:
    """Run a stand-in for Stripe until Ctrl-C, for rehearsals and tests.

    Point aimeter at it with STRIPE_API_BASE and any key that begins with sk_test_.

    Example: aimeter sandbox --port 12111 --db sandbox.db
    """
    import sqlite3

    from aimeter_cli.errors import AimeterError, InvalidInput
    from aimeter_cli.sandbox.server import serve

    run = invocation(ctx)

    def ready(url: str) -> None:
        run.console.notice(f"The sandbox listens: export STRIPE_API_BASE={url}")

    def forwards(secret: str) -> None:
        run.console.notice(f"It sends events: export STRIPE_WEBHOOK_SECRET={secret}")

    try:
        serve(
            host, port, db,
            rate_limit=rate_limit, latency_ms=latency_ms, faults=fault or (), ready=ready,
            forward_to=forward_to, forwards=forwards, renewals=renewals.value.replace("-", "_"),
        )  # fmt: skip
    except TypeError:  # how Python's sockets refuse such a name
        raise InvalidInput(f"--host: {host!r} is no address to listen on") from None
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    except (OSError, sqlite3.Error) as error:
        hint = f"{host}:{port} is taken? --port 0 picks a free one."
        raise AimeterError(f"the sandbox cannot run: {error}", hint=hint) from None
