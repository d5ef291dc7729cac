"""The calls of Slack's Web API that answer a person: dialogs, answers to a press, the bot's own workspace."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog

from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.secret import Secret
from responder.model.text import sanitize_line
from responder.outgoing import Outgoing, UnreachableError

_log = structlog.get_logger()

#: Time for one call, in seconds: a trigger opens a dialog for three seconds only.
CALL_SECONDS = 1.0
#: The host of response_url (https://docs.slack.dev/interactivity/handling-user-interaction); no other one is called.
ANSWER_HOST = "hooks.slack.com"
#: The hosts of the connections of Socket Mode.
_SOCKET_HOSTS = ".slack.com"
#: Seconds for which the list of a user group's members is used.
MEMBERS_SECONDS = 300.0
#: Seconds for the address of a connection: no person waits for it.
_ADDRESS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """The address of one connection of Socket Mode, or the ``problem``; ``retry_after`` is Slack's wish in seconds."""

    url: str
    problem: str = ""
    retry_after: float = 0.0


class SlackApi:
    """Calls Slack with a bot token. No method raises: a person is waiting, and the log has the reason."""

    def __init__(self, outgoing: Outgoing, clock: Clock, token: Secret, base_url: str) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._token = token
        self._base_url = base_url.rstrip("/")
        self._team = ""
        self._members: dict[str, tuple[float, frozenset[str]]] = {}

    def open_view(self, trigger: str, view: Mapping[str, Any]) -> str:
        """Open a dialog. Return the reason why it could not be opened, empty for none."""
        answer = self._call("views.open", {"trigger_id": trigger, "view": view})
        return "" if answer.get("ok") is True else sanitize_line(str(answer.get("error", "no answer")), 100)

    def respond(self, url: str, message: Mapping[str, Any]) -> bool:
        """Answer the person who pressed, by the ``response_url`` of the press. Return True if Slack took it."""
        host = urlsplit(url).hostname or ""
        if host not in {ANSWER_HOST, urlsplit(self._base_url).hostname}:
            _log.warning("slack.answer_refused", host=sanitize_line(host, 100), reason="not an address of Slack")
            return False
        answer = self._send(Request(url, json.dumps({"replace_original": False, **message}).encode(), _JSON))
        return answer is not None and answer.status == 200

    def socket_address(self, app_token: Secret) -> SocketAddress:
        """Return an address for one connection of Socket Mode; no other host than Slack's is returned."""
        headers = {**_JSON, "Authorization": f"Bearer {app_token.reveal()}"}
        sent = self._send(Request(f"{self._base_url}/apps.connections.open", b"{}", headers), _ADDRESS_SECONDS)
        if sent is None:
            return SocketAddress("", "Slack does not answer apps.connections.open")
        answer = _decoded(sent)
        if answer.get("ok") is not True:
            given = sent.headers.get("retry-after", "")
            wait = float(given) if given.isdecimal() and len(given) < 6 else 0.0
            said = sanitize_line(str(answer.get("error", f"HTTP {sent.status}")), 100)
            return SocketAddress("", f"apps.connections.open: {said}", wait)
        url = str(answer.get("url", ""))
        if why := self._unlike_slack(url):
            return SocketAddress("", f"apps.connections.open gives an address that {why}")
        return SocketAddress(url)

    def _unlike_slack(self, url: str) -> str:
        """Return the reason why an address is not called, empty for none."""
        own = urlsplit(self._base_url)
        try:
            found = urlsplit(url)
            host, _port = found.hostname or "", found.port
        except ValueError:
            return "is malformed"
        if host == own.hostname:
            wanted = "wss" if own.scheme == "https" else "ws"
            return "" if found.scheme in {"wss", wanted} else f"is not {wanted}://"
        if not host.endswith(_SOCKET_HOSTS):
            return f"is not Slack's: {sanitize_line(host, 100)}"
        return "" if found.scheme == "wss" else "is not wss://"

    def workspace(self) -> str:
        """Return the id of the bot's workspace; empty while Slack does not tell. Asked until it is known.

        Asked twice within the time of one call, since a person waits and one bad response must cost nothing.
        """
        for _ in range(2):
            if not self._team:
                self._team = str(self._call("auth.test", {}, CALL_SECONDS / 2).get("team_id") or "")
        return self._team

    def members(self, group: str) -> frozenset[str] | None:
        """Return the members of a user group; None if Slack has not listed them yet.

        A list is used for MEMBERS_SECONDS, and longer while Slack gives no newer one.
        """
        known, now = self._members.get(group), self._clock.monotonic()
        if known is not None and now - known[0] < MEMBERS_SECONDS:
            return known[1]
        url, body = f"{self._base_url}/usergroups.users.list", urlencode({"usergroup": group}).encode()
        sent = self._send(Request(url, body, {**_FORM, "Authorization": f"Bearer {self._token.reveal()}"}))
        answer = _decoded(sent) if sent is not None else {}
        users = answer.get("users")
        if answer.get("ok") is True and isinstance(users, list):
            self._members[group] = now, frozenset(str(each) for each in users)
            return self._members[group][1]
        if sent is not None:
            said = sanitize_line(str(answer.get("error", f"HTTP {sent.status}")), 100)
            _log.warning("slack.call_failed", reason=f"usergroups.users.list: {said}", group=group)
        return known[1] if known is not None else None

    def _call(self, method: str, body: Mapping[str, Any], seconds: float = CALL_SECONDS) -> Mapping[str, Any]:
        headers = {**_JSON, "Authorization": f"Bearer {self._token.reveal()}"}
        answer = self._send(Request(f"{self._base_url}/{method}", json.dumps(body).encode(), headers), seconds)
        return _decoded(answer) if answer is not None else {}

    def _send(self, request: Request, seconds: float = CALL_SECONDS) -> Response | None:
        try:
            return self._outgoing.send(request, Deadline(self._clock.monotonic() + seconds))
        except UnreachableError as error:
            _log.warning("slack.call_failed", reason=str(error))
            return None


def _decoded(response: Response) -> Mapping[str, Any]:
    try:
        answer = json.loads(response.body or b"{}")
    except ValueError:
        return {"error": f"HTTP {response.status}, the answer is no JSON"}
    return answer if isinstance(answer, dict) else {}


_JSON = {"Content-Type": "application/json; charset=utf-8"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
