"""Channels and contacts that rule files declare, and the teams that they reach."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from responder.model.problem import Position


@dataclass(frozen=True, slots=True)
class SecretName:
    """The name of a secret. Rule files have only the name; the value comes from the environment."""

    name: str

    @property
    def variable(self) -> str:
        """The environment variable that may have the value."""
        return f"RESPONDER_SECRET_{self.name.upper().replace('-', '_')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A row of the emergency contacts, and a step of the escalation: role, contact and hours."""

    role: str
    contact: str
    hours: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedChannel:
    """A channel of a rule file: its name, its kind and the values of the kind's keys."""

    name: str
    kind: str
    values: Mapping[str, str | int | SecretName]
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team: the channels that notify it, those that a page falls back to, and the steps of its escalation.

    ``escalation`` has the role and the contact of each step as one text; empty for the installation's.
    ``acting_group`` is the Slack user group whose members may press buttons, empty for everybody.
    """

    name: str
    channels: tuple[str, ...]
    fallback: tuple[str, ...] = ()
    escalation: tuple[str, ...] = ()
    oncall_group: str = ""
    acting_group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamSource:
    """A place that may name the team of an alert. ``by`` is the place in words.

    ``names`` are labels and annotations, tried in order; ``mapping`` has the values that are not names of teams.
    ``team`` applies without them, and where they name no team; empty for none. ``owner`` takes the owner of the
    alert's service.
    """

    by: str
    team: str = ""
    names: tuple[str, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    owner: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The channels and teams of an incident, with the reason. ``unknown`` is a value that names no team."""

    channels: tuple[str, ...]
    reason: str
    teams: tuple[str, ...] = ()
    unknown: str = ""

    def __str__(self) -> str:
        return f"{', '.join(self.channels)}; {self.why}"

    @property
    def why(self) -> str:
        """The teams, and what decided."""
        teams = f"team {', '.join(self.teams)} " if self.teams else ""
        return f"{teams}by {self.reason}"
