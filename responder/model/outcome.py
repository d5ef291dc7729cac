"""Outcome of sending a message: delivered, refused, try later, continue with another request, or not sent."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Delivered:
    """Accepted. ``ref`` is what a later message needs to point at this one (Slack's channel and ts).

    ``moved`` is True if it replaces the references of earlier messages of the incident on this channel.
    """

    ref: dict[str, str] = field(default_factory=dict)
    moved: bool = False


@dataclass(frozen=True, slots=True)
class TryLater:
    """Not accepted now. ``retry_after`` is the server's own wish in seconds, None where it named none.

    ``limited`` says that the server takes no more of anything for now: any other message would meet the same.
    """

    reason: str
    retry_after: float | None = None
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Will never be accepted as it is: the same request again cannot help."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing was sent, so nothing is known of the channel."""

    reason: str


@dataclass(frozen=True, slots=True)
class Continue:
    """Accepted as one of several requests: the next is due ``after`` seconds. ``ref`` is what was learnt.

    A ``ref`` with ``vendor_incident`` and ``vendor_url`` names the incident of the vendor.
    """

    reason: str
    ref: dict[str, str] = field(default_factory=dict)
    after: float = 0.0


Outcome = Continue | Delivered | TryLater | Refused | NotSent
