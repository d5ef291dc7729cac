"""A Slack channel of its own for each incident of severities with `room: true`: created, people invited, topic set.

It uses the bot of `slack`, which needs the scopes `channels:manage` (create, invite, topic, archive), `channels:read`
(find a channel whose creation got no answer), `chat:write`, and `usergroups:read` for groups. Put the ids of people
(`U0123ABCD`) and user groups (`S0123ABCD`) to invite, separated by commas, into `RESPONDER_SLACK_ROOM_PEOPLE`; without
them there is no such channel. The members of the `oncall_group` of the incident's teams are invited, too. Then, in a
rule file:

    severities:
      P1: {room: true}

The name is `incident-DATE-SERVICE` (`RESPONDER_SLACK_ROOM_PREFIX`), with a number if it is taken. The channel gets the
page with its links and buttons, all that follows, and after the resolve a button that archives it. It is an addition:
pages on other channels do not wait for it, and if Slack refuses it, the message is given up and
`responder messages list` shows why. This channel never pages.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self
from urllib.parse import urlencode

from responder.model.check import Result, bad, ok
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Continue, Delivered, Outcome, Refused, TryLater
from responder.model.report import MessageKind, Report, Status
from responder.model.secret import Secret
from responder.model.setting import Setting
from responder.notify.contract import Channel, RateLimit, SendRequest, ShownMessage, Use, per_minute
from responder.notify.render.response import decoded, encoded, error_text, outcome_of, retry_after, text_of, within
from responder.notify.render.slack_messages import archivable, minimal_text, parent, reply

# https://docs.slack.dev/apis/web-api/rate-limits: conversations.create and invite are of tier 2 and 3.
RATE_LIMIT = per_minute(30, 10)
#: Characters of a name and bytes of a topic (https://docs.slack.dev/reference/methods/conversations.create).
NAME_LIMIT, TOPIC_LIMIT = 80, 250
#: People that one request may invite (https://docs.slack.dev/reference/methods/conversations.invite).
MOST_PEOPLE = 100
#: Scopes of the bot for all of it.
SCOPES = ("channels:manage", "channels:read", "chat:write", "usergroups:read")
#: Result of a look-up of a group: the groups and people known by then, which the next request reads.
_MEMBERS = "invites "
#: Result of a look for the channel of an attempt whose answer was lost: the next page, or that it is absent.
_LOOKS, _ABSENT = "looks for its channel ", "its channel does not exist yet"
#: Channels of one page (https://docs.slack.dev/reference/methods/conversations.list recommends at most 200).
_LISTED = 200
#: Seconds by which Slack's clock may be behind.
_SKEW_SECONDS = 60.0
_CREATE, _INVITE, _TOPIC, _POST, _REPLY, _ARCHIVE = "create", "invite", "topic", "post", "reply", "archive"
_METHODS = {
    _CREATE: "conversations.create",
    _INVITE: "conversations.invite",
    _TOPIC: "conversations.setTopic",
    _ARCHIVE: "conversations.archive",
}
#: The channel was archived by a person: of an incident that is resolved it needs no further message.
_ARCHIVED = "is_archived"
#: Result of a look whether the channel of a reopened incident can still be used. A bot cannot unarchive a channel
#: (https://docs.slack.dev/reference/methods/conversations.unarchive), so it is replaced by a new one.
_GONE = "its channel was archived or deleted"
_UNUSABLE = frozenset({_ARCHIVED, "channel_not_found", "not_in_channel"})
#: Errors that say that the step was done before.
_DONE = {_INVITE: frozenset({"already_in_channel", "cant_invite_self"}), _ARCHIVE: frozenset({"already_archived"})}
_PASSING = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"})
_TAKEN = "name_taken"
_ID = r"[UWS][A-Z0-9]{4,20}"
_PERSON, _PEOPLE = re.compile(r"[UW][A-Z0-9]{4,20}"), re.compile(f"{_ID}(,{_ID})*")


def _people_problem(text: str) -> str:
    listed = text.replace(" ", "")
    if listed and not (_PEOPLE.fullmatch(listed) and listed.count(",") < MOST_PEOPLE):
        return f"is '{text}': write at most {MOST_PEOPLE} ids of users or groups of Slack, separated by commas"
    return ""


def _prefix_problem(text: str) -> str:
    return "" if re.fullmatch(r"[a-z0-9-]{1,20}", text) else f"is '{text}': lower case, digits and dashes, at most 20"


@dataclass(frozen=True, slots=True)
class SlackRoom(Channel):
    """Creates a channel for each incident as the bot of ``token``, and invites ``people``, ids separated by commas."""

    token: Secret
    people: str
    prefix: str = "incident"
    base_url: str = "https://slack.com/api"
    interactive: bool = field(default=False, kw_only=True)
    name: str = field(default="slack_room", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "slack_room_people",
            "ids of Slack users (U0123ABCD) and user groups (S0123ABCD) to invite to the channel of an incident",
            check=_people_problem,
        ),
        Setting(
            "slack_room_prefix",
            "beginning of the names of the channels of incidents",
            default="incident",
            check=_prefix_problem,
        ),
    )
    title: ClassVar[str] = "the incident's Slack channel"
    account: ClassVar[tuple[str, ...]] = ("base_url", "token", "name")
    use: ClassVar[Use] = Use.ROOM
    rate_limit: ClassVar[RateLimit] = RATE_LIMIT
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = {
        **dict.fromkeys(MessageKind, (_REPLY,)),
        MessageKind.START: (_CREATE, _INVITE, _TOPIC, _POST),
        MessageKind.AGAIN: (_CREATE, _INVITE, _TOPIC, _POST),
        MessageKind.ARCHIVE: (_ARCHIVE,),
    }

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel if there is a bot, and people to invite."""
        token, people = given["slack_bot_token"], given["slack_room_people"].replace(" ", "")
        if not (token.reveal() and people):
            return None
        interactive = bool(given["slack_signing_secret"].reveal() or given["slack_app_token"].reveal())
        return cls(token, people, given["slack_room_prefix"], given["slack_api_url"], interactive=interactive)

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check the scopes of the bot."""
        headers = {"Authorization": f"Bearer {self.token.reveal()}"}
        response = send(Request(f"{self.base_url.rstrip('/')}/auth.test", b"", headers))
        if decoded(response).get("ok") is not True:
            said = text_of(decoded(response).get("error")) or f"HTTP {response.status}"
            yield bad(self.name, f"refuses the token: {said}", "see RESPONDER_SLACK_BOT_TOKEN (xoxb-...)")
            return
        scopes = {each.strip() for each in response.headers.get("x-oauth-scopes", "").split(",")} - {""}
        if not scopes:
            yield ok(self.name, f"Slack does not list the scopes of the bot; it needs {', '.join(SCOPES)}")
        elif missing := sorted(set(SCOPES) - scopes):
            what = f"the bot lacks scopes: {', '.join(missing)}"
            yield bad(self.name, what, "add them to the app (deploy/slack/manifest.yaml) and install it again")
        else:
            yield ok(self.name, "the bot may create channels and invite people")

    def shown(self, request: Request) -> ShownMessage:
        """Return the message, or the name, people or topic that the request sets."""
        sent = json.loads(request.body)
        texts = [str(sent[key]) for key in ("name", "users", "topic", "text") if key in sent]
        return ShownMessage(where="channel of the incident", rows=tuple(("", text) for text in texts))

    def render(self, message: ClaimedMessage) -> Request:
        """Return the request of a step, or the look-up of a group to invite.

        The channel is the one that the first step created.
        """
        room = message.previous.get("channel", "")
        if group := self._unknown_group(message):
            return self._look_up("usergroups.users.list", usergroup=group)
        if _is_look(message):
            cursor = _cursor(message)
            return self._look_up("conversations.list", cursor=cursor, limit=str(_LISTED), exclude_archived="true")
        reused = _is_reused(message)
        method = _METHODS[_TOPIC] if reused else _METHODS.get(message.step, "chat.postMessage")
        return Request(
            url=f"{self.base_url.rstrip('/')}/{method}",
            body=encoded(self._body(replace(message, step=_TOPIC) if reused else message, room)),
            headers={
                "Authorization": f"Bearer {self.token.reveal()}",
                "Content-Type": "application/json; charset=utf-8",
            },
        )

    def _look_up(self, method: str, **query: str) -> Request:
        url = f"{self.base_url.rstrip('/')}/{method}?{urlencode(query)}"
        return Request(url, b"", {"Authorization": f"Bearer {self.token.reveal()}"}, "GET")

    def _ids(self, message: ClaimedMessage) -> list[str]:
        """Return the users and groups to invite, those of the setting first."""
        return [*self.people.split(","), *message.report.oncall_groups, *_looked_up(message)]

    def _unknown_group(self, message: ClaimedMessage) -> str:
        """Return a group whose members are to be invited and not known yet, empty for none."""
        if message.step != _INVITE or message.minimal:
            return ""
        known = _looked_up(message)
        return next((each for each in self._ids(message) if each.startswith("S") and each not in known), "")

    def _body(self, message: ClaimedMessage, room: str) -> dict[str, Any]:
        report = message.report
        match message.step:
            case "create":
                number = message.attempt if _TAKEN in (message.before or "") else 1
                return {"name": _name(self.prefix, report, number), "is_private": False}
            case "invite":
                people = list(dict.fromkeys(each for each in self._ids(message) if _PERSON.fullmatch(each)))
                return {"channel": room, "users": ",".join(people[:MOST_PEOPLE]), "force": True}
            case "topic":
                return {"channel": room, "topic": within(f"{report.incident} · {report.title}", TOPIC_LIMIT)}
            case "archive":
                return {"channel": room}
        place = {"channel": room, "unfurl_links": False, "unfurl_media": False}
        if message.minimal:
            return place | {"text": minimal_text(report)}
        shown = parent(report, interactive=self.interactive) if message.step == _POST else reply(report)
        more = [archivable(report)] if report.kind is MessageKind.RESOLUTION and self.interactive else []
        return place | {"text": shown.text, "blocks": [*shown.blocks, *more]}

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome. A name that is taken is tried again with a number."""
        outcome = outcome_of(message, response, "", (self.token,))
        if not isinstance(outcome, Delivered):
            return outcome
        answer = decoded(response)
        error = text_of(answer.get("error"))
        if group := self._unknown_group(message):
            # A group that Slack does not list is left out; the others are invited.
            users = answer.get("users")
            members = [text_of(each) for each in users] if isinstance(users, list) else []
            known = [*_looked_up(message), group, *(each for each in members if _PERSON.fullmatch(each))]
            if answer.get("ok") is True or (error and error not in _PASSING):
                return Continue(_MEMBERS + ",".join(dict.fromkeys(known)))
        if _is_look(message) and (answer.get("ok") is True or (error and error not in _PASSING)):
            return _looked(message, answer, _name(self.prefix, message.report, 1))
        reused = _is_reused(message)
        if reused and error in _UNUSABLE:
            return Continue(_GONE)
        over = error == _ARCHIVED and message.report.status is Status.RESOLVED
        if answer.get("ok") is True or over or error in _DONE.get(message.step, ()):
            made = answer.get("channel")
            number = text_of(made.get("id")) if isinstance(made, dict) and message.step == _CREATE else ""
            return Delivered() if reused or not number else _created(message, number)
        if not error:
            return TryLater("HTTP 200 without Slack's own response", retry_after(message, response))
        reason = error_text(f"Slack: {error}", "", (self.token,))
        if error == _TAKEN or error in _PASSING:
            return TryLater(reason, retry_after(message, response), limited=error in {"ratelimited", "rate_limited"})
        return Refused(reason)


