"""Messages in the output of ``dry-run``."""

from __future__ import annotations

import json
from pathlib import Path

from click import unstyle
from click.testing import CliRunner

from responder.cli import main
from responder.cli.dry_run import message_lines
from responder.cli.preview import Sent
from responder.model.report import MessageKind
from responder.notify.contract import Channel
from tests.contracts.channel_cases import CASES
from tests.support.builders import a_letter, a_report


def sent(name: str) -> Sent:
    """The message of a channel for a page."""
    channel: Channel = CASES[name].make()
    step = channel.steps[MessageKind.START][0]
    report = a_report(impact="Orders fail. " * 20, labels={"password": "ghp_abcdefghijklmnopqrstuvwxyz0123456789"})
    return Sent(channel, (channel.render(a_letter(report, channel=name, step=step)),))


def test_lines_fit_the_terminal_and_keep_their_names_apart() -> None:
    """Text is wrapped below its own column at any width of a terminal; a pipe gets one line a section."""
    for width in (80, 120):
        shown = [unstyle(line) for line in message_lines([sent("pagerduty"), sent("slack")], width)]
        assert max(len(line) for line in shown if "://" not in line) <= width
    (impact,) = (line for line in message_lines([sent("pagerduty")], None) if "Impact" in line)
    assert impact.count("Orders fail.") == 20


def test_the_same_message_is_shown_once() -> None:
    """Two channels of one kind show one message; addresses are listed once, for all channels."""
    text = list(message_lines([sent("pagerduty"), sent("pagerduty")], 80))
    assert sum("as on pagerduty" in line for line in text) == 1
    assert len([line for line in text if "://" in line]) == len({line for line in text if "://" in line})


def test_no_secret_is_shown() -> None:
    """A token in a label is not printed, although the request holds it."""
    assert "ghp_abc" not in "\n".join(message_lines([sent("pagerduty"), sent("slack"), sent("smtp")], None))


def test_probes_that_cannot_run_are_named_with_the_reason() -> None:
    """A dry-run without a Prometheus shows the probes that the rule asks for, not "none"."""
    root = Path(__file__).parents[3]
    alert = {"alertname": "KubePodCrashLooping", "namespace": "shop", "pod": "cart-6d8f9c7b5d-x2k4q"}
    arguments = ["dry-run", "--rules", str(root / "rules"), "--runbooks", str(root / "runbooks"), "-"]
    shown = CliRunner().invoke(main, arguments, input=json.dumps({"labels": alert})).output
    assert "skipped: restarts, exit-reason, " in shown
    assert "(no Prometheus is configured)" in shown
