"""Last part of the demo: an alert of a real Prometheus fires and resolves through a real Alertmanager."""

import json
from collections import Counter
from collections.abc import Callable
from urllib.parse import quote

from responder.cli.demo.watch import EventFeed
from responder.standins import butterfly, loopback
from responder.standins.monitoring import (
    alerting_rule,
    alertmanager,
    alertmanager_config,
    missing,
    prometheus,
    prometheus_config,
)
from responder.standins.processes import DidNotStart, Program
from responder.standins.stage import Stage

_SERVICE = "nexus"
_ALERT = "ServiceDown"
#: Seconds that Prometheus may take for each step.
_PATIENCE_SECONDS = 20.0


def play(stage: Stage, watch: EventFeed, program: Program) -> list[str]:
    """Let nexus fail and recover. Returns the expectations that failed, as sentences. Raises ServeEnded."""
    screen = watch.screen
    screen.act("A real alert, through Prometheus and Alertmanager")
    if packages := missing():
        screen.say(
            f"Skipped: {' and '.join(packages)} not found. On Debian:\n"
            f"  sudo apt install {' '.join(packages)}\n"
            "The demo starts them itself; the system services need not run."
        )
        return []
    config = alertmanager_config(stage.webhook_url, stage.token)
    rules = alerting_rule(
        _ALERT,
        f'application_up{{service="{_SERVICE}"}} == 0',
        {"severity": "critical"},
        {"summary": "{{ $labels.service }} is down"},
    )
    try:
        with (
            alertmanager(stage.folder, config) as receiver,
            prometheus(
                stage.folder, prometheus_config(stage.butterfly.scrape_targets, [receiver.url]), rules
            ) as source,
        ):
            screen.say("Prometheus scrapes the five services every second; Alertmanager's group_wait is one second.")
            return _fail_and_recover(stage, watch, program, source)
    except DidNotStart as error:
        screen.say(str(error), "red")
        return ["Prometheus and Alertmanager did not start"]


def _fail_and_recover(stage: Stage, watch: EventFeed, program: Program, source: Program) -> list[str]:
    watch.began()
    scraped = f'count(application_up{{service="{_SERVICE}"}})'
    if not watch.until(_true(source, scraped), _PATIENCE_SECONDS, program, "Prometheus scrapes for the first time"):
        return ["Prometheus did not scrape the services"]
    watch.screen.say(f"{_SERVICE} returns 503: its database is down.")
    stage.butterfly.set(_SERVICE, butterfly.down("db", "org.postgresql.util.PSQLException: the server shut down"))
    watch.began()
    firing = f'ALERTS{{alertname="{_ALERT}",alertstate="firing"}}'
    if not watch.until(_true(source, firing), _PATIENCE_SECONDS, program, "Prometheus evaluates the rule"):
        return [f"the rule {_ALERT} did not fire"]
    watch.screen.say(
        f"{watch.since:.1f} s later {_ALERT} fires in Prometheus; Alertmanager groups it and posts the notification.\n"
    )
    if late := watch.expect(
        Counter(pagerduty=1, slack=2), _PATIENCE_SECONDS, program, "waiting for Alertmanager's notification"
    ):
        return [f"the page of the real alert did not reach {channel}" for channel in late]
    watch.screen.say(f"\n{_SERVICE} is healthy again.")
    stage.butterfly.set(_SERVICE, butterfly.up())
    watch.began()
    if late := watch.expect(Counter(pagerduty=1, slack=2), _PATIENCE_SECONDS, program, "waiting for the resolve"):
        return [f"the resolve of the real alert did not reach {channel}" for channel in late]
    return []


def _true(source: Program, query: str) -> Callable[[], bool]:
    """True if Prometheus has a result for ``query`` now."""
    url = f"{source.url}/api/v1/query?query={quote(query)}"

    def ask() -> bool:
        return bool(json.loads(loopback.get(url, 5.0).body)["data"]["result"])

    return ask