def _looked_up(message: ClaimedMessage) -> list[str]:
    """Return the groups that were looked up, and their members."""
    before = message.before or ""
    return before.removeprefix(_MEMBERS).split(",") if before.startswith(_MEMBERS) else []


def _is_look(message: ClaimedMessage) -> bool:
    """Return True if an attempt before may have created the channel: its result was lost, or it failed."""
    before = message.before
    return message.step == _CREATE and before not in {"", _ABSENT, _GONE} and _TAKEN not in (before or "")


def _is_reused(message: ClaimedMessage) -> bool:
    """Return True if the step asks Slack, by setting the topic, whether a channel that exists can still be used."""
    return message.step == _CREATE and bool(message.previous.get("channel")) and message.before in {"", _ABSENT}


def _created(message: ClaimedMessage, number: str) -> Delivered:
    """Return the outcome of a creation: what follows goes there, and not to the channel before."""
    return Delivered({"channel": number}, moved=bool(message.previous.get("channel")))


def _cursor(message: ClaimedMessage) -> str:
    before = message.before or ""
    return before.removeprefix(_LOOKS) if before.startswith(_LOOKS) else ""


def _looked(message: ClaimedMessage, answer: Mapping[str, Any], name: str) -> Outcome:
    """Return what a page of the bot's channels says about the attempt before.

    Its channel has the name, perhaps with a number, no topic yet, and is not older than the message. It is also absent
    if the bot may not look.
    """
    listed, more = answer.get("channels"), answer.get("response_metadata")
    oldest = (message.written_at or message.due_at).timestamp() - _SKEW_SECONDS
    for each in filter(lambda room: isinstance(room, dict), listed if isinstance(listed, list) else []):
        topic, created = each.get("topic"), each.get("created")
        mine = re.fullmatch(rf"{re.escape(name)}(-\d+)?", text_of(each.get("name"))) and each.get("is_member") is True
        unused = not (isinstance(topic, dict) and topic.get("value"))
        if mine and unused and isinstance(created, int) and created >= oldest:
            return _created(message, text_of(each.get("id")))
    cursor = text_of(more.get("next_cursor")) if isinstance(more, dict) else ""
    return Continue(f"{_LOOKS}{cursor}" if cursor else _ABSENT)


def _name(prefix: str, report: Report, number: int) -> str:
    """Return ``incident-2026-02-28-plato``, with the number of the attempt if the name is taken."""
    subject = re.sub(r"[^a-z0-9]+", "-", report.service.lower()).strip("-") or "unknown"
    end = f"-{number}" if number > 1 else ""
    return f"{prefix}-{report.started_at:%Y-%m-%d}-{subject}"[: NAME_LIMIT - len(end)].rstrip("-") + end
