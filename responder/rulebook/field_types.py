"""Field types of rule files: durations, URLs, names."""

import re
from datetime import date, time
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue

from responder.model.text import seconds_of

_SPAN = re.compile(r"([01]\d:[0-5]\d|2[0-3]:[0-5]\d)-([01]\d:[0-5]\d|2[0-3]:[0-5]\d|24:00)", re.ASCII)
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DNS_LABEL: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


def seconds(value: object) -> float:
    """Parse ``8s``, ``30m``, ``1h30m`` or ``1d`` to seconds. Raises ValueError with the expected format."""
    total = seconds_of(value if isinstance(value, str) else "")
    if total > 366 * 86400:
        raise ValueError("a duration may be at most a year")
    return total


def _web_address(value: str) -> str:
    """Validate an absolute http(s) URL without credentials. Raises ValueError with the expected format."""
    if not value.isascii() or any(sign <= " " for sign in value):
        raise ValueError("a URL may have only ASCII characters and no spaces")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a URL must start with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise ValueError("a URL must not contain a user name or password")
    if parts.port == 0:
        raise ValueError("a port must be between 1 and 65535")
    return value


def _health_address(value: str) -> str:
    if (parts := urlsplit(value)).query or parts.fragment:
        raise ValueError("a health URL must not have a query or fragment")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of printable text")
    return value


def zone(name: str) -> ZoneInfo | None:
    """Return the time zone of an IANA name; None if the name is unknown."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # not found, a folder of zones, not a path
        return None


def span(value: str) -> tuple[time, time]:
    """Parse ``09:00-17:00``; 24:00 is 00:00 of the next day. Raises ValueError with the expected format."""
    found = _SPAN.fullmatch(value)
    if not found or found[1] == found[2]:
        raise ValueError("hours have the form 09:00-17:00, 22:00-06:00 or 00:00-24:00")
    return time.fromisoformat(found[1]), time.fromisoformat("00:00" if found[2] == "24:00" else found[2])


def day(value: object) -> date:
    """Parse ``2026-12-25``. Raises ValueError with the expected format."""
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError("a day has the form 2026-12-25") from error


def _as_span(value: str) -> str:
    span(value)
    return value


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": "^([0-9]+[wdhms])+$", "examples": ["8s"]}),
]
Address = Annotated[str, AfterValidator(_web_address)]
HealthAddress = Annotated[str, AfterValidator(_web_address), AfterValidator(_health_address)]
DnsLabel = Annotated[str, StringConstraints(pattern=_DNS_LABEL)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_one_line)]
MaybeText = Annotated[str, StringConstraints(max_length=500), AfterValidator(_one_line)]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)]
SeverityName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,15}$")]
ClusterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Names = Annotated[list[Text], Field(max_length=64)]
Labels = Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=200)]], Field(max_length=16)]
Hours = Annotated[str, AfterValidator(_as_span)]
Days = Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(max_length=7)]
Day = Annotated[date, BeforeValidator(day), WithJsonSchema({"type": "string", "format": "date"})]

TEXT_OR_LIST: Final[JsonSchemaValue] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}

Each = TypeVar("Each")
Shape = TypeVar("Shape")


class StrictModel(BaseModel):
    """Model without type coercion; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def listed(value: Any) -> Any:
    """Return a single string as a list."""
    return [value] if isinstance(value, str) else value


def _union_tag(value: Any) -> str:
    return "<name>" if isinstance(value, str) else "<map>"


#: A string, or a list of them.
OneOrMore = Annotated[list[Each], BeforeValidator(listed), WithJsonSchema(TEXT_OR_LIST)]
#: Labels or annotations of the alert from which a value is read: one, or a list in which the first that has one counts.
Sources = Annotated[
    list[Text], BeforeValidator(listed), Field(min_length=1, max_length=8), WithJsonSchema(TEXT_OR_LIST)
]
#: A name, or a mapping that says where the name is read.
NameOr = Annotated[Annotated[Each, Tag("<name>")] | Annotated[Shape, Tag("<map>")], Discriminator(_union_tag)]
