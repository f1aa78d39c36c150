"""One run of ``sync-stripe-overages``: what to do, a pool of threads that does it, the report."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session

from aimeter_cli.billing.base import BillingDriver, InvoicingDriver, Reply
from aimeter_cli.db.clock import database_now
from aimeter_cli.db.engine import Database, is_deadlock
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.sync import UNREACHABLE_LIMIT
from aimeter_cli.errors import AimeterError, ConfigurationError
from aimeter_cli.repositories import final_invoices, sendable
from aimeter_cli.repositories.installation import bound_installation
from aimeter_cli.repositories.sendable import ItemKey
from aimeter_cli.services.sync.account import check_account, check_mode
from aimeter_cli.services.sync.blocked import blocked
from aimeter_cli.services.sync.claim import (
    claim_dirty,
    claim_due,
    claim_fresh,
    renew_waiting_rates,
)
from aimeter_cli.services.sync.claimed import Accounted, Claim, Context
from aimeter_cli.services.sync.engine import Engine, Outcome, find_closings
from aimeter_cli.services.sync.finals.policy import apply_policy
from aimeter_cli.services.sync.finals.work import FinalInvoices, FinalOutcome
from aimeter_cli.services.sync.guards import Guards
from aimeter_cli.services.sync.plan import Job, Options, plan_jobs
from aimeter_cli.services.sync.report import Report
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import AnyFlag, StopFlag

Advance = Callable[[int, int], None]
"""Called with (overages done since the last call, overages planned in all)."""

_CLOSINGS_PER_RUN = 100


def run_sync(
    database: Database,
    settings: Settings,
    driver: BillingDriver,
    options: Options,
    *,
    now: datetime,
    stop: StopFlag,
    advance: Advance = lambda _done, _planned: None,
    run_id: str | None = None,
    guards: Guards | None = None,
) -> Report:
    """Send what can be sent. The report says what happened; nothing is raised for single rows.

    ``guards``: those of a run of which this is a part.

    Raises ConfigurationError where there is nowhere to send, no key to send with, or the key of
    another mode than the rows were made in.
    """
    started = time.monotonic()
    driver.ensure_ready()
    report = Report(run_id or uuid.uuid4().hex, dry_run=options.dry_run)
    with database.read() as session:
        here = bound_installation(session)
        check_mode(here, driver)
        if here.paused_at is not None:
            reason = here.paused_reason or "no reason given"
            report.is_paused = True
            report.notices.append(f"sync is paused: {reason}; aimeter sync resume ends it")
            _count_what_is_left(session, report, options)
            return report
    context = Context.of(
        here,
        database,
        settings,
        run_id=report.run_id,
        now=now,
        dry_run=options.dry_run,
        guards=guards,
    )
    _look_for_rates(context)
    _end(context, options, report)
    run = _Run(context, driver, options, report, stop, started)
    if run.may_begin():
        run.execute(advance)
        run.invoice_what_ended()
        run.close_items()
    run.conclude()
    return report


def _count_what_is_left(session: Session, report: Report, options: Options) -> None:
    left = sendable.count_left(session, database_now(session), options.billable_id)
    report.remaining = left.sendable
    report.blocked = blocked(session, options.billable_id)
    if left.waiting and left.next_try is not None:
        report.notices.append(
            f"{left.waiting} overage(s) wait for their next try, the first at "
            f"{iso(left.next_try.replace(microsecond=0))}; --retry-now tries at once"
        )
    if left.in_hand and left.leased_until is not None:
        report.notices.append(
            f"{left.in_hand} overage(s) are in the hands of another run, or of one that was "
            f"killed, until {iso(left.leased_until.replace(microsecond=0))} at the latest"
        )


def _look_for_rates(context: Context) -> None:
    with context.database.read() as session:
        pairs = sendable.rate_pairs(session)
    if pairs and not context.dry_run:
        renew_waiting_rates(context, pairs)


def _end(context: Context, options: Options, report: Report) -> None:
    """Waive or hold what is pending of subscriptions that have ended, before anything is sent."""
    ended = apply_policy(context, options.billable_id)
    would = "would be " if context.dry_run else "were "
    if ended.waived:
        report.notices.append(f"{ended.waived} overage(s) of ended subscriptions {would}waived")
    if ended.held:
        report.tried_in_vain += 1
        report.is_held = True
        report.notices.append(
            f"{ended.held} overage(s) {would}held: their subscriptions ended for non-payment; "
            "aimeter overages list --status held"
        )


class _Run:
    """The pool of one run. One customer's items are sent one after the other: Stripe locks them."""

    def __init__(
        self,
        context: Context,
        driver: BillingDriver,
        options: Options,
        report: Report,
        stop: StopFlag,
        started: float,
    ) -> None:
        self._context = context
        self._driver = driver
        self._options = options
        self._report = report
        self._signals = stop
        self._halt = StopFlag()  # set by a signal's flag, by us, or by nothing
        self._started = started
        self._lock = threading.Lock()
        self._unreachable = 0
        self._jobs = plan_jobs(context, options)

    def may_begin(self) -> bool:
        """Whether the key is known to be the right one, where it will be needed."""
        if self._options.dry_run or not (self._jobs or self._closing() or self._finals()):
            return True
        try:
            context = self._context
            check_account(context.database, context.settings, self._driver)
        except AimeterError as error:  # the wrong key, or nobody answers: nothing was begun
            self._report.error = error
            return False
        return True

    def execute(self, advance: Advance) -> None:
        jobs = self._jobs
        planned = sum(job.size for job in jobs)
        if self._options.dry_run:
            for job in jobs:
                self._preview(job)
            return
        self._work(jobs, advance, planned)
        if any(job.key is None for job in jobs) and planned < self._options.limit:
            # Overages that came while their item was in hand can be sent now that it is settled.
            left = replace(self._options, limit=self._options.limit - planned)
            behind = [job for job in plan_jobs(self._context, left) if job.due is None]
            self._work(behind, advance, planned + sum(job.size for job in behind))

    def _work(self, jobs: Sequence[Job], advance: Advance, planned: int) -> None:
        chains: dict[int, list[Job]] = {}
        for job in jobs:
            chains.setdefault(job.billable_id, []).append(job)
        engine = Engine(self._context, self._driver, AnyFlag(self._signals, self._halt))
        with ThreadPoolExecutor(self._context.settings.stripe_concurrency) as pool:
            futures = [pool.submit(self._chain, engine, chain) for chain in chains.values()]
            for future in as_completed(futures):
                fault = future.exception()
                if fault is None:
                    advance(future.result(), planned)
                else:
                    self._note_fault(fault)

    def invoice_what_ended(self) -> None:
        """Final invoices for what is pending of subscriptions that have ended."""
        if self._stopping():
            return
        if not isinstance(self._driver, InvoicingDriver):
            return  # such items are listed as stranded
        finals = FinalInvoices(self._context, self._driver, self._stopping)
        options = self._options
        if options.dry_run:
            for claim in finals.preview(options.billable_id):
                self._report.add_final(FinalOutcome(claim, "planned"))
            return
        try:
            finals.run(options.billable_id, retry_now=options.retry_now, tell=self._note_final)
        except Exception as fault:  # noqa: BLE001  # as of an item: told once the report is shown
            self._note_fault(fault)

    def _note_fault(self, fault: BaseException) -> None:
        """Its claim is left to its lease, the others go on, and the run ends with it."""
        if is_deadlock(fault):
            self._report.tried_in_vain += 1
            self._report.notices.append("an item is left to the next run: it was locked")
        else:
            self._report.fault = self._report.fault or fault

    def _note_final(self, outcome: FinalOutcome) -> None:
        self._report.add_final(outcome)
        if outcome.misconfigured and outcome.reply is not None:
            self._misconfigured(outcome.reply)

    def close_items(self) -> None:
        """Close items whose invoice is finalised."""
        if self._options.dry_run or not self._closes or self._stopping():
            return
        report = self._report
        found = find_closings(self._context, self._driver, self._closing(), self._stopping)
        report.closed += found.closed
        report.notices += found.notes
        if found.held:
            report.notices.append(
                f"{found.held} item(s) were deleted or changed by a person at Stripe: "
                "aimeter overages list --status held"
            )

    def _finals(self) -> bool:
        """Whether there is a final invoice to go on with, or to begin."""
        options, now = self._options, self._context.now
        with self._context.database.read() as session:
            clock = database_now(session)
            due = final_invoices.due_ids(
                session, clock, retry_now=options.retry_now, billable_id=options.billable_id
            )
            return bool(due or final_invoices.uninvoiced(session, now, options.billable_id))

    @property
    def _closes(self) -> bool:
        return self._options.billable_id is None or self._options.closing

    def _closing(self) -> list[tuple[int, int, str]]:
        with self._context.database.read() as session:
            clock = database_now(session)
            return sendable.closing_items(
                session, self._context.now, clock, _CLOSINGS_PER_RUN, self._options.billable_id
            )

    def conclude(self) -> None:
        """Count what is left."""
        report = self._report
        with self._context.database.read() as session:
            _count_what_is_left(session, report, self._options)
        report.seconds = round(time.monotonic() - self._started, 3)

    def _chain(self, engine: Engine, chain: list[Job]) -> int:
        """Every item of one billable. Returns how many overages were dealt with."""
        done = 0
        jobs = list(chain)
        while jobs and not self._stopping():
            job = jobs.pop(0)
            claim = self._claim(job)
            done += job.size
            if claim is not None and claim.held is not None:
                with self._lock:
                    self._report.add_held(claim.held)
            if isinstance(claim, Accounted):
                with self._lock:
                    self._report.add_accounted(claim)
            elif claim is not None:
                outcome = engine.process(claim)
                self._note(outcome)
                if outcome.moved:
                    key = self._key_of(claim)
                    jobs.insert(0, Job(job.billable_id, key, outcome.moved))
        return done

    def _claim(self, job: Job) -> Claim | Accounted | None:
        if job.due is not None:
            return claim_due(self._context, job.due.item_id, retry_now=self._options.retry_now)
        if job.dirty is not None:
            return claim_dirty(self._context, job.dirty.item_id)
        if job.key is None:
            return None
        return claim_fresh(self._context, job.key, job.overage_ids)

    def _key_of(self, claim: Claim) -> ItemKey:
        from aimeter_cli.repositories.items import item_by_id

        with self._context.database.read() as session:
            row = item_by_id(session, claim.item_id)
        return ItemKey(
            row["billable_id"], row["subscription_id"], row["period_start"], row["currency"]
        )

    def _preview(self, job: Job) -> None:
        claim = self._claim(job)
        if claim is not None and claim.held is not None:
            self._report.add_held(claim.held)
        if isinstance(claim, Accounted):
            self._report.add_accounted(claim)
        elif claim is not None:
            self._report.add_planned(claim)

    def _note(self, outcome: Outcome) -> None:
        with self._lock:
            self._report.add_outcome(outcome)
            reply = outcome.reply
            if outcome.misconfigured and reply is not None:
                self._misconfigured(reply)
            if reply is not None and outcome.tried:
                self._report.is_unreachable = reply.unreachable
                self._unreachable = self._unreachable + 1 if reply.unreachable else 0
                if self._unreachable >= UNREACHABLE_LIMIT and not self._halt.is_set():
                    self._report.notices.append(
                        f"Stripe did not answer {UNREACHABLE_LIMIT} times in a row; "
                        "the run stopped, the next one goes on"
                    )
                    self._halt.stop()

    def _misconfigured(self, reply: Reply) -> None:
        self._report.error = ConfigurationError(
            f"Stripe refuses the key or does not know the address: {reply.reason}",
            hint="Check STRIPE_API_KEY, its permissions and STRIPE_API_BASE.",
        )
        self._halt.stop()

    def _stopping(self) -> bool:
        limit = self._options.max_seconds
        late = limit is not None and time.monotonic() - self._started > limit
        return late or self._halt.is_set() or self._signals.is_set()
