"""Filters and places of lists as they stand in the address. A value that cannot be used is named, never ignored."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from flask import abort

from responder.model.text import one_line, seconds_of
from responder.store.incidents.records import Cursor, Filter

#: Rows of a page of the API, unless ``limit`` says otherwise, and at most.
USUAL_ROWS, MOST_ROWS = 50, 500
#: Characters of a filter.
_TEXT_LIMIT = 200
_IS_OPEN = {"": None, "open": True, "resolved": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Filters of a list of incidents. ``state`` is open, resolved or empty."""

    state: str = ""
    severity: str = ""
    service: str = ""
    team: str = ""
    rule: str = ""
    since: str = ""
    text: str = ""


FILTERS = tuple(each.name for each in fields(Query))


def incident_filter(given: Mapping[str, str], now: datetime, *others: str) -> tuple[Query, Filter, list[str]]:
    """Return the filters of an address, and a sentence for each that is left out since it cannot be used.

    ``others`` are parameters of the list that are no filters.
    """
    query = Query(**{name: one_line(given.get(name, ""))[:_TEXT_LIMIT] for name in FILTERS})
    since, problems = None, unknown(given, (*FILTERS, *others))
    if problem := choice(query.state, "state", _IS_OPEN):
        query = replace(query, state="")
        problems.append(problem)
    try:
        since = now - timedelta(seconds=seconds_of(query.since)) if query.since else None
    except ValueError as error:
        query = replace(query, since="")
        problems.append(f"since: {error}")
    found = Filter(
        is_open=_IS_OPEN[query.state],
        severity=query.severity,
        service=query.service,
        team=query.team,
        rule=query.rule,
        text=query.text,
        since=since,
    )
    return query, found, problems


def unknown(given: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return a sentence for each parameter of an address that means nothing there."""
    return [f"{one_line(each)[:40]}: no such filter; use {', '.join(known)}" for each in given if each not in known]


def choice(value: str, name: str, known: Iterable[str]) -> str:
    """Return why a value is none of ``known``; an empty text if it is."""
    return "" if value in known else f"{name}: {', '.join(filter(None, known))}, not {value[:40]!r}"


def place(given: Mapping[str, str]) -> Cursor | None:
    """Return the place in a list of incidents that ``after`` names; the request ends with 400 for another text."""
    text = given.get("after", "")
    if not text:
        return None
    seconds, _, incident = text.partition("_")
    try:
        found = Cursor(float(seconds), one_line(incident)[:_TEXT_LIMIT])
    except ValueError:
        found = Cursor(math.nan, "")
    if not found.id or not math.isfinite(found.opened_at):
        abort(400, "after: no place in the list; leave it out to begin with the newest")
    return found


def place_text(cursor: Cursor | None) -> str:
    """Return a place in a list for an address; empty at the end."""
    return f"{cursor.opened_at!r}_{cursor.id}" if cursor else ""


def number(given: Mapping[str, str], name: str) -> int | None:
    """Return a number of the address, None without one; the request ends with 400 for another text."""
    text = given.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 18):
        abort(400, f"{name}: a whole number, not {one_line(text)[:40]!r}")
    return int(text) if text else None


def limit(given: Mapping[str, str]) -> int:
    """Return the rows of a page of the API; the request ends with 400 for what is no number."""
    return min(max(number(given, "limit") or USUAL_ROWS, 1), MOST_ROWS)
