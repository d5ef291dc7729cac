"""Slack's Web API, incoming webhooks and Socket Mode on loopback, with the real one's limits."""

import json
import re
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from responder.standins.server import Call, OnEvent, Reply, StandIn, as_json
from responder.standins.slack_files import Files
from responder.standins.slack_people import People
from responder.standins.slack_socket import SocketMode

#: Id of the workspace.
TEAM = "T0BUTTER"
UPDATE_TEXT_LIMIT = 4000  # bytes
TEXT_LIMIT = 40_000
BLOCKS_LIMIT = 13_200
#: The methods, and the scope that each needs, empty for none.
_METHODS = {
    "auth.test": "",
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "views.open": "",
    "conversations.create": "channels:manage",
    "conversations.list": "channels:read",
    "conversations.invite": "channels:manage",
    "conversations.setTopic": "channels:manage",
    "conversations.archive": "channels:manage",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
}
SCOPES = (
    *("chat:write", "chat:write.public", "commands", "files:write", "usergroups:read", "channels:manage"),
    "channels:read",
)
#: Methods that may be called by GET.
_READING = frozenset({"usergroups.list", "usergroups.users.list", "conversations.list"})


@dataclass(slots=True)
class SlackMessage:
    """A message as it reads now; ``edits`` are the bodies that changed it. ``arrived`` is on the monotonic clock."""

    channel: str
    ts: str
    thread_ts: str
    text: str
    blocks: list[dict[str, Any]]
    arrived: float
    edits: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """Visible text of its blocks, or its text if it has none."""
        return [text for block in self.blocks for text in _texts(block)] or [self.text]


