"""The story of an alert: from a kept body to what people are told. Nothing here waits, writes or sends.

    delivery --read--> group --triage--> Effects   committed in one transaction: incident, pages due later, work to do
    work --probes--> findings --diagnose--> Report   improves those pages, or follows them where they have left already

The shell is ``web/webhook.py`` (keeps bodies), ``triage.py`` (commits Effects), ``diagnosis.py`` (runs probes) and
``courier.py`` (sends what is due).
"""

from __future__ import annotations

from datetime import datetime

from responder.diagnose.conclude import conclude
from responder.diagnose.severity_from_findings import judge
from responder.engine.effects.context import Desk
from responder.engine.effects.on_notification import History, follow
from responder.engine.effects.severity_change import turned
from responder.model.alert import AlertGroup
from responder.model.delivery import Delivery, Diagnosed, Effects, Work
from responder.model.finding import Finding
from responder.model.flood import Tide
from responder.notify.report.compose import enriched, late
from responder.triage.decide import decide
from responder.triage.stale_alerts import believe


def triage(group: AlertGroup, delivery: Delivery, history: History, desk: Desk, tide: Tide | None = None) -> Effects:
    """What follows from a delivery of ``group``, given what is known of the group so far and of floods that are on."""
    believed = believe(group, history.incident, delivery.received_at, desk.patience)
    decision = decide(
        believed, desk.book, desk.matching, history.incident, delivery.id, delivery.received_at, desk.patience
    )
    return follow(decision, believed, delivery, history, desk, tide)


def diagnose(work: Work, findings: tuple[Finding, ...], now: datetime) -> Diagnosed:
    """The page with the findings in it and with the severity they ask for, and what to send where it has left."""
    conclusion = conclude(findings, work.subject)
    page = enriched(work.report, findings, conclusion, now=now)
    after = late(work.report, findings, conclusion, now=now)
    return Diagnosed(page=page, after=after, turned=turned(work, page, after, judge(work.turns, findings)))
