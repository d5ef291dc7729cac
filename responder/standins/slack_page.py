"""A page on loopback that shows the messages of Slack's stand-in, with buttons that reach the app as in Slack.

Everything that is shown is foreign text: the template escapes it, and the page may load and run nothing. Posts need a
token that only the page has, and requests the Host of loopback, so that no other site can read or press.
"""

import hmac
import html
import secrets
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, StrictUndefined

from responder.model.text import clean
from responder.notify.render.slack_blocks import MRKDWN
from responder.standins.server import Call, Reply, StandIn
from responder.standins.slack import SlackMessage, SlackStandIn
from responder.standins.slack_payloads import ANN
from responder.standins.slack_socket import ANSWER_SECONDS, Answer

#: Seconds between reloads, and how many messages and answers are shown.
_REFRESH_SECONDS, _MESSAGES, _ANSWERS = 3, 30, 3
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
#: Elements of dialogs: the input of a form for each, and the key of its value in the dialog's state.
_INPUTS = {
    "plain_text_input": ("textarea", "value"),
    "number_input": ("number", "value"),
    "datepicker": ("date", "selected_date"),
    "timepicker": ("time", "selected_time"),
    "static_select": ("select", "selected_option"),
    "radio_buttons": ("select", "selected_option"),
    "checkboxes": ("checkbox", "selected_options"),
}
_MARKS = ("fence", "code", "text", "bold", "italic")
_NO_ANSWER = f"responder did not answer within {ANSWER_SECONDS:g} s, or not with 200: nothing may have happened."


class SlackPage(StandIn):
    """The page over the messages of ``slack``, on a port of its own."""

    def __init__(self, slack: SlackStandIn) -> None:
        super().__init__()
        self._slack = slack
        self._token = secrets.token_hex(16)
        self._template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(
            files("responder.standins").joinpath("slack_page.html").read_text("utf-8")
        )

    def answer(self, call: Call) -> Reply:
        """Return the page, or act and lead back to it."""
        if call.headers.get("host") not in {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}:
            return Reply(403, b"only for this machine\n")
        if call.method == "GET" and call.path == "/":
            return self._page()
        if call.method == "GET" and call.path.startswith("/view/"):
            return self._page(call.path.removeprefix("/view/"))
        if call.method != "POST":
            return Reply(404, b"no such page\n")
        form = parse_qs(call.body.decode("utf-8", "replace"), keep_blank_values=True)
        if not hmac.compare_digest(_first(form, "token").encode(), self._token.encode()):
            return Reply(403, b"this form is not of this page: load it again\n")
        act = {"/page/press": self._press, "/page/submit": self._submit, "/page/command": self._command}.get(call.path)
        return act(form) if act else Reply(404, b"no such page\n")

    def _press(self, form: Mapping[str, list[str]]) -> Reply:
        ts, action = _first(form, "ts"), _first(form, "action")
        with self._slack.lock:
            message = next((each for each in self._slack.messages if each.ts == ts), None)
        button = (
            next((each for each in _buttons(message.blocks) if each.get("action_id") == action), None)
            if message
            else None
        )
        if message is None or button is None:
            self._say("This button is gone: the message has changed.")
            return _to("/")
        before = set(self._slack.people.views)
        self._warn(self._slack.people.press(button, channel=message.channel, ts=ts))
        opened = [each for each in self._slack.people.views if each not in before]
        return _to(f"/view/{opened[-1]}" if opened else "/")

    def _submit(self, form: Mapping[str, list[str]]) -> Reply:
        name = _first(form, "view")
        view = self._slack.people.views.get(name)
        if view is None:
            return _to("/")
        answer = self._slack.people.submit(name, _state(view, form))
        self._warn(answer)
        body = answer.body or {}
        if body.get("response_action") == "errors":
            return self._page(name, [str(each) for each in body.get("errors", {}).values()], form)
        if body.get("response_action") in {"update", "push"}:
            return _to(f"/view/{self._slack.people.show(body['view'])}")
        return _to("/")

    def _command(self, form: Mapping[str, list[str]]) -> Reply:
        answer = self._slack.people.command(_first(form, "text"))
        self._warn(answer)
        if answer.body:
            self._slack.people.answers.append(answer.body)
        return _to("/")

    def _warn(self, answer: Answer) -> None:
        if not answer.ok:
            self._say(_NO_ANSWER)

    def _say(self, text: str) -> None:
        self._slack.people.answers.append({"text": text})

    def _page(
        self, view: str = "", problems: Sequence[str] = (), given: Mapping[str, list[str]] | None = None
    ) -> Reply:
        with self._slack.lock:
            messages = list(self._slack.messages)
        found = self._slack.people.views.get(view)
        parents = [each for each in messages if not each.thread_ts][-_MESSAGES:]
        text = self._template.render(
            title="#incidents in Slack",
            person=ANN["name"],
            token=self._token,
            refresh="" if found else _REFRESH_SECONDS,
            view=_shown_view(view, found, given or {}) if found else None,
            problems=problems,
            answers=[_shown(each) for each in reversed(self._slack.people.answers[-_ANSWERS:])],
            messages=[_shown_message(each, messages) for each in reversed(parents)],
        )
        return Reply(200, text.encode(), _HEADERS)