class SlackStandIn(StandIn):
    """``messages`` in order of arrival; ``people`` act on them; ``sockets`` are the connections of Socket Mode.

    With ``token`` given, any other bearer token is refused as invalid_auth. ``scopes`` are those of the bot, ``groups``
    the members of user groups. ``limits`` are calls a minute by method: more are refused with 429.
    """

    def __init__(self, *, token: str = "", on_event: OnEvent | None = None) -> None:
        super().__init__(on_event=on_event)
        self.messages: list[SlackMessage] = []
        self.sockets = SocketMode()
        self.people = People(lambda: self.url, self.sockets)
        self.files = Files(lambda: self.url)
        self.scopes: tuple[str, ...] = SCOPES
        self.rooms: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.limits: dict[str, int] = {}
        self.app_token = f"xapp-1-{secrets.token_hex(12)}"
        self._token = token
        self._channels: dict[str, str] = {}
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)

    @property
    def views(self) -> list[Mapping[str, Any]]:
        """The dialogs that were opened, in order."""
        return list(self.people.views.values())

    @property
    def webhook_url(self) -> str:
        """URL of the incoming webhook."""
        return f"{self.url}/webhook"

    def thread(self, ts: str) -> list[SlackMessage]:
        """The replies to a message."""
        with self.lock:
            return [each for each in self.messages if each.thread_ts == ts]

    def answer(self, call: Call) -> Reply:
        """Web API methods answer 200 and ``ok``; webhooks answer in bare words."""
        parts = urlsplit(call.path)
        folder, _, method = parts.path.rpartition("/")
        if folder.startswith("/actions/") and call.method == "POST":
            return self.people.answered(method, _json(call.body) or {})
        if folder == "/upload" and call.method == "POST":
            return self.files.receive(method, call.body)
        if folder == "/link":
            return self.sockets.link(call, method)
        if method == "webhook" and call.method == "POST":
            return self._webhook(_json(call.body), call)
        if method == "apps.connections.open" and call.method == "POST":
            return self._connection(call)
        if method not in _METHODS or (call.method != "POST" and method not in _READING):
            return Reply(404, b"no_service")
        return self._method_called(method, call)

    def _method_called(self, method: str, call: Call) -> Reply:
        if seconds := self._too_many(method, call.arrived):
            return Reply(429, b'{"ok":false,"error":"ratelimited"}', {"Retry-After": str(seconds)})
        needed = _METHODS[method]
        result = _authorised(call, self._token)
        if not result and needed and needed not in self.scopes:
            result = {"error": "missing_scope", "needed": needed, "provided": ",".join(self.scopes)}
        result = result or self._method(method, _arguments(call), call)
        reply = as_json(200, {"ok": "error" not in result} | result)
        return Reply(200, reply.body, {**reply.headers, "X-OAuth-Scopes": ",".join(self.scopes)})

    def _connection(self, call: Call) -> Reply:
        """Return the address for one connection of Socket Mode; a bot token is no token for it."""
        if seconds := self._too_many("apps.connections.open", call.arrived):
            return Reply(429, b'{"ok":false,"error":"ratelimited"}', {"Retry-After": str(seconds)})
        token = call.headers.get("authorization", "").partition(" ")[2]
        if not token.startswith("xapp-"):
            return as_json(200, {"ok": False, "error": "not_allowed_token_type" if token else "not_authed"})
        if token != self.app_token:
            return as_json(200, {"ok": False, "error": "invalid_auth"})
        return as_json(200, {"ok": True, "url": f"ws://127.0.0.1:{self.port}/link/{self.sockets.ticket()}"})

    def _too_many(self, method: str, now: float) -> int:
        """Return the seconds to wait if a method was called too often within a minute."""
        limit = self.limits.get(method)
        if limit is None:
            return 0
        with self.lock:
            recent = self._recent[method]
            while recent and now - recent[0] >= 60:
                recent.popleft()
            if len(recent) >= limit:
                return max(1, int(60 - (now - recent[0]))) if recent else 60
            recent.append(now)
        return 0

    def _webhook(self, body: dict[str, Any] | None, call: Call) -> Reply:
        if body is None:
            return Reply(400, b"invalid_payload")
        if wrong := refusal(body):
            return Reply(400, str(wrong["error"]).encode())
        message = self._post(body | {"channel": "webhook"}, call)
        self.emit("slack.webhook", message)
        return Reply(200, b"ok", {"Content-Type": "text/html"})

    def _method(self, method: str, body: dict[str, Any] | None, call: Call) -> dict[str, Any]:
        if method == "auth.test":
            return {"user": "responder", "team": "butterfly", "team_id": TEAM}
        if body is None:
            return {"error": "invalid_json"}
        match method:
            case "views.open":
                return self._open(body)
            case "conversations.create":
                return self._create(str(body.get("name", "")))
            case "conversations.list":
                return self._listed(body)
            case "conversations.invite" | "conversations.setTopic" | "conversations.archive":
                return self._changed(method, body)
            case "files.getUploadURLExternal":
                return self.files.reserve(body)
            case "files.completeUploadExternal":
                return self.files.complete(body)
            case "usergroups.list":
                return {"usergroups": [{"id": each} for each in self.groups]}
            case "usergroups.users.list":
                group = str(body.get("usergroup", ""))
                return {"users": list(self.groups[group])} if group in self.groups else {"error": "no_such_subteam"}
        if not body.get("channel"):
            return {"error": "channel_not_found"}
        if wrong := refusal(body):
            return wrong
        if method == "chat.update":
            return self._update(body)
        message = self._post(body, call)
        self.emit("slack.post", message)
        return {"channel": message.channel, "ts": message.ts, "message": {"text": message.text}}

    def _create(self, name: str) -> dict[str, Any]:
        """A channel: its name is unique (https://docs.slack.dev/reference/methods/conversations.create)."""
        with self.lock:
            if not re.fullmatch(r"[a-z0-9_-]{1,80}", name):
                return {"error": "invalid_name_specials"}
            if name in [room["name"] for room in self.rooms.values()]:
                return {"error": "name_taken"}
            number = f"CROOM{len(self.rooms):04}"
            self.rooms[number] = {
                "name": name,
                "users": "",
                "topic": "",
                "archived": False,
                "created": int(time.time()),
            }
        return {"channel": {"id": number, "name": name}}

    def _listed(self, body: dict[str, Any]) -> dict[str, Any]:
        """A page of the channels (https://docs.slack.dev/reference/methods/conversations.list)."""
        first, limit = int(body.get("cursor") or 0), int(body.get("limit", 100))
        with self.lock:
            shown = [
                {"id": number, "name": room["name"], "created": room["created"], "is_member": True}
                | {"topic": {"value": room["topic"]}, "is_archived": room["archived"]}
                for number, room in self.rooms.items()
                if not (room["archived"] and body.get("exclude_archived") == "true")
            ]
        following = str(first + limit) if len(shown) > first + limit else ""
        return {"channels": shown[first : first + limit], "response_metadata": {"next_cursor": following}}

    def _changed(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        """A change of a channel that was created here."""
        with self.lock:
            room = self.rooms.get(str(body.get("channel", "")))
            if room is None:
                return {"error": "channel_not_found"}
            if room["archived"]:
                return {"error": "already_archived" if method == "conversations.archive" else "is_archived"}
            change = {"users": body.get("users"), "topic": body.get("topic"), "archived": method.endswith("archive")}
            room.update({name: value for name, value in change.items() if value})
        return {"channel": {"id": body["channel"]}}

    def _open(self, body: dict[str, Any]) -> dict[str, Any]:
        """A dialog: its title has at most 24 characters (https://docs.slack.dev/surfaces/modals)."""
        view = body.get("view")
        if not body.get("trigger_id") or not isinstance(view, dict):
            return {"error": "invalid_arguments"}
        if view.get("type") != "modal" or not 0 < len(view.get("title", {}).get("text", "")) <= 24:
            return {"error": "invalid_arguments"}
        return self.people.open(str(body["trigger_id"]), view)

    def _post(self, body: dict[str, Any], call: Call) -> SlackMessage:
        with self.lock:
            ts = f"{1_772_246_460 + len(self.messages)}.{len(self.messages):06}"
            channel = self._channel(str(body["channel"]))
            thread = str(body.get("thread_ts", ""))
            message = SlackMessage(channel, ts, thread, body.get("text", ""), body.get("blocks", []), call.arrived)
            self.messages.append(message)
        return message

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        if len(str(body.get("text", "")).encode("utf-8", "replace")) >= UPDATE_TEXT_LIMIT:
            return {"error": "msg_too_long"}
        with self.lock:
            channel = self._channel(str(body["channel"]))
            found = [each for each in self.messages if (each.channel, each.ts) == (channel, body.get("ts"))]
            if not found:
                return {"error": "message_not_found"}
            message = found[0]
            message.text, message.blocks = body.get("text", message.text), body.get("blocks", [])
            message.edits.append(body)
        self.emit("slack.update", message)
        return {"channel": channel, "ts": message.ts, "text": message.text}

    def _channel(self, name: str) -> str:
        """The id of a channel; an id stands for itself."""
        if name in self._channels.values() or name in self.rooms:
            return name
        return self._channels.setdefault(name, f"C{len(self._channels) + 1:08}")


def _authorised(call: Call, expected: str) -> dict[str, Any]:
    """Return the error of a missing or wrong token, empty for none."""
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind != "Bearer" or not token:
        return {"error": "not_authed"}
    return {"error": "invalid_auth"} if expected and token != expected else {}


def _arguments(call: Call) -> dict[str, Any] | None:
    """Return the arguments of a method: JSON, a form, or the query of a GET."""
    if call.method == "GET":
        return dict(parse_qsl(urlsplit(call.path).query))
    if call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(call.body.decode("utf-8", "replace")))
    return _json(call.body)


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def refusal(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the error with which Slack would refuse a message's body, None for none."""
    blocks = body.get("blocks", [])
    if not body.get("text") and not blocks:
        return {"error": "no_text"}
    if len(str(body.get("text", ""))) > TEXT_LIMIT:
        return {"error": "msg_too_long"}
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        return {"error": "invalid_blocks_format"}
    problems = [
        f"[ERROR] {why} [json-pointer:/blocks/{at}]" for at, block in enumerate(blocks) for why in _wrong(block)
    ]
    if len(blocks) > 50:
        problems.append("[ERROR] no more than 50 items allowed [json-pointer:/blocks]")
    if problems:
        return {"error": "invalid_blocks", "response_metadata": {"messages": problems}}
    size = sum(len(text) for block in blocks for text in _texts(block))
    return {"error": "msg_blocks_too_long"} if size > BLOCKS_LIMIT else None


def _wrong(block: Mapping[str, Any]) -> list[str]:
    kind, texts = block.get("type"), _texts(block)
    limit = {"header": 150, "section": 2000 if "fields" in block else 3000, "context": 3000}.get(str(kind))
    if kind == "divider":
        return []
    if kind == "actions":
        return _wrong_buttons(block.get("elements", []))
    if limit is None:
        return [f"unsupported type: {kind}"]
    wrong = [f"must be less than {limit + 1} characters" for text in texts if len(text) > limit]
    wrong += ["must be more than 0 characters" for text in texts if not text]
    if not texts or len(texts) > 10:
        wrong.append("must have 1 to 10 texts")
    if kind == "header" and block.get("text", {}).get("type") != "plain_text":
        wrong.append("must be plain_text")
    return wrong


def _wrong_buttons(buttons: list[Mapping[str, Any]]) -> list[str]:
    """Return what Slack refuses of buttons (https://docs.slack.dev/reference/block-kit/block-elements/button-element)."""
    wrong = [] if 1 <= len(buttons) <= 25 else ["must have 1 to 25 elements"]
    for each in buttons:
        text = each.get("text", {})
        if each.get("type") != "button" or text.get("type") != "plain_text" or not 0 < len(text.get("text", "")) <= 75:
            wrong.append("must be buttons with a plain text of 1 to 75 characters")
        if len(each.get("value", "")) > 2000 or not 0 < len(each.get("action_id", "")) <= 255:
            wrong.append("value or action_id is too long or missing")
        if each.get("style", "primary") not in {"primary", "danger"}:
            wrong.append("style is neither primary nor danger")
    if len({each.get("action_id") for each in buttons}) < len(buttons):
        wrong.append("action_id is not unique")
    return wrong


def _texts(block: Mapping[str, Any]) -> list[str]:
    if block.get("type") == "actions":
        return [str(each["text"]["text"]) for each in block.get("elements", ())]
    held = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
    return [str(each.get("text", "")) for each in held if isinstance(each, Mapping)]
