"""What a restricted key may read, asked of objects that are not there; writes cannot be tried.

The names are those of Stripe's dashboard. Events and webhook endpoints are asked for by
:mod:`aimeter_cli.doctor.deliveries`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aimeter_cli.app import App
from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.directory import DirectoryDriver, directory_of
from aimeter_cli.doctor.check import Check
from aimeter_cli.domain.sync import Answer

_NOBODY = "cus_aimeterdoctor"
_ASKED: tuple[tuple[str, str, Callable[[DirectoryDriver, int], object]], ...] = (
    ("Invoice items", "Write", lambda driver, now: driver.find(_NOBODY, "doctor", now)),
    ("Invoices", "Write", lambda driver, _: driver.invoice("in_aimeterdoctor")),
    ("Customers", "Read", lambda driver, _: driver.customer(_NOBODY)),
    ("Subscriptions", "Read", lambda driver, _: driver.subscription("sub_aimeterdoctor")),
)
"""(permission, the level that is needed, what reads it)."""


def permissions(app: App) -> Iterator[Check]:
    """Of a restricted key alone: any other may do everything."""
    driver = directory_of(app.driver)
    if driver is None or not app.settings.stripe_api_key.startswith("rk_"):
        return
    now = int(app.now().timestamp())
    missing = [(name, level) for name, level, ask in _ASKED if _is_refused(ask(driver, now))]
    if missing:
        names = ", ".join(f"{name}: {level}" for name, level in missing)
        yield Check(
            "permissions", "failed", f"the restricted key lacks {names}",
            "Edit the key in Stripe's dashboard, Developers, API keys.",
        )  # fmt: skip
        return
    names = ", ".join(name for name, level, _ in _ASKED if level == "Write")
    yield Check(
        "permissions", "ok",
        f"the restricted key may read what is needed; that it may write {names} is not tried",
    )  # fmt: skip


def _is_refused(found: object) -> bool:
    return isinstance(found, Reply) and found.answer is Answer.MISCONFIGURED