def _to(path: str) -> Reply:
    return Reply(303, b"", {"Location": path})


def _first(form: Mapping[str, list[str]], name: str) -> str:
    return next(iter(form.get(name, ())), "")


def _buttons(blocks: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        if block.get("type") == "actions":
            yield from (each for each in block.get("elements", ()) if each.get("type") == "button")


def _shown_message(message: SlackMessage, every: Sequence[SlackMessage]) -> dict[str, Any]:
    replies = [each for each in every if each.thread_ts == message.ts]
    return {
        **_shown({"blocks": message.blocks, "text": message.text}),
        "channel": f"{message.channel} · {message.ts}{' · edited' if message.edits else ''}",
        "ts": message.ts,
        "replies": [_shown({"blocks": each.blocks, "text": each.text}) | {"ts": each.ts} for each in replies],
    }


def _shown(message: Mapping[str, Any]) -> dict[str, Any]:
    blocks = message.get("blocks") or [{"type": "section", "text": {"text": message.get("text", "")}}]
    return {"ts": "", "blocks": [_shown_block(each) for each in blocks]}


def _shown_block(block: Mapping[str, Any]) -> dict[str, Any]:
    held = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
    texts = [_parts(each) for each in held if isinstance(each, Mapping) and block.get("type") != "actions"]
    buttons = [
        {"action": each.get("action_id", ""), "text": each["text"]["text"], "style": each.get("style", "")}
        for each in _buttons([block])
    ]
    return {"kind": block.get("type"), "texts": texts, "buttons": buttons}


def _parts(element: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return a text as parts, each with its mark and the address of a link. Escapes of Slack are undone."""
    text = str(element.get("text", ""))
    if element.get("type") == "plain_text":
        return [("", clean(html.unescape(text)), "")]
    found: list[tuple[str, str, str]] = []
    at = 0
    for mark in MRKDWN.finditer(text):
        found += _lines(text[at : mark.start()])
        kind = next(each for each in _MARKS if mark[each] is not None)
        found.append((kind, clean(html.unescape(mark[kind])), html.unescape(mark["href"] or "")))
        at = mark.end()
    return [*found, *_lines(text[at:])]


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(text.split("\n")):
        if number:
            yield "break", "", ""
        if line:
            yield "", clean(html.unescape(line)), ""


def _shown_view(name: str, view: Mapping[str, Any], given: Mapping[str, list[str]]) -> dict[str, Any]:
    blocks = view.get("blocks", ())
    return {
        "id": name,
        "title": view.get("title", {}).get("text", ""),
        "submit": view.get("submit", {}).get("text", "Submit"),
        "texts": [_parts(each["text"]) for each in blocks if each.get("type") == "section" and "text" in each],
        "fields": [_field(each, given) for each in blocks if each.get("type") == "input"],
    }


def _field(block: Mapping[str, Any], given: Mapping[str, list[str]]) -> dict[str, Any]:
    element, name = block["element"], str(block.get("block_id", ""))
    kind, key = _INPUTS.get(element.get("type", ""), ("text", "value"))
    first = element.get("initial_option", {}).get("value") or element.get(f"initial_{key.partition('_')[2] or key}", "")
    return {
        "name": name,
        "kind": kind,
        "label": block.get("label", {}).get("text", ""),
        "hint": block.get("hint", {}).get("text", ""),
        "limit": element.get("max_length", 3000),
        "options": [(each["value"], each["text"]["text"]) for each in element.get("options", ())],
        "value": _first(given, name) or first,
    }


def _state(view: Mapping[str, Any], form: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the state of a dialog as Slack sends it, by block and action id."""
    state = {}
    for block in view.get("blocks", ()):
        if block.get("type") == "input":
            element, name = block["element"], str(block.get("block_id", ""))
            _kind, key = _INPUTS.get(element.get("type", ""), ("text", "value"))
            chosen = [each for each in element.get("options", ()) if each.get("value") in form.get(name, ())]
            value: Any = _first(form, name) or None
            if key == "selected_option":
                value = next(iter(chosen), None)
            elif key == "selected_options":
                value = chosen
            state[name] = {element["action_id"]: {"type": element.get("type"), key: value}}
    return state
