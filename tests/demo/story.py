"""The chapters of the demo. Each runs real commands and checks what came of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aimeter_cli.sandbox.client import SandboxControl
from tests.demo.cast import CUSTOMERS, LATECOMER, PAYER, PLAN_CURRENCY, Customer
from tests.demo.checks import check, check_sums
from tests.demo.configuration import CONFIGURATION
from tests.demo.stripe_side import KEY, StripeSide, invoice_table
from tests.demo.terminal import Terminal
from tests.demo.usage_file import Written, write_usage

_START = datetime(2026, 10, 1, tzinfo=UTC)
_LAST_DAY = datetime(2026, 10, 31, tzinfo=UTC)
_END = datetime(2026, 11, 1, tzinfo=UTC)
_ON_LAST_DAY = ("--as-of", "2026-10-31")
_AFTER = ("--as-of", "2026-11-01T00:00Z")
_JUST_AFTER = ("--as-of", "2026-11-01T00:10Z")
_TWO_HOURS_AFTER = ("--as-of", "2026-11-01T02:00Z")
_IN_NOVEMBER = ("--as-of", "2026-11-05")
_LIMIT = ("--limit", "50")


class Story:
    """Holds what one chapter leaves to the next."""

    def __init__(self, terminal: Terminal, sandbox: SandboxControl, calls: int) -> None:
        self._terminal = terminal
        self._stripe = StripeSide(sandbox)
        self._sandbox = sandbox
        self._calls = calls
        self._ids: dict[str, tuple[str, str]] = {}

    def tell(self) -> None:
        """All chapters. Raises Failed where something is not as it should be."""
        try:
            self.an_empty_folder()
            self.plans()
            self.customers()
            self.usage()
            self.overages()
            self.the_sync()
            self.more_usage()
            self.the_month_ends()
            self.the_invoice()
            self.the_payment()
            self.the_doctor()
        finally:
            self._stripe.close()

    def an_empty_folder(self) -> None:
        run = self._terminal
        run.title("An empty folder")
        run.say(f"A stand-in for Stripe listens at {self._sandbox.url} (aimeter sandbox).")
        run.run("init")
        configuration = CONFIGURATION.format(url=self._sandbox.url)
        with (run.folder / "aimeter.toml").open("a", encoding="utf-8") as file:
            file.write(configuration)
        run.show("cat >> aimeter.toml", configuration)
        (run.folder / ".env").write_text(f"STRIPE_API_KEY={KEY}\n", encoding="utf-8")
        run.show("cat > .env", f"STRIPE_API_KEY={KEY}")
        run.run("rates", "set", "usd", "eur", "0.93", "--at", "2026-10-28", "--source", "bank",
                *_ON_LAST_DAY)  # fmt: skip
        run.run("rates", "convert", "10", "usd", "eur", *_ON_LAST_DAY)

    def plans(self) -> None:
        run = self._terminal
        run.title("Plans: by tokens, by cost, and in another currency")
        scale = self._calls / 40_000
        charge = ("--overage-behavior", "charge")
        run.run("plans", "create", "Starter", "--token-limit", str(round(2_500_000 * scale)),
                "--overage-price-per-1k", "0.006", *charge,
                "--stripe-price", self._stripe.define_price("starter", "usd"),
                "--stripe-price", self._stripe.define_price("starter", "jpy"))  # fmt: skip
        run.run("plans", "create", "Scale", "--cost-limit", f"{4 * scale:.2f}", *charge,
                "--stripe-price", self._stripe.define_price("scale", "usd"))  # fmt: skip
        run.run("plans", "create", "Europa", "--token-limit", str(round(3_000_000 * scale)),
                "--overage-price-per-1k", "0.005", "--currency", "eur", *charge,
                "--stripe-price", self._stripe.define_price("europa", "eur"))  # fmt: skip
        run.run("plans", "list")

    def customers(self) -> None:
        run = self._terminal
        run.title("A dozen billables, with their customers at Stripe")
        for customer in CUSTOMERS:
            if customer is not LATECOMER:
                self._join_stripe(customer)
        for customer in CUSTOMERS:
            self._subscribe(customer)
        run.run("billables", "list")
        run.run("subscriptions", "list", *_ON_LAST_DAY)

    def _join_stripe(self, customer: Customer) -> tuple[str, str]:
        """A customer with a subscription since the first; the ids of both."""
        price = self._stripe.define_price(
            customer.plan, customer.currency or PLAN_CURRENCY[customer.plan]
        )
        self._ids[customer.ref] = self._stripe.subscribe(customer, price, _START)
        return self._ids[customer.ref]

    def _subscribe(self, customer: Customer) -> None:
        """The first one for everybody to see, the others in silence."""
        paying = ("--currency", customer.currency) if customer.currency else ()
        ids: tuple[str, ...] = ()
        if customer is not LATECOMER:
            account, subscription = self._ids[customer.ref]
            ids = ("--stripe-customer", account, "--stripe-subscription", subscription)
        commands = (
            ("billables", "create", customer.ref, "--name", customer.name,
             "--email", customer.email, *paying),
            ("subscriptions", "create", "--billable", customer.ref, "--plan", customer.plan,
             *ids, "--as-of", "2026-10-01"),
        )  # fmt: skip
        if customer is PAYER:
            for command in commands:
                self._terminal.run(*command)
            return
        # The others' billables are made with their subscriptions, unless they pay in a currency
        # of their own.
        for command in commands if paying else commands[1:]:
            self._terminal.read(*command)

    def usage(self) -> None:
        run = self._terminal
        run.title("A month of calls")
        file = run.folder / "october.jsonl"
        written = write_usage(file, calls=self._calls, start=_START, end=_LAST_DAY, seed=2026)
        run.show("head -n 2 october.jsonl", _head(file))
        seconds = run.run("usage", "import", file.name, *_ON_LAST_DAY)
        run.say(f"{written.lines:,} lines in {seconds:.1f} s: {written.lines / seconds:,.0f} a "
                "second, start-up included.")  # fmt: skip
        self._check_usage(written)
        check(len(run.read("overages", "list")) >= 8, "most customers are beyond their plans")
        run.say("\nThe same file again, under another name, adds nothing:")
        file.rename(run.folder / "october-again.jsonl")
        run.run("usage", "import", "october-again.jsonl", *_ON_LAST_DAY)
        self._check_usage(written)

    def _check_usage(self, written: Written) -> None:
        report = self._terminal.read("usage", "report", "--month", "2026-10", *_ON_LAST_DAY)
        recorded = sum(row["requests"] for row in report["rows"])
        check(recorded == written.lines - written.repeated, "every line is recorded, and once")

    def overages(self) -> None:
        run = self._terminal
        run.title("What lies beyond the plans")
        run.run("overages", "list", "--unsynced")
        run.say("\nWhat a sync would send for one of them; nothing is sent:")
        run.run("sync-stripe-overages", "--dry-run", "--billable", PAYER.ref, *_ON_LAST_DAY)
        check(self._sandbox.items() == [], "a dry run sends nothing")

    def the_sync(self) -> None:
        run = self._terminal
        run.title("Onto the customers' pending invoice items, exactly once")
        run.run("sync-stripe-overages", *_LIMIT, *_ON_LAST_DAY)
        run.say(f"\n{LATECOMER.ref} has no Stripe customer yet, and holds up nobody:")
        account, subscription = self._join_stripe(LATECOMER)
        run.run("subscriptions", "set-stripe-ids", LATECOMER.ref,
                "--customer", account, "--subscription", subscription, *_ON_LAST_DAY)  # fmt: skip
        run.run("sync-stripe-overages", *_LIMIT, *_ON_LAST_DAY)
        self._check_sums()
        run.say("\nA second sync finds nothing to send:")
        effects = len(self._sandbox.effects())
        run.run("sync-stripe-overages", *_LIMIT, *_ON_LAST_DAY)
        check(len(self._sandbox.effects()) == effects, "a second sync sends nothing")
        run.run("overages", "list", "--unsynced")

    def more_usage(self) -> None:
        run = self._terminal
        run.title("The last day: the same items grow")
        before = {item["id"]: item["amount"] for item in self._sandbox.items()}
        last = run.folder / "october-31.jsonl"
        calls = max(200, self._calls // 20)
        write_usage(last, calls=calls, start=_LAST_DAY, end=_END, seed=31)
        run.run("usage", "import", last.name, *_AFTER)
        run.run("sync-stripe-overages", *_LIMIT, *_AFTER)
        after = {item["id"]: item["amount"] for item in self._sandbox.items()}
        check(before.keys() <= after.keys(), "no item was replaced by another")
        check(all(after[item] >= before[item] for item in before), "no amount went down")
        check(sum(after.values()) > sum(before.values()), "the amounts grew")
        check(len(after) == len({i["customer"] for i in self._sandbox.items()}),
              "every customer has one item for the month")  # fmt: skip
        self._check_sums()

    def the_month_ends(self) -> None:
        run = self._terminal
        run.title("The month ends by the clock of Stripe's stand-in")
        run.say("Shortly before midnight there is one more call, which no sync has seen:")
        self._call("2026-10-31T23:58Z", "1500000", _JUST_AFTER)
        self._sandbox.fail_payments(self._ids[PAYER.ref][0])
        self._stripe.set_clock(_END + timedelta(minutes=10))
        run.say("\nAt midnight Stripe renewed every subscription, and made drafts that it "
                "finalises in an hour.\nOne command brings the renewals, and the last call onto "
                "the draft that closes its month:")  # fmt: skip
        run.run("webhooks", "pull", *_JUST_AFTER)
        found = run.read("subscriptions", "show", PAYER.ref, *_JUST_AFTER)
        check(found["current_period_end"].startswith("2026-12-01"), "the renewal moved the period")
        draft = self._invoice()
        items = self._sandbox.items(self._ids[PAYER.ref][0])
        check(draft["status"] == "draft", "the invoice is a draft for an hour")
        check([item["invoice"] for item in items] == [draft["id"]], "the overage is on the draft")
        check(run.read("overages", "list", "--unsynced", "--billable", PAYER.ref) == [],
              "nothing of the month is left behind")  # fmt: skip
        self._check_sums()

    def the_invoice(self) -> None:
        run = self._terminal
        run.title("An hour later: invoices are final, and one payment fails")
        self._stripe.set_clock(_END + timedelta(hours=2))
        invoice = self._invoice()
        overage = [line for line in invoice["lines"]["data"] if "AI usage" in line["description"]]
        run.say("One overage line per service period, however often the sync ran.\n")
        print(invoice_table(invoice), flush=True)
        check(len(overage) == 1, "the invoice has one overage line")
        check(len(run.read("overages", "list", "--billable", PAYER.ref)) > 1,
              "several overages are on that line")  # fmt: skip
        paid = [each for each in self._sandbox.invoices() if each["status"] == "paid"]
        check(len(paid) == 2 * len(CUSTOMERS) - 1, "everybody else has paid both invoices")
        run.say(f"\n{PAYER.name}'s card was declined, which begins a grace:")
        run.run("webhooks", "pull", *_TWO_HOURS_AFTER)
        found = self._status("grace", _TWO_HOURS_AFTER)
        check(found["grace_period_ends_at"] is not None, "the grace has an end")
        again = run.read("webhooks", "pull", *_TWO_HOURS_AFTER)
        check({event["status"] for event in again} == {"duplicate"},
              "events that were handled are not handled again")  # fmt: skip

    def the_payment(self) -> None:
        run = self._terminal
        run.title("Three days later: another card, and all is well")
        self._sandbox.fail_payments(self._ids[PAYER.ref][0], fails=False)
        self._stripe.set_clock(_END + timedelta(days=4))
        check(self._invoice()["status"] == "paid", "Stripe tried again, and was paid")
        run.run("webhooks", "pull", *_IN_NOVEMBER)
        self._status("active", _IN_NOVEMBER)
        run.run("subscriptions", "show", PAYER.ref, *_IN_NOVEMBER)
        run.say("\nUsage of October that comes late goes on the customer's next invoice:")
        self._call("2026-10-30T18:00Z", "120000", _IN_NOVEMBER)
        run.run("sync-stripe-overages", *_LIMIT, *_IN_NOVEMBER)
        closed, pending = self._sandbox.items(self._ids[PAYER.ref][0])
        check(closed["invoice"] == self._invoice()["id"], "a finalised invoice stays as it is")
        check(pending["invoice"] is None, "the late usage is on an item that is still pending")
        self._check_sums()

    def _call(self, occurred_at: str, tokens: str, now: tuple[str, str]) -> None:
        self._terminal.run(
            "usage", "record", "--billable", PAYER.ref, "--provider", "openai",
            "--model", "gpt-4o-mini", "--input-tokens", tokens,
            "--occurred-at", occurred_at, *now,
        )  # fmt: skip

    def _invoice(self) -> dict[str, Any]:
        """The payer's latest invoice, as it now is."""
        return self._sandbox.invoices(self._ids[PAYER.ref][0])[-1]

    def _status(self, status: str, now: tuple[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = self._terminal.read("subscriptions", "show", PAYER.ref, *now)
        check(found["status"] == status, f"{PAYER.ref}'s subscription is in status {status}")
        return found

    def the_doctor(self) -> None:
        self._terminal.title("Is everything well?")
        self._terminal.run("doctor")
        refused = [entry for entry in self._sandbox.ledger() if (entry["status"] or 500) >= 400]
        check(not refused, "Stripe refused no request")

    def _check_sums(self) -> None:
        overages = self._terminal.read("overages", "list", "--synced", "--limit", "1000")
        self._terminal.say(check_sums(self._sandbox.items(), overages))


def _head(file: Path) -> str:
    with file.open(encoding="utf-8") as lines:
        return "".join(next(lines) for _ in range(2))
