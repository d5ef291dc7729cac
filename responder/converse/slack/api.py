"""The calls of Slack's Web API that answer a person: dialogs, answers to a press, the bot's own workspace."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog

from responder.model.clock import Clock, Deadline
from responder.model.message import Request
from responder.model.secret import Secret
from responder.model.text import sanitize_line
from responder.outgoing import Outgoing, UnreachableError

_log = structlog.get_logger()

#: Time for one call, in seconds: a trigger opens a dialog for three seconds only.
CALL_SECONDS = 1.0
#: The host of response_url (https://docs.slack.dev/interactivity/handling-user-interaction); no other one is called.
ANSWER_HOST = "hooks.slack.com"


class SlackApi:
    """Calls Slack with a bot token. No method raises: a person is waiting, and the log has the reason."""

    def __init__(self, outgoing: Outgoing, clock: Clock, token: Secret, base_url: str) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._token = token
        self._base_url = base_url.rstrip("/")
        self._team = ""

    def open_view(self, trigger: str, view: Mapping[str, Any]) -> str:
        """Open a dialog. Return the reason why it could not be opened, empty for none."""
        answer = self._call("views.open", {"trigger_id": trigger, "view": view})
        return "" if answer.get("ok") is True else sanitize_line(str(answer.get("error", "no answer")), 100)

    def respond(self, url: str, message: Mapping[str, Any]) -> None:
        """Answer the person who pressed, by the ``response_url`` of the press."""
        host = urlsplit(url).hostname or ""
        if host not in {ANSWER_HOST, urlsplit(self._base_url).hostname}:
            _log.warning("slack.answer_refused", host=sanitize_line(host, 100), reason="not an address of Slack")
            return
        self._send(Request(url, json.dumps({"replace_original": False, **message}).encode(), _JSON))

    def workspace(self) -> str:
        """Return the id of the bot's workspace; empty while Slack does not tell. Asked once."""
        if not self._team:
            self._team = str(self._call("auth.test", {}).get("team_id", ""))
        return self._team

    def _call(self, method: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = {**_JSON, "Authorization": f"Bearer {self._token.reveal()}"}
        said = self._send(Request(f"{self._base_url}/{method}", json.dumps(body).encode(), headers))
        try:
            answer = json.loads(said or b"{}")
        except ValueError:
            return {"error": "the answer is no JSON"}
        return answer if isinstance(answer, dict) else {}

    def _send(self, request: Request) -> bytes:
        try:
            return self._outgoing.send(request, Deadline(self._clock.monotonic() + CALL_SECONDS)).body
        except UnreachableError as error:
            _log.warning("slack.call_failed", reason=str(error))
            return b""


_JSON = {"Content-Type": "application/json; charset=utf-8"}
