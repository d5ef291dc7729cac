"""Rules match annotations with a key of their own, and texts with placeholders are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from responder.bootstrap import examine_rules, load_rules
from responder.model.rule import RuleBook
from responder.triage.decide import decide
from responder.triage.rule_index import RuleIndex
from tests.support.builders import a_group, an_alert

RULES = """\
platform: {environment: test, namespace: shop}
severities:
  P3: {meaning: m, response: r, respond_within: 1h, responders: r, pages: false, pagerduty: info, page_budget: 8s,
       next_update: 1h}
rules:
  - id: first
    match: alertname="A"
    severity: P3
    first_step: Look.
    channels: [slack]
  - {id: last, match: [], severity: P3, first_step: Look., channels: [slack]}
"""
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def _folder(tmp_path: Path, match: str, more: str = "") -> Path:
    (tmp_path / "a.yaml").write_text(RULES.replace('match: alertname="A"', f"match: {match}{more}"))
    return tmp_path


def _book(tmp_path: Path, match: str, annotations: str) -> RuleBook:
    return load_rules(str(_folder(tmp_path, match, f"\n    match_annotations: {annotations}")), str(tmp_path))


@pytest.mark.parametrize(
    ("match", "annotations", "given", "rule"),
    [
        ("[]", 'runbook_url!=""', {"runbook_url": "https://x"}, "first"),
        ("[]", 'runbook_url!=""', {"runbook_url": ""}, "last"),
        ("[]", 'runbook_url!=""', {}, "last"),
        ("[]", 'runbook_url=""', {}, "first"),
        ('alertname="ServiceDown"', 'summary=~".*disk.*"', {"summary": "the disk is full"}, "first"),
        ('alertname="Other"', 'summary=~".*disk.*"', {"summary": "the disk is full"}, "last"),
        ("[]", 'team="a", kind!~"x|y"', {"team": "a", "kind": "z"}, "first"),
        ("[]", 'team="a", kind!~"x|y"', {"team": "a", "kind": "x"}, "last"),
        ("[]", 'service="plato"', {}, "last"),
    ],
)
def test_annotations_decide(tmp_path: Path, match: str, annotations: str, given: dict[str, str], rule: str) -> None:
    """A rule matches if its matchers on labels and those on annotations hold; the two are never mixed up."""
    book = _book(tmp_path, match, f"'{annotations}'")
    alert = an_alert(annotations=given)
    decision = decide(a_group(alert), book, RuleIndex(book.rules), None, 1, NOW)
    assert decision.rule.id == rule


def test_an_explanation_names_the_annotation(tmp_path: Path) -> None:
    """The matcher that did not hold is shown as one on an annotation, with its value."""
    book = _book(tmp_path, "[]", "'team=\"a\"'")
    index = RuleIndex(book.rules)
    step = index.explain(index.labels_of(an_alert(annotations={"team": "b"})))[0]
    assert (str(step.failed), step.got) == ('annotation team="a"', "b")


def test_a_rule_on_annotations_is_no_catch_all(tmp_path: Path) -> None:
    """A rule with match: [] and matchers on annotations leaves the rules below it in force."""
    _folder(tmp_path, "[]", "\n    match_annotations: 'a=\"b\"'")
    assert examine_rules(str(tmp_path), str(tmp_path)).problems == ()


@pytest.mark.parametrize("name", ["annotation.runbook_url", "annotations.summary", "annotation_team"])
def test_a_label_that_means_an_annotation_is_refused(tmp_path: Path, name: str) -> None:
    """A matcher that can only be meant for an annotation is reported, with the key to write."""
    _folder(tmp_path, f"'{name}!=\"\"'")
    [problem] = examine_rules(str(tmp_path), str(tmp_path)).problems
    assert problem.code == "annotation-in-match"
    assert "write match_annotations: " in problem.hint


@pytest.mark.parametrize("step", ["See ${pod}.", "See {{ $labels.pod }}.", "See $labels.pod.", "It is $value high."])
@pytest.mark.parametrize("key", ["symptom", "first_step", "note"])
def test_a_placeholder_in_a_text_is_refused(tmp_path: Path, key: str, step: str) -> None:
    """A text that would be on the page with its placeholder unfilled is reported at the placeholder."""
    text = RULES.replace("first_step: Look.\n", f"first_step: Look.\n    {key}: '{step}'\n", 1)
    if key == "first_step":
        text = RULES.replace("first_step: Look.\n", f"first_step: '{step}'\n", 1)
    (tmp_path / "a.yaml").write_text(text)
    [problem] = examine_rules(str(tmp_path), str(tmp_path)).problems
    assert problem.code == "placeholder-in-text"
    line = text.splitlines()[problem.position.line - 1]
    assert line[problem.position.column - 1] in "${"


@pytest.mark.parametrize("step", ["Costs 5 $ a day.", "Run kubectl get pods -o jsonpath={.items}.", "Use $HOME."])
def test_other_signs_are_text(tmp_path: Path, step: str) -> None:
    """A dollar sign or braces that are no placeholder are left alone."""
    (tmp_path / "a.yaml").write_text(RULES.replace("first_step: Look.\n", f"first_step: '{step}'\n", 1))
    assert examine_rules(str(tmp_path), str(tmp_path)).problems == ()
