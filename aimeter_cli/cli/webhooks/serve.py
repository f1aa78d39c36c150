"""``aimeter webhooks serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation


def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8787,
    path: Annotated[
        str, typer.Option(metavar="PATH", help="Where Stripe posts to.")
    ] = "/stripe/webhook",
) -> None:
    """Take Stripe's deliveries until Ctrl-C or SIGTERM; put TLS and a public name before it.

    Each is checked against STRIPE_WEBHOOK_SECRET, stored, answered, then handled.
    GET /healthz tells whether the database answers. Needs the extra "serve".

    Example: aimeter webhooks serve --port 8787
    """
    from aimeter_cli.webhooks import serve as serving

    run = invocation(ctx)

    def ready(url: str) -> None:
        run.console.notice(f"Listening at {url}")
        if not serving.is_loopback(host):
            run.console.warn(f"{host} can be reached from outside, without TLS: use a proxy")

    serving.serve(run.app, host, port, path, ready=ready, notice=run.console.notice)
    run.console.notice("Stopped; everything that was acknowledged is stored.")
