"""Every setting once: its name, type, default and help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Any

from responder.model.secret import Secret, passwords_in, without_passwords

PREFIX = "RESPONDER_"


def _setting(default: Any, text: str) -> Any:
    if default is dict:
        return field(default_factory=dict, metadata={"help": text})
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What we were told. Each field is the environment variable RESPONDER_<FIELD>; secrets also <...>_FILE."""

    listen: str = _setting("127.0.0.1:8080", "address and port to listen on")
    database_url: Secret = _setting(
        Secret("sqlite:///responder.db"), "where all is kept: sqlite:///FILE, or postgresql://... for several replicas"
    )
    rules: str = _setting("rules", "folder of the rule files")
    runbooks: str = _setting("runbooks", "folder of the runbooks")
    runbook_base_url: str = _setting("", "where people read the runbooks; page links are this plus file#section")
    public_url: str = _setting("", "where people reach responder itself")
    webhook_token: Secret = _setting(Secret(""), "bearer token of the webhook; two, separated by a space, to rotate")
    webhook_basic_auth: Secret = _setting(
        Secret(""), "user:password of the webhook; two, separated by a space, to rotate"
    )
    max_body_bytes: int = _setting(8 * 1024 * 1024, "largest webhook body; larger ones are answered 413")
    pagerduty_routing_key: Secret = _setting(Secret(""), "integration key of a PagerDuty Events API v2 service")
    pagerduty_url: str = _setting("https://events.pagerduty.com", "base of /v2/enqueue")
    pagerduty_events_per_minute: int = _setting(120, "what PagerDuty takes from one key, all replicas together")
    pagerduty_fallback_routing_key: Secret = _setting(
        Secret(""), "second integration key, used while the first does not take pages"
    )
    pagerduty_fallback_url: str = _setting("", "base of /v2/enqueue for the second key, another region for example")
    slack_bot_token: Secret = _setting(Secret(""), "bot token (xoxb-...): messages are edited in place and threaded")
    slack_channel: str = _setting("#incidents", "Slack channel that gets the pages")
    slack_api_url: str = _setting("https://slack.com/api", "base of /chat.postMessage")
    slack_webhook_url: Secret = _setting(Secret(""), "Slack incoming webhook, used where there is no bot token")
    slack_oncall_group: str = _setting(
        "", "id of the Slack user group (S0123ABCD) that is mentioned with a page PagerDuty did not take"
    )
    slack_messages_per_minute: int = _setting(60, "what Slack takes in one channel, all replicas together")
    fallback_seconds: int = _setting(
        60, "how long a page of the worst severity may wait before another way is taken; five times as long for others"
    )
    smtp_host: str = _setting("", "mail server, the last way to page people")
    smtp_port: int = _setting(587, "its port")
    smtp_tls: str = _setting("starttls", "starttls, tls (from the first byte, port 465) or none")
    smtp_user: str = _setting("", "user to log in as; nobody where it is empty")
    smtp_password: Secret = _setting(Secret(""), "password of that user")
    smtp_from: str = _setting("", "address that mails come from")
    smtp_to: str = _setting("", "addresses that mails go to, separated by commas")
    prometheus_url: str = _setting("", "Prometheus that promql probes ask")
    prometheus_token: Secret = _setting(Secret(""), "bearer token for Prometheus; no other address gets it")
    alertmanager_url: Mapping[str, tuple[str, ...]] = _setting(
        dict, "Alertmanager, to ask about open incidents; a pair: URL URL; by cluster: prod-eu=URL URL, prod-us=URL"
    )
    alertmanager_token: Secret = _setting(Secret(""), "bearer token for all of these; no other address gets it")
    group_interval: int = _setting(
        300,
        "longest group_interval of the Alertmanager routes that lead here, in seconds; a peer that lags has so long",
    )
    reconcile_every: int = _setting(30, "seconds between comparisons of open incidents with Alertmanager's list")
    reconcile_grace: int = _setting(
        600, "seconds an alert must be gone, and Alertmanager up, to be over without a resolve; above group_interval"
    )
    retention_days: int = _setting(90, "days that bodies, incidents, messages and findings are kept after their end")
    max_database_bytes: int = _setting(
        8 * 1024**3, "above this the oldest go earlier; never what is open, unsent or undecided"
    )
    heartbeat_url: Secret = _setting(Secret(""), "pinged every minute while people could be paged: a dead man's switch")
    heartbeat_fail_url: Secret = _setting(Secret(""), "pinged in its place while they could not; empty: nothing is")
    workers: int = _setting(2, "worker processes")
    threads: int = _setting(8, "request threads a worker")
    role: str = _setting("all", "what the workers do: web, engine or all")
    connect_to: Mapping[str, str] = _setting(
        dict, "host:port=host:port,... connects elsewhere (a port-forward, a demo)"
    )
    log_format: str = _setting("auto", "text, json, or auto: text on a terminal")

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that is set, for the scrubber."""
        values = (getattr(self, item.name) for item in fields(self) if item.name != "database_url")
        plain = tuple(value for value in values if isinstance(value, Secret) and value.reveal())
        urls = (self.database_url.reveal(), self.prometheus_url, *chain(*self.alertmanager_url.values()))
        return plain + tuple(chain.from_iterable(map(passwords_in, urls)))

    def tokens(self) -> Mapping[str, Secret]:
        """The bearer tokens of Prometheus and Alertmanager, by the address each is for."""
        servers = {url: self.alertmanager_token for urls in self.alertmanager_url.values() for url in urls}
        servers[self.prometheus_url] = self.prometheus_token
        return {url: token for url, token in servers.items() if url and token.reveal()}

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Name, shown value and help of each setting, secrets masked."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Mapping):
                value = ",".join(f"{key}={_joined(to)}" if key else _joined(to) for key, to in value.items())
            elif item.name == "database_url":
                value = without_passwords(value.reveal())
            elif isinstance(value, Secret):
                value = str(value) if value.reveal() else ""
            elif item.name.endswith("_url"):
                value = without_passwords(value)
            yield env_name(item.name), str(value), item.metadata["help"]


def env_name(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(map(without_passwords, value))
