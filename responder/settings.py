"""Every setting once: its name, type, default and help. Nothing else in the project reads the environment."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import Any, get_type_hints

from responder.model.secret import Secret, passwords_in, without_passwords

PREFIX = "RESPONDER_"


class BadSettings(Exception):
    """Settings that cannot be used. ``problems`` names every one of them, a line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


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
        return plain + passwords_in(self.database_url.reveal())

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
            yield env_name(item.name), str(value), item.metadata["help"]


def env_name(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def _addresses(text: str) -> Mapping[str, str]:
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    if any(":" not in left or ":" not in right for left, _, right in pairs):
        raise ValueError("is not host:port=host:port, separated by commas")
    return {left: right for left, _, right in pairs}


_CLUSTER = re.compile(r"(?:([A-Za-z0-9._-]+)=)?(https?://.*)", re.DOTALL)


def _servers(text: str) -> Mapping[str, tuple[str, ...]]:
    """URLs by cluster; those under the empty name are asked about every cluster that is not named."""
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        read_part = _CLUSTER.fullmatch(part)
        urls = read_part[2].split() if read_part else []
        if read_part is None or any(not url.startswith(("http://", "https://")) for url in urls):
            raise ValueError(f"has '{part}': write http://ADDRESS, or CLUSTER=http://ADDRESS, separated by commas")
        name = read_part[1] or ""
        found[name] = (*found.get(name, ()), *urls)
    return found


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ValueError("is not a whole number above zero")
    return int(text)


_READERS: Mapping[Any, Callable[[str], Any]] = {
    str: str,
    int: _number,
    Secret: Secret,
    Mapping[str, str]: _addresses,
    Mapping[str, tuple[str, ...]]: _servers,
}

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "role": ("web", "engine", "all"),
    "log_format": ("text", "json", "auto"),
    "smtp_tls": ("starttls", "tls", "none"),
}


# RFC 6750, section 2.1, and what else fits into a header: a token is one word of printable ASCII.
_TOKEN = re.compile(r"[!-~]+")
_GROUP = re.compile(r"S[A-Z0-9]{4,20}")
# Deliberately narrow: what can be written into a mail's header without any quoting.
_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def addresses(text: str) -> tuple[str, ...]:
    """The parts of a list that is separated by commas."""
    return tuple(filter(None, map(str.strip, text.split(","))))


def _problem(name: str, value: str) -> str:
    """What is wrong with one value beyond its type, empty where nothing is."""
    choices = _CHOICES.get(name)
    if choices and value not in choices:
        return f"is '{value}': write one of {', '.join(choices)}"
    if (
        name.endswith("_url")
        and name not in {"database_url", "alertmanager_url"}
        and value
        and not value.startswith(("http://", "https://"))
    ):
        return "does not begin with http:// or https://"
    if name == "slack_oncall_group" and not _GROUP.fullmatch(value):
        return f"is '{value}': write the id of a user group as Slack shows it, for example S0123ABCD"
    if name in {"smtp_from", "smtp_to"} and (wrong := [each for each in addresses(value) if not _MAIL.fullmatch(each)]):
        return f"has '{wrong[0]}': write plain addresses, for example oncall@example.com"
    if name in {"prometheus_token", "alertmanager_token"} and not _TOKEN.fullmatch(value):
        return "has a line break, a space or another sign that no bearer token has: write the token alone"
    if name == "listen" and not _is_port(value.rpartition(":")[2]):
        return f"is '{value}': write address:port, for example 127.0.0.1:8080"
    if name == "smtp_port" and not _is_port(value):
        return f"is {value}: a port is between 1 and 65535"
    return ""


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def read(env: Mapping[str, str]) -> Settings:
    """The settings that ``env`` gives. Raises BadSettings with every problem at once; it names no secret's value."""
    problems: list[str] = []
    found: dict[str, Any] = {}
    kinds = get_type_hints(Settings)
    for item in fields(Settings):
        name = env_name(item.name)
        try:
            text = _text(env, name, secret=kinds[item.name] is Secret)
            if not text:
                continue
            found[item.name] = _READERS[kinds[item.name]](text)
        except ValueError as error:
            problems.append(f"{name} {error}")
            continue
        plain = found[item.name].reveal() if isinstance(found[item.name], Secret) else text
        if problem := _problem(item.name, plain):
            problems.append(f"{name} {problem}")
    if problems:
        raise BadSettings(tuple(problems))
    settings = Settings(**found)
    if problems := list(_joint_problems(settings)):
        raise BadSettings(tuple(problems))
    return settings


