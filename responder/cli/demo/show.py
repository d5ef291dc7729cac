"""Course of the demo: stand-ins, every sample payload, a real alert, summary."""

import json
import shlex
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.text import Text

from responder.cli.demo import rule
from responder.cli.demo.butterfly_state import prepare_services
from responder.cli.demo.cards import SEVERITY_COLOURS
from responder.cli.demo.watch import EventFeed
from responder.cli.errors import FAILED
from responder.diagnose.prober import Prober
from responder.engine import pipeline
from responder.engine.effects.context import DecisionContext, History, history_of
from responder.engine.pipeline import with_diagnosis
from responder.model.clock import Clock, Deadline
from responder.model.delivery import DiagnosisResult, Effects, Notification
from responder.model.rule import Action
from responder.model.text import one_line
from responder.receive.alertmanager import InvalidPayload, read
from responder.standins.alertmanager import AlertmanagerStandIn
from responder.standins.processes import Program, free_port
from responder.standins.slack_page import SlackPage
from responder.standins.stage import Stage

#: Seconds between two payloads, so that a viewer can follow.
_PAUSE = 0.4
#: Seconds after the page budget until the demo reports a page as missing.
_GRACE = 3.0


_NEXT = {
    "dry-run --explain examples/alerts/crash-loop.json": "the matching rule and the exact page",
    "rules check": "all problems of the rule files",
    "serve --settings": "settings to page for real",
}
#: High rate limits: the stand-ins have none.
_NO_LIMIT = {"pagerduty_events_per_minute": "6000", "slack_messages_per_minute": "6000"}
#: Alertmanager's stand-in takes silences, but does not know what else is posted to the receiver: after this many
#: seconds such an alert would count as resolved.
_A_DAY = "86400"


