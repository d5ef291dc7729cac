"""Payloads of Slack about a person who acts: the press of a button, a submitted dialog, a command. Pure.

https://docs.slack.dev/interactivity/handling-user-interaction: Socket Mode and HTTP carry the same payloads.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from responder.model.secret import Secret
from responder.model.text import clean, sanitize_line
from responder.notify.render import slack_messages

#: Age of a signed request, in seconds, in both directions: https://docs.slack.dev/authentication.
MAX_AGE_SECONDS = 300
#: Largest payload, in bytes. Slack's have some 10 KB.
BODY_BYTES = 256 * 1024
#: Characters of an incident's id in a payload.
ID_LIMIT = 40


class Button(StrEnum):
    """The action ids of the buttons under a page, and the callback ids of their dialogs."""

    ACKNOWLEDGE = slack_messages.ACKNOWLEDGE
    NOTE = slack_messages.NOTE
    RESOLVE = slack_messages.RESOLVE
    POSTMORTEM = slack_messages.POSTMORTEM
    PUBLISH = slack_messages.PUBLISH
    ARCHIVE = slack_messages.ARCHIVE
    SILENCE = slack_messages.SILENCE
    UNSILENCE = slack_messages.UNSILENCE


class BadPayloadError(ValueError):
    """A payload that does not have the documented shape. The reason is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A Slack user: the id, the name that Slack gives, and the user's own workspace, also in a shared channel."""

    id: str
    name: str
    team: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A press of a button under a page. ``key`` is the same when Slack sends the press again."""

    button: Button
    incident: str
    person: Person
    key: str
    trigger: str
    response_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A submitted dialog of a button: ``values`` are its inputs by action id."""

    button: Button
    incident: str
    person: Person
    key: str
    values: Mapping[str, str]


class _User(msgspec.Struct):
    id: str = ""
    username: str = ""
    name: str = ""
    team_id: str = ""


class _Team(msgspec.Struct):
    id: str = ""


class _Pressed(msgspec.Struct):
    action_id: str = ""
    value: str = ""
    action_ts: str = ""


class _Option(msgspec.Struct):
    value: str = ""


class _Input(msgspec.Struct):
    value: str | None = None
    selected_option: _Option | None = None
    selected_options: list[_Option] = []

    @property
    def given(self) -> str:
        """The text, or the value of the chosen option."""
        options = [self.selected_option] if self.selected_option else self.selected_options
        return self.value or next((each.value for each in options), "")


class _State(msgspec.Struct):
    values: dict[str, dict[str, _Input]] = {}


class _View(msgspec.Struct):
    id: str = ""
    callback_id: str = ""
    private_metadata: str = ""
    state: _State = msgspec.field(default_factory=_State)


class _Interaction(msgspec.Struct):
    type: str = ""
    user: _User = msgspec.field(default_factory=_User)
    team: _Team | None = None
    trigger_id: str = ""
    response_url: str = ""
    actions: list[_Pressed] = []
    view: _View | None = None


_DECODER = msgspec.json.Decoder(_Interaction)


def read(payload: bytes) -> Press | Submission | None:
    """Return what a person did; None for what needs no handling: links, closed dialogs, inputs within a dialog.

    Raises BadPayloadError.
    """
    try:
        found = _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadPayloadError(f"not a payload of Slack: {str(error)[:200]}") from None
    name = found.user.username or found.user.name or found.user.id
    team = found.user.team_id or (found.team.id if found.team else "")
    person = Person(id=found.user.id, name=name, team=team)
    if not person.id:
        raise BadPayloadError("the payload names no user")
    if found.type == "view_submission" and found.view is not None and found.view.callback_id in set(Button):
        view = found.view
        return Submission(
            button=Button(view.callback_id),
            incident=clean(view.private_metadata[:ID_LIMIT]),
            person=person,
            key=f"{view.id}/{person.id}",
            values={name: given.given for block in view.state.values.values() for name, given in block.items()},
        )
    pressed = next((each for each in found.actions if each.action_id in set(Button)), None)
    if found.type != "block_actions" or pressed is None or found.view is not None:
        return None
    return Press(
        button=Button(pressed.action_id),
        incident=clean(pressed.value[:ID_LIMIT]),
        person=person,
        key=f"{pressed.action_ts}/{person.id}/{pressed.action_id}",
        trigger=found.trigger_id,
        response_url=found.response_url,
    )


def read_command(fields: Mapping[str, str]) -> tuple[str, Person]:
    """Return the text after a slash command, and the person."""
    user, name = fields.get("user_id", ""), fields.get("user_name", "")
    person = Person(id=user, name=sanitize_line(name or user, 80), team=fields.get("team_id", ""))
    return clean(fields.get("text", "")), person


def signature_problem(secrets: Iterable[Secret], headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """Return why a request is not signed by Slack within MAX_AGE_SECONDS; empty if it is.

    https://docs.slack.dev/authentication/verifying-requests-from-slack. Any of several secrets is enough, so that one
    can be replaced.
    """
    stamp, given = headers.get("X-Slack-Request-Timestamp", ""), headers.get("X-Slack-Signature", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return "X-Slack-Request-Timestamp is missing or no number"
    if abs(now.timestamp() - int(stamp)) > MAX_AGE_SECONDS:
        return f"the request is more than {MAX_AGE_SECONDS} s away from this clock: replayed, or a clock is wrong"
    base = b"v0:" + stamp.encode() + b":" + body
    signed = [b"v0=" + hmac.new(each.reveal().encode(), base, hashlib.sha256).hexdigest().encode() for each in secrets]
    found = [hmac.compare_digest(each, given.encode("utf-8", "replace")) for each in signed]
    return "" if any(found) else "X-Slack-Signature does not match RESPONDER_SLACK_SIGNING_SECRET"
