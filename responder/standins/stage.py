"""Everything around ``responder serve`` on loopback, and the settings with which it reaches them."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from responder.outgoing import UnreachableError
from responder.settings import Settings, read
from responder.standins import loopback
from responder.standins.butterfly import ButterflyStandIn
from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.processes import Program, free_port, responder_serve
from responder.standins.prometheus import PrometheusStandIn
from responder.standins.server import OnEvent
from responder.standins.slack import SlackStandIn

RUNBOOKS_URL = "https://runbooks.butterfly.example.com"
CHANNEL = "#incidents"


@dataclass(frozen=True, slots=True)
class PostResponse:
    """Response of the receiver; status 0 for no response."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The stand-ins, and a folder for the database and the logs. ``settings`` is the environment of ``serve``."""

    folder: Path
    pagerduty: PagerDutyStandIn
    slack: SlackStandIn
    butterfly: ButterflyStandIn
    prometheus: PrometheusStandIn
    settings: Mapping[str, str]

    @property
    def url(self) -> str:
        """Base URL of the receiver."""
        return f"http://{self.settings['RESPONDER_LISTEN']}"

    @property
    def webhook_url(self) -> str:
        """URL of the webhook."""
        return f"{self.url}/webhook/alertmanager"

    @property
    def token(self) -> str:
        """The bearer token of the webhook."""
        return self.settings["RESPONDER_WEBHOOK_TOKEN"]

    @property
    def database(self) -> Path:
        """The database's file."""
        return self.folder / "responder.db"

    def read_settings(self) -> Settings:
        """The same as ``serve`` reads them."""
        return read(self.settings)

    def serve(self, **changes: str) -> contextlib.AbstractContextManager[Program]:
        """``responder serve`` on this stage; ``role="web"`` sets RESPONDER_ROLE. Raises DidNotStart."""
        changed = {f"RESPONDER_{name.upper()}": value for name, value in changes.items()}
        return responder_serve({**self.settings, **changed}, self.folder)

    def post(self, body: bytes, *, timeout: float = 30.0) -> PostResponse:
        """Send a webhook body as Alertmanager does."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        try:
            response = loopback.post(self.webhook_url, body, headers, timeout)
        except UnreachableError as error:
            return PostResponse(0, str(error))
        return PostResponse(response.status, response.body.decode("utf-8", "replace"))


@contextlib.contextmanager
def stage(
    folder: Path, *, rules: Path, runbooks: Path, on_event: OnEvent | None = None, port: int | None = None
) -> Iterator[Stage]:
    """Start the stand-ins; ``on_event`` gets all that reaches them. ``serve`` is for the caller to start."""
    with (
        PagerDutyStandIn(on_event=on_event) as pagerduty,
        SlackStandIn(on_event=on_event) as slack,
        ButterflyStandIn(on_event=on_event) as butterfly,
        PrometheusStandIn(on_event=on_event) as prometheus,
    ):
        settings = {
            "RESPONDER_LISTEN": f"127.0.0.1:{port or free_port()}",
            "RESPONDER_DATABASE_URL": f"sqlite:///{folder / 'responder.db'}",
            "RESPONDER_RULES": str(rules),
            "RESPONDER_RUNBOOKS": str(runbooks),
            "RESPONDER_RUNBOOK_BASE_URL": RUNBOOKS_URL,
            "RESPONDER_WEBHOOK_TOKEN": secrets.token_hex(16),
            "RESPONDER_PAGERDUTY_ROUTING_KEY": secrets.token_hex(16),
            "RESPONDER_PAGERDUTY_URL": pagerduty.url,
            "RESPONDER_PAGERDUTY_API_URL": pagerduty.url,
            "RESPONDER_SLACK_BOT_TOKEN": f"xoxb-{secrets.token_hex(12)}",
            "RESPONDER_SLACK_CHANNEL": CHANNEL,
            "RESPONDER_SLACK_API_URL": slack.url,
            "RESPONDER_PROMETHEUS_URL": prometheus.url,
            "RESPONDER_CONNECT_TO": ",".join(f"{name}={address}" for name, address in butterfly.connect_to.items()),
            "RESPONDER_LOG_FORMAT": "json",
        }
        slack.people.request_url = f"http://{settings['RESPONDER_LISTEN']}"
        yield Stage(
            folder=folder,
            pagerduty=pagerduty,
            slack=slack,
            butterfly=butterfly,
            prometheus=prometheus,
            settings=settings,
        )
