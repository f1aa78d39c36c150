"""Every command of ``aimeter``, in the order of ``--help``. A new noun is one line here.

The module of a command is imported when the command is invoked, so that ``aimeter --help`` stays
quick.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """``attribute`` of ``aimeter_cli.cli.<module>``: a Typer app (a group) or a function."""

    name: str
    module: str
    attribute: str
    help: str


COMMANDS: tuple[Entry, ...] = (
    Entry("init", "init", "init", "Write aimeter.toml and make the database."),
    Entry("doctor", "doctor", "doctor", "Check configuration, database, Stripe and overages."),
    Entry("audit", "audit", "audit", "Recompute everything; compare it to the nano."),
    Entry("status", "status", "status", "See whether the jobs run, and what is not invoiced yet."),
    Entry("config", "config", "app", "See every setting and where its value comes from."),
    Entry("plans", "plans", "app", "Limits, prices and features that are sold."),
    Entry("billables", "billables", "app", "Who is billed: users, teams, accounts."),
    Entry("subscriptions", "subscriptions", "app", "Who is on which plan, and since when."),
    Entry("usage", "usage", "app", "Record and import metered calls."),
    Entry("overrides", "overrides", "app", "Other limits for one billable, for a time."),
    Entry("overages", "overages", "app", "What lies beyond the plan, and where it stands."),
    Entry(
        "sync-stripe-overages",
        "sync",
        "sync_stripe_overages",
        "Put overages on the customers' pending Stripe invoice items.",
    ),
    Entry("sync", "sync", "app", "Pause and resume the sync; see where it stands."),
    Entry("credits", "credits", "app", "Prepaid wallets: top up, deduct, refund, read."),
    Entry("rates", "rates", "app", "Conversion rates between currencies."),
    Entry("prices", "prices", "app", "What models cost: the configuration's, then the library's."),
    Entry("webhooks", "webhooks", "app", "Stripe's events: take them in, look, try again."),
    Entry("events", "events", "app", "What happened here, and its way to your sinks."),
    Entry("import", "import_", "app", "Move here from another system."),
    Entry("alerts", "alerts", "app", "What needs a person, and who is told of it."),
    Entry("db", "db", "app", "Migrate, inspect and back up the database."),
    Entry("sandbox", "sandbox", "sandbox", "Run a stand-in for Stripe on this machine."),
)
