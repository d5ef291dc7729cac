"""The comparison is written from its data, of which each fact has a source and a day; UPDATE_DOCS=1 writes it anew."""

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[2] / "docs"
FIRST = "<!-- written by tests/unit/test_comparison.py from comparison.yaml -->\n"
LAST = "<!-- end -->\n"
#: Keys of a product's facts, with the question that each answers.
QUESTIONS = {
    "is": "what it is",
    "runs": "how it is run",
    "state": "state of the project",
    "diagnosis": "what it finds out about an alert",
    "acts": "changes systems",
    "oncall": "schedules and escalation",
}

#: Columns of the table of all products, with the answer for responder, and the facts that they are taken from.
SHORT = {
    "run as": "self-hosted",
    "finds out about an alert by": "probes and rules",
    "changes systems": "no",
    "schedules and escalation": "no",
}
KEYS = ("runs", "diagnosis", "acts", "oncall")


def _products() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.load((DOCS / "comparison.yaml").read_text(), yaml.CSafeLoader)["products"]
    return found


def _lines() -> Iterator[str]:
    yield from ("| | " + " | ".join(SHORT) + " |", "|---" * (len(SHORT) + 1) + "|")
    yield "| **responder** | " + " | ".join(SHORT.values()) + " |"
    for product in _products():
        anchor = product["name"].lower().replace(" ", "-")
        yield f"| [{product['name']}](#{anchor}) | " + " | ".join(product[key]["short"] for key in KEYS) + " |"
    yield ""
    for product in _products():
        yield from (f"## {product['name']}", "", "| question | fact | source |", "|---|---|---|")
        for key, question in QUESTIONS.items():
            yield f"| {question} | {product[key]['text']} | {_source(product[key])} |"
        yield from (f"| better than responder | {each['text']} | {_source(each)} |" for each in product["better"])
        yield from ("", f"With responder: {product['together']}", "")


def _source(fact: dict[str, Any]) -> str:
    """Link to the source, with the days that the source names and on which it was read."""
    dated = f", of {fact['dated']}" if "dated" in fact else ""
    return f"[{fact['source'].split('/')[2]}]({fact['source']}){dated}, read {fact['read']}"


def test_the_comparison_is_written_from_its_data() -> None:
    """The page has exactly the facts of the data."""
    page = DOCS / "comparison.md"
    before, _, rest = page.read_text().partition(FIRST)
    expected = before + FIRST + "\n" + "\n".join(_lines()) + LAST + rest.partition(LAST)[2]
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(expected)
    assert page.read_text() == expected, "docs/comparison.md is stale: run make generate"


def test_each_fact_has_a_source_and_a_day() -> None:
    """No product lacks an answer, and a reader can look up each fact and see how old it is."""
    for product in _products():
        assert set(product) == {"name", "better", "together", *QUESTIONS}
        for fact in (*(product[key] for key in QUESTIONS), *product["better"]):
            assert fact["text"]
            assert fact["source"].startswith("https://")
            assert isinstance(fact["read"], date)
            assert isinstance(fact.get("dated", fact["read"]), date)
        assert all(product[key]["short"] for key in KEYS)
