"""Plans probes: the checks of a page, and the address of each check. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion
from responder.model.rule import RuleBook, Service
from responder.model.text import sanitize_line
from responder.outgoing import is_forbidden, split_address
from responder.outgoing.client import PORTS


def plan(
    names: Iterable[str], book: RuleBook, kinds: Mapping[str, ProbeKind[Any]], probe_context: ProbeContext
) -> tuple[ProbeQuestion, ...]:
    """Return the checks of the probes named, in their order, each probe once.

    A name the rule book does not know, or a probe of no known kind, becomes a skipped check: planning never fails.
    """
    return tuple(question for name in dict.fromkeys(names) for question in _questions(name, book, kinds, probe_context))


def _questions(
    name: str, book: RuleBook, kinds: Mapping[str, ProbeKind[Any]], probe_context: ProbeContext
) -> tuple[ProbeQuestion, ...]:
    spec = book.probes.get(name)
    if spec is None:
        return (_nothing(name, "", probe_context, f"the rules define no probe {name}"),)
    kind = kinds.get(spec.kind)
    if kind is None:
        return (_nothing(name, spec.kind, probe_context, f"unknown probe kind {spec.kind}"),)
    return kind.questions(spec, probe_context)


def _nothing(name: str, kind: str, probe_context: ProbeContext, skip: str) -> ProbeQuestion:
    return ProbeQuestion(
        probe=name, kind=kind, target=sanitize_line(probe_context.subject.name, 40), query="", timeout=0.0, skip=skip
    )


HEALTH = "${health}"
#: Characters of the name of a target.
NAME_LIMIT = 40
UNKNOWN_SERVICE = "service not in catalog"

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|[0-9A-Fa-f:.]{2,45}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A host, a port, and whether the address it came from speaks TLS (None where it did not say)."""

    host: str
    port: int
    secure: bool | None = None


def service_of(probe_context: ProbeContext) -> Service | None:
    """Return the catalog entry of the alert's subject."""
    return (
        probe_context.services.get(probe_context.subject.service) if probe_context.subject.service is not None else None
    )


def subject_name(probe_context: ProbeContext) -> str:
    """Return the subject's name, cleaned and cut: an alert may contain any name."""
    return sanitize_line(probe_context.subject.name, NAME_LIMIT) or "unknown subject"


def endpoint(url: str) -> Endpoint:
    """Host and port of an absolute http(s) address. Raises ValueError where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or not _HOST.fullmatch(parts.hostname):
        message = f"{url!r} is no http(s) address"
        raise ValueError(message)
    return Endpoint(host=parts.hostname, port=parts.port or PORTS[parts.scheme], secure=parts.scheme == "https")


def locate(target: str, probe_context: ProbeContext) -> tuple[str, Endpoint | None, str]:
    """Name, endpoint and, where there is none, the reason, for ``${health}`` or a literal ``host:port``."""
    if target != HEALTH:
        try:
            host, port = split_address(target)
        except ValueError:
            return target, None, "its target is not host:port"
        return target, Endpoint(host=host, port=port), ""
    service = service_of(probe_context)
    if service is None:
        return subject_name(probe_context), None, UNKNOWN_SERVICE
    try:
        return service.name, endpoint(service.health), ""
    except ValueError:
        return service.name, None, "its health address in the catalog cannot be used"


def check_target(key: str, target: str) -> tuple[str, ...]:
    """Return the problems of a ``${health}`` or ``host:port`` of a rule file."""
    if target == HEALTH:
        return ()
    try:
        host, _ = split_address(target)
    except ValueError:
        return (f"{key} must be {HEALTH} or host:port, not {target!r}",)
    return check_host(key, host)


def check_host(key: str, host: str) -> tuple[str, ...]:
    """Return the problems of a literal host name or IP address."""
    if "${" in host:
        return (f"{key} takes no placeholder but {HEALTH}: labels never choose an address",)
    if not _HOST.fullmatch(host):
        return (f"{key}: {host!r} is no host name",)
    if is_forbidden(host):
        return (f"{key}: {host} is a link-local or metadata address, which probes never query",)
    return ()


def check_url(key: str, url: str) -> tuple[str, ...]:
    """Return the problems of ``${health}``, ``${health}/more`` or an absolute http(s) address."""
    rest = url.removeprefix(HEALTH)
    if rest != url:
        fits = rest == "" or (rest.startswith("/") and "${" not in rest and rest.isprintable() and " " not in rest)
        return () if fits else (f"{key}: after {HEALTH} only a fixed path may follow, not {rest!r}",)
    if "${" in url:
        return (f"{key} takes no placeholder but {HEALTH}, at its beginning: labels never choose an address",)
    try:
        host = endpoint(url).host
    except ValueError:
        return (f"{key} must be {HEALTH} or an absolute http(s) address, not {url!r}",)
    if "@" in urlsplit(url).netloc:
        return (f"{key} holds a user name or password: remove it from the rule file",)
    return check_host(key, host)
