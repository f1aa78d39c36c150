"""What Stripe has, held against our mirrors: amounts before tax, deleted and unknown items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn

from sqlmodel import Session

from aimeter_cli.billing.base import BillingDriver, InvoicingDriver, ItemView, Reply
from aimeter_cli.db.clock import database_now
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import minor_to_nanos
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import AimeterError, ConfigurationError
from aimeter_cli.repositories.installation import installation
from aimeter_cli.repositories.mirrors import (
    Mirror,
    customer_of,
    mirrors_by_uid,
    mirrors_since,
    oldest_pending,
)
from aimeter_cli.services.audit.difference import Difference
from aimeter_cli.services.audit.items import IN_FLIGHT
from aimeter_cli.services.audit.notes import named
from aimeter_cli.services.sync.request import item_tag, unix_hour_before

LOOK_BACK = timedelta(days=35)
CHECK = "stripe"


@dataclass(frozen=True, slots=True)
class Expected:
    """What our rows say, read in the audit's snapshot.

    ``created_since``: Unix seconds; ``customers``: where to look, None for everywhere.
    """

    install_id: str
    created_since: int
    mirrors: tuple[Mirror, ...]
    customers: tuple[str, ...] | None


@dataclass(slots=True)
class Compared:
    """``items``: how many of Stripe's were compared."""

    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    items: int = 0


def listing_driver(driver: BillingDriver) -> InvoicingDriver:
    """The driver, if it can list what is ours. Raises ConfigurationError."""
    driver.ensure_ready()
    if not isinstance(driver, InvoicingDriver):
        raise ConfigurationError(
            f"the billing driver {driver.name} cannot list our items: there is nothing to compare",
            hint="Run aimeter audit without --remote.",
        )
    return driver


def expected(session: Session, billable_id: int | None) -> Expected:
    """Every item that is pending, or was made within 35 days or since the oldest of them."""
    horizon = database_now(session) - LOOK_BACK
    since = min(oldest_pending(session, billable_id) or horizon, horizon)
    mirrors = mirrors_since(session, since, billable_id)
    customers = None
    if billable_id is not None:
        now = customer_of(session, billable_id)
        known = {mirror.stripe_customer_id for mirror in mirrors} | {now}
        customers = tuple(sorted(customer for customer in known if customer is not None))
    install_id = installation(session).install_id
    return Expected(install_id, unix_hour_before(since), tuple(mirrors), customers)


def compare(database: Database, driver: InvoicingDriver, ours: Expected) -> Compared:
    """Ask Stripe, and compare. What happens to an item meanwhile makes it no difference.

    No transaction is open while Stripe is asked. Raises ConfigurationError where the key is
    refused, AimeterError where Stripe cannot be read.
    """
    listed: dict[str, list[ItemView]] = defaultdict(list)
    for view in _listed(driver, ours):
        listed[str(view.tag).partition(":")[2]].append(view)
    mirrors = {mirror.uid: mirror for mirror in ours.mirrors}
    with database.read() as session:  # made since, or before the time that was looked at
        others = mirrors_by_uid(session, listed.keys() - mirrors.keys())
    mirrors |= {mirror.uid: mirror for mirror in others}
    compared = Compared(items=sum(map(len, listed.values())))
    for uid in sorted(listed.keys() - mirrors.keys()):
        compared.differences += [_unknown(view) for view in listed[uid]]
    suspects = {
        uid: differences
        for uid, mirror in mirrors.items()
        if mirror.status not in IN_FLIGHT and not mirror.may_overwrite  # the next sync looks itself
        and (differences := list(_judged(driver, mirror, listed.get(uid, ()), ours.install_id)))
    }  # fmt: skip
    _tell(database, mirrors, suspects, compared)
    return compared


def _tell(
    database: Database,
    mirrors: Mapping[str, Mirror],
    suspects: Mapping[str, list[Difference]],
    compared: Compared,
) -> None:
    """Differences of items that still are as they were; those of held ones are known already."""
    with database.read() as session:
        now = {mirror.uid: mirror for mirror in mirrors_by_uid(session, suspects)}
    changed = {uid: mirrors[uid] for uid in suspects if now.get(uid) != mirrors[uid]}
    for uid, differences in suspects.items():
        if mirrors[uid].status == "held" and uid not in changed:
            compared.notes += [f"{each.record} is held: {each.detail}" for each in differences]
        elif uid not in changed:
            compared.differences += differences
    if changed:
        records = named(f"item {mirror.id}" for mirror in changed.values())
        compared.notes.append(f"changed while Stripe was read: {records}; run the audit again")


