"""Whose account the rows belong to: a key of another mode or account is refused.

The first run that has something to send, or reads ids and states into rows, asks the driver, and
writes the answer down. Later runs ask again only where the key has changed, which a keyed hash of
it tells; at another address than Stripe's own, where another sandbox may answer with every start,
always.
"""

from __future__ import annotations

import hashlib
import hmac

from aimeter_cli.billing.base import Account, BillingDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.errors import AimeterError, ConfigurationError, RowsFailed
from aimeter_cli.models.installation import Installation
from aimeter_cli.repositories.installation import bound_installation, installation, is_bound
from aimeter_cli.settings.table import Settings

_HINT = (
    "Use the key of that account, or another database; in a copy of a database, for staging, "
    "aimeter db mark-copy forgets the account, every Stripe id and price, and pauses the sync."
)


def check_mode(here: Installation, driver: BillingDriver) -> None:
    """Without asking anybody. Raises ConfigurationError for a key of the other mode."""
    if here.stripe_livemode is not None and here.stripe_livemode != driver.livemode:
        raise ConfigurationError(
            f"the key is of {_mode(driver.livemode)}, the rows of this database were made in "
            f"{_mode(here.stripe_livemode)}",
            hint=_HINT,
        )


def check_account(database: Database, settings: Settings, driver: BillingDriver) -> None:
    """Raises ConfigurationError for a key of another account, before anything has been claimed.

    Where nobody answers, a first key is used without it: no row belongs to anybody yet. For another
    key than before RowsFailed is raised: the next run asks again.
    """
    with database.read() as session:
        here = bound_installation(session)
    check_mode(here, driver)
    key_hash = _hash_of(here, settings, driver)
    is_known = here.stripe_key_hash == key_hash
    if is_known and not settings.stripe_api_base:
        return
    try:
        found = driver.account()
    except ConfigurationError:
        raise
    except AimeterError as error:
        if is_known or here.stripe_key_hash is None:
            return
        raise RowsFailed(f"nothing was begun with another key than before: {error}") from None
    if is_known and found.account_id is None:
        return  # it has lost a permission, which the requests will tell
    refuse_another(here, found)
    if not is_known:
        _remember(database, driver, found, key_hash)


def check_reading(
    database: Database, settings: Settings, driver: BillingDriver, *, dry_run: bool = False
) -> Account | None:
    """Before ids or states are read from Stripe into rows, which are of that account from then on.

    Returns what was told of the account, None where nobody had to be asked. Raises
    ConfigurationError for a key of another mode or account, RowsFailed where nobody tells whose it
    is.
    """
    with database.read() as session:
        here = bound_installation(session)
    check_mode(here, driver)
    is_known = here.stripe_key_hash == _hash_of(here, settings, driver)
    if is_known and not settings.stripe_api_base:
        return None
    try:
        found = driver.account()
    except ConfigurationError:
        raise
    except AimeterError as error:
        raise RowsFailed(error.message, hint=error.hint) from None
    settle_reading(database, driver, found, dry_run=dry_run)
    return found


def settle_reading(
    database: Database, driver: BillingDriver, found: Account, *, dry_run: bool = False
) -> None:
    """The same, once somebody has told whose key it is."""
    with database.read() as session:
        here = bound_installation(session)
    refuse_another(here, found)
    told = (found.account_id or here.stripe_account, driver.livemode)
    if not dry_run and told != (here.stripe_account, here.stripe_livemode):
        _remember(database, driver, found, here.stripe_key_hash)


def _remember(
    database: Database, driver: BillingDriver, found: Account, key_hash: str | None
) -> None:
    """``key_hash``: of the key that sends, None before anything was sent."""
    with database.write() as session:
        here = installation(session)
        if not is_bound(session, here):
            here.stripe_account = here.stripe_livemode = None
        check_mode(here, driver)
        refuse_another(here, found)  # somebody else may have been first
        here.stripe_account = here.stripe_account or found.account_id
        here.stripe_livemode = driver.livemode
        here.stripe_key_hash = key_hash
        session.add(here)


def refuse_another(here: Installation, found: Account) -> None:
    """Raises ConfigurationError for an account that is not the one of the rows."""
    if here.stripe_account is None or here.stripe_account == found.account_id:
        return
    if found.account_id is None:
        raise ConfigurationError(
            "the key may not ask whose account it belongs to; the rows of this database were made "
            f"with {here.stripe_account}",
            hint="Give the restricted key permission to read the account.",
        )
    raise ConfigurationError(
        f"the key belongs to {found.account_id}, the rows of this database were made with "
        f"{here.stripe_account}",
        hint=_HINT,
    )


def _hash_of(here: Installation, settings: Settings, driver: BillingDriver) -> str:
    """Nothing can be learnt of the key from it; another address has another account."""
    told = "\n".join((driver.name, settings.stripe_api_base, settings.stripe_api_key))
    return hmac.new(here.install_id.encode(), told.encode(), hashlib.sha256).hexdigest()[:32]


def _mode(livemode: bool) -> str:
    return "live mode" if livemode else "test mode"
