"""Open incidents of PagerDuty that responder made and that its database does not hold open. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from responder.converse.pagerduty.api import OpenIncident

#: A dedup key of responder: that of the group, with the number of a further page.
OWN_KEY = re.compile(r"[0-9a-f]{64}(-[0-9]{1,6})?")
#: The client of its events.
CLIENT = "responder"


class Known(StrEnum):
    """State of an incident in the database."""

    OPEN = "open"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Orphan:
    """An open incident of PagerDuty that no event of responder will resolve, and what the database knows of it."""

    incident: OpenIncident
    known: Known


def own_keys(incident: OpenIncident) -> tuple[str, ...]:
    """Return its dedup keys if all of its alerts are responder's; PagerDuty may have grouped others with them."""
    ours = [key for key, client in incident.alerts if client == CLIENT and OWN_KEY.fullmatch(key)]
    return tuple(ours) if len(ours) == len(incident.alerts) else ()


def orphans(incidents: Iterable[OpenIncident], known: Mapping[str, Known]) -> Iterator[Orphan]:
    """Yield incidents none of whose keys is open in the database; ``known`` is the state of each key."""
    for incident in incidents:
        states = {known.get(key, Known.UNKNOWN) for key in own_keys(incident)}
        if states and Known.OPEN not in states:
            yield Orphan(incident, Known.RESOLVED if Known.RESOLVED in states else Known.UNKNOWN)
