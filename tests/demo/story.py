"""The chapters of the demo. Each runs real commands and checks what came of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from aimeter_cli.sandbox.client import SandboxControl
from tests.demo.cast import CUSTOMERS, LATECOMER, PAYER, PLAN_CURRENCY, Customer
from tests.demo.checks import check, check_sums
from tests.demo.events import write_events
from tests.demo.stripe_side import KEY, StripeSide, invoice_table
from tests.demo.terminal import Terminal
from tests.demo.usage_file import Written, write_usage

_START = datetime(2026, 10, 1, tzinfo=UTC)
_LAST_DAY = datetime(2026, 10, 31, tzinfo=UTC)
_END = datetime(2026, 11, 1, tzinfo=UTC)
_ON_LAST_DAY = ("--as-of", "2026-10-31")
_AFTER = ("--as-of", "2026-11-01T00:30Z")
_IN_NOVEMBER = ("--as-of", "2026-11-02")
_LIMIT = ("--limit", "50")

_CONFIGURATION = """\
overage_markup = "1.25"

[currency_rates]
usd_eur = 0.92
usd_jpy = 150

[prices.openai."gpt-4o-mini"]
input_per_1m = "0.15"
cached_input_per_1m = "0.075"
output_per_1m = "0.60"

[prices.openai."gpt-4o"]
input_per_1m = "2.50"
cached_input_per_1m = "1.25"
output_per_1m = "10.00"

[prices.anthropic."claude-sonnet-4"]
input_per_1m = "3.00"
cached_input_per_1m = "0.30"
output_per_1m = "15.00"

[prices.google."gemini-2.0-flash"]
input_per_1m = "0.10"
cached_input_per_1m = "0.025"
output_per_1m = "0.40"

[billing]
driver = "stripe"

[stripe]
api_base = "{url}"
"""


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
            self.the_invoice()
            self.webhooks()
            self.the_doctor()
        finally:
            self._stripe.close()

    def an_empty_folder(self) -> None:
        run = self._terminal
        run.title("An empty folder")
        run.say(f"A stand-in for Stripe listens at {self._sandbox.url} (aimeter sandbox).")
        run.run("init")
        configuration = _CONFIGURATION.format(url=self._sandbox.url)
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
                "--stripe-price", self._stripe.define_price("starter", "usd"))  # fmt: skip
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
            currency = customer.currency or PLAN_CURRENCY[customer.plan]
            price = self._stripe.define_price(customer.plan, currency)
            self._ids[customer.ref] = self._stripe.subscribe(customer, price, _START)
        for customer in CUSTOMERS:
            self._subscribe(customer)
        run.run("billables", "list")
        run.run("subscriptions", "list", *_ON_LAST_DAY)

    def _subscribe(self, customer: Customer) -> None:
        """The first one for everybody to see, the others in silence."""
        account, subscription = self._ids[customer.ref]
        is_late = customer is LATECOMER
        paying = ("--currency", customer.currency) if customer.currency else ()
        ids = ("--stripe-customer", account, "--stripe-subscription", subscription)
        commands = (
            ("billables", "create", customer.ref, "--name", customer.name,
             "--email", customer.email, *paying),
            ("subscriptions", "create", "--billable", customer.ref, "--plan", customer.plan,
             *(() if is_late else ids), "--as-of", "2026-10-01"),
        )  # fmt: skip
        for command in commands:
            if customer is PAYER:
                self._terminal.run(*command)
            else:
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
        self._check_import(file, written)
        run.say("\nThe same file again, under another name, adds nothing:")
        file.rename(run.folder / "october-again.jsonl")
        run.run("usage", "import", "october-again.jsonl", *_ON_LAST_DAY)

    def _check_import(self, file: Path, written: Written) -> None:
        again = self._terminal.read("usage", "import", file.name, *_ON_LAST_DAY)
        check(again["lines"] == written.lines, "every line was read")
        check(again["recorded"] == 0 and again["bad"] == 0, "a second import adds nothing")
        overages = self._terminal.read("overages", "list")
        check(len(overages) >= 8, "most customers are beyond their plans")

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
        account, subscription = self._ids[LATECOMER.ref]
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

    def the_invoice(self) -> None:
        run = self._terminal
        run.title("The month ends: Stripe collects the pending item")
        self._stripe.set_clock(_END + timedelta(seconds=5))
        self._invoice = self._stripe.invoice_month(self._ids[PAYER.ref][1])
        lines = self._invoice["lines"]["data"]
        run.say("One overage line per service period, however often the sync ran.\n")
        print(invoice_table(self._invoice), flush=True)
        check(len(lines) == 1, "the invoice has one overage line")
        overages = run.read("overages", "list", "--billable", PAYER.ref)
        check(len(overages) > 1, "several overages are on that line")
        run.say("\nUsage of that month which comes late goes on the customer's next invoice:")
        run.run("usage", "record", "--billable", PAYER.ref, "--provider", "openai",
                "--model", "gpt-4o-mini", "--input-tokens", "120000",
                "--occurred-at", "2026-10-30T18:00Z", *_IN_NOVEMBER)  # fmt: skip
        run.run("sync-stripe-overages", *_LIMIT, *_IN_NOVEMBER)
        closed, pending = self._sandbox.items(self._ids[PAYER.ref][0])
        check(closed["amount"] == self._invoice["total"], "a finalised invoice stays as it is")
        check(pending["invoice"] is None, "the late usage is on an item that is still pending")
        self._check_sums()

    def webhooks(self) -> None:
        run = self._terminal
        run.title("Stripe tells what became of the subscription")
        write_events(
            run.folder / "event.json",
            subscription=self._stripe.subscription(self._ids[PAYER.ref][1]),
            invoice=self._invoice,
            at=_END + timedelta(hours=1),
        )
        run.run("webhooks", "replay", "event.json", *_IN_NOVEMBER)
        run.run("subscriptions", "show", PAYER.ref, *_IN_NOVEMBER)
        found = run.read("subscriptions", "show", PAYER.ref, *_IN_NOVEMBER)
        check(found["status"] == "grace", "the failed payment began a grace")
        check(found["current_period_end"].startswith("2026-12-01"), "the renewal moved the period")
        again = run.read("webhooks", "replay", "event.json", *_IN_NOVEMBER)
        told = [event["status"] for event in again]
        check(told == ["duplicate", "duplicate"], "events that were handled are not handled again")

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
