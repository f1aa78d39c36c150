"""``aimeter webhooks``: one module per verb."""

from __future__ import annotations

import typer

from aimeter_cli.cli.webhooks.list import list_
from aimeter_cli.cli.webhooks.prune import prune
from aimeter_cli.cli.webhooks.pull import pull
from aimeter_cli.cli.webhooks.replay import replay
from aimeter_cli.cli.webhooks.retry import retry
from aimeter_cli.cli.webhooks.serve import serve
from aimeter_cli.cli.webhooks.show import show

app = typer.Typer(no_args_is_help=True)
app.command()(replay)
app.command()(pull)
app.command()(serve)
app.command("list")(list_)
app.command()(show)
app.command()(retry)
app.command()(prune)
