"""Payloads above the size limit are kept in part."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from responder.receive.alertmanager import InvalidPayload, parse
from responder.receive.oversized import excerpt
from tests.unit.receive.test_alertmanager import a_body, an_alert, to_bytes

LIMIT = 20_000


def an_outage(count: int, **changes: Any) -> dict[str, Any]:
    """A group of so many alerts."""
    names = [f"nöde-{number} {{[" + chr(92) + chr(34) for number in range(count)]
    labels = [{"alertname": "NodeDown", "instance": name} for name in names]
    alerts = [an_alert(labels=each, fingerprint=f"{place:016x}") for place, each in enumerate(labels)]
    return a_body(alerts=alerts) | changes


def in_chunks(body: bytes, size: int) -> Iterator[bytes]:
    """A payload as it arrives."""
    return (body[start : start + size] for start in range(0, len(body), size))


@pytest.mark.parametrize("size", [1, 7, 1000, 10**9])
def test_the_first_alerts_are_kept_and_the_rest_is_counted(size: int) -> None:
    """The largest outage is paged: its group and first alerts are known, wherever the chunks of the body end."""
    body = json.dumps(an_outage(300, truncatedAlerts="5"), ensure_ascii=False, indent=1).encode()
    found = excerpt(in_chunks(body, size), LIMIT)
    group, whole = parse(found.body), parse(body)
    assert len(found.body) <= LIMIT
    assert 20 < found.kept < 300
    assert (found.left_out, group.truncated) == (300 - found.kept, 305 - found.kept)
    assert group.alerts == whole.alerts[: found.kept]
    assert (group.group_key, group.receiver, group.group_labels) == (whole.group_key, "responder", whole.group_labels)


def test_what_fires_is_kept_behind_many_resolved_alerts() -> None:
    """Resolved alerts take half of the room at most."""
    over = [an_alert(status="resolved", endsAt="2026-11-23T10:00:00Z") for _ in range(200)]
    body = an_outage(200)
    body["alerts"] = over + body["alerts"]
    group = parse(excerpt([to_bytes(body)], LIMIT).body)
    assert len(group.firing) > 15
    assert len(group.firing) < len(group.alerts)


def test_a_large_field_that_is_not_needed_takes_no_memory() -> None:
    """Memory stays bounded, whatever field makes the payload large: Grafana's message lists every alert."""
    rest = to_bytes(an_outage(3))[1:]

    def body() -> Iterator[bytes]:
        yield b'{"message": "'
        for _ in range(400):
            yield b'firing \\" ' * 8000
        yield b'", ' + rest

    tracemalloc.start()
    try:
        found = excerpt(body(), LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found.kept, found.left_out) == (3, 0)
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"x" * 100,
        b'{"alerts": [1, 2',
        b'{"alerts": [1,]}',
        b'{"alerts": [1] "a": 2}',
        b'{"alerts": []} x',
        b"{1: 2}",
        b'{"message": "x',
        b'{"version": ' + b"[" * 100_000,
        to_bytes(a_body(commonAnnotations={"a": "x" * LIMIT})),
    ],
)
def test_what_is_no_payload_is_refused(body: bytes) -> None:
    """Nothing is invented for a payload that cannot be read to its end."""
    with pytest.raises(InvalidPayload):
        excerpt(in_chunks(body, 3), LIMIT)
