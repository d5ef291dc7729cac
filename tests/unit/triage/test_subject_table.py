"""The subject of 245 published alerts is the broken thing, as written down from their expressions."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from responder.triage.subject import other_subjects, subject
from responder.triage.subject_labels import READ
from tests.support.builders import a_book, a_rule

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


@pytest.mark.parametrize("row", TABLE["alerts"], ids=lambda row: row["alert"])
def test_the_subject_is_read_from_the_labels_listed(row: dict[str, Any]) -> None:
    """A label that is not listed in ``READ`` changes neither the subject nor its part."""
    labels = labels_of(row)
    listed = {name: value for name, value in labels.items() if name in READ}
    assert subject(listed, BOOK).title == subject(labels, BOOK).title


@pytest.mark.parametrize("row", TABLE["alerts"], ids=lambda row: row["alert"])
def test_the_subjects_of_a_group_are_those_of_its_alerts(row: dict[str, Any]) -> None:
    """Reading a subject once for alerts that are alike finds the subjects that reading each of them finds."""
    labels = labels_of(row)
    pod = labels.get("pod", "")
    pods = [{**labels, "pod": f"{pod[:-1]}{each}", "uid": each} for each in "2456"] if pod else []
    group = [labels, *pods, {**labels, "service": "nexus"}, {**labels, "node": "worker-2"}]
    also, uncounted = other_subjects(subject(labels, BOOK), group, a_rule(), BOOK)
    assert [each.title for each in also] == list(dict.fromkeys(subject(each, BOOK).title for each in group))[1:]
    assert uncounted == 0


def test_the_table_is_wide_enough() -> None:
    """At least two hundred alerts, each once."""
    names = [row["alert"] for row in TABLE["alerts"]]
    assert len(names) == len(set(names)) >= 200