def _judged(
    driver: InvoicingDriver, mirror: Mirror, listed: Sequence[ItemView], install_id: str
) -> Iterator[Difference]:
    """What is wrong with an item, and with others that bear its name."""
    views = {view.item_id: view for view in listed}
    own = views.pop(mirror.stripe_item_id or "", None)
    for other in views.values():
        told = f"{other.item_id} bears the name of this item, which is {mirror.stripe_item_id}"
        yield _unequal(mirror, told, 0, other.amount_minor)
    if mirror.stripe_item_id is None:
        return
    if own is None:
        reading = driver.read(mirror.stripe_item_id)
        if isinstance(reading, Reply):
            yield from _absent(mirror, reading)
            return
        own = reading
    yield from _compared(mirror, own, install_id)


def _compared(mirror: Mirror, view: ItemView, install_id: str) -> Iterator[Difference]:
    if view.amount_minor != mirror.amount_minor:
        yield _unequal(mirror, view.item_id, mirror.amount_minor, view.amount_minor)
    facts = {
        "currency": (mirror.currency, view.currency),
        "customer": (mirror.stripe_customer_id, view.customer_id),
        "aimeter_item in its metadata": (item_tag(install_id, mirror.uid), view.tag),
    }
    for name, (wanted, found) in facts.items():
        if wanted != found:
            told = f"{view.item_id}: its {name} is {found or 'gone'} at Stripe, {wanted} here"
            yield Difference(CHECK, mirror.billable, f"item {mirror.id}", told, _hint(mirror))


def _absent(mirror: Mirror, reply: Reply) -> Iterator[Difference]:
    if reply.answer is not Answer.GONE:
        _refuse(reply)
    if mirror.status != "closed" or mirror.amount_minor:
        yield _unequal(mirror, f"{mirror.stripe_item_id} was deleted", mirror.amount_minor, 0)


def _unequal(mirror: Mirror, told: str, wanted: int, found: int) -> Difference:
    nanos = (minor_to_nanos(wanted, mirror.currency), minor_to_nanos(found, mirror.currency))
    return Difference.of_money(
        CHECK, mirror.billable, f"item {mirror.id}", (f"{told}: here", "at Stripe"), nanos,
        mirror.currency, _hint(mirror),
    )  # fmt: skip


def _unknown(view: ItemView) -> Difference:
    currency = view.currency or "usd"
    return Difference.of_money(
        CHECK, view.metadata.get("aimeter_billable", ""), view.item_id,
        (f"bears our name, and no item here is {view.tag} (customer {view.customer_id}): here",
         "at Stripe"), (0, minor_to_nanos(view.amount_minor, currency)), currency,
        "Was this database restored from an older backup? If not, void it at Stripe.",
    )  # fmt: skip


def _hint(mirror: Mirror) -> str:
    if mirror.overage_id is None:
        return f"aimeter overages list --billable {mirror.billable}"
    return f"aimeter overages explain {mirror.overage_id}"


def _listed(driver: InvoicingDriver, ours: Expected) -> Iterator[ItemView]:
    everywhere: tuple[str | None, ...] = (None,)
    for customer in ours.customers if ours.customers is not None else everywhere:
        views = driver.ours(ours.install_id, ours.created_since, customer)
        if isinstance(views, Reply):
            _refuse(views)
        yield from views


def _refuse(reply: Reply) -> NoReturn:
    if reply.answer is Answer.MISCONFIGURED:
        raise ConfigurationError(
            f"Stripe refuses the key or does not know the address: {reply.reason}",
            hint="Check STRIPE_API_KEY, its permissions and STRIPE_API_BASE.",
        )
    raise AimeterError(
        f"Stripe cannot be read: {reply.reason}",
        hint="Nothing was compared. Try again, or run aimeter audit without --remote.",
    )