def _joint_problems(settings: Settings) -> Iterator[str]:
    """What is wrong with settings that are right each for itself."""
    if settings.smtp_host and not (settings.smtp_from and settings.smtp_to):
        yield "RESPONDER_SMTP_HOST needs RESPONDER_SMTP_FROM and RESPONDER_SMTP_TO beside it"
    if bool(settings.smtp_user) != bool(settings.smtp_password.reveal()):
        yield "RESPONDER_SMTP_USER and RESPONDER_SMTP_PASSWORD go together: set both or none"
    if settings.smtp_password.reveal() and settings.smtp_tls == "none":
        yield "RESPONDER_SMTP_TLS is none: the password would be sent in the clear; write starttls or tls"
    yield from _token_problems("PROMETHEUS", settings.prometheus_token, (settings.prometheus_url,))
    yield from _token_problems("ALERTMANAGER", settings.alertmanager_token, chain(*settings.alertmanager_url.values()))
    if settings.alertmanager_url and settings.reconcile_grace <= settings.group_interval:
        yield (
            f"RESPONDER_RECONCILE_GRACE is {settings.reconcile_grace}: write more than"
            f" RESPONDER_GROUP_INTERVAL, {settings.group_interval}; an end is notified so late"
        )
    first, second = settings.pagerduty_routing_key.reveal(), settings.pagerduty_fallback_routing_key.reveal()
    if (second or settings.pagerduty_fallback_url) and not first:
        yield "RESPONDER_PAGERDUTY_ROUTING_KEY is not set: a fallback needs something to stand in for"
    if second == first and first and settings.pagerduty_fallback_url in {"", settings.pagerduty_url}:
        yield "RESPONDER_PAGERDUTY_FALLBACK_ROUTING_KEY is the first key: write another key, or another region's URL"
    if settings.slack_oncall_group and not (settings.slack_bot_token.reveal() or settings.slack_webhook_url.reveal()):
        yield "RESPONDER_SLACK_ONCALL_GROUP needs RESPONDER_SLACK_BOT_TOKEN or RESPONDER_SLACK_WEBHOOK_URL"


def _token_problems(server: str, token: Secret, urls: Iterable[str]) -> Iterator[str]:
    known = [url for url in urls if url]
    if token.reveal() and not known:
        yield f"RESPONDER_{server}_TOKEN needs RESPONDER_{server}_URL: the token goes to no other address"
    if token.reveal() and any("@" in url.partition("://")[2].partition("/")[0] for url in known):
        yield f"RESPONDER_{server}_URL holds a password and RESPONDER_{server}_TOKEN is set: keep one of them"


def _text(env: Mapping[str, str], name: str, *, secret: bool) -> str:
    direct, path = env.get(name, "").strip(), env.get(f"{name}_FILE", "").strip() if secret else ""
    if direct and path:
        raise ValueError(f"and {name}_FILE are both set: keep one of them")
    if not path:
        return direct
    try:
        found = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"cannot be read from {name}_FILE={path}: {why}") from None
    if not found:
        raise ValueError(f"cannot be read from {name}_FILE={path}: the file is empty")
    return found


def _known_names() -> set[str]:
    names = {env_name(item.name) for item in fields(Settings)}
    kinds = get_type_hints(Settings)
    return names | {f"{env_name(item.name)}_FILE" for item in fields(Settings) if kinds[item.name] is Secret}


# Kubernetes gives every pod such variables for a Service that happens to be called "responder".
_OF_KUBERNETES = re.compile(r"RESPONDER(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_.*)?)")


def strangers(env: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that looks like one of ours and is none: most often a slip of the keyboard."""
    known = _known_names()
    for name in sorted(env):
        if name.startswith(PREFIX) and name not in known and not _OF_KUBERNETES.fullmatch(name):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "`responder serve --settings` lists them"
            yield f"{name} is not a setting: {hint}"
