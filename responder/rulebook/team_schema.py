"""Schema of the channels and teams of rule files."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from responder.rulebook.field_types import NameOr, Names, Sources, StrictModel, Text


class ContactShape(StrictModel):
    """Emergency contact."""

    role: Text = Field(description="Role, as in `escalation`.")
    contact: Text = Field(description="Contact details.")
    hours: Text = Field(description="Availability: 24/7, business hours.")


class ChannelShape(StrictModel):
    """Named channel. Further keys depend on the kind."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    kind: Text = Field(description="Kind of channel, which determines the other keys.")


class TeamFromShape(StrictModel):
    """Team from a label or annotation of the alert. Names of teams need no entry."""

    from_: Sources = Field(
        alias="from", description="Label or annotation, or a list: the first that names a team decides."
    )
    map: dict[Text, Text] = Field(default={}, description="Team of each value that is not the name of a team.")
    otherwise: Text | None = Field(
        default=None, description="Team if no value names one. Default: the next source decides."
    )


TeamRef = NameOr[Text, TeamFromShape]


class TeamShape(StrictModel):
    """Team with its channels and contacts."""

    channels: Annotated[Names, Field(min_length=1)] = Field(description="Channels of the team.")
    fallback: Names = Field(
        default=[],
        description="Fallback channels for pages, before those of the settings.",
    )
    contacts: list[ContactShape] = Field(default=[], description="Contacts of the team.")
    escalation: Names = Field(
        default=[], description="Roles of its contacts or of the emergency contacts, in escalation order."
    )
    oncall_group: Text | None = Field(
        default=None,
        description="Slack user group (S0123ABCD) to mention in Slack with a page that another channel rejected.",
    )
    acting_group: Text | None = Field(
        default=None,
        description="Slack user group (S0123ABCD) whose members may press the buttons of its incidents. "
        "Default: everybody.",
    )


def check_single_target(default: Any) -> None:
    """Raise ValueError for a default with both channels and a team."""
    if default.channels and default.team is not None:
        raise ValueError("a default has either channels or team")
