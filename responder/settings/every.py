"""Every setting once: its name, type, default and help."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Any, Final, get_type_hints

from responder.model.secret import Credentials, Secret, passwords_in, without_passwords
from responder.model.setting import Setting
from responder.notify.channels import CHANNELS

PREFIX = "RESPONDER_"

#: The servers that are queried, each with credentials of its own.
MONITORING: Final = ("prometheus", "alertmanager")

#: Shorter tokens and passwords of the webhook are reported. A random token of 16 hexadecimal digits has 64 bits.
LEAST_TOKEN_CHARACTERS: Final = 16


#: Secrets of which only the password is masked.
_URLS_WITH_PASSWORDS: Final = frozenset({"database_url", "proxy_url", "http_proxy_url"})


def _setting(default: Any, text: str) -> Any:
    if default is dict:
        return field(default_factory=dict, metadata={"help": text})
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings. Each field is the environment variable RESPONDER_<FIELD>; secrets also <...>_FILE."""

    config: str = _setting("", "YAML file of settings by name, in lower case without RESPONDER_; the environment wins")
    listen: str = _setting("127.0.0.1:8080", "address and port to listen on")
    tls_cert: str = _setting("", "PEM file of the listener's certificate and its chain; read again when it changes")
    tls_key: str = _setting("", "PEM file of its private key")
    database_url: Secret = _setting(
        Secret("sqlite:///responder.db"), "database: sqlite:///FILE, or postgresql://... for several replicas"
    )
    rules: str = _setting("rules", "folder of the rule files")
    runbooks: str = _setting("runbooks", "folder of the runbooks")
    invalid_rules: str = _setting(
        "last-valid",
        "at a start with invalid rule files: last-valid uses the revision kept in the database, refuse exits",
    )
    secrets_dir: str = _setting("", "folder of the secrets that rule files name, a file each")
    runbook_base_url: str = _setting("", "base URL of the runbooks; page links are this plus file#section")
    public_url: str = _setting("", "public URL of responder")
    webhook_token: Secret = _setting(Secret(""), "bearer token of the webhook; two, separated by a space, to rotate")
    webhook_basic_auth: Secret = _setting(
        Secret(""), "user:password of the webhook; two, separated by a space, to rotate"
    )
    path_prefix: str = _setting(
        "", "prefix of every path behind a proxy that keeps it: /responder; paths without it work, too"
    )
    metrics_auth: str = _setting("off", "on: /metrics needs the credentials of the webhook")
    max_body_bytes: int = _setting(
        8 * 1024 * 1024,
        "largest webhook payload stored whole; of larger ones, up to 256 MiB, the first alerts are stored",
    )
    #: The settings that channels declare, by name.
    of_channels: Mapping[str, Any] = field(default_factory=dict)
    fallback_seconds: int = _setting(
        60, "seconds until a page of the worst severity uses a fallback channel; five times as long for others"
    )
    prometheus_url: str = _setting("", "Prometheus that promql probes query")
    prometheus_public_url: str = _setting("", "address of Prometheus for graph links; empty: as in the alert")
    prometheus_token: Secret = _setting(Secret(""), "bearer token for Prometheus; no other address gets it")
    prometheus_basic_auth: Secret = _setting(Secret(""), "user:password for Prometheus, instead of the token")
    prometheus_client_cert: str = _setting("", "PEM file of the client certificate for Prometheus")
    prometheus_client_key: str = _setting("", "PEM file of its private key")
    alertmanager_url: Mapping[str, tuple[str, ...]] = _setting(
        dict, "Alertmanager, queried about open incidents; a pair: URL URL; by cluster: prod-eu=URL URL, prod-us=URL"
    )
    alertmanager_public_url: Mapping[str, tuple[str, ...]] = _setting(
        dict, "Alertmanager for silence links, one or by cluster; empty: the externalURL of the notification"
    )
    link_hosts: str = _setting("", "hosts that links of alerts may lead to, separated by commas; empty: every host")
    alertmanager_token: Secret = _setting(Secret(""), "bearer token for all of these; no other address gets it")
    alertmanager_basic_auth: Secret = _setting(Secret(""), "user:password for all of these, instead of the token")
    alertmanager_client_cert: str = _setting("", "PEM file of the client certificate for all of these")
    alertmanager_client_key: str = _setting("", "PEM file of its private key")
    loki_url: str = _setting("", "Loki that loki probes query")
    loki_token: Secret = _setting(Secret(""), "bearer token for Loki; no other address gets it")
    loki_tenant: str = _setting("", "tenant of Loki, sent as X-Scope-OrgID; several: a|b")
    grafana_url: str = _setting("", "Grafana, for links to logs and for grafana probes")
    grafana_token: Secret = _setting(Secret(""), "service account token for Grafana; no other address gets it")
    investigator_url: str = _setting(
        "", "endpoint that investigator probes ask, such as http://holmes:8080/api/chat of HolmesGPT; empty: none"
    )
    investigator_token: Secret = _setting(Secret(""), "bearer token for it; no other address gets it")
    group_interval: int = _setting(
        300,
        "longest group_interval of the Alertmanager routes to responder, in seconds",
    )
    reconcile_every: int = _setting(30, "seconds between comparisons of open incidents with Alertmanager's list")
    reconcile_grace: int = _setting(
        600, "seconds an alert must be absent, with Alertmanager up, to count as resolved; above group_interval"
    )
    retention_days: int = _setting(90, "days that payloads, incidents, messages and findings are kept after resolution")
    max_database_bytes: int = _setting(
        8 * 1024**3, "above this the oldest rows are deleted earlier; never open, unsent or undecided ones"
    )
    heartbeat_url: Secret = _setting(Secret(""), "pinged every minute while paging works: a dead man's switch URL")
    heartbeat_fail_url: Secret = _setting(Secret(""), "pinged instead while paging does not work; empty: none")
    proxy_url: Secret = _setting(
        Secret(""), "HTTP proxy for channels and heartbeats, never for probes; default: HTTPS_PROXY"
    )
    http_proxy_url: Secret = _setting(
        Secret(""), "the same for http:// URLs; default: RESPONDER_PROXY_URL, or else HTTP_PROXY"
    )
    no_proxy: str = _setting(
        "", "reached without the proxy: hosts, .suffixes, IP addresses, networks, *; default: NO_PROXY"
    )
    ca_file: str = _setting("", "PEM file of certificates to trust in addition to the system's")
    workers: int = _setting(2, "worker processes")
    threads: int = _setting(8, "request threads a worker")
    role: str = _setting("all", "what the workers do: web, engine or all")
    kubernetes: str = _setting(
        "auto", "auto reads the cluster by a kubeconfig or the pod's service account; off does not"
    )
    kubeconfig: str = _setting(
        "", "kubeconfig for reading the cluster; default: KUBECONFIG, or else the service account"
    )
    kubernetes_context: str = _setting("", "context of the kubeconfig; empty: its current one")
    kubernetes_cluster: str = _setting(
        "", "label cluster of the alerts that are looked up there: prod-eu; empty: those of every cluster"
    )
    pod_networks: str = _setting(
        "", "networks of pods that may be asked for their health: 10.42.0.0/16,fd00:42::/48; empty: none is asked"
    )
    connect_to: Mapping[str, str] = _setting(
        dict, "host:port=host:port,... connects elsewhere (a port-forward, a demo)"
    )
    console_listen: str = _setting("", "address and port of the console that `serve` starts; empty: none")
    console_url: str = _setting("", "public URL of the console, for links to incidents; may have a path")
    console_auth: str = _setting("required", "none: no sign-in, on loopback only; required: one of the following")
    console_users: Secret = _setting(
        Secret(""), "users of the console: name:role:hash, separated by spaces; roles are read, act and operate"
    )
    console_proxy_header: str = _setting("", "header with the name of the user whom a reverse proxy signed in")
    console_groups_header: str = _setting("", "header with the groups of this user, separated by commas")
    console_proxy_peers: str = _setting("", "addresses or networks of the proxies that may send these headers")
    console_oidc_issuer: str = _setting(
        "", "address of the OpenID Connect provider whose users may sign in; empty: none"
    )
    console_oidc_client_id: str = _setting("", "id of the console at this provider")
    console_oidc_client_secret: Secret = _setting(Secret(""), "secret of the console at this provider")
    console_oidc_scopes: str = _setting(
        "openid email profile", "scopes asked for; many providers send groups for `groups`"
    )
    console_oidc_name_claim: str = _setting("email", "claim with the name of a user")
    console_oidc_groups_claim: str = _setting("groups", "claim with the groups of a user, such as realm_access.roles")
    console_roles: str = _setting(
        "*=act", "roles of users of the proxy or the provider: name=role,@group=role,*@example.com=role,*=role"
    )
    api_token: Secret = _setting(
        Secret(""), "bearer token of the API of the console, or role:token; several, separated by spaces"
    )
    log_format: str = _setting("auto", "text, json, or auto: text on a terminal")
    #: Where each variable that is set is from: an option, "environment", or a line of the file.
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Complete the settings of channels. Raises ValueError for one that no channel declares."""
        defaults = {each.name: each.default for kind in CHANNELS.values() for each in kind.settings}
        if unknown := self.of_channels.keys() - defaults:
            raise ValueError(f"no channel has the setting {', '.join(sorted(unknown))}")
        object.__setattr__(self, "of_channels", defaults | dict(self.of_channels))

    def value(self, name: str) -> Any:
        """Return the value of a setting."""
        return self.of_channels[name] if name in self.of_channels else getattr(self, name)

    def secrets(self) -> tuple[Secret, ...]:
        """Return every secret that is set, for the scrubber."""
        values = (self.value(each.name) for each in declared() if each.name not in _URLS_WITH_PASSWORDS)
        plain = tuple(value for value in values if isinstance(value, Secret) and value.reveal())
        single = (
            value
            for each in declared()
            if each.name.endswith("_url") and isinstance(value := self.value(each.name), str)
        )
        shown = (getattr(self, name).reveal() for name in sorted(_URLS_WITH_PASSWORDS))
        urls = (*shown, *single, *chain(*self.alertmanager_url.values()))
        logins = [each for server in MONITORING for each in self.credentials(server).secrets]
        return plain + tuple(logins) + tuple(chain.from_iterable(map(passwords_in, urls)))

    def short_credentials(self) -> tuple[str, ...]:
        """Return a sentence for each kind of credentials of the webhook that is short enough to be guessed."""
        logins = self.webhook_basic_auth.reveal().split()
        given = {
            "webhook_token": ("token", self.webhook_token.reveal().split()),
            "webhook_basic_auth": ("password", [login.partition(":")[2] for login in logins]),
        }
        return tuple(
            f"{env_name(name)} has a {kind} of fewer than {LEAST_TOKEN_CHARACTERS} characters, which can be guessed: "
            "use `openssl rand -hex 16`"
            for name, (kind, values) in given.items()
            if any(len(value) < LEAST_TOKEN_CHARACTERS for value in values)
        )

    def credentials(self, server: str) -> Credentials:
        """Return the credentials for ``prometheus`` or ``alertmanager``."""
        return Credentials(
            token=self.value(f"{server}_token"),
            basic_auth=self.value(f"{server}_basic_auth"),
            certificate=self.value(f"{server}_client_cert"),
            key=self.value(f"{server}_client_key"),
        )

    def credentials_by_url(self) -> Mapping[str, Credentials]:
        """Return the credentials for monitoring servers, by the address that may receive each."""
        servers = {url: self.credentials("alertmanager") for urls in self.alertmanager_url.values() for url in urls}
        servers[self.prometheus_url] = self.credentials("prometheus")
        servers[self.loki_url] = Credentials(token=self.loki_token)
        servers[self.grafana_url] = Credentials(token=self.grafana_token)
        servers[self.investigator_url] = Credentials(token=self.investigator_token)
        return {url: given for url, given in servers.items() if url and given != Credentials()}

    def origin(self, variable: str) -> str:
        """Return where the value of a setting is from."""
        return self.origins.get(variable) or self.origins.get(f"{variable}_FILE") or "default"

    def secrets_in_file(self) -> tuple[str, ...]:
        """Return the names of the secrets that stand in the file of settings itself."""
        return tuple(
            each.name
            for each in declared()
            if each.kind is Secret and self.origin(env_name(each.name)).startswith(f"{self.config}:")
            if env_name(each.name) in self.origins
        )

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield the variable, the value shown and the help of each setting, secrets masked."""
        for each in declared():
            value = self.value(each.name)
            if isinstance(value, Mapping):
                value = ",".join(f"{key}={_joined(to)}" if key else _joined(to) for key, to in value.items())
            elif each.name in _URLS_WITH_PASSWORDS:
                value = without_passwords(value.reveal())
            elif isinstance(value, Secret):
                value = str(value) if value.reveal() else ""
            elif each.name.endswith("_url"):
                value = without_passwords(value)
            yield env_name(each.name), str(value), each.doc


def declared() -> Iterator[Setting]:
    """Yield every setting, those of channels among them."""
    kinds = get_type_hints(Settings)
    for item in fields(Settings):
        if item.name == "of_channels":
            yield from (each for kind in CHANNELS.values() for each in kind.settings)
        elif "help" in item.metadata:
            default = item.default_factory() if callable(item.default_factory) else item.default
            yield Setting(name=item.name, kind=kinds[item.name], default=default, doc=item.metadata["help"])


def env_name(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(map(without_passwords, value))
