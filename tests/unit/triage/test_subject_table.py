"""The subject of 150 published alerts is the broken thing, as written down from their expressions."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from responder.triage.subject import subject
from tests.support.builders import a_book

TABLE = yaml.safe_load((Path(__file__).parents[2] / "fixtures" / "alert_subjects.yaml").read_text())
BOOK = a_book()


def labels_of(row: dict[str, Any]) -> dict[str, str]:
    """The labels with which Alertmanager sends the alert: those of the series, of scraping, and of Prometheus."""
    scraped = TABLE["scrapes"].get(row.get("scrape", ""), {})
    usual = {"alertname": row["alert"], "severity": "warning", "prometheus": "monitoring/kps"}
    return {**usual, **scraped, **row.get("labels", {})}


@pytest.mark.parametrize("row", TABLE["alerts"], ids=lambda row: row["alert"])
def test_the_subject_is_the_broken_thing(row: dict[str, Any]) -> None:
    """The subject, its part and its namespace are those that the rule's expression is about."""
    found = subject(labels_of(row), BOOK)
    expected = (row["subject"] or row["alert"], row.get("part", ""), row.get("namespace", ""))
    assert (found.name, found.part, found.namespace) == expected, found


def test_the_table_is_wide_enough() -> None:
    """At least a hundred alerts, each once."""
    names = [row["alert"] for row in TABLE["alerts"]]
    assert len(names) == len(set(names)) >= 100
