"""Texts of public runbooks that lint once reported wrongly, and those beside them that it must report."""

from datetime import date

import pytest

from responder.runbooks.document import parse
from responder.runbooks.lint.contract import Profile, Runbook
from responder.runbooks.lint.lint import examine, profile_of


def _codes(body: str, profile: Profile) -> list[str]:
    """Codes of a runbook without rule files."""
    runbook = Runbook(parse("x.md", f"# A\n\n{body}\n"), profile, date(2026, 11, 30))
    return [problem.code for problem in examine([runbook]).problems]


def _fence(command: str, language: str = "sh") -> str:
    return f"Run this:\n\n```{language}\n{command}\n```"


GRAPH = "https://thanos.example.org/graph?g0.expr=up&g0.range_input=1d&g0.end_input=2021-10-18%2022%3A20%3A28"
#: Code, a text that must not have it, and one that must.
CASES = [
    (
        "secret",
        _fence("""kubectl patch secret a -p='{"password":"'${NEW_PASSWORD}'"}'"""),
        _fence("A=1 password=tr0ub4d"),
    ),
    ("secret", "ALTER ROLE a PASSWORD 'md5foobarbaz';", "export PGPASSWORD=archestra_dev_password"),
    ("secret", "`postgres://postgres:PASS@MASTER:5432/a`", "`postgres://postgres:hunter22@db:5432/a`"),
    ("unmarked-danger", "## Scale\n\n" + _fence("kubectl create secret generic a --dry-run=client -o yaml"), ""),
    ("unmarked-danger", _fence("# STOP processing\nkubectl scale deployment a -n b --replicas=0"), ""),
    (
        "unmarked-danger",
        "## Destroy cluster\n\n" + _fence("terraform destroy"),
        "## Fix\n\n" + _fence("terraform destroy"),
    ),
    ("fixed-time-range", f"An [example]({GRAPH})", f"The [long transactions]({GRAPH})"),
    ("no-expected-output", _fence("# Expected output (healthy):\n# a\nls"), _fence("ls")),
    ("no-expected-output", _fence("ls") + "\nExpected: one file.", _fence("ls") + "\nThen go on."),
    ("no-expected-output", _fence("export A=1"), _fence("export A=1\nls")),
    ("unknown-contact", "## Escalation\n\n| L2 | Platform Team | 15 min |", "## Escalation\n\nIn 15 min ask for help."),
    ("unknown-contact", "## Escalation\n\nAfter 15 min: `#g_database`", ""),
    ("unknown-target", _fence("kubectl get storageprofile a -o json"), _fence("kubectl get pods -l app=a")),
    ("unknown-target", _fence("kubectl apply -f a.yaml"), _fence("kubectl exec -it a -- env")),
    ("fixed-address", _fence("# | pg-node-1 | 10.0.1.10 | Leader |\nls"), _fence("ssh 10.0.1.10")),
    ("placeholder", "`SENTRY_DSN=<your-sentry-dsn>`", "`https://<your-app>.example.org`"),
    ("command-syntax", _fence("[command]\n{command or check}"), ""),
    ("bad-metadata", "- **Owner:** SRE\n- **Criticality:** Normal\n> **Last Updated:** 2026-11-30", "**Owner:** SRE"),
]


@pytest.mark.parametrize(("code", "good", "bad"), CASES)
def test_true_texts_are_not_reported(code: str, good: str, bad: str) -> None:
    """Correct texts of public runbooks are no problem; the same with a fault are."""
    profile = Profile.PLAIN if code == "unmarked-danger" else Profile.TEMPLATE
    assert code not in _codes(good, profile)
    assert not bad or code in _codes(bad, profile)


STEPS = [
    ("On the node run `systemctl start patroni`.", "the command of step 1 stands in the text: systemctl start patroni"),
    ("```\nsudo systemctl stop patroni\n```", "the fence of step 1 has no language, so that it is no command"),
    ('Find the `variable "node_count"` section.', "step 1 has neither a command nor the words 'Manual step'"),
]


@pytest.mark.parametrize(("text", "said"), STEPS)
def test_a_command_that_is_not_in_a_fence_is_named(text: str, said: str) -> None:
    """A problem of a step names the command that is not in a fence."""
    found = examine([Runbook(parse("x.md", f"# A\n\n## Step 1: B\n\n{text}\n"), Profile.TEMPLATE, date(2026, 11, 30))])
    assert said in [problem.message for problem in found.problems]


def test_common_titles_do_not_make_a_template() -> None:
    """A runbook of another project with five of our titles is not held to the template; six are no accident."""
    titles = ["Overview", "Prerequisites", "Symptoms", "Verification", "Escalation"]
    text = "# A\n\n" + "".join(f"## {title}\n\nText.\n\n" for title in titles)
    assert profile_of(parse("x.md", text)) is Profile.PLAIN
    assert profile_of(parse("x.md", text + "## Procedure\n\nText.\n")) is Profile.TEMPLATE


def test_a_title_beside_sections_of_its_level_is_not_empty() -> None:
    """The first heading stands for the file."""
    assert "empty-section" not in _codes("# Summary\n\nText.", Profile.PLAIN)
    assert "empty-section" in _codes("# Summary\n\n# Steps\n\nText.", Profile.PLAIN)
