"""The path of an alert, from a stored notification to its messages. Nothing here waits, writes or sends.

    delivery --read--> group --triage--> Effects   committed in one transaction: incident, pages due later, work to do
    work --probes--> findings --diagnose--> Diagnosed   kept with the incident; releases its pages or follows them
    due message + content of its incident --compose--> Report   at the moment it is sent

Notifications are stored by ``web/webhook.py``. Effects are committed by ``workers/triage.py``, probes are run by
``workers/diagnosis.py``, and due messages are sent by ``workers/delivery.py``.
"""

from __future__ import annotations

from responder.diagnose.conclude import conclude
from responder.engine.effects.context import Desk, History
from responder.engine.effects.on_notification import follow
from responder.engine.effects.severity_change import judged
from responder.model.alert import AlertGroup
from responder.model.delivery import Delivery, Diagnosed, Effects, Work
from responder.model.finding import Finding
from responder.model.flood import Tide
from responder.triage.decide import decide
from responder.triage.lifecycle import believe


def triage(group: AlertGroup, delivery: Delivery, history: History, desk: Desk, tide: Tide | None = None) -> Effects:
    """The effects of a delivery of ``group``, given the history of the group and the active floods."""
    believed = believe(group, history.incident, delivery.received_at, desk.patience)
    decision = decide(
        believed, desk.book, desk.matching, history.incident, delivery.id, delivery.received_at, desk.patience
    )
    return follow(decision, believed, delivery, history, desk, tide)


def diagnose(work: Work, findings: tuple[Finding, ...]) -> Diagnosed:
    """The conclusion of all findings, and the severity that they ask for."""
    return Diagnosed(findings=findings, conclusion=conclude(findings, work.subject), turned=judged(work, findings))
