"""Check the words that alerts bring for their severity, in the notifications that are stored."""

from collections import Counter
from typing import Final

from responder.cli.doctor.context import DoctorContext
from responder.model.check import Result, ok, skipped, warn
from responder.model.delivery import Notification
from responder.model.rule import RuleBook
from responder.receive.alertmanager import InvalidPayload, parse

ABOUT: Final = "severities"
#: Notifications that are read, the newest ones: about half a second of work.
READ: Final = 500
#: Words that are listed, the most frequent ones.
SHOWN: Final = 10
_CHANGE = "add it to severity_words in the rule files, or to the map of the rule"


def check(context: DoctorContext) -> tuple[Result, ...]:
    """Report each severity word that the rules do not map, with its rule and severity."""
    from responder.store.database import Database, StoreError
    from responder.store.inbox import history

    if context.book is None:
        return (skipped(ABOUT, "the rules cannot be used", "see rules above"),)
    try:
        opened = Database(context.settings.database_url.reveal())
        try:
            if not opened.exists():  # reading would create an SQLite file
                return (skipped(ABOUT, "no stored notifications"),)
            with opened.read() as connection:
                stored = history.newest(connection, READ)
        finally:
            opened.close()
    except StoreError:
        return (skipped(ABOUT, "no stored notifications can be read", "see database above"),)
    found = unknown_words(stored, context.book)
    return tuple(
        warn(ABOUT, f"{word} is not understood: {severity} by the rule {rule} ({count} alerts)", _CHANGE)
        for (word, rule, severity), count in found.most_common(SHOWN)
    ) or (ok(ABOUT, f"all understood in the last {len(stored)} notifications"),)


def unknown_words(stored: list[Notification], book: RuleBook) -> Counter[tuple[str, str, str]]:
    """Count the alerts with a severity word that their rule does not map, by word, rule and severity."""
    from responder.triage.decide import severity_of, unknown_word
    from responder.triage.rule_index import RuleIndex

    matching, found = RuleIndex(book.rules), Counter[tuple[str, str, str]]()
    for notification in stored:
        try:
            alerts = parse(notification.body).alerts
        except InvalidPayload:
            continue
        for alert in alerts:
            rule = matching.first(matching.labels_of(alert))
            if word := unknown_word(rule, alert):
                found[word, rule.id, severity_of(rule, alert, book)[0].name] += 1
    return found
