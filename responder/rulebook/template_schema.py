"""Schema of the communication templates in rule files."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from responder.model.rule import TEMPLATE_SLOT, TEMPLATE_TIMES, TEMPLATE_WORDS
from responder.model.text import seconds_of
from responder.rulebook.field_types import SeverityName, StrictModel, Text

TemplateKind = Annotated[str, StringConstraints(pattern="^(public-)?(start|update|resolution)$")]


def _known_slots(text: str) -> str:
    for slot in TEMPLATE_SLOT.finditer(text):
        name, later = slot[1], slot[2]
        if name not in TEMPLATE_TIMES and (later is not None or name not in TEMPLATE_WORDS):
            raise ValueError(f"${{{name}}} is none of {', '.join(sorted(TEMPLATE_WORDS | TEMPLATE_TIMES))}")
        if later is not None:
            seconds_of(later)
    return text


FieldText = Annotated[Text, AfterValidator(_known_slots)]


class TemplateShape(StrictModel):
    """Communication template: its heading and fields. A field whose placeholder is empty is left out."""

    title: Text = Field(description="Heading, before the title of the message.")
    fields: dict[Text, FieldText | dict[SeverityName, FieldText]] = Field(
        default={},
        description="Names and texts, in order; a text for each severity, or for all. Placeholders: ${status}, "
        "${duration}, ${lead}, ${ended+48h} and others.",
    )
