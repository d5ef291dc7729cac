"""Slack with a bot token: one message for each incident, edited in place, with details and changes in its thread.

Create a Slack app with the bot scope `chat:write`, install it, invite the bot to the channel, and put its token
(`xoxb-...`) into `RESPONDER_SLACK_BOT_TOKEN` and the channel into `RESPONDER_SLACK_CHANNEL`. With
`RESPONDER_SLACK_ONCALL_GROUP`, a page that was not accepted elsewhere mentions that user group.

For buttons under the pages and the command `/responder`, put the app-level token (`xapp-...`, scope
`connections:write`) into `RESPONDER_SLACK_APP_TOKEN`: Socket Mode needs no address that Slack can reach. Without it,
put the app's *Signing Secret* into `RESPONDER_SLACK_SIGNING_SECRET`, and enter `https://HOST/slack/interactions` and
`https://HOST/slack/commands` as request URLs. Acknowledge, Silence, Note and Resolve act on the incident, on PagerDuty
and Alertmanager; `/responder` lists open incidents, `/responder INC-...` shows one. [Step by step](conversation.md).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from responder.model.check import Result, bad, ok, warn
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.model.setting import Setting, one_of, rate, secret
from responder.notify.contract import Channel, MethodLimit, RateLimit, SendRequest, ShownMessage, per_minute
from responder.notify.render.response import decoded, encoded, error_text, outcome_of, retry_after, text_of
from responder.notify.render.slack_messages import (
    BURST,
    LIMITED,
    ONCALL_GROUP,
    PASSING,
    RATE_LIMIT,
    details,
    dry_run,
    fallback_page,
    minimal_text,
    parent,
    reply,
    shown,
)

# https://docs.slack.dev/apis/web-api/rate-limits: a token posts several hundred messages a minute to a workspace,
# besides one a second to each channel; chat.update is of tier 3, 50 a minute and more.
POSTS = per_minute(300, 60)
EDITS = per_minute(50, 15)

_POST, _DETAILS, _EDIT, _REPLY, _ALOUD, _ALARM = "post", "details", "edit", "reply", "aloud", "alarm"
_THREADED = frozenset({_DETAILS, _REPLY, _ALOUD, _ALARM})
_SHOWN = frozenset({_ALOUD, _ALARM})
_SCOPE, _FILES = "chat:write", "files:write"
#: Scopes of the bot in deploy/slack/manifest.yaml; the last one is for pictures only.
SCOPES = (_SCOPE, "chat:write.public", "commands", "usergroups:read", _FILES)
#: Settings by which presses of buttons reach responder.
_OF_THE_APP = frozenset({"slack_signing_secret", "slack_app_token"})


@dataclass(frozen=True, slots=True)
class Slack(Channel):
    """Posts to ``channel`` (a name or id) as the bot of ``token``; ``base_url`` is the base of /chat.postMessage.

    ``group`` is the id of the user group that an alarm mentions: the page that PagerDuty did not take. ``interactive``
    is True if presses of buttons reach responder, over a connection of the ``app_token`` if there is one.
    """

    token: Secret
    channel: str
    base_url: str = "https://slack.com/api"
    rate_limit: RateLimit = RATE_LIMIT
    group: str = ""
    interactive: bool = field(default=False, kw_only=True)
    app_token: Secret = field(default=Secret(""), kw_only=True)
    pictures: bool = field(default=False, kw_only=True)
    name: str = field(default="slack", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        secret("slack_bot_token", "bot token (xoxb-...): messages are edited in place and threaded"),
        Setting("slack_channel", "Slack channel that gets the pages", default="#incidents"),
        secret(
            "slack_signing_secret",
            "signing secret of the app: pages get buttons, and Slack sends presses to /slack/interactions",
        ),
        secret(
            "slack_app_token",
            "app token (xapp-...) for Socket Mode: pages get buttons, and no public address is needed",
        ),
        Setting(
            "slack_pictures",
            "on: the range behind the alert follows the page as a picture in its thread (scope files:write)",
            default="off",
            check=one_of("on", "off"),
        ),
        Setting("slack_api_url", "base of /chat.postMessage", default="https://slack.com/api"),
        ONCALL_GROUP,
        rate("slack_messages_per_minute", 60, "one Slack channel"),
    )
    destination: ClassVar[str] = "slack_channel"
    alertmanager_receiver: ClassVar[str] = "slack_configs"
    title: ClassVar[str] = "Slack"
    account: ClassVar[tuple[str, ...]] = ("base_url", "token", "channel")
    fallback_order: ClassVar[int] = 30
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = {
        MessageKind.START: (_POST, _DETAILS),
        MessageKind.AGAIN: (_EDIT, _ALOUD),
        MessageKind.UPDATE: (_EDIT, _REPLY),
        MessageKind.RESOLUTION: (_EDIT, _REPLY),
        MessageKind.LATE: (_REPLY,),
        MessageKind.OPINION: (_REPLY,),
        MessageKind.FALLBACK: (_ALARM,),
        MessageKind.UNCLOSED: (_ALOUD,),
        MessageKind.ACKNOWLEDGED: (_EDIT, _REPLY),
        MessageKind.NOTE: (_REPLY,),
        MessageKind.POSTMORTEM: (_REPLY,),
        MessageKind.REMINDER: (_ALOUD,),
        MessageKind.ARCHIVE: (),
    }
    edits: ClassVar[str] = _EDIT

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the bot."""
        token, rate_limit = given["slack_bot_token"], per_minute(given["slack_messages_per_minute"], BURST)
        if not token.reveal():
            return None
        app_token = given["slack_app_token"]
        interactive = bool(given["slack_signing_secret"].reveal() or app_token.reveal())
        place, url, group = given["slack_channel"], given["slack_api_url"], given["slack_oncall_group"]
        pictures = given["slack_pictures"] == "on"
        return cls(
            token, place, url, rate_limit, group, interactive=interactive, app_token=app_token, pictures=pictures
        )

    @classmethod
    def problems(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield that there is a group and nothing that could mention it."""
        able = given["slack_bot_token"].reveal() or given["slack_webhook_url"].reveal()
        if given["slack_oncall_group"] and not able:
            yield "RESPONDER_SLACK_ONCALL_GROUP needs RESPONDER_SLACK_BOT_TOKEN or RESPONDER_SLACK_WEBHOOK_URL"
        app_token = given["slack_app_token"].reveal()
        if app_token and not given["slack_bot_token"].reveal():
            yield "RESPONDER_SLACK_APP_TOKEN needs RESPONDER_SLACK_BOT_TOKEN"
        if app_token and not app_token.startswith("xapp-"):
            yield "RESPONDER_SLACK_APP_TOKEN is not an app-level token: it begins with xapp-"

    @classmethod
    def keys(cls) -> Mapping[str, Setting]:
        """Return its settings by the keys of a rule file, without those of the app: presses come to one app only."""
        left_out = _OF_THE_APP | {"slack_pictures"}
        return {key: each for key, each in super(Slack, cls).keys().items() if each.name not in left_out}

    @classmethod
    def from_rule_files(cls, name: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> Self | None:
        """Return the channel of rule files. The bot of another app has no buttons: nothing receives their presses."""
        other_app = dict.fromkeys(_OF_THE_APP, Secret("")) if "slack_bot_token" in own else {}
        return super(Slack, cls).from_rule_files(name, own, {**given, **other_app})

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that the token is accepted and may post, and that the on-call group exists."""
        response = self._call(send, "auth.test", "POST")
        answer = decoded(response)
        if answer.get("ok") is not True:
            said = text_of(answer.get("error")) or f"HTTP {response.status}"
            yield bad(self.name, f"refuses the token: {said}", "see RESPONDER_SLACK_BOT_TOKEN (xoxb-...)")
            return
        given = response.headers.get("x-oauth-scopes", "")
        scopes = {scope.strip() for scope in given.split(",")}
        if given and _SCOPE not in scopes:
            yield bad(self.name, f"the bot has no scope {_SCOPE}", f"add {_SCOPE} to the app and install it again")
            return
        who = f"{text_of(answer.get('user'))} (workspace {text_of(answer.get('team'))})"
        yield ok(self.name, f"authenticated as {who}; --send proves that it may post to {self.channel}")
        if self.pictures and given and _FILES not in scopes:
            yield warn(self.name, f"no pictures: the bot has no scope {_FILES}", "add it and install the app again")
        if self.group:
            yield self._group_checked(decoded(self._call(send, "usergroups.list", "GET")))
        if self.interactive:
            yield from self._buttons_checked(send, scopes if given else set(SCOPES))

    def _buttons_checked(self, send: SendRequest, scopes: Collection[str]) -> Iterator[Result]:
        """Check what buttons and `/responder` need beyond posting: the scopes of the manifest, and the app token."""
        if missing := sorted(set(SCOPES).difference(scopes, (_FILES,))):
            what = f"the bot lacks scopes of deploy/slack/manifest.yaml: {', '.join(missing)}"
            yield warn(self.name, what, "add them to the app and install it again")
        if not self.app_token.reveal():
            yield ok(self.name, "buttons: Slack sends presses to /slack/interactions, signed")
            return
        answer = decoded(self._call(send, "apps.connections.open", "POST", self.app_token))
        if answer.get("ok") is True:
            yield ok(self.name, "buttons: the app token opens Socket Mode")
            return
        why = text_of(answer.get("error")) or "no answer of Slack's own"
        what = f"the app token does not open Socket Mode: {why}"
        change = "see RESPONDER_SLACK_APP_TOKEN (xapp-..., scope connections:write); enable Socket Mode in the app"
        yield bad(self.name, what, change)

    def _call(self, send: SendRequest, method: str, verb: str, token: Secret | None = None) -> Response:
        headers = {"Authorization": f"Bearer {(token or self.token).reveal()}"}
        return send(Request(f"{self.base_url.rstrip('/')}/{method}", b"", headers, verb))

    def _group_checked(self, answer: Mapping[str, Any]) -> Result:
        """The bot may lack the scope usergroups:read, which posting does not need."""
        groups = answer.get("usergroups")
        if answer.get("ok") is not True or not isinstance(groups, list):
            why = text_of(answer.get("error")) or "Slack did not list the groups"
            if why == "missing_scope":
                why = "the bot has no scope usergroups:read (optional)"
            return ok(self.name, f"group {self.group} is well formed; not checked: {why}")
        if self.group not in [each.get("id") for each in groups if isinstance(each, dict)]:
            what = f"there is no group {self.group}, or it is disabled"
            return bad(self.name, what, "see RESPONDER_SLACK_ONCALL_GROUP")
        return ok(self.name, f"group {self.group} exists")

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return how near the message is to Slack's limits, and the message."""
        return dry_run(sent)

    def shown(self, request: Request) -> ShownMessage:
        """Return the message or the reply in its thread."""
        return shown(request, self.channel)

    @property
    def method_limits(self) -> tuple[MethodLimit, ...]:
        """Limits of the bot's methods in its workspace, whatever the channel."""
        bot = self.base_url, self.token.reveal()
        posting = frozenset(step for steps in self.steps.values() for step in steps) - {_EDIT}
        return (
            MethodLimit("chat.postMessage", bot, POSTS, posting, pauses_all=False),
            MethodLimit("chat.update", bot, EDITS, frozenset({_EDIT}), pauses_all=True),
        )

    @property
    def reaches_on_call(self) -> bool:
        """True if there is a group to mention."""
        return bool(self.group)

    def render(self, claimed: ClaimedMessage) -> Request:
        """The parent posted or edited, or a reply in its thread; a message of its own where no parent is known.

        The minimal form never edits: where Slack refused the edit, the state is posted anew. What fires again is said
        in the thread and to the whole channel, since an edit of an old message goes unnoticed.
        """
        known = claimed.previous.get("channel", ""), claimed.previous.get("ts", "")
        if claimed.step == _EDIT and all(known) and not claimed.minimal:
            return self._request("chat.update", {"channel": known[0], "ts": known[1]}, claimed)
        place = {"channel": known[0] or self.channel, "unfurl_links": False, "unfurl_media": False}
        if claimed.step in _THREADED and all(known):
            place |= {"thread_ts": known[1]} | ({"reply_broadcast": True} if claimed.step in _SHOWN else {})
        return self._request("chat.postMessage", place, claimed)

    def read(self, claimed: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome. Slack answers 200 even to errors: the body's ``ok`` and ``error`` decide."""
        outcome = outcome_of(claimed, response, "", (self.token,))
        if not isinstance(outcome, Delivered):
            return outcome
        answer = decoded(response)
        if answer.get("ok") is True:
            posted = text_of(answer.get("ts"))
            place = text_of(answer.get("channel")) or self.channel
            return Delivered({"channel": place, "ts": posted} if posted else {})
        error = text_of(answer.get("error"))
        if not error:
            return TryLater("HTTP 200 without Slack's own response", retry_after(claimed, response))
        metadata = answer.get("response_metadata")
        more = text_of(metadata.get("messages")) if isinstance(metadata, dict) else ""
        reason = error_text(f"Slack: {error}", more, (self.token,))
        if error not in PASSING:
            return Refused(reason)
        return TryLater(reason, retry_after(claimed, response), limited=error in LIMITED)

    def _request(self, method: str, place: dict[str, Any], claimed: ClaimedMessage) -> Request:
        return Request(
            url=f"{self.base_url.rstrip('/')}/{method}",
            body=encoded(place | content(claimed, self.group, interactive=self.interactive)),
            headers={
                "Authorization": f"Bearer {self.token.reveal()}",
                "Content-Type": "application/json; charset=utf-8",
            },
        )


def content(claimed: ClaimedMessage, group: str, *, interactive: bool) -> dict[str, Any]:
    """Return the visible part of the body."""
    if claimed.minimal:
        return {"text": minimal_text(claimed.report, group)}
    if claimed.step == _ALARM:
        message = fallback_page(claimed.report, group)
    elif claimed.step in {_REPLY, _ALOUD}:
        message = reply(claimed.report)
    elif claimed.step == _DETAILS:
        message = details(claimed.report)
    else:
        message = parent(claimed.report, interactive=interactive)
    return {"text": message.text, "blocks": message.blocks}
