"""Checks of the notifications that are stored: words for severities, and links to graphs."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from typing import Final

from responder import bootstrap
from responder.cli.doctor.context import DoctorContext
from responder.model.alert import AlertGroup
from responder.model.check import Result, ok, skipped, warn
from responder.model.delivery import Notification
from responder.model.rule import RuleBook
from responder.model.text import number_of
from responder.receive.alertmanager import InvalidPayload, parse
from responder.store.database import Database, StoreError
from responder.store.inbox import history
from responder.triage.decide import severity_of, unknown_word
from responder.triage.rule_index import RuleIndex

SEVERITIES: Final = "severities"
GRAPHS: Final = "graphs"
#: Notifications that are read, the newest ones: about half a second of work.
READ: Final = 500
#: Words and reasons that are listed, the most frequent ones.
SHOWN: Final = 10
_CHANGE = "add it to severity_words in the rule files, or to the map of the rule"
_GRAPH = (
    "the graph is the alert's generatorURL: set --web.external-url of Prometheus, or RESPONDER_PROMETHEUS_PUBLIC_URL"
)


def severities(context: DoctorContext) -> tuple[Result, ...]:
    """Report each severity word that the rules do not map, with its rule and severity."""
    stored = _stored(context, SEVERITIES)
    if isinstance(stored, Result):
        return (stored,)
    assert context.book is not None
    found = unknown_words(stored, context.book)
    return tuple(
        warn(SEVERITIES, f"{word} is not understood: {severity} by the rule {rule} ({count} alerts)", _CHANGE)
        for (word, rule, severity), count in found.most_common(SHOWN)
    ) or (ok(SEVERITIES, f"all understood in the last {number_of(len(stored), 'notification')}"),)


def graphs(context: DoctorContext) -> tuple[Result, ...]:
    """Report why pages of stored notifications have no link to a graph."""
    stored = _stored(context, GRAPHS)
    if isinstance(stored, Result):
        return (stored,)
    assert context.book is not None
    links = bootstrap.context(context.settings, context.book, {}).links
    reasons = Counter(reason for group in _groups(stored) if (reason := links.missing_graph(group)))
    read = f"the last {number_of(len(stored), 'notification')}"
    return tuple(
        warn(GRAPHS, f"{count} of {read} without a link to a graph: {reason}", _GRAPH)
        for reason, count in reasons.most_common(SHOWN)
    ) or (ok(GRAPHS, f"linked for {read}"),)


def _stored(context: DoctorContext, about: str) -> list[Notification] | Result:
    """Return the newest notifications, or why there are none."""
    if context.book is None:
        return skipped(about, "the rules cannot be used", "see rules above")
    try:
        with closing(Database(context.settings.database_url.reveal())) as opened:
            if not opened.exists():  # reading would create an SQLite file
                return skipped(about, "no stored notifications")
            with opened.read() as connection:
                return history.newest(connection, READ)
    except StoreError:
        return skipped(about, "no stored notifications can be read", "see database above")


def _groups(stored: Iterable[Notification]) -> Iterator[AlertGroup]:
    for notification in stored:
        with suppress(InvalidPayload):
            yield parse(notification.body)


def unknown_words(stored: list[Notification], book: RuleBook) -> Counter[tuple[str, str, str]]:
    """Count the alerts with a severity word that their rule does not map, by word, rule and severity."""
    matching, found = RuleIndex(book.rules), Counter[tuple[str, str, str]]()
    for group in _groups(stored):
        for alert in group.alerts:
            rule = matching.first(matching.labels_of(alert))
            if word := unknown_word(rule, alert):
                found[word, rule.id, severity_of(rule, alert, book)[0].name] += 1
    return found
