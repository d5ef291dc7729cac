"""The rules of a Teams Workflows webhook, as far as they are documented: what it refuses, and its answers."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from responder.model.message import Response

#: Bytes of a message in UTF-16 (limits and specifications of Microsoft Teams).
SIZE_LIMIT = 28 * 1024
#: Actions that Teams shows of a card.
MOST_ACTIONS = 6
#: The newest version of the schema that Teams renders.
VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")
#: Properties of a text run (https://adaptivecards.io/explorer/TextRun.html). Its text has no Markdown.
TEXT_RUN = {"type", "text", "color", "fontType", "isSubtle", "italic", "size", "weight", "strikethrough", "underline"}
COLOURS = {"Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"}

ACCEPTED = Response(202, b"")
DISABLED = Response(
    400, b'{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"The workflow trigger is not enabled."}}'
)


def refusal(raw: bytes) -> str:
    """Reason why Teams would not show a request, empty if it shows the card."""
    if len(raw.decode("utf-8").encode("utf-16-le")) > SIZE_LIMIT:
        return "the message is too large"
    body = json.loads(raw)
    if body.get("type") != "message" or len(body.get("attachments", [])) != 1:
        return "it is not a message with one attachment"
    [attachment] = body["attachments"]
    card = attachment.get("content", {})
    if attachment.get("contentType") != "application/vnd.microsoft.card.adaptive" or card.get("type") != "AdaptiveCard":
        return "the attachment is not an Adaptive Card"
    if card.get("version") not in VERSIONS or not card.get("body"):
        return "the card has no version that Teams knows, or no body"
    wrong = [why for each in card["body"] if (why := _wrong_element(each))]
    wrong += [why for each in card.get("actions", []) if (why := _wrong_action(each))]
    if len(card.get("actions", [])) > MOST_ACTIONS:
        wrong.append("the card has too many actions")
    return "; ".join(wrong)


def runs(raw: bytes) -> list[str]:
    """The texts of a card."""
    [attachment] = json.loads(raw)["attachments"]
    return [run["text"] for each in attachment["content"]["body"] for run in each["inlines"]]


def urls(raw: bytes) -> list[str]:
    """The addresses of a card's actions."""
    [attachment] = json.loads(raw)["attachments"]
    return [each["url"] for each in attachment["content"].get("actions", [])]


def _wrong_element(element: dict[str, Any]) -> str:
    if element.get("type") != "RichTextBlock" or set(element) != {"type", "inlines"} or not element["inlines"]:
        return "an element is not a rich text block"
    for run in element["inlines"]:
        if run.get("type") != "TextRun" or set(run) - TEXT_RUN or not isinstance(run.get("text"), str):
            return "an inline is not a text run"
        if run.get("color", "Default") not in COLOURS:
            return f"{run['color']} is not a colour"
    return ""


def _wrong_action(action: dict[str, Any]) -> str:
    if set(action) != {"type", "title", "url"} or action["type"] != "Action.OpenUrl" or not action["title"]:
        return "an action does not open an address"
    return "" if urlsplit(action["url"]).scheme in {"http", "https"} else "an address is not of the web"
