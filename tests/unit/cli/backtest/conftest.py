"""Two small sets of rules, and a history in which each of their differences happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from responder.cli.backtest import backtest
from responder.cli.samples import NEVER, fingerprint, webhook

BEGAN = datetime(2026, 11, 2, 22, 0, tzinfo=UTC)

_SET = """\
platform: {environment: prod, namespace: shop}
severities:
  P1: {meaning: m, response: r, respond_within: 15m, responders: all, pages: true, pagerduty: critical,
    page_budget: 8s, next_update: 1h}
  P3: {meaning: m, response: r, respond_within: 4h, responders: one, pages: false, pagerduty: info,
    page_budget: 30s, next_update: 4h}
defaults: {channels: [pagerduty, slack]}
rules:
"""
_BEFORE = """\
  - {id: down, match: alertname="Down", severity: P1, runbook: a.md#one, first_step: Look.}
  - {id: slow, match: alertname="Slow", severity: P3, first_step: Look.}
  - {id: unknown, match: [], severity: P3, first_step: Read it., runbook: a.md#one}
"""
_AFTER = """\
  - {id: down, match: alertname="Down", severity: P3, runbook: a.md#two, first_step: Look.}
  - {id: slow, match: alertname="Slow", severity: P1, first_step: Look., runbook: a.md#one}
  - {id: odd, match: alertname="Odd", severity: P3, first_step: Look.}
  - {id: unknown, match: [], severity: P3, first_step: Read it., runbook: a.md#one}
"""


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """The folders before, after and runbooks."""
    for name, rules in (("before", _BEFORE), ("after", _AFTER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.yaml").write_text(_SET + rules)
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "a.md").write_text("# One\n\n# Two\n")
    return tmp_path


def a_body(name: str, number: int = 1, *, minute: int = 0, over: int = 0) -> dict[str, Any]:
    """A group of ``number`` alerts that began ``minute`` minutes into the history, ``over`` of which have ended."""
    began = BEGAN + timedelta(minutes=minute)
    alerts = []
    for at in range(number):
        labels = {"alertname": name, "pod": f"pod-{at}"}
        ended = at < over
        alerts.append(
            {
                "status": "resolved" if ended else "firing",
                "labels": labels,
                "annotations": {},
                "startsAt": began.isoformat(),
                "endsAt": (began + timedelta(minutes=1)).isoformat() if ended else NEVER,
                "generatorURL": "",
                "fingerprint": fingerprint(labels),
            }
        )
    return webhook(alerts, {"alertname": name}, receiver="responder")


#: Nine notifications of two days: Down fires, repeats, grows and resolves; Slow fires twice; two others fire.
HISTORY = (
    a_body("Down"),
    a_body("Down"),
    a_body("Down", 2, minute=5),
    a_body("Slow", minute=10),
    a_body("Odd", minute=15),
    a_body("Other", minute=20),
    a_body("Down", 2, minute=30, over=2),
    a_body("Slow", minute=130, over=1),
    a_body("Slow", minute=140),
)


@pytest.fixture
def past(sets: Path) -> Path:
    """A folder of webhook payloads."""
    folder = sets / "past"
    folder.mkdir()
    for number, body in enumerate(HISTORY):
        (folder / f"{number}.json").write_text(json.dumps(body))
    return folder


@pytest.fixture
def run(sets: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, comparing the folder ``after`` with ``before``."""
    monkeypatch.setenv("RESPONDER_DATABASE_URL", f"sqlite:///{sets}/responder.db")
    usual = ["--rules", f"{sets}/after", "--runbooks", f"{sets}/runbooks"]

    def command(*arguments: str, against: str = f"{sets}/before", text: str | None = None) -> Result:
        return CliRunner().invoke(backtest, [*usual, "--against", against, *arguments], input=text)

    return command


def as_found(done: Result) -> dict[str, Any]:
    """The JSON that the command printed."""
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found
