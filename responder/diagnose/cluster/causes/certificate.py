"""Certificates of cert-manager: not ready and why, when they expire, and which Ingress serves them."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Scene, last_seen
from responder.model.clock import ago
from responder.model.clue import Clue, Role
from responder.model.text import cut

#: Time before its end at which a certificate that is not renewed is a problem.
_SOON = timedelta(days=7)
#: The objects that cert-manager makes to renew a certificate, named after it.
_REQUESTS = frozenset({"CertificateRequest", "Order", "Challenge"})
_WRONG = re.compile(r"not found|fail|error|denied|forbidden|invalid|refused|unauthorized", re.IGNORECASE)


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return what is wrong with the certificate that the alert names, and with those of the Ingress that it names."""
    return tuple(clue for each in _of_subject(scene) for clue in _clue(scene, each))


def _of_subject(scene: Scene) -> Iterator[Object]:
    named = {scene.place.named.get("Certificate", ""), scene.place.workload}
    ingress = scene.find("Ingress", scene.place.named.get("Ingress", ""))
    secrets = {objects.text(each, "secretName") for each in objects.items(ingress, "spec", "tls")}
    called = {name.partition(".")[0] for name in scene.named_in_logs} - {""}
    for each in scene.of("Certificate"):
        hosts = {str(host).partition(".")[0] for host in objects.items(each, "spec", "dnsNames")}
        if objects.name(each) in named or objects.text(each, "spec", "secretName") in secrets - {""}:
            yield each
        elif hosts & called and not (objects.is_true(each, "Ready") and _is_valid(each, scene.now)):
            yield each  # of something that the subject calls


def _is_valid(certificate: Object, now: datetime) -> bool:
    begin, end = (objects.when(certificate, "status", key) for key in ("notBefore", "notAfter"))
    return (begin is None or begin <= now) and (end is None or end > now)


def _clue(scene: Scene, certificate: Object) -> Iterator[Clue]:
    name, entity = objects.name(certificate), objects.reference(certificate)
    hosts = ", ".join(map(str, objects.items(certificate, "spec", "dnsNames")[:2]))
    ready = objects.condition(certificate, "Ready")
    until = objects.when(certificate, "status", "notAfter")
    expired = until is not None and until <= scene.now
    begin = objects.when(certificate, "status", "notBefore")
    if begin is not None and begin > scene.now:
        says = f"certificate {name} of {hosts or 'no host'} is not valid yet: it begins in {ago(begin, scene.now)}"
        yield Clue(code="certificate-early", role=Role.CAUSE, entity=entity, says=f"{says} ({begin:%H:%M} UTC)")
        return
    soon = until is not None and until - scene.now < _SOON
    if objects.text(ready, "status") == "True" and not soon:
        end = f", expires in {ago(until, scene.now)}" if until else ""
        yield Clue(code="certificate-ready", role=Role.FINE, entity=entity, says=f"certificate {name} is ready{end}")
        return
    since = objects.when(ready, "lastTransitionTime")
    span = f" for {ago(scene.now, since)}" if since else ""
    is_ready = objects.text(ready, "status") == "True"
    state = "" if expired else " is not renewed" if is_ready else f" not ready{span}"
    end = _end(until, scene.now)
    # Once it has expired, or while the old one still holds, the last attempt to issue it says why.
    condition = objects.condition(certificate, "Issuing") if expired or is_ready else ready
    message = objects.text(condition, "message") if objects.text(condition, "status") == "False" else ""
    message = message.rpartition("retried: ")[2] or _refused(scene, name)
    why = f": {cut(message, 140)}" if message else ""
    tries = objects.number(certificate, "status", "failedIssuanceAttempts")
    failed = f", {tries} failed attempts" if tries else ""
    issuer = objects.text(certificate, "spec", "issuerRef", "name")
    by = f" (issuer {issuer})" if issuer else ""
    space = objects.namespace(certificate)
    where = f" in namespace {space}" if space else ""
    says = f"certificate {name}{where} of {hosts or 'no host'}{by}{state}{end}{failed}{why}"
    yield Clue(
        code="certificate-expired" if expired else "certificate", role=Role.CAUSE, entity=entity, says=says, since=since
    )


def _refused(scene: Scene, certificate: str) -> str:
    """Return what the newest event about a request, an order or a challenge of a certificate says is wrong."""
    for event in sorted(scene.of("Event"), key=lambda each: last_seen(each) or scene.began, reverse=True):
        about, said = objects.at(event, "involvedObject"), objects.text(event, "message")
        own = objects.text(about, "name") == certificate or objects.text(about, "name").startswith(f"{certificate}-")
        if own and objects.text(about, "kind") in _REQUESTS and _WRONG.search(said):
            return said
    return ""


def _end(until: datetime | None, now: datetime) -> str:
    if until is None:
        return ", it was never issued"
    return f" expired {ago(now, until)} ago" if until <= now else f", expires in {ago(until, now)}"
