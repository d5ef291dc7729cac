"""The channels and teams that a rule file may declare."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from responder.rulebook.field_types import TEXT_OR_LIST, Names, StrictModel, Text, listed, which


class ContactShape(StrictModel):
    """One row of the emergency contacts."""

    role: Text = Field(description="The role, as the escalation names it.")
    contact: Text = Field(description="How to reach it.")
    hours: Text = Field(description="When: 24/7, business hours.")


class ChannelShape(StrictModel):
    """A channel of its own. The other keys depend on the kind."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    kind: Text = Field(description="The kind of channel, which decides what other keys there are.")


class TeamFromShape(StrictModel):
    """A team read from a label or an annotation of the alert. A value that is the name of a team needs no entry."""

    from_: Annotated[
        list[Text], BeforeValidator(listed), Field(min_length=1, max_length=8), WithJsonSchema(TEXT_OR_LIST)
    ] = Field(alias="from", description="The label or annotation, or a list: the first that names a team decides.")
    map: dict[Text, Text] = Field(default={}, description="Value and its team, where the value is not a team's name.")
    otherwise: Text | None = Field(
        default=None, description="The team if no value names one; without it the next source in the order decides."
    )


TeamRef = Annotated[Annotated[Text, Tag("<name>")] | Annotated[TeamFromShape, Tag("<map>")], Discriminator(which)]


class TeamShape(StrictModel):
    """A team, and how to reach it."""

    channels: Annotated[Names, Field(min_length=1)] = Field(description="Channels that notify it.")
    fallback: Names = Field(
        default=[],
        description="Channels for a page that its channels do not accept, before those of the settings.",
    )
    contacts: list[ContactShape] = Field(default=[], description="Contacts of the team.")
    escalation: Names = Field(
        default=[], description="Roles of its contacts, or of the emergency contacts, in the order they are called."
    )
    oncall_group: Text | None = Field(
        default=None,
        description="Slack user group (S0123ABCD) that its Slack channels mention with a page that was not accepted.",
    )


def either(default: Any) -> None:
    """Refuse a default that has both channels and a team."""
    if default.channels and default.team is not None:
        raise ValueError("a default has either channels or team")
