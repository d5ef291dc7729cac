"""Settings, read from an environment and a file, and variables that look like one. Nothing else reads them."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_network
from itertools import chain
from pathlib import Path
from typing import Any

from responder.model.secret import Secret, without_passwords
from responder.model.setting import Setting, is_encrypted_or_local, is_port
from responder.model.text import sanitize_line
from responder.notify.channels import CHANNELS
from responder.settings import access
from responder.settings.egress import ca_problem, client_certificate_problem, proxy_problem
from responder.settings.every import PREFIX, Settings, declared, env_name
from responder.settings.sources import sources

#: Variables with the secrets that rule files name.
SECRET_PREFIX = f"{PREFIX}SECRET_"


class InvalidSettings(Exception):
    """Settings that cannot be used. ``problems`` names every one of them, a line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _addresses(text: str) -> Mapping[str, str]:
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    if any(":" not in left or ":" not in right for left, _, right in pairs):
        raise ValueError("is not host:port=host:port, separated by commas")
    return {left: right for left, _, right in pairs}


_CLUSTER = re.compile(r"(?:([A-Za-z0-9._-]+)=)?(https?://.*)", re.DOTALL)


def _servers(text: str) -> Mapping[str, tuple[str, ...]]:
    """URLs by cluster; those under the empty name serve every cluster that is not named."""
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        read_part = _CLUSTER.fullmatch(part)
        urls = read_part[2].split() if read_part else []
        if read_part is None or any(not url.startswith(("http://", "https://")) for url in urls):
            raise ValueError(
                f"has '{without_passwords(part)}': write http://ADDRESS, or CLUSTER=http://ADDRESS, separated by commas"
            )
        name = read_part[1] or ""
        found[name] = (*found.get(name, ()), *urls)
    return found


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
    "invalid_rules": ("last-valid", "refuse"),
    "role": ("web", "engine", "all"),
    "log_format": ("text", "json", "auto"),
    "kubernetes": ("auto", "off"),
    "metrics_auth": ("off", "on"),
    "console_auth": ("required", "none"),
}


# RFC 6750, section 2.1, and what else fits into a header: a token is one word of printable ASCII.
_TOKEN = re.compile(r"[!-~]+")


#: Beyond it a slip of the keyboard would take the machine.
_MOST = {"workers": 64, "threads": 256}


_ACCESS: Mapping[str, Callable[[str], Any]] = {
    "console_users": access.users,
    "console_roles": access.grants,
    "api_token": access.tokens,
}


def _problem(each: Setting, value: str) -> str:
    """Return the problem of a value beyond its type, empty if there is none."""
    name = each.name
    if name in {"proxy_url", "http_proxy_url"}:
        return proxy_problem(value)
    if name == "ca_file":
        return ca_problem(value)
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
    if name == "webhook_basic_auth" and not all(":" in login for login in value.split()):
        return "is not user:password: write both, and no space in either; two logins are separated by a space"
    if name in {"prometheus_basic_auth", "alertmanager_basic_auth"} and not re.fullmatch(r"[^:\s]+:\S+", value):
        return "is not user:password: write both, and no space in either"
    if name in {"prometheus_token", "alertmanager_token"} and not _TOKEN.fullmatch(value):
        return "has a line break, a space or another sign that no bearer token has: write the token alone"
    if name == "console_oidc_issuer" and not is_encrypted_or_local(value):
        return "is no https:// address: codes and secrets would be sent in clear text"
    if name in _ACCESS:
        return access.problem(_ACCESS[name], value)
    if name in {"listen", "console_listen"} and not is_port(value.rpartition(":")[2]):
        return f"is '{value}': write address:port, for example 127.0.0.1:8080"
    if name == "path_prefix" and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+/?", value):
        return f"is '{sanitize_line(value, 80)}': write a path such as /responder"
    if name in {"pod_networks", "console_proxy_peers"}:
        return _networks_problem(value)
    if name in _MOST and not (value.isascii() and value.isdigit() and 0 < int(value) <= _MOST[name]):
        return f"is {value}: write a number from 1 to {_MOST[name]}"
    return each.check(value)


def _networks_problem(value: str) -> str:
    for part in filter(None, map(str.strip, value.split(","))):
        try:
            ip_network(part)
        except ValueError:
            return f"has '{part}', which is no network: write 10.42.0.0/16, several separated by commas"
    return ""


