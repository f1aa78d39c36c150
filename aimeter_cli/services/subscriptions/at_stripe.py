"""What Stripe has for a billable: its customer and that customer's subscriptions. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.directory import DirectoryDriver, Object
from aimeter_cli.domain.stripe_ids import BILLABLE_KEY, named_billable
from aimeter_cli.domain.stripe_payloads import PayloadFault, StripeSubscription, read_subscription
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import ConfigurationError

FoundBy = Literal["stored", "subscription", "metadata", "email"]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Known:
    """A billable's ids as they are stored, with its subscription's number and plan's prices.

    ``shares_email``: another billable has that e-mail, too, in whatever case.
    """

    billable: str
    email: str | None
    customer: str | None
    subscription_id: int
    subscription: str | None
    prices: tuple[str, ...]
    shares_email: bool = False

    @property
    def is_complete(self) -> bool:
        return self.customer is not None and self.subscription is not None

    @property
    def command(self) -> str:
        return f"aimeter subscriptions set-stripe-ids {self.billable}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What Stripe has. ``subscriptions``: the customer's, newest first."""

    customer: str
    found_by: FoundBy
    subscriptions: tuple[StripeSubscription, ...]


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nothing can be set; ``reason`` says what was seen, and what to type."""

    status: Literal["missing", "ambiguous", "failed"]
    reason: str
    customer: str | None = None
    unreachable: bool = False


def look_up(driver: DirectoryDriver, known: Known) -> Seen | Unclear:
    """Ask Stripe; the first request that fails ends it.

    Raises ConfigurationError where the key is refused.
    """
    found = _customer(driver, known)
    if isinstance(found, Unclear):
        return found
    customer, found_by = found
    listed = driver.subscriptions(customer)
    if isinstance(listed, Reply):
        return failed(listed, customer)
    try:
        subscriptions = tuple(read_subscription(each) for each in listed)
    except PayloadFault as fault:
        return Unclear("failed", f"a subscription of {customer}: {fault.message}", customer)
    return Seen(customer, found_by, subscriptions)


def failed(reply: Reply, customer: str | None = None) -> Unclear:
    """What a reading that failed means. Raises ConfigurationError where the key is refused."""
    reason = reply.reason or "Stripe gave no reason"
    if reply.answer is Answer.MISCONFIGURED:
        raise ConfigurationError(
            f"Stripe refuses the request: {reason}",
            hint="Check STRIPE_API_KEY (a restricted one must read customers and subscriptions).",
        )
    return Unclear("failed", reason, customer, reply.unreachable)


def in_words(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def _customer(driver: DirectoryDriver, known: Known) -> tuple[str, FoundBy] | Unclear:
    if known.customer is not None:
        return _stored(driver, known, known.customer)
    if known.subscription is not None:
        return _of_subscription(driver, known, known.subscription)
    named = driver.customers_by_metadata(BILLABLE_KEY, known.billable)
    if isinstance(named, Reply):
        return failed(named)
    # Stripe's search takes upper and lower case for alike; ours are two billables.
    exact = [each for each in named if named_billable(each.get("metadata")) == known.billable]
    if exact:
        return _only(known, exact, "metadata", f"metadata {BILLABLE_KEY} = {known.billable}")
    if known.email is None:
        return Unclear("missing", _none(known, "and the billable has no e-mail to search for"))
    by_email = _by_email(driver, known.email)
    if isinstance(by_email, Reply):
        return failed(by_email)
    free = [e for e in by_email if named_billable(e.get("metadata")) in (None, known.billable)]
    names_it = any(named_billable(each.get("metadata")) for each in free)
    if free and known.shares_email and not names_it:
        return Unclear(
            "ambiguous",
            f"{in_words([str(each['id']) for each in free])} has its e-mail, but another billable "
            f"has that e-mail, too. {known.command} --customer {free[0]['id']} chooses one",
        )
    if free:
        return _only(known, free, "email", f"the e-mail {known.email}")
    others = {named_billable(each.get("metadata")): each["id"] for each in by_email}
    if others:
        other, customer = next(iter(others.items()))
        return Unclear("ambiguous", f"{customer} has its e-mail, but its metadata names {other}")
    return Unclear("missing", _none(known, f"or the e-mail {known.email}"))


def _stored(driver: DirectoryDriver, known: Known, customer: str) -> tuple[str, FoundBy] | Unclear:
    answer = driver.customer(customer)
    if not isinstance(answer, Reply):
        return customer, "stored"
    if answer.answer is not Answer.GONE:
        return failed(answer, customer)
    return Unclear(
        "missing",
        f"the stored customer {customer} is not there: {answer.reason}. "
        f"{known.command} --customer cus_… sets another",
        customer,
    )


def _of_subscription(
    driver: DirectoryDriver, known: Known, subscription: str
) -> tuple[str, FoundBy] | Unclear:
    """Who has the stored subscription has the customer."""
    answer = driver.subscription(subscription)
    if isinstance(answer, Reply):
        if answer.answer is not Answer.GONE:
            return failed(answer)
        return Unclear(
            "missing",
            f"the stored subscription {subscription} is not there: {answer.reason}. "
            f"{known.command} --subscription sub_… sets another",
        )
    customer = _id(answer.get("customer"))
    if customer is None:
        return Unclear("failed", f"the subscription {subscription} names no customer")
    return customer, "subscription"


def _by_email(driver: DirectoryDriver, email: str) -> list[Object] | Reply:
    """As stored and in lower case: Stripe tells them apart, people do not."""
    found: dict[str, Object] = {}
    for spelling in dict.fromkeys((email, email.lower())):
        listed = driver.customers_by_email(spelling)
        if isinstance(listed, Reply):
            return listed
        found |= {each["id"]: each for each in listed}
    return list(found.values())


def _only(
    known: Known, customers: Sequence[Object], found_by: FoundBy, by: str
) -> tuple[str, FoundBy] | Unclear:
    ids = [str(each["id"]) for each in customers]
    if len(ids) == 1:
        return ids[0], found_by
    return Unclear(
        "ambiguous",
        f"{len(ids)} customers have {by}: {in_words(ids)}. "
        f"{known.command} --customer {ids[0]} chooses one",
    )


def _none(known: Known, also: str) -> str:
    return (
        f"no customer has metadata {BILLABLE_KEY} = {known.billable}, {also}. "
        f"{known.command} --customer cus_… sets one"
    )


def _id(value: object) -> str | None:
    if isinstance(value, Mapping):
        named: Any = value.get("id")
        return named if isinstance(named, str) else None
    return value if isinstance(value, str) and value else None
