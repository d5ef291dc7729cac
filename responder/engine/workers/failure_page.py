"""Pages about loops that fail again and again, past the database and the outbox, which may be what fails.

The first channel that accepts it gets it, those that page first, and later its resolve. PagerDuty deduplicates by key.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

import responder
from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import incident_id
from responder.engine.workers.loop_failures import LoopFailures, SentPage
from responder.model.clock import Clock, Deadline
from responder.model.message import ClaimedMessage
from responder.model.outcome import Delivered
from responder.model.report import MessageKind, Report, Status
from responder.notify.contract import Channel
from responder.notify.delivery.deliver import Deliverer

_log = structlog.get_logger()

#: Seconds between two looks for failures.
_LOOK_SECONDS = 2.0
#: Pause before the channels are tried again after none accepted the page.
_AGAIN_SECONDS = 60.0
#: Seconds that one attempt to send a page may take.
_ATTEMPT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class FailurePage:
    """Sends one page for all loops of an instance, and its resolve once none has failed for a while.

    ``instance`` is the name of the machine.
    """

    failures: LoopFailures
    context: Callable[[], DecisionContext]
    deliverer: Deliverer
    clock: Clock
    instance: str

    def step(self) -> float:
        """Send what is due. Returns the seconds to rest."""
        failing, page = self.failures.reason(), self.failures.page
        now = self.clock.monotonic()
        if failing and (page is None or (not page.channel and now - page.at > _AGAIN_SECONDS)):
            self.failures.page = SentPage("", {}, now)  # claimed: the other workers leave it alone
            self.failures.page = self._page(failing)
        elif not failing and page is not None:
            self._resolve(page)
            self.failures.page = None
        return _LOOK_SECONDS

    def _page(self, reason: str) -> SentPage:
        context = self.context()
        for channel in sorted(context.all_channels, key=lambda each: not each.pages):
            ref = self._sent(channel, self._report(context, reason))
            if ref is not None:
                _log.error("engine.failures_reported", channel=channel.name, reason=reason)
                return SentPage(channel.name, ref, self.clock.monotonic())
        return SentPage("", {}, self.clock.monotonic())

    def _resolve(self, page: SentPage) -> None:
        context = self.context()
        for channel in context.configured([page.channel]):
            now = self.clock.now()
            over = "no engine loop fails any more"
            report = replace(
                self._report(context, over),
                kind=MessageKind.RESOLUTION,
                status=Status.RESOLVED,
                ended_at=now,
                firing=0,
                resolution=over,
            )
            self._sent(channel, report, page.ref)

    def _sent(self, channel: Channel, report: Report, ref: dict[str, str] | None = None) -> dict[str, str] | None:
        """Send all steps of a message; return what the channel returned, None if it did not accept the first."""
        accepted = ref
        for number, step in enumerate(channel.steps[report.kind], 1):
            message = ClaimedMessage(
                id=number,
                channel=channel.name,
                step=step,
                priority=1,
                report=report,
                due_at=report.written_at,
                attempt=1,
                minimal=False,
                previous=accepted or {},
            )
            outcome = self.deliverer.deliver(channel, message, Deadline(self.clock.monotonic() + _ATTEMPT_SECONDS))
            if not isinstance(outcome, Delivered):
                _log.error("engine.failures_not_reported", channel=channel.name, reason=outcome.reason)
                return accepted
            accepted = accepted or dict(outcome.ref)
        return accepted

    def _report(self, context: DecisionContext, reason: str) -> Report:
        severity, book = context.worst, context.book
        now: datetime = self.clock.now()
        key = f"responder-loops/{self.instance}"
        return Report(
            kind=MessageKind.START,
            status=Status.INVESTIGATING,
            incident=incident_id(key, 0),
            dedup_key=key,
            title=f"[{severity.name}] responder on {self.instance} may not page: its engine fails repeatedly",
            severity=severity.name,
            severity_reason="pages may be missing or late",
            pagerduty_severity=severity.pagerduty,
            pages=True,
            service="responder",
            environment=book.environment,
            alertname="ResponderEngineFails",
            what=reason,
            impact="pages and updates may be missing or late; read the alerts in Alertmanager",
            first_step="Read engine.failed in responder's log, then report the error or go back to the version or "
            "the rules before.",
            firing=1,
            labels={"instance": self.instance},
            rule="(engine)",
            made_by=f"responder {responder.__version__}",
            started_at=now,
            written_at=now,
        )
