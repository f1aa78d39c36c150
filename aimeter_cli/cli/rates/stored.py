"""What ``update`` and ``confirm`` do with rates that have been stored: tell, and price by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aimeter_cli.cli.invocation import Invocation
from aimeter_cli.cli.rates.arguments import how_to_confirm
from aimeter_cli.errors import RowsFailed
from aimeter_cli.render.nouns.rates import STORED_RATE

if TYPE_CHECKING:
    from aimeter_cli.services.rate_storing import Effect, StoredRate

_EFFECTS: tuple[Effect, ...] = ("added", "changed", "unchanged", "held")


def tell(run: Invocation, stored: Sequence[StoredRate]) -> dict[str, int]:
    """Show what is not as before; how many of each effect."""
    run.out.rows(STORED_RATE, [rate for rate in stored if rate.effect != "unchanged"])
    effects = Counter(rate.effect for rate in stored)
    counts = {str(each): effects[each] for each in _EFFECTS if each != "held" or effects[each]}
    run.console.notice(", ".join(f"{count} {effect}" for effect, count in counts.items()))
    return counts


def price(run: Invocation) -> None:
    """Price what waited for a rate."""
    from aimeter_cli.services.rate_waiting import price_waiting
    from aimeter_cli.signals import stop_on_signals

    with stop_on_signals() as stop:
        done = price_waiting(
            run.app.database, run.app.settings, lambda: run.app.prices, now=run.now(), stop=stop
        )
    if done.overages:
        run.console.notice(f"{done.overages:,} overage(s) waited for a rate and can be sent now")
    if done.usages:
        run.console.notice(f"{done.usages:,} usage(s) waited for a rate and are priced now")
    stop.raise_if_signalled()


def raise_if_held(stored: Sequence[StoredRate], *, dry_run: bool) -> None:
    """Raises RowsFailed with the command that confirms them."""
    held = [rate.held_id for rate in stored if rate.effect == "held"]
    if held:
        use = "Add --confirm to use them." if dry_run else f"To use them: {how_to_confirm(held)}"
        told = f"{len(held)} rate(s) moved by more than rate_max_move and are held, not used"
        raise RowsFailed(told, hint=use)
