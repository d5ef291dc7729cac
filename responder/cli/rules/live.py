"""The groups of a live Alertmanager, as the webhooks it would send of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from responder.cli.errors import FatalError
from responder.cli.http_get import get_json, plain
from responder.cli.samples import Sample, of_group
from responder.settings import Settings

_ACTIVE = {"active": "true", "silenced": "false", "inhibited": "false"}


def ask(base: str, cluster: str, matchers: tuple[str, ...], settings: Settings, now: datetime) -> list[Sample]:
    """The groups that hold an alert which all ``matchers`` fit and nothing mutes. Raises Fatal where there is none.

    ``GET /api/v2/alerts/groups`` (Alertmanager's openapi.yaml). The matchers are Alertmanager's own, and so is their
    reading.
    """
    query = urlencode([*_ACTIVE.items(), *(("filter", each) for each in matchers)])
    answer = get_json(f"{base.rstrip('/')}/api/v2/alerts/groups?{query}", settings)
    try:
        found = list(groups(plain(base), cluster, answer, now))
    except (KeyError, TypeError, AttributeError) as error:
        raise FatalError(f"{plain(base)}: the answer is not that of /api/v2/alerts/groups: {error!r}") from error
    if not found:
        raise FatalError(
            f"{plain(base)}: no alert fires there that {'fits the matchers' if matchers else 'nothing mutes'}"
        )
    return found


def groups(base: str, cluster: str, answer: Any, now: datetime) -> Iterator[Sample]:
    """A sample for each group of the decoded answer.

    The API does not say the group key: it is that of a root route here, and with it the dedup key.
    """
    for group in answer:
        labels, receiver = dict(group["labels"]), str(group["receiver"]["name"])
        if not group["alerts"]:
            continue
        name = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()))
        yield of_group(f"{base} {{{name}}} to {receiver}", group["alerts"], labels, receiver, cluster, now)
