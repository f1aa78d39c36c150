"""The oracle: holds what the sandbox has against what was used. It asks no status of the sync
whether something was charged, only where the books say that each overage went."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aimeter_cli.domain.money import floor_to_minor, minor_to_nanos
from aimeter_cli.sandbox.client import SandboxControl
from tests.chaos.scenario import COMMAND_LEASE, TIMEOUT

Row = dict[str, Any]
Account = tuple[str, str]
"""(Stripe customer, currency)."""

_SETTLED = ("charged", "carried")


@dataclass(frozen=True, slots=True)
class Charge:
    """An overage: what its usages come to, in ``nanos`` of the customer's currency.

    ``state``: ``charged``, ``carried``, ``excused`` (waived, too late), or a word for why it is
    not settled; ``tag`` is that of the entry that it is on.
    """

    overage: int
    account: Account
    nanos: int
    state: str
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An invoice item as the books have it. ``carry``: nanos that it left over when it was closed,
    ``carried_to`` (a tag) if they went on; None while it is pending."""

    tag: str
    account: Account
    stripe_id: str | None
    status: str = "idle"
    carry: int | None = None
    carried_to: str | None = None


@dataclass(frozen=True, slots=True)
class Books:
    charges: Sequence[Charge]
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sandbox has and did; ``cuts``: when, by its clock, a process was killed or
    stopped."""

    items: Sequence[Row]
    effects: Sequence[Row]
    ledger: Sequence[Row]
    cuts: Sequence[float] = ()

    @classmethod
    def of(cls, sandbox: SandboxControl, cuts: Sequence[float] = ()) -> Facts:
        return cls(sandbox.items(deleted=True), sandbox.effects(), sandbox.ledger(), cuts)


@dataclass(slots=True)
class Verdict:
    """Counts: items too many, overages that were not charged, items and accounts whose amount is
    not right, poison that was charged or tried again. ``differences`` says each in words."""

    doubled: int = 0
    lost: int = 0
    wrong: int = 0
    poison: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.doubled or self.lost or self.wrong or self.poison)


def judge(books: Books, facts: Facts, poison: Iterable[str] = ()) -> Verdict:
    """``poison``: the customers that must not be charged."""
    return _Judgement(books, facts, frozenset(poison)).verdict()


class _Judgement:
    def __init__(self, books: Books, facts: Facts, poison: frozenset[str]) -> None:
        self._books, self._facts, self._poison = books, facts, poison
        self._found = Verdict()
        self._amiss: set[Account] = set()
        self._items = {row["id"]: row for row in facts.items}
        self._there = [row for row in facts.items if not row["deleted"]]
        self._touched = {row["item"] for row in facts.effects if row["by"] == "person"}
        self._totals = _totals(books)

    def verdict(self) -> Verdict:
        self._find_doubled()
        self._find_unknown()
        self._find_lost()
        for entry in self._books.entries:
            if entry.account[0] not in self._poison:
                self._check_amount(entry)
        self._check_accounts()
        self._check_poison()
        self._find_overwritten()
        return self._found

    def _find_doubled(self) -> None:
        """No two items of one tag; one that a person deleted may have a successor."""
        tags = Counter(_tag(row) for row in self._there)
        for row in self._there:
            tag = _tag(row)
            if tags[tag] > 1:
                self._note("doubled", row, f"{tags[tag]} items of {tag}", tags[tag] - 1)
                del tags[tag]

    def _find_unknown(self) -> None:
        """No item that the books do not know, under the id that they know."""
        known = {entry.stripe_id for entry in self._books.entries}
        for row in self._there:
            if row["id"] not in known and _account(row) not in self._amiss:
                self._note("wrong", row, "the books do not know it")

    def _find_lost(self) -> None:
        """Every overage is on an item or excused, unless a person's meddling holds it up."""
        held_up = self._poison | {self._items[item]["customer"] for item in self._touched}
        for charge in self._books.charges:
            if charge.state in _SETTLED:
                if charge.tag not in self._totals:
                    self._lose(charge.account, f"overage {charge.overage} is on no item")
            elif charge.state != "excused" and charge.account[0] not in held_up:
                self._lose(charge.account, f"overage {charge.overage} is {charge.state}")
        for entry in self._books.entries:
            if entry.stripe_id is not None and entry.stripe_id not in self._items:
                self._lose(entry.account, f"{entry.stripe_id} was never at Stripe")

    def _lose(self, account: Account, told: str) -> None:
        self._amiss.add(account)
        self._found.lost += 1
        self._say(account, told)

    def _check_amount(self, entry: Entry) -> None:
        """A pending item has the whole minor units of its overages; a closed one left the rest."""
        if entry.stripe_id in self._touched or entry.status in ("failed", "held"):
            return  # a person's business; what it holds up was looked at above
        minor = self._amount(entry)
        total, currency = self._totals[entry.tag], entry.account[1]
        if entry.carry is None:
            expected = max(0, floor_to_minor(total, currency))
            right = minor == expected
            told = f"{entry.stripe_id} ({entry.tag}) has {minor}, not {expected}"
        else:
            right = entry.carry == total - minor_to_nanos(minor, currency)
            told = f"{entry.stripe_id} was closed at {minor} of {total} nanos, carry {entry.carry}"
        if not right:
            self._amiss.add(entry.account)
            self._found.wrong += 1
            self._say(entry.account, told)

    def _check_accounts(self) -> None:
        """Σ usages = Σ items + what is carried, to the nano, for each customer and currency."""
        used: dict[Account, int] = defaultdict(int)
        billed: dict[Account, int] = defaultdict(int)
        carried: dict[Account, int] = defaultdict(int)
        for charge in self._books.charges:
            if charge.state in _SETTLED:
                used[charge.account] += charge.nanos
        for row in self._there:
            billed[_account(row)] += minor_to_nanos(row["amount"], row["currency"])
        for entry in self._books.entries:
            if entry.carry is None:
                minor = self._amount(entry)
                rest = self._totals[entry.tag] - minor_to_nanos(minor, entry.account[1])
                carried[entry.account] += rest
            elif entry.carried_to is None:
                carried[entry.account] += entry.carry
        meddled = {_account(self._items[item]) for item in self._touched}
        for account in {*used, *billed, *carried} - self._amiss - meddled:
            rest = used[account] - billed[account] - carried[account]
            if rest and account[0] not in self._poison:
                self._found.wrong += 1
                self._say(account, f"{rest} nanos of what was used are neither billed nor carried")

    def _check_poison(self) -> None:
        """Nothing charged; failed, and nothing sent, after the first refusal that was answered."""
        for row in self._there:
            if row["customer"] in self._poison:
                self._note("poison", row, "a poison customer was charged")
        for charge in self._books.charges:
            if charge.account[0] in self._poison and charge.state == "charged":
                self._find_poison(charge.account[0], f"overage {charge.overage} passes for charged")
        refused: dict[str, float] = {}
        for request in self._facts.ledger:
            if request["customer"] not in self._poison or request["method"] != "POST":
                continue
            tag = str(dict(request["form"]).get("metadata[aimeter_item]"))
            if tag in refused and not self._was_cut(refused.pop(tag)):
                self._find_poison(request["customer"], f"{tag} was sent after it was refused")
            if request["status"] == 400 and request["fault"] != "truncate":
                refused[tag] = request["time"]
        for entry in self._books.entries:
            if entry.tag in refused and entry.status != "failed":
                self._find_poison(entry.account[0], f"{entry.tag} was refused, is {entry.status}")

    def _find_poison(self, customer: str, told: str) -> None:
        self._found.poison += 1
        self._say((customer, ""), told)

    def _was_cut(self, refused_at: float) -> bool:
        """Whether the process that was told may have died before it could write that down."""
        return any(
            refused_at - TIMEOUT <= cut <= refused_at + COMMAND_LEASE for cut in self._facts.cuts
        )

    def _find_overwritten(self) -> None:
        """What a person changed stays so, but for what was under way already."""
        requests = {row["seq"]: row for row in self._facts.ledger}
        since: dict[str, float] = {}
        for effect in self._facts.effects:
            if effect["by"] == "person":
                since[effect["item"]] = effect["time"]
            elif effect["item"] in since:
                late = requests[effect["request"]]["time"] - since.pop(effect["item"])
                if late > COMMAND_LEASE:
                    told = f"a person's change was overwritten {late:.0f} s later"
                    self._note("wrong", self._items[effect["item"]], told)

    def _amount(self, entry: Entry) -> int:
        row = self._items.get(entry.stripe_id or "")
        return 0 if row is None or row["deleted"] else int(row["amount"])

    def _note(self, count: str, row: Row, told: str, times: int = 1) -> None:
        self._amiss.add(_account(row))
        setattr(self._found, count, getattr(self._found, count) + times)
        self._say(_account(row), f"{row['id']} ({row['amount']}): {told}")

    def _say(self, account: Account, told: str) -> None:
        self._found.differences.append(f"{' '.join(account).strip()}: {told}")


def _totals(books: Books) -> dict[str, int]:
    """Nanos that each entry stands for: its overages and what was carried into it."""
    totals = {entry.tag: 0 for entry in books.entries}
    for charge in books.charges:
        if charge.tag is not None and charge.state != "excused":
            totals[charge.tag] += charge.nanos
    for entry in books.entries:
        if entry.carried_to is not None:
            totals[entry.carried_to] += entry.carry or 0
    return totals


def _tag(row: Row) -> str:
    return str(row["metadata"].get("aimeter_item"))


def _account(row: Row) -> Account:
    return row["customer"], row["currency"]
