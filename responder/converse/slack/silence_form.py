"""The dialog for a silence: its matchers, the alerts that they match now, and what a person chose. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from responder.converse.silencing import end_of
from responder.converse.slack import views
from responder.converse.slack.payloads import Button
from responder.model.clock import time_of_day
from responder.model.silence import Matchers, SilenceReach
from responder.model.text import number_of
from responder.notify.render import slack_blocks
from responder.outgoing.alertmanager_api import matcher_text

#: Block and action ids of the inputs, besides the reason (``views.TEXT``).
DURATION, OTHER, CONFIRM = "duration", "other", "confirm"
_MORNING = "morning"
_CHOICES = {"1h": ("1 hour", timedelta(hours=1)), "4h": ("4 hours", timedelta(hours=4))}
#: Characters of the matchers of one group (https://docs.slack.dev/reference/block-kit/blocks/section-block).
_MATCHERS_LIMIT = 2500


class BadChoiceError(ValueError):
    """An input that cannot be used: ``input_id`` is its block."""

    def __init__(self, input_id: str, reason: str) -> None:
        super().__init__(reason)
        self.input_id = input_id


def dialog(
    incident: str, groups: Sequence[Matchers], reach: SilenceReach | str, morning: datetime, now: datetime
) -> Mapping[str, Any]:
    """Return the dialog. ``reach`` is the reason, where Alertmanager did not say how many alerts match."""
    options = [views.option(text, value) for value, text in choices(morning, now).items()]
    chosen = {"type": "static_select", "action_id": DURATION, "options": options, "initial_option": options[0]}
    other = {"type": "plain_text_input", "action_id": OTHER, "max_length": 20}
    blocks = [
        *(slack_blocks.section(slack_blocks.code(matcher_text(each), _MATCHERS_LIMIT)) for each in groups),
        slack_blocks.section(slack_blocks.line_of(matched(reach))),
        views.input_block(DURATION, "Silence for", chosen),
        views.input_block(
            OTHER, "Other duration", other, "Instead of the choice above: 90m, 2h30m, 3d.", optional=True
        ),
        views.text_input("Reason", "It becomes the comment of the silence in Alertmanager.", optional=True),
    ]
    if isinstance(reach, SilenceReach) and reach.others:
        box = views.option(f"Silence {number_of(reach.others, 'alert')} of others, too", str(reach.others))
        boxes = {"type": "checkboxes", "action_id": CONFIRM, "options": [box]}
        blocks.append(views.input_block(CONFIRM, "More than this incident", boxes))
    return views.dialog(Button.SILENCE, incident, "Silence", "Silence", blocks)


def choices(morning: datetime, now: datetime) -> Mapping[str, str]:
    """Return the texts of the durations by their values."""
    until = f"Until the next business morning ({time_of_day(morning, seen_from=now)})"
    return {**{value: text for value, (text, _length) in _CHOICES.items()}, _MORNING: until}


def chosen_end(values: Mapping[str, str], morning: datetime, now: datetime) -> datetime:
    """Return when the silence ends. Raises BadChoiceError."""
    if other := values.get(OTHER, "").strip():
        try:
            return end_of(other, now)
        except ValueError as error:
            raise BadChoiceError(OTHER, str(error)) from None
    choice = values.get(DURATION, "")
    if choice == _MORNING:
        return morning
    if choice not in _CHOICES:
        raise BadChoiceError(DURATION, "choose a duration")
    return now + _CHOICES[choice][1]


def matched(reach: SilenceReach | str) -> str:
    """Return how many alerts the matchers match now, in words."""
    if isinstance(reach, str):
        return (
            f"Alertmanager did not say how many alerts this matches: {reach}. "
            "If it matches alerts that are not of this incident, nothing will be silenced."
        )
    others = f", {reach.others} of them NOT of this incident" if reach.others else ""
    return f"Matches {number_of(reach.total, 'alert')} now{others}."
