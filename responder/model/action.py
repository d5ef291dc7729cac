"""Actions of people and other systems on an incident."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ActionKind(StrEnum):
    """The action, in the words of the entry points.

    ``unacknowledge`` also stands for an acknowledgement that timed out, ``reassign`` for an escalation. ``postmortem``
    asks for the draft of a post-mortem. ``silence`` and ``unsilence`` create and expire a silence in Alertmanager.
    ``publish`` shows the incident, or a text about it, on its status pages, ``archive`` closes its own channel.
    """

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    SNOOZE = "snooze"
    RESOLVE = "resolve"
    NOTE = "note"
    REASSIGN = "reassign"
    PRIORITY = "priority"
    POSTMORTEM = "postmortem"
    PUBLISH = "publish"
    ARCHIVE = "archive"
    SILENCE = "silence"
    UNSILENCE = "unsilence"


#: Actions that Alertmanager carries out: they wait for it, and no other action waits for them.
SILENCING = frozenset({ActionKind.SILENCE, ActionKind.UNSILENCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action on an incident, as its entry point stored it.

    ``entry`` is the entry point: the name of a channel, or ``cli``, ``api``, ``console``. ``key`` is the entry point's
    own for this action, so that one which arrives twice is stored once. ``actor`` is the person's name as the entry
    point gives it, empty for automation. ``text`` is a note or a reason. ``target`` is the new assignee or priority,
    the status on a status page, or the number of other alerts that the person agreed to silence, too. ``until`` is the
    end of a snooze or silence.
    ``at`` is when the person acted.
    """

    id: int = 0
    incident: str
    kind: ActionKind
    entry: str
    key: str
    actor: str = ""
    text: str = ""
    target: str = ""
    until: datetime | None = None
    at: datetime
