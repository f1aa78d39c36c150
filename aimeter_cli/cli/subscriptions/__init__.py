"""``aimeter subscriptions``: one module per verb."""

from __future__ import annotations

import typer

from aimeter_cli.cli.subscriptions.cancel import cancel
from aimeter_cli.cli.subscriptions.change_plan import change_plan
from aimeter_cli.cli.subscriptions.create import create
from aimeter_cli.cli.subscriptions.expire import expire
from aimeter_cli.cli.subscriptions.list import list_
from aimeter_cli.cli.subscriptions.reconcile import reconcile
from aimeter_cli.cli.subscriptions.set_stripe_ids import set_stripe_ids
from aimeter_cli.cli.subscriptions.show import show
from aimeter_cli.cli.subscriptions.sync_stripe_ids import sync_stripe_ids
from aimeter_cli.cli.subscriptions.update import update

app = typer.Typer(no_args_is_help=True)
app.command()(create)
app.command("list")(list_)
app.command()(show)
app.command()(update)
app.command("change-plan")(change_plan)
app.command()(cancel)
app.command()(expire)
app.command("set-stripe-ids")(set_stripe_ids)
app.command("sync-stripe-ids")(sync_stripe_ids)
app.command()(reconcile)
