"""Slack with a bot token: one message an incident, edited in place, its details and changes in the thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from responder.model.message import Letter, Request, Response
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.model.report import Moment
from responder.model.secret import Secret
from responder.notify.contract import Channel
from responder.notify.rate_limit import Pace
from responder.notify.render.response import decoded, encoded, judged, retry_after, text_of, told
from responder.notify.render.slack_messages import PACE, alarm, details, parent, plain, reply

# https://docs.slack.dev/reference/methods/chat.postMessage and chat.update, "Errors": those that may pass.
LIMITED = frozenset({"ratelimited", "rate_limited"})
PASSING = LIMITED | frozenset(
    {
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "external_channel_migrating",
        "update_failed",
    }
)

_POST, _DETAILS, _EDIT, _REPLY, _ALOUD, _ALARM = "post", "details", "edit", "reply", "aloud", "alarm"
_THREADED = frozenset({_DETAILS, _REPLY, _ALOUD, _ALARM})
_SHOWN = frozenset({_ALOUD, _ALARM})


@dataclass(frozen=True, slots=True)
class Slack(Channel):
    """Posts to ``channel`` (a name or id) as the bot of ``token``; ``base_url`` is the base of /chat.postMessage.

    ``group`` is the id of the user group that an alarm mentions: the page that PagerDuty did not take.
    """

    token: Secret
    channel: str
    base_url: str = "https://slack.com/api"
    pace: Pace = PACE
    group: str = ""
    name: str = field(default="slack", kw_only=True)
    title: ClassVar[str] = "Slack"
    fallback_order: ClassVar[int] = 30
    steps: ClassVar[Mapping[Moment, tuple[str, ...]]] = {
        Moment.START: (_POST, _DETAILS),
        Moment.AGAIN: (_EDIT, _ALOUD),
        Moment.UPDATE: (_EDIT, _REPLY),
        Moment.RESOLUTION: (_EDIT, _REPLY),
        Moment.LATE: (_REPLY,),
        Moment.FALLBACK: (_ALARM,),
        Moment.UNCLOSED: (_ALOUD,),
    }

    @property
    def wakes(self) -> bool:
        """True if there is a group to mention: a message among others calls nobody."""
        return bool(self.group)

    def render(self, letter: Letter) -> Request:
        """The parent posted or edited, or a reply in its thread; a message of its own where no parent is known.

        The minimal form never edits: where Slack refused the edit, the state is posted anew. What fires again is said
        in the thread and to the whole channel, since an edit of a message that is long past is seen by nobody.
        """
        known = letter.previous.get("channel", ""), letter.previous.get("ts", "")
        if letter.step == _EDIT and all(known) and not letter.plain:
            return self._request("chat.update", {"channel": known[0], "ts": known[1]}, letter)
        place = {"channel": known[0] or self.channel, "unfurl_links": False, "unfurl_media": False}
        if letter.step in _THREADED and all(known):
            place |= {"thread_ts": known[1]} | ({"reply_broadcast": True} if letter.step in _SHOWN else {})
        return self._request("chat.postMessage", place, letter)

    def read(self, letter: Letter, response: Response) -> Outcome:
        """Slack says 200 even where it refuses: the body's ``ok`` and ``error`` decide."""
        outcome = judged(letter, response, "", (self.token,))
        if not isinstance(outcome, Delivered):
            return outcome
        answer = decoded(response)
        if answer.get("ok") is True:
            posted = text_of(answer.get("ts"))
            place = text_of(answer.get("channel")) or self.channel
            return Delivered({"channel": place, "ts": posted} if posted else {})
        error = text_of(answer.get("error"))
        if not error:
            return TryLater("HTTP 200 without the answer Slack gives", retry_after(letter, response))
        metadata = answer.get("response_metadata")
        more = text_of(metadata.get("messages")) if isinstance(metadata, dict) else ""
        reason = told(f"Slack: {error}", more, (self.token,))
        if error not in PASSING:
            return Refused(reason)
        return TryLater(reason, retry_after(letter, response), limited=error in LIMITED)

    def _request(self, method: str, place: dict[str, Any], letter: Letter) -> Request:
        return Request(
            url=f"{self.base_url.rstrip('/')}/{method}",
            body=encoded(place | content(letter, self.group)),
            headers={
                "Authorization": f"Bearer {self.token.reveal()}",
                "Content-Type": "application/json; charset=utf-8",
            },
        )


def content(letter: Letter, group: str) -> dict[str, Any]:
    """The part of the body that people read."""
    if letter.plain:
        return {"text": plain(letter.report, group)}
    if letter.step == _ALARM:
        message = alarm(letter.report, group)
    else:
        message = {_DETAILS: details, _REPLY: reply, _ALOUD: reply}.get(letter.step, parent)(letter.report)
    return {"text": message.text, "blocks": message.blocks}
