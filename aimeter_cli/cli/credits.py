"""``aimeter credits``."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli import completion
from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import (
    BillableArgument,
    Currency,
    DryRun,
    amount,
    moment,
    pairs,
)  # fmt: skip
from aimeter_cli.domain.money import Money
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.render.nouns.credits import CREDIT_TRANSACTION, WALLET

if TYPE_CHECKING:
    from aimeter_cli.services.credits.changes import Booked
    from aimeter_cli.services.credits.requests import Note

app = typer.Typer(no_args_is_help=True)

_Whose = Annotated[
    BillableRef | None,
    typer.Argument(
        metavar="TYPE:ID",
        parser=BillableRef.parse,
        help="Every wallet's, if not given.",
        autocompletion=completion.billables,
    ),
]
_Amount = Annotated[
    Decimal,
    typer.Argument(metavar="AMOUNT", parser=amount("AMOUNT"), help="In the wallet's currency."),
]
_ExpiresAt = Annotated[
    datetime | None,
    typer.Option(parser=moment("--expires-at"), metavar="TIME", help="Never, if not given."),
]
_Key = Annotated[
    str | None, typer.Option("--idempotency-key", metavar="KEY", help="A repeat changes nothing.")
]
_Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Kept in the ledger.")]
_Meta = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat for several.")]
_Limit = Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")]


@app.command()
def add(
    ctx: typer.Context,
    billable: BillableArgument,
    value: _Amount,
    currency: Currency = None,
    expires_at: _ExpiresAt = None,
    reason: _Reason = None,
    idempotency_key: _Key = None,
    meta: _Meta = None,
    dry_run: DryRun = False,
) -> None:
    """Add credits. The first ones make the wallet and its currency.

    An overdraft is paid off first, then usages that are unpaid, oldest first.

    Example: aimeter credits add user:42 50 --reason "order 1017" --idempotency-key order-1017
    """
    from aimeter_cli.services.credits.changes import add as add_credits

    run = invocation(ctx)
    done = add_credits(
        run.app.database, run.app.settings, billable, value, now=run.now(), currency=currency,
        expires_at=expires_at, note=_note(idempotency_key, reason, meta), dry_run=dry_run,
    )  # fmt: skip
    _show(run, done, dry_run)


@app.command()
def deduct(
    ctx: typer.Context,
    billable: BillableArgument,
    value: _Amount,
    reason: _Reason = None,
    idempotency_key: _Key = None,
    meta: _Meta = None,
    dry_run: DryRun = False,
) -> None:
    """Take credits away, soonest expiring first; exit 1 if there are not so many.

    Example: aimeter credits deduct user:42 5 --reason "setup fee"
    """
    from aimeter_cli.services.credits.changes import deduct as deduct_credits

    run = invocation(ctx)
    done = deduct_credits(
        run.app.database, run.app.settings, billable, value, now=run.now(),
        note=_note(idempotency_key, reason, meta), dry_run=dry_run,
    )  # fmt: skip
    _show(run, done, dry_run)


@app.command()
def refund(
    ctx: typer.Context,
    transaction: Annotated[
        int, typer.Argument(metavar="ID", help="As credits transactions shows it.")
    ],
    amount_: Annotated[
        Decimal | None,
        typer.Option(
            "--amount", parser=amount("--amount"), metavar="AMOUNT", help="All, if not given."
        ),
    ] = None,
    expires_at: _ExpiresAt = None,
    reason: _Reason = None,
    idempotency_key: _Key = None,
    meta: _Meta = None,
    dry_run: DryRun = False,
) -> None:
    """Reverse an entry of the ledger by a new one, never by more than is left of it.

    What was deducted, or paid a usage, comes back, and expires as what it was taken from, unless
    --expires-at says otherwise; what was added is taken away again, as far as it is not spent.

    Example: aimeter credits refund 17 --amount 2.50 --reason "call failed"
    """
    from aimeter_cli.services.credits.changes import refund as refund_entry

    run = invocation(ctx)
    done = refund_entry(
        run.app.database, run.app.settings, transaction, now=run.now(), amount=amount_,
        expires_at=expires_at, note=_note(idempotency_key, reason, meta), dry_run=dry_run,
    )  # fmt: skip
    _show(run, done, dry_run)


@app.command()
def balance(
    ctx: typer.Context,
    billable: _Whose = None,
    limit: _Limit = 100,
) -> None:
    """Show what a wallet has, what calls hold, and what is unpaid.

    Credits that have expired by now are not in it.

    Example: aimeter credits balance user:42
    """
    from aimeter_cli.services.credits.reading import wallet, wallets

    run = invocation(ctx)
    app_, now = run.app, run.now()
    if billable is not None:
        run.out.one(WALLET, wallet(app_.database, app_.settings, billable, now=now))
        return
    found = wallets(app_.database, app_.settings, now=now, limit=limit)
    run.out.rows(WALLET, found, empty="No wallet yet. Make one: aimeter credits add user:42 50")


@app.command()
def transactions(
    ctx: typer.Context,
    billable: _Whose = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="add, deduct, usage, refund, expiry or correction; several: repeat."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(parser=moment("--since"), metavar="TIME")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=moment("--until"), metavar="TIME", help="Exclusive.")
    ] = None,
    limit: _Limit = 100,
) -> None:
    """List the ledger of a wallet, or of all, the newest first.

    Example: aimeter credits transactions user:42 --kind usage
    """
    from aimeter_cli.repositories.credit_entries import Filter
    from aimeter_cli.services.credits.reading import transactions as find_transactions

    run = invocation(ctx)
    wanted = Filter(None, billable, tuple(kind or ()), since, until)
    found = find_transactions(run.app.database, wanted, limit=limit)
    empty = "No credit transaction matches."
    if wanted == Filter():
        empty = "No credit transaction yet. Make one: aimeter credits add user:42 50"
    run.out.rows(CREDIT_TRANSACTION, found, empty=empty)


def _note(key: str | None, reason: str | None, meta: list[str] | None) -> Note:
    from aimeter_cli.services.credits.requests import Note

    return Note(key, reason, pairs("--meta", meta or ()))


def _show(run: Invocation, done: Booked, dry_run: bool) -> None:
    run.out.one(CREDIT_TRANSACTION, done.entry)
    standing = done.standing
    if not done.is_new:
        run.console.notice("this key was used before; nothing was changed")
    if done.paid:
        left = Money.of_nanos(standing.balance, standing.currency)
        run.console.notice(f"{done.paid} unpaid usage(s) were paid; the balance is now {left}")
    if standing.has_unpaid:
        run.console.notice(f"usages are still unpaid: aimeter credits balance {standing.billable}")
    run.dry_run_notice(dry_run)
