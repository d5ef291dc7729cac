"""Groups of a live Alertmanager, as the webhook payloads it would send."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from responder.cli.errors import FatalError
from responder.cli.http_get import get_json, without_credentials
from responder.cli.samples import Sample, of_group
from responder.settings import Settings

_ACTIVE = {"active": "true", "silenced": "false", "inhibited": "false"}


def fetch_samples(
    base: str, cluster: str, matchers: tuple[str, ...], settings: Settings, now: datetime
) -> list[Sample]:
    """Return the groups with an active alert that all ``matchers`` match. Raises FatalError if there is none.

    ``GET /api/v2/alerts/groups`` (Alertmanager's openapi.yaml). Alertmanager parses and evaluates the matchers.
    """
    query = urlencode([*_ACTIVE.items(), *(("filter", each) for each in matchers)])
    answer = get_json(f"{base.rstrip('/')}/api/v2/alerts/groups?{query}", settings)
    try:
        found = list(groups(without_credentials(base), cluster, answer, now))
    except (KeyError, TypeError, AttributeError) as error:
        raise FatalError(
            f"{without_credentials(base)}: unexpected response from /api/v2/alerts/groups: {error!r}"
        ) from error
    if not found:
        raise FatalError(f"{without_credentials(base)}: no active alert{' matches --filter' if matchers else ''}")
    return found


def groups(base: str, cluster: str, answer: Any, now: datetime) -> Iterator[Sample]:
    """Yield a sample for each group of the decoded response.

    The API has no group key, so group key and dedup key are those of a root route.
    """
    for group in answer:
        labels, receiver = dict(group["labels"]), str(group["receiver"]["name"])
        if not group["alerts"]:
            continue
        name = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()))
        yield of_group(f"{base} {{{name}}} to {receiver}", group["alerts"], labels, receiver, cluster, now)
