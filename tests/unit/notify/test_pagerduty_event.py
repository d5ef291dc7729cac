"""Details of an event for PagerDuty."""

from __future__ import annotations

from responder.model.clue import Clue, Role
from responder.model.finding import Conclusion, Verdict
from responder.notify.render.pagerduty_event import details
from tests.support.builders import a_finding, a_report

SAYS = "all 3 pods of plato crash-loop: exit code 1"


def test_a_clue_that_the_page_says_is_not_repeated() -> None:
    """Of a sentence of the page only the detail is left among the findings; other findings stay whole."""
    clue = Clue(code="crash", role=Role.CAUSE, entity="Deployment/plato", says=SAYS)
    said = a_finding(kind="kubernetes", headline=SAYS, clue=clue, detail="")
    detailed = a_finding(kind="kubernetes", headline=SAYS, clue=clue, detail="env -DB_URL")
    other = a_finding(Verdict.OK, kind="kubernetes", headline="Service plato is well", clue=clue, detail="")
    report = a_report(findings=(said, detailed, other), conclusion=Conclusion(likely=f"{SAYS} (shown by the cluster)"))
    lines = {key: text for key, text in details(report, 0).items() if key.startswith("F")}
    assert lines == {"F001 critical": "env -DB_URL", "F002 ok": "Service plato is well"}


def test_a_neighbor_that_explains_nothing_is_not_listed() -> None:
    """Findings about another workload that are not part of the page stand in no line of the event."""
    clue = Clue(code="crash-memory", role=Role.CAUSE, entity="Deployment/stock", says="stock was OOM-killed", step=1)
    other = a_finding(kind="kubernetes", headline=clue.says, clue=clue, detail="")
    lines = details(a_report(findings=(other,), conclusion=Conclusion(likely="key a is missing")), 0)
    assert [text for text in lines.values() if "stock" in text] == []
