"""An incoming webhook of Mattermost: what it refuses or would read as markup, and its answers."""

from __future__ import annotations

import json
import re

from responder.model.message import Response

#: Characters of a post (mattermost/server/public/model/post.go, POST_MESSAGE_MAX_RUNES_V2).
POST_LIMIT = 16_383
ACCEPTED = Response(200, b"ok")
DISABLED = Response(
    403,
    b'{"id":"web.incoming_webhook.disabled.app_error","message":"Incoming webhooks have been disabled.",'
    b'"status_code":403}',
)

_MENTION = re.compile(r"@[\w.-]+", re.ASCII)
_SLACK_MARKUP = re.compile(r"<[!@#]?[^<>\n]*\|?[^<>\n]*>")
_LINK = re.compile(r"(?<!\\)\[((?:[^\[\]\\\n]|\\.)*)\]\(([^()\s]*)\)")


def refusal(raw: bytes) -> str:
    """Reason why Mattermost would not post a request as one message, empty if it would."""
    body = json.loads(raw)
    if set(body) != {"text"} or not body["text"].strip():
        return "there is no text"
    return "it becomes several posts" if len(body["text"]) > POST_LIMIT else ""


def outside_code(raw: bytes) -> str:
    """The text of a post without code blocks, in which nothing is markup."""
    return re.sub(r"```.*?```", "", json.loads(raw)["text"], flags=re.DOTALL)


def markup(raw: bytes) -> list[str]:
    """Mentions, and markup that Mattermost translates from Slack's."""
    text = _LINK.sub(r"\1", outside_code(raw))  # addresses are not read as text
    return [*_MENTION.findall(text), *_SLACK_MARKUP.findall(text)]


def urls(raw: bytes) -> list[str]:
    """The addresses of links in a post."""
    return [address for _text, address in _LINK.findall(outside_code(raw))]
