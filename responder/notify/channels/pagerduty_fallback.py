"""PagerDuty's second key: pages that the first key does not take.

It is another integration key, or the same key in another region.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from responder.model.check import Result, skipped
from responder.model.secret import Secret
from responder.model.setting import Setting
from responder.notify.channels.pagerduty import PagerDuty, rate_limit_from
from responder.notify.contract import Use


@dataclass(frozen=True, slots=True)
class PagerDutyFallback(PagerDuty):
    """A second key or region of PagerDuty, for pages that the first does not take."""

    name: str = field(default="pagerduty_fallback", kw_only=True)
    title: ClassVar[str] = "PagerDuty's second key"
    fallback_order: ClassVar[int] = 20
    use: ClassVar[Use] = Use.FALLBACK
    destination: ClassVar[str] = ""
    file_settings: ClassVar[tuple[Setting, ...]] = ()
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="pagerduty_fallback_routing_key",
            kind=Secret,
            default=Secret(""),
            doc="second integration key, used while the first does not accept pages",
            calls_oncall=True,
        ),
        Setting(
            name="pagerduty_fallback_url",
            kind=str,
            default="",
            doc="base of /v2/enqueue for the second key, another region for example",
        ),
    )

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the second key, or of the first key in another region."""
        first, second = given["pagerduty_routing_key"], given["pagerduty_fallback_routing_key"]
        url = given["pagerduty_fallback_url"]
        if not (second.reveal() or url):
            return None
        key = second if second.reveal() else first
        return cls(key, url or given["pagerduty_url"], given["public_url"], rate_limit_from(given))

    @classmethod
    def problems(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what keeps the fallback from being one."""
        first, second = given["pagerduty_routing_key"].reveal(), given["pagerduty_fallback_routing_key"].reveal()
        url = given["pagerduty_fallback_url"]
        if (second or url) and not first:
            yield "RESPONDER_PAGERDUTY_ROUTING_KEY is not set: a fallback needs a first key"
        if second == first and first and url in {"", given["pagerduty_url"]}:
            yield (
                "RESPONDER_PAGERDUTY_FALLBACK_ROUTING_KEY is the first key: write another key, or another region's URL"
            )

    @classmethod
    def unconfigured(cls, name: str) -> Result:
        """Return that there is no fallback at PagerDuty."""
        return skipped(name, "PagerDuty has no second key or region")
