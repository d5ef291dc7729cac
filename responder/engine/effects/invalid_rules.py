"""Rule files that stay invalid: one incident about responder itself, and one message. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from responder.engine.effects.context import DecisionContext, History
from responder.engine.effects.own_incident import mildest, one_reader, opened
from responder.model.delivery import Effects
from responder.model.finding import Conclusion
from responder.model.text import sanitize_line

#: The rule of these incidents.
RULE = "(invalid rules)"
KEY = "responder-rules"
#: How long rule files are invalid before that is reported: a slip while editing is fixed within it.
AFTER = timedelta(minutes=1)
#: Time without invalid files after which the incident is resolved.
HOLD = timedelta(minutes=5)
_MOVED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidRuleFiles:
    """Problems of the rule files since a time: their number, the first, and a sentence about the rules in force.

    ``kept`` is true where the rules in force come from the database: that is reported at once.
    """

    since: datetime
    problem: str
    note: str
    kept: bool


def effects_of(found: InvalidRuleFiles, history: History, context: DecisionContext, now: datetime) -> Effects | None:
    """Return the effects of invalid rule files: an incident that opens or stays open; None if there are none."""
    before, until = history.incident, now + HOLD
    if before is not None and before.open:
        due = before.resolve_at is None or until - before.resolve_at >= _MOVED
        return Effects(incident=replace(before, resolve_at=until, review_at=until)) if due else None
    if not found.kept and now - found.since < AFTER:
        return None
    what = "decides by an earlier revision of its rules"
    hold = "the rule files are valid again"
    reason = sanitize_line(f"{found.note}; the first problem: {found.problem}", 300)
    effects = opened(KEY, RULE, what, reason, hold, until, mildest(context), one_reader(context), context, now)
    if effects.content is None:
        return effects
    decision = replace(
        effects.content.decision,
        pages=False,
        impact=reason,
        first_step="Run `responder rules check` and fix the files; responder reads them again when they change.",
    )
    content = replace(effects.content, decision=decision, conclusion=Conclusion(unknown="nothing: no probe was run"))
    return replace(effects, content=content)
