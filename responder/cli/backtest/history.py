"""History from the database, files or a Prometheus, read as it is replayed, never as a whole."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

from responder.cli.backtest.recorder import NoEventError, read_line
from responder.cli.backtest.series import QUERY, Grouping, NoMatrixError
from responder.cli.errors import FatalError
from responder.cli.http_get import get_json, without_credentials
from responder.cli.samples import Sample, samples
from responder.model.delivery import Notification
from responder.receive.alertmanager import InvalidPayload, parse
from responder.settings import Settings
from responder.store.database import Database
from responder.store.inbox import history

#: Notifications per read transaction; few, since each may be megabytes.
PAGE = 50
CHUNK = timedelta(days=1)
#: Maximum steps per query: Prometheus rejects more than 11,000.
POINTS = 10_000


@dataclass(frozen=True, slots=True)
class RecordedNotification:
    """Past notification and its source; ``notification`` is None if it could not be read, ``problem`` says why."""

    source: str
    notification: Notification | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class EventHistory:
    """History with its source (``name``) and, if known, its number of notifications (``total``)."""

    name: str
    total: int | None
    events: Iterator[RecordedNotification]


def of_store(database: Database, since: datetime | None) -> EventHistory:
    """Return all notifications in the database, in order of arrival."""
    with database.read() as connection:
        total = history.count(connection, since)
    return EventHistory("the database", total, _of_store(database, since))


def _of_store(database: Database, since: datetime | None) -> Iterator[RecordedNotification]:
    after = 0
    while True:
        with database.read() as connection:
            page = history.page(connection, since, after, PAGE)
        yield from (RecordedNotification(f"notification {each.id}", each) for each in page)
        if len(page) < PAGE:
            return
        after = page[-1].id


def of_files(
    names: Sequence[str], stdin: BinaryIO, now: datetime, since: datetime | None, receivers: tuple[str, ...]
) -> EventHistory:
    """Return webhook payloads of ``*.json``, and lines of payloads or of Alertmanager's event recorder of ``*.jsonl``.

    Payloads without a timestamp keep the order of the names; the others are sorted by time.
    """
    numbers = count(1)
    streams = []
    for name in names:
        lines = [name] if name == "-" or _has_lines(Path(name)) else []
        if Path(name).is_dir():
            lines = [str(path) for path in sorted(Path(name).iterdir()) if _has_lines(path)]
        streams += [_of_lines(each, stdin, receivers) for each in lines]
        if lines != [name] and (not lines or any(Path(name).glob("*.json"))):
            streams.append(_of_payloads(samples([name], stdin, now)))
    merged = heapq.merge(*streams, key=lambda event: event.notification.received_at if event.notification else _EPOCH)
    events = (replace(each, notification=_numbered(each.notification, next(numbers))) for each in merged)
    kept = (each for each in events if not since or not each.notification or each.notification.received_at >= since)
    return EventHistory(", ".join(names), None, kept)


_EPOCH = datetime.fromtimestamp(0, UTC)


def _numbered(notification: Notification | None, number: int) -> Notification | None:
    return replace(notification, id=number) if notification else None


def _has_lines(path: Path) -> bool:
    return ".jsonl" in path.name


def _of_payloads(found: Iterable[Sample]) -> Iterator[RecordedNotification]:
    for sample in found:
        yield _recorded(sample.source, sample.body, None, sample.problem)


def _of_lines(name: str, stdin: BinaryIO, receivers: tuple[str, ...]) -> Iterator[RecordedNotification]:
    try:
        with stdin if name == "-" else Path(name).open("rb") as lines:
            for number, line in enumerate(lines, 1):
                source = f"{name}:{number}"
                try:
                    found = read_line(line, receivers) if line.strip() else None
                except NoEventError as error:
                    yield RecordedNotification(source, None, str(error))
                    continue
                if found:
                    yield _recorded(source, *found)
    except OSError as error:
        yield RecordedNotification(name, None, f"cannot be read: {error.strerror}")


def _recorded(source: str, body: bytes, at: datetime | None, problem: str = "") -> RecordedNotification:
    """Build the notification. A payload without a timestamp gets the time of its latest alert change."""
    if problem:
        return RecordedNotification(source, None, problem)
    try:
        at = at or max((each.ends_at or each.starts_at for each in parse(body).alerts), default=_EPOCH)
    except InvalidPayload as error:
        return RecordedNotification(source, None, str(error))
    return RecordedNotification(source, Notification(id=0, received_at=at.astimezone(UTC), body=body))


def of_prometheus(
    url: str, settings: Settings, begin: datetime, end: datetime, step: float, group_by: Sequence[str]
) -> EventHistory:
    """Return the alert history of a Prometheus, queried a day at a time."""
    base = url.rstrip("/")
    return EventHistory(
        f"ALERTS of {without_credentials(base)}",
        None,
        _of_prometheus(base, settings, begin, end, step, Grouping(group_by)),
    )


def _of_prometheus(
    base: str, settings: Settings, begin: datetime, end: datetime, step: float, grouping: Grouping
) -> Iterator[RecordedNotification]:
    numbers = count(1)
    at_once = max(1, min(POINTS, int(CHUNK.total_seconds() / step)))
    steps = int((end - begin).total_seconds() / step) + 1
    for first in range(0, steps, at_once):
        times = [begin.timestamp() + number * step for number in range(first, min(first + at_once, steps))]
        asked = {"query": QUERY, "start": f"{times[0]:.3f}", "end": f"{times[-1]:.3f}", "step": f"{step:g}"}
        answer = get_json(f"{base}/api/v1/query_range?{urlencode(asked)}", settings)
        try:
            for at, body in grouping.notifications(answer, times):
                when = datetime.fromtimestamp(at, UTC)
                notification = Notification(id=next(numbers), received_at=when, body=body)
                yield RecordedNotification(f"{when:%Y-%m-%d %H:%M:%S UTC}", notification)
        except NoMatrixError as error:
            raise FatalError(f"{without_credentials(base)}: {error}") from error