def read(env: Mapping[str, str], options: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of ``env`` and of the file it names; ``options`` are values by name that win over both.

    Raises InvalidSettings with every problem at once, without secret values.
    """
    given = sources(env, options or {})
    problems = list(given.problems)
    found: dict[str, Any] = {}
    for item in declared():
        name = env_name(item.name)
        try:
            text = _text(given.env, name, secret=item.kind is Secret)
            if not text:
                continue
            found[item.name] = _READERS[item.kind](text)
        except ValueError as error:
            problems.append(given.labelled(name, str(error)))
            continue
        plain = found[item.name].reveal() if isinstance(found[item.name], Secret) else text
        if problem := _problem(item, plain):
            problems.append(given.labelled(name, problem))
    if problems:
        raise InvalidSettings(tuple(dict.fromkeys(problems)))
    own = set(Settings.__dataclass_fields__)
    settings = Settings(
        **{name: value for name, value in found.items() if name in own},
        of_channels={name: value for name, value in found.items() if name not in own},
        origins=given.origins,
    )
    if problems := list(_joint_problems(settings)):
        raise InvalidSettings(tuple(map(given.located, problems)))
    return settings


def _joint_problems(settings: Settings) -> Iterator[str]:
    """Return the problems of settings that are valid one by one."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        yield "RESPONDER_TLS_CERT and RESPONDER_TLS_KEY belong together: set both, or none"
    elif settings.tls_cert and (problem := client_certificate_problem(settings.tls_cert, settings.tls_key)):
        yield f"RESPONDER_TLS_CERT {problem}"
    for kind in CHANNELS.values():
        yield from kind.problems(settings.of_channels)
    yield from _credential_problems(settings, "prometheus", (settings.prometheus_url,))
    yield from _credential_problems(settings, "alertmanager", chain(*settings.alertmanager_url.values()))
    for name in ("loki", "grafana", "investigator"):
        if settings.value(f"{name}_token").reveal() and not settings.value(f"{name}_url"):
            variable = env_name(name)
            yield f"{variable}_TOKEN needs {variable}_URL: the token goes to no other address"
    if settings.console_proxy_header and not settings.console_proxy_peers:
        yield (
            "RESPONDER_CONSOLE_PROXY_HEADER needs RESPONDER_CONSOLE_PROXY_PEERS, the addresses of the proxy: anyone"
            " else could send this header"
        )
    yield from _oidc_problems(settings)
    if settings.alertmanager_url and settings.reconcile_grace <= settings.group_interval:
        yield (
            f"RESPONDER_RECONCILE_GRACE is {settings.reconcile_grace}: write more than"
            f" RESPONDER_GROUP_INTERVAL, {settings.group_interval}: a resolve may arrive that late"
        )


def _oidc_problems(settings: Settings) -> Iterator[str]:
    if not settings.console_oidc_issuer:
        return
    needed = ("console_oidc_client_id", "console_oidc_client_secret", "console_url")
    secret = settings.console_oidc_client_secret.reveal()
    given = {name: secret if name.endswith("secret") else settings.value(name) for name in needed}
    if missing := [env_name(name) for name, value in given.items() if not value]:
        yield f"RESPONDER_CONSOLE_OIDC_ISSUER needs {', '.join(missing)}"
    if settings.origin("RESPONDER_CONSOLE_ROLES") == "default":
        yield (
            "RESPONDER_CONSOLE_OIDC_ISSUER needs RESPONDER_CONSOLE_ROLES: which users of the provider may read, act and"
            " operate, such as *@example.com=read,@sre=act"
        )


def _credential_problems(settings: Settings, server: str, urls: Iterable[str]) -> Iterator[str]:
    """Return the problems of the credentials for a server."""
    given, name, known = settings.credentials(server), env_name(server), [url for url in urls if url]
    secrets = [
        f"{name}_{kind}" for kind in ("TOKEN", "BASIC_AUTH") if settings.value(f"{server}_{kind.lower()}").reveal()
    ]
    files = [f"{name}_CLIENT_{kind}" for kind in ("CERT", "KEY") if settings.value(f"{server}_client_{kind.lower()}")]
    if not known:
        for variable in (*secrets, *files):
            what = variable.removeprefix(f"{name}_").replace("_", " ").lower()
            yield f"{variable} needs {name}_URL: the {what} goes to no other address"
        return
    if len(secrets) > 1:
        yield f"{' and '.join(secrets)} are both set: keep one of them"
    if (secrets or files) and any("@" in url.partition("://")[2].partition("/")[0] for url in known):
        yield f"{name}_URL holds a password and {[*secrets, *files][0]} is set: keep one of them"
    if len(files) == 1:
        yield f"{files[0]} is set alone: a client certificate needs {name}_CLIENT_CERT and {name}_CLIENT_KEY"
    elif files and any(url.startswith("http:") for url in known):
        yield f"{name}_CLIENT_CERT needs an https:// address in {name}_URL"
    elif files and (problem := client_certificate_problem(given.certificate, given.key)):
        yield f"{name}_CLIENT_CERT {problem}"


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
    settings = tuple(declared())
    names = {env_name(each.name) for each in settings}
    return names | {f"{env_name(each.name)}_FILE" for each in settings if each.kind is Secret}


# Kubernetes gives every pod such variables for a Service that happens to be called "responder".
_OF_KUBERNETES = re.compile(r"RESPONDER(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_.*)?)")


def unknown_variables(env: Mapping[str, str]) -> Iterator[str]:
    """Return a sentence for each RESPONDER_ variable that is no setting, most often a typing error."""
    known = _known_names()
    for name in sorted(env):
        if name.startswith(SECRET_PREFIX):
            continue
        if name.startswith(PREFIX) and name not in known and not _OF_KUBERNETES.fullmatch(name):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "`responder serve --settings` lists them"
            yield f"{name} is not a setting: {hint}"
