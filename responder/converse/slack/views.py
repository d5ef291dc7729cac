"""Dialogs and short answers for Slack, as its Block Kit. Pure.

https://docs.slack.dev/surfaces/modals: title 24 characters, private_metadata 3,000, at most 100 blocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from responder.converse.slack.payloads import Button
from responder.model.clock import short_duration
from responder.model.incident import Incident
from responder.model.report import OPEN_STATUSES, PublicText
from responder.model.text import number_of
from responder.notify.render import slack_blocks

#: Action ids of the inputs of a dialog.
TEXT, STATUS = "text", "status"
#: Characters of a text that a person writes (https://docs.slack.dev/reference/block-kit/block-elements).
INPUT_LIMIT = 2000
#: Incidents that ``/responder`` lists.
MOST_LISTED = 20


def note_dialog(incident: str) -> Mapping[str, Any]:
    """Return the dialog for a note."""
    asked = text_input("Note", "What was found or done. Every notified channel shows it.", optional=False)
    return dialog(Button.NOTE, incident, "Add a note", "Add", [asked])


def publish_dialog(incident: str, proposed: PublicText, pages: Sequence[str], *, updates: bool) -> Mapping[str, Any]:
    """Return the dialog for a publication, with the status and text that it proposes; an update's text begins empty."""
    where = f"{'Updates' if updates else 'Opens'} the incident on {', '.join(pages)}. Customers can read it."
    named = f"Title: {proposed.title}. Components: {', '.join(proposed.components) or 'none'}."
    options = [option(each.value, each.value) for each in OPEN_STATUSES]
    first = option(proposed.status.value, proposed.status.value)
    chosen = {"type": "static_select", "action_id": STATUS, "options": options, "initial_option": first}
    asked = text_input("Text", "Everything that customers read beside the title.", optional=False)
    if not updates and proposed.text:
        asked["element"]["initial_value"] = proposed.text[:INPUT_LIMIT]
    blocks = [_said(where), _said(named), input_block(STATUS, "Status", chosen), asked]
    return dialog(Button.PUBLISH, incident, "Status page", "Publish", blocks)


def resolve_dialog(incident: str, firing: int) -> Mapping[str, Any]:
    """Return the dialog for a resolve. It says how many alerts still fire."""
    warning = f"{number_of(firing, 'alert')} still firing: the next notification of them reopens the incident."
    asked = text_input("Resolution", "What fixed it. It becomes the resolution of the incident.", optional=True)
    return dialog(Button.RESOLVE, incident, "Resolve", "Resolve", [*([_said(warning)] if firing else []), asked])


def option(text: str, value: str) -> dict[str, Any]:
    """Return an option of a list or of checkboxes."""
    return {"text": {"type": "plain_text", "text": text[:75]}, "value": value}


def answer(text: str) -> Mapping[str, Any]:
    """Return an answer that only the person who acted sees."""
    return {"response_type": "ephemeral", "text": slack_blocks.line_of(text, slack_blocks.TEXT_LIMIT)}


def problem(input_id: str, text: str) -> Mapping[str, Any]:
    """Return the answer to a dialog that shows what is wrong with an input."""
    return {"response_action": "errors", "errors": {input_id: text[:150]}}


def listed(open_incidents: Sequence[Incident], now: datetime) -> Mapping[str, Any]:
    """Return the answer to ``/responder``: open incidents by severity, the oldest first."""
    if not open_incidents:
        return answer("No open incidents.")
    shown = [
        f"`{each.id}` {slack_blocks.line_of(each.title, 150)} · open for "
        f"{short_duration((now - each.opened_at).total_seconds())}"
        for each in sorted(open_incidents, key=lambda each: (each.severity, each.opened_at))[:MOST_LISTED]
    ]
    left = len(open_incidents) - len(shown)
    more = [f"… and {left} more"] if left else []
    text = slack_blocks.lines([*shown, *more])
    count = number_of(len(open_incidents), "open incident")
    return {"response_type": "ephemeral", "text": count, "blocks": [slack_blocks.section(text)]}


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident as ``/responder INC-...`` shows it: its state and its timeline, newest first, one line each."""

    title: str
    lines: tuple[str, ...]


def shown(found: Shown) -> Mapping[str, Any]:
    """Return the answer to ``/responder INC-...``."""
    rows = [slack_blocks.line_of(row, 300) for row in found.lines]
    blocks = [slack_blocks.header(found.title), slack_blocks.section(slack_blocks.lines(rows) or "-")]
    return {"response_type": "ephemeral", "text": slack_blocks.line_of(found.title, 300), "blocks": blocks}


def dialog(
    button: Button, incident: str, title: str, submit: str, blocks: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a dialog that names its incident."""
    return {
        "type": "modal",
        "callback_id": button.value,
        "private_metadata": incident,
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": submit},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [_said(f"Incident {incident}"), *blocks],
    }


def _said(text: str) -> dict[str, Any]:
    return slack_blocks.section(slack_blocks.line_of(text))


def text_input(label: str, hint: str, *, optional: bool) -> dict[str, Any]:
    """Return the input for a text of several lines."""
    element = {"type": "plain_text_input", "action_id": TEXT, "multiline": True, "max_length": INPUT_LIMIT}
    return input_block(TEXT, label, element, hint, optional=optional)


def input_block(
    name: str, label: str, element: Mapping[str, Any], hint: str = "", *, optional: bool = False
) -> dict[str, Any]:
    """Return an input of a dialog with its label and hint."""
    return {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": {"type": "plain_text", "text": label},
        **({"hint": {"type": "plain_text", "text": hint}} if hint else {}),
        "element": element,
    }