@dataclass(slots=True)
class DemoSession:
    """Run of the demo. Decides every payload with the functions of ``serve``, to know which pages to expect.

    It runs the probes as well: findings can change the severity, and with it the channels.
    """

    stage: Stage
    watch: EventFeed
    context: DecisionContext
    prober: Prober
    clock: Clock
    payloads: list[Path]
    alertmanager: AlertmanagerStandIn = field(default_factory=AlertmanagerStandIn)
    sent: int = 0
    missing: list[str] = field(default_factory=list)
    _known: dict[str, History] = field(default_factory=dict)

    def run(self, *, once: bool) -> int:
        """Run the demo and return the exit status. Raises DidNotStart, ServeEnded, KeyboardInterrupt."""
        self._opening()
        prepare_services(self.stage)
        app_token = self.stage.slack.app_token
        settings = {**_NO_LIMIT, "console_listen": f"127.0.0.1:{free_port()}", "console_auth": "none"}
        settings |= {"slack_app_token": app_token, "reconcile_grace": _A_DAY}
        console = f"http://{settings['console_listen']}/"
        with (
            self.alertmanager,
            SlackPage(self.stage.slack) as page,
            self.stage.serve(**settings, alertmanager_url=self.alertmanager.url) as program,
        ):
            self.watch.screen.say(f"responder serve listens on {self.stage.webhook_url} with two workers.")
            self.watch.screen.say(f"Console, with the page of each incident: {console}")
            self.watch.screen.say(f"Slack, with buttons to press (Socket Mode): {page.url}/")
            self._examples(program)
            self.missing += rule.play(self.stage, self.watch, program)
            self._summary()
            if not once:
                self._stay(program, f"{page.url}/", console)
        return FAILED if self.missing else 0

    def _opening(self) -> None:
        self.watch.screen.act("Sample alerts become pages")
        self.watch.screen.say(
            "Nothing leaves this machine: PagerDuty, Slack, BUTTERFLY and Prometheus are stand-ins on loopback.\n"
            "The receiver, the rules, the probes and the pages are real.\n"
            "plato is DOWN because of its database, odyssey hides its health details, the other services are healthy.\n"
        )

    def _examples(self, program: Program) -> None:
        for number, path in enumerate(self.payloads, 1):
            self._one(number, path, program)
            self.watch.until(lambda: False, _PAUSE, program, "")

    def _one(self, number: int, path: Path, program: Program) -> None:
        screen = self.watch.screen
        body = path.read_bytes()
        screen.console.print()
        screen.console.print(
            Text.assemble((f"▶ {number}/{len(self.payloads)} {path.name}", "bold"), f"  {_about(body)}")
        )
        answer = self.stage.post(body)
        self.watch.began()
        self.sent += 1
        try:
            effects, diagnosed = self._decide(body)
        except InvalidPayload as error:
            screen.say(f"  {answer.status}: {error}", "red")
            return
        decision = effects.decision
        assert decision is not None
        severity = decision.severity
        why = f"by rule {decision.rule.id}, {decision.match.reason}; {decision.change.kind}: {decision.change.reason}"
        self._verdict(severity.name, why)
        if diagnosed and diagnosed.adjusted:
            severity = diagnosed.adjusted.adjustment.severity
            self._verdict(severity.name, diagnosed.adjusted.reason)
        if diagnosed:
            self.watch.count_for(severity.name)
        if answer.status != 202:
            self.missing.append(f"{path.name}: the receiver answered {answer.status} {answer.text.strip()}")
            return
        wanted = Counter(message.channel for message in effects.messages)
        if not wanted:
            prefix = {Action.HEARTBEAT: "Heartbeat: no", Action.DROP: "Dropped: no"}.get(decision.rule.action, "No")
            screen.say(f"    {prefix} message.", "dim")
            return
        budget = decision.severity.page_budget
        waiting = f"probing; the page is sent when the probes are done, after {budget:g} s at the latest"
        late = self.watch.expect(wanted, budget + _GRACE, program, waiting)
        self.missing += [f"{path.name}: {channel} received fewer messages than expected" for channel in late]

    def _verdict(self, name: str, why: str) -> None:
        style = SEVERITY_COLOURS.get(name, "bold")
        self.watch.screen.console.print(Text.assemble(("  → ", "dim"), (name, style), f" {one_line(why)}"))

    def _decide(self, body: bytes) -> tuple[Effects, DiagnosisResult | None]:
        notification = Notification(id=self.sent, received_at=self.clock.now(), body=body)
        group = read(notification)
        self.alertmanager.alerts |= {alert.fingerprint: dict(alert.labels) for alert in group.firing}
        before = history_of(group, self.context, lambda key: self._known.get(key, History()), "")
        effects = pipeline.triage(group, notification, before, self.context)
        diagnosed = self._diagnose(effects)
        if effects.request and diagnosed:
            effects = with_diagnosis(effects, effects.request, diagnosed, self.context, self.clock.now())
        content = effects.content or before.content
        incident = effects.incident or before.incident
        self._known[incident.dedup_key if incident else group.dedup_key] = History(incident, content)
        return effects, diagnosed

    def _diagnose(self, effects: Effects) -> DiagnosisResult | None:
        if effects.request is None or effects.decision is None:
            return None
        request = effects.request
        asks = self.context.questions(request.probes, request.subject, request.began, request.also, request.runbook)
        deadline = Deadline(self.clock.monotonic() + effects.decision.severity.page_budget)
        return pipeline.diagnose(effects.request, self.prober.run(asks, deadline), self.context)

    def _summary(self) -> None:
        screen, kinds = self.watch.screen, self.watch.kinds
        screen.act("Summary")
        screen.say(
            "The stand-ins respond at once. With slow probes a page waits longer, at most its budget.",
            "dim",
        )
        screen.say(f"{self.sent} sample payloads sent; each was committed before it was acknowledged")
        screen.say(
            f"{kinds['pagerduty.trigger']} PagerDuty triggers, {kinds['pagerduty.resolve']} resolves, "
            f"{len(self.stage.pagerduty.open())} incidents still open"
        )
        screen.say(f"{kinds['slack.post']} Slack messages (threads included), {kinds['slack.update']} edited in place")
        for name in sorted(self.watch.waits):
            waits = self.watch.waits[name]
            budget = self.context.book.severities[name].page_budget
            screen.say(
                f"{name}: first page {median(waits):.2f} s after the acknowledgement (median), "
                f"{max(waits):.2f} s at most, budget {budget:g} s"
            )
        for sentence in self.missing:
            screen.say(f"MISSING  {sentence}", "bold red")
        screen.console.print()
        screen.say("Next commands")
        program = "responder" if shutil.which("responder") else ".venv/bin/responder"
        for arguments, why in _NEXT.items():
            screen.say(f"  {program} {arguments:<49}  {why}")

    def _stay(self, program: Program, page: str, console: str) -> None:
        """Keep running, for alerts that the user sends and buttons that the user presses."""
        screen = self.watch.screen
        screen.act("Try it")
        example = self.payloads[0].parent / "service-down.json"
        headers = f"-H 'Content-Type: application/json' -H 'Authorization: Bearer {self.stage.token}'"
        alert = f"sed 's/plato/capsule/g' {shlex.quote(str(example))}"
        command = f"{alert} | curl -sS --data-binary @- {headers} {self.stage.webhook_url}"
        screen.say(f"Press Acknowledge, Note or Resolve in a browser on this machine: {page}")
        screen.say(f"Console: {console}")
        screen.say(f"Webhook URL: {self.stage.webhook_url}")
        screen.say("The demo runs until Ctrl-C. From another terminal:\n")
        screen.console.print(Text(f"  {command}"), soft_wrap=True)
        screen.console.print()
        self.watch.ended()
        while True:
            self.watch.until(lambda: False, 3600, program, "waiting for alerts; Ctrl-C exits")


def _about(body: bytes) -> str:
    """Summarize the alerts of a payload."""
    try:
        group = json.loads(body)
        names = Counter(str(alert["labels"].get("alertname", "alert without a name")) for alert in group["alerts"])
        states = Counter(str(alert["status"]) for alert in group["alerts"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return "not a webhook payload"
    counted = ", ".join(f"{count} {state}" for state, count in states.items())
    return one_line(f"{', '.join(names)}: {counted}")[:90]
