"""What follows from findings that change the severity of an incident: other pages, and other people. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from responder.engine.effects.context import Desk
from responder.engine.effects.messages import messages
from responder.model.decision import Turn
from responder.model.delivery import Diagnosed, Effects, Turned, Work
from responder.model.incident import Found, Incident
from responder.model.message import Draft
from responder.model.report import Moment, Report
from responder.notify.delivery.route import route, with_a_reader
from responder.notify.report.compose import toned


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """``incident`` after the change, ``drafts`` for those whom only the new severity concerns.

    ``withdrawn`` are the channels whose pages are taken back before they leave; ``follows`` those that were told
    already and hear of the change.
    """

    incident: Incident
    rank: int
    drafts: tuple[Draft, ...]
    withdrawn: tuple[str, ...]
    follows: tuple[str, ...]


def turned(work: Work, page: Report, after: Report, judged: tuple[Turn, str] | None) -> Turned | None:
    """Both reports with the severity that was judged; None where it stays as it is."""
    if judged is None or work.opened_at is None or judged[0].severity.name == work.severity:
        return None
    turn, found = judged
    word = "raised" if turn.severity.rank < work.rank else "lowered"
    reason = f"{word} from {work.severity} to {turn.severity.name} because {found}"
    page, after = (
        toned(report, turn.severity, f"{work.reason}; {reason}", opened_at=work.opened_at, held=turn.held)
        for report in (page, after)
    )
    told = replace(after, moment=Moment.UPDATE, update=f"{reason}; {after.update}")
    return Turned(turn=turn, reason=reason, page=page, after=told)


def revise(
    incident: Incident | None, work: Work, turned: Turned | None, waiting: Collection[str], desk: Desk, now: datetime
) -> Revision | None:
    """The change that the findings ask for; None where they ask for none, or the incident is not what it was.

    ``waiting`` are the channels whose pages have not left: only these can be taken back. Nobody who was woken is told
    that it was for nothing; who hears of a milder severity are those who sleep through it anyway.
    """
    if turned is None or incident is None or not incident.open or incident.severity != work.severity:
        return None
    turn = turned.turn
    found = Found(severity=turn.severity.name, given=work.severity, reason=turned.reason)
    moved = replace(
        incident,
        severity=turn.severity.name,
        title=turned.page.title,
        reason=f"{incident.reason}; {turned.reason}",
        found=found,
    )
    if not incident.channels:
        return Revision(incident=moved, rank=turn.severity.rank, drafts=(), withdrawn=(), follows=())
    wanted = _wanted(work, turn, desk)
    worse = turn.severity.rank < work.rank
    withdrawn = tuple(name for name in work.channels if name in waiting and name not in wanted)
    added = tuple(name for name in wanted if name not in incident.channels)
    kept = tuple(name for name in incident.channels if name not in withdrawn)
    pages = messages(turned.page, (desk.channels[name] for name in added), rank=turn.severity.rank, due_at=now)
    return Revision(
        incident=replace(moved, channels=kept + added),
        rank=turn.severity.rank,
        drafts=pages,
        withdrawn=withdrawn,
        follows=tuple(name for name in kept if name not in waiting and (worse or name not in desk.pagers)),
    )


def improved(effects: Effects, work: Work, diagnosed: Diagnosed, desk: Desk, now: datetime) -> Effects:
    """The effects of a delivery as they are once its diagnosis has ended before any page left."""
    waiting = {draft.channel for draft in effects.drafts if draft.enrich}
    revision = revise(effects.incident, work, diagnosed.turned, waiting, desk, now)
    if revision is None or diagnosed.turned is None:
        pages = tuple(replace(draft, report=diagnosed.page) if draft.enrich else draft for draft in effects.drafts)
        return replace(effects, drafts=pages)
    page, rank = diagnosed.turned.page, revision.rank
    pages = tuple(
        replace(draft, report=page, rank=rank) if draft.enrich else draft
        for draft in effects.drafts
        if draft.channel not in revision.withdrawn
    )
    return replace(effects, incident=revision.incident, drafts=pages + revision.drafts)


def _wanted(work: Work, turn: Turn, desk: Desk) -> tuple[str, ...]:
    wished = with_a_reader(work.wished, desk.channels) if turn.held else work.wished
    return route(wished, turn.severity.pages and not turn.held, desk.channels)
