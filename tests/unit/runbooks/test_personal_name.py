"""Names of persons in runbooks are found; roles, products and code are not."""

from __future__ import annotations

from datetime import date

import pytest

from responder.runbooks.document import parse
from responder.runbooks.lint.checks.personal_name import check
from responder.runbooks.lint.contract import Profile, Runbook


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Owner: Maria Lopez", "Maria Lopez"),
        ("escalate to Tobias, then wait", "Tobias"),
        ("write to priya.shah@example.org", "priya.shah@example.org"),
        ("ping @stefan.meier", "@stefan.meier"),
        ("ask @anna", "@anna"),
        ("ask the on-call of team-shop, @eng-lead or #sre-team", ""),
        ("Mark the pod, page Support; Grafana Labs, San Martin, `@anna`", ""),
        ("@peter/package and peter.yaml; the Jenkins Job of May", ""),
    ],
)
def test_persons_are_found_and_roles_are_not(text: str, name: str) -> None:
    """Names, accounts and addresses of people are reported; roles, products and code are not."""
    runbook = Runbook(parse("a.md", f"# A\n\n{text}\n"), Profile.TEMPLATE, date(2026, 11, 30))
    assert [each.message for each in check(runbook)] == ([f"'{name}' is a person"] if name else [])
