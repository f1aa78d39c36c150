"""``aimeter billables``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import (
    BillableArgument,
    Currency,
    Customer,
    DryRun,
    Limit,
    Yes,
    given,
)
from aimeter_cli.render.nouns.billables import ANONYMIZED, BILLABLE

app = typer.Typer(no_args_is_help=True)

_Email = Annotated[str | None, typer.Option(help="Where invoices go.")]
_Name = Annotated[str | None, typer.Option(help="What people call them.")]


@app.command()
def create(
    ctx: typer.Context,
    billable: BillableArgument,
    email: _Email = None,
    name: _Name = None,
    currency: Currency = None,
    stripe_customer: Customer = None,
    dry_run: DryRun = False,
) -> None:
    """Make a billable. Usage and subscriptions make them by themselves, too.

    Example: aimeter billables create user:42 --email ada@example.com --stripe-customer cus_Q1w2e3
    """
    from aimeter_cli.services.billables import BillableChanges, create_billable

    run = invocation(ctx)
    fields: BillableChanges = given(
        email=email, name=name, currency=currency, stripe_customer_id=stripe_customer
    )
    made = create_billable(run.app.database, billable, fields, now=run.now(), dry_run=dry_run)
    run.out.one(BILLABLE, made)
    run.dry_run_notice(dry_run)


@app.command("list")
def list_(ctx: typer.Context, limit: Limit = None) -> None:
    """List billables, oldest first.

    Example: aimeter billables list --limit 20
    """
    from aimeter_cli.services.billables import list_billables

    run = invocation(ctx)
    found = list_billables(run.app.database, limit)
    run.out.rows(
        BILLABLE, found, empty="No billable yet. Make one: aimeter billables create user:42"
    )


@app.command()
def show(ctx: typer.Context, billable: BillableArgument) -> None:
    """Show one billable.

    Example: aimeter billables show user:42 --format json
    """
    from aimeter_cli.services.billables import show_billable

    run = invocation(ctx)
    run.out.one(BILLABLE, show_billable(run.app.database, billable))


@app.command()
def update(
    ctx: typer.Context,
    billable: BillableArgument,
    email: _Email = None,
    name: _Name = None,
    currency: Currency = None,
    stripe_customer: Customer = None,
    force: Annotated[
        bool, typer.Option("--force", help="Move what is pending to the new customer.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Change a billable. What is not given stays; an empty text clears e-mail or name.

    Example: aimeter billables update user:42 --name "Ada Lovelace" --currency eur
    """
    from aimeter_cli.services.billables import BillableChanges, update_billable

    run = invocation(ctx)
    changes: BillableChanges = given(
        email=email, name=name, currency=currency, stripe_customer_id=stripe_customer
    )
    changed = update_billable(
        run.app.database, billable, changes, now=run.now(), force=force, dry_run=dry_run
    )
    run.out.one(BILLABLE, changed)
    run.dry_run_notice(dry_run)


@app.command()
def anonymize(
    ctx: typer.Context, billable: BillableArgument, yes: Yes = False, dry_run: DryRun = False
) -> None:
    """Remove who a billable was, for good; it becomes TYPE:anon-… and keeps its figures.

    Removed: e-mail, name, ID, meta, the payloads of its webhook events, its name in requests,
    events and others' usages. Kept: amounts, tokens, times, models, features, tenants, idempotency
    keys, Stripe's ids and operators' reasons. Refused while it has a live subscription or something
    unsettled. Not reached: Stripe (delete the customer there), backups, log files.

    Example: aimeter billables anonymize user:42
    """
    from aimeter_cli.services.anonymize import anonymize as anonymized

    run = invocation(ctx)
    run.confirm(f"Remove for good who {billable} is?", yes=yes or dry_run)
    done = anonymized(run.app.database, billable, now=run.now(), dry_run=dry_run)
    run.out.one(ANONYMIZED, done)
    if not done.is_new:
        run.console.notice(f"{billable} was anonymised before; what has come since was removed")
    elif done.stripe_customer_id is not None:
        run.console.notice(f"Stripe still knows them: delete {done.stripe_customer_id} there.")
    run.dry_run_notice(dry_run)
