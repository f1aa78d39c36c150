"""What came of a run: the summary that cron's mail and monitors read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aimeter_cli.domain.sync import Step
from aimeter_cli.errors import AimeterError
from aimeter_cli.services.sync.blocked import Blocked
from aimeter_cli.services.sync.claimed import Accounted, Claim, Held
from aimeter_cli.services.sync.engine import Outcome
from aimeter_cli.services.sync.finals.work import FinalOutcome


@dataclass(slots=True)
class ItemLine:
    """One item of the summary; ``request`` only in a dry run."""

    billable: str
    stripe_customer_id: str
    stripe_invoice_item_id: str | None
    currency: str
    amount_minor: int
    overages: tuple[int, ...]
    status: str
    error: str | None = None
    request_id: str | None = None
    request: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FinalLine:
    """One final invoice of the summary; ``amount_minor`` is what its ``items`` come to."""

    billable: str
    stripe_customer_id: str
    stripe_invoice_id: str | None
    currency: str
    amount_minor: int
    items: tuple[str, ...]
    overages: tuple[int, ...]
    status: str
    error: str | None = None


@dataclass(slots=True)
class Report:
    """Counts are of overages: ``selected = synced + failed + unknown + deferred``.

    ``carried`` ones were accounted for with nothing to send, and are not selected. ``closed``
    counts items whose invoice was found finalised. ``error`` stopped the run; ``fault`` is the
    first exception that was not foreseen, to be raised once the report has been shown.
    ``is_unreachable``: the last request for an item had no answer.
    """

    run_id: str
    dry_run: bool = False
    synced: int = 0
    failed: int = 0
    unknown: int = 0
    deferred: int = 0
    carried: int = 0
    closed: int = 0
    remaining: int = 0
    seconds: float = 0.0
    items: list[ItemLine] = field(default_factory=list)
    final_invoices: list[FinalLine] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    error: AimeterError | None = None
    fault: BaseException | None = None
    tried_in_vain: int = 0
    is_held: bool = False
    is_paused: bool = False
    is_unreachable: bool = False

    @property
    def selected(self) -> int:
        return self.synced + self.failed + self.unknown + self.deferred

    @property
    def blocked_count(self) -> int:
        return sum(entry.count for entry in self.blocked)

    @property
    def counts(self) -> dict[str, int]:
        """For the job's row."""
        names = ("selected", "synced", "failed", "unknown", "deferred", "carried", "remaining")
        return {name: getattr(self, name) for name in names} | {"blocked": self.blocked_count}

    @property
    def in_words(self) -> str:
        """The summary as one line for people."""
        if self.dry_run:
            return f"{self.selected} overage(s) would be sent, {self.carried} carried"
        counts = self.counts | {"items closed": self.closed}
        told = ", ".join(
            f"{count} {name}" for name, count in counts.items() if count or name == "synced"
        )
        return f"{told} in {self.seconds:.1f} s"

    @property
    def hint(self) -> str:
        """What to do about exit 3."""
        if self.is_held or any(item.status == "held" for item in self.items):
            return "aimeter overages list --status held; then aimeter overages release or waive ID"
        if self.failed:
            return "aimeter overages list --failed; mend the cause, then aimeter overages retry ID"
        return "Nothing has to be done: the next run goes on with them."

    @property
    def exit_code(self) -> int:
        """3 if rows that this run tried failed or stay unsettled; else that of its error."""
        if self.fault is not None:
            return 70
        if self.error is not None:
            return self.error.exit_code
        if self.dry_run:
            return 0
        return 3 if self.failed or self.unknown or self.tried_in_vain else 0

    def add_held(self, held: Held) -> None:
        """What a guard kept back: nobody is charged for it before it is released."""
        self.failed += len(held.overage_ids)
        self.tried_in_vain += 1
        self.items.append(
            ItemLine(
                held.billable, held.stripe_customer_id, None, held.currency, held.amount_minor,
                held.overage_ids, "held", error=held.reason,
            )
        )  # fmt: skip

    def add_accounted(self, accounted: Accounted) -> None:
        count = len(accounted.overage_ids)
        if accounted.status == "synced":
            self.synced += count
        elif accounted.status == "carried":
            self.carried += count

    def add_outcome(self, outcome: Outcome) -> None:
        claim, count = outcome.claim, len(outcome.claim.overage_ids)
        if outcome.status == "closed":
            self.closed += 1
            self.synced += count - len(outcome.moved)
        elif outcome.status in ("failed", "held"):
            self.failed += count
            self.tried_in_vain += 1
        elif outcome.status == "synced":
            self.synced += count
        elif outcome.status == "carried":
            self.carried += count
        elif outcome.status == "freed":
            self.deferred += count
        elif outcome.status == "unknown":
            self.unknown += count
            self.tried_in_vain += 1
        else:
            self.deferred += count
            self.tried_in_vain += outcome.tried
        if outcome.note is not None:
            self.notices.append(outcome.note)
        reply = outcome.reply
        sent = reply.item_id if reply is not None else None
        done = outcome.status == "synced"
        self.items.append(
            _line(claim, outcome.status, sent or claim.stripe_item_id,
                  error=None if reply is None or done else reply.reason,
                  request_id=reply.request_id if reply is not None else None)
        )  # fmt: skip

    def add_final(self, outcome: FinalOutcome) -> None:
        """A final invoice that was worked on."""
        claim, reply = outcome.claim, outcome.reply
        told = outcome.status in ("failed", "held", "unknown")
        self.tried_in_vain += told
        self.closed += outcome.closings.closed
        self.notices += outcome.closings.notes
        self.final_invoices.append(
            FinalLine(
                claim.billable, claim.stripe_customer_id,
                (reply.invoice_id if reply is not None else None) or claim.stripe_invoice_id,
                claim.currency, claim.amount_minor, tuple(item for _, item in claim.items),
                claim.overage_ids, outcome.status,
                reply.reason if told and reply is not None else None,
            )
        )  # fmt: skip

    def add_planned(self, claim: Claim) -> None:
        """A dry run's claim: exactly what would be sent."""
        self.deferred += len(claim.overage_ids)
        item = claim.stripe_item_id
        if claim.step in (Step.LOOK_UP, Step.PROVEN):  # what is sent depends on what is found
            self.items.append(_line(claim, "look_up", item))
            return
        request = {
            "method": "POST",
            "path": "/v1/invoiceitems" + (f"/{item}" if claim.kind == "update" else ""),
            "idempotency_key": claim.key,
            "params": claim.params,
        }
        self.items.append(_line(claim, "planned", item, request=request))


def _line(claim: Claim, status: str, item: str | None, **more: Any) -> ItemLine:
    return ItemLine(
        claim.billable,
        claim.stripe_customer_id,
        item,
        claim.currency,
        claim.target_minor,
        claim.overage_ids,
        status,
        **more,
    )
