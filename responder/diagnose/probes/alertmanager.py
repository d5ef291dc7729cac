"""Alertmanager probe: other alerts around the subject by what they share with it, and which of them are suppressed."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, span, unreachable
from responder.diagnose.plan import subject_name
from responder.diagnose.promql_text import escape
from responder.model.clock import Deadline, time_of_day
from responder.model.finding import Finding, Verdict
from responder.model.redaction import redact
from responder.model.rule import ProbeSpec
from responder.model.text import number_of, sanitize_line
from responder.outgoing import UnreachableError
from responder.outgoing.alertmanager_api import ALERTS, SILENCE, GettableAlert, GettableSilence, silence_path
from responder.outgoing.json_api import NoAnswerError, fetch

_CAP: Final = 2 * 1024 * 1024
_LONGEST_VALUE: Final = 253
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
#: Names of alerts that the headline lists for each shared label.
_NAMED: Final = 4
#: Values of a subject that may differ from the labels of its alert: the catalog has other names for them.
_REWRITTEN: Final = frozenset({"service", "namespace", "workload"})
#: Silences that are fetched.
_MOST_SILENCES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerSpec:
    """Firing alerts that share a label with the subject, and who silenced which until when."""

    by: tuple[str, ...] = field(
        default=("service", "node", "namespace"),
        metadata={"help": "labels of the alert, the most specific first: alerts with the same value are related"},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerQuery:
    """The servers of one cluster, the values to look for by label, and the labels of the subject's own alert."""

    urls: tuple[str, ...]
    shared: Mapping[str, str]
    own: Mapping[str, str]


def check(spec: AlertmanagerSpec) -> tuple[str, ...]:
    """Return the problems of a spec."""
    if not spec.by:
        return ("by is empty",)
    return tuple(f"by: {each!r} is no label name" for each in spec.by if not _LABEL.fullmatch(each))


def questions(probe: ProbeSpec[AlertmanagerSpec], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
    """Plan the query; none without an Alertmanager."""
    servers = probe_context.sources.alertmanager
    if not servers:
        return ()
    subject = probe_context.subject
    values = {**subject.values, "namespace": subject.namespace}
    shared = {name: values[name] for name in probe.spec.by if _usable(values.get(name, ""))}
    urls = servers.get(values.get("cluster", "")) or servers.get("", ()) or next(iter(servers.values()))
    skip = "" if shared else f"the alert has none of the labels {', '.join(probe.spec.by)}"
    if len(servers) > 1 and values.get("cluster", "") not in servers:
        skip = "there are several Alertmanagers, and the alert has no label cluster that names one"
    return (
        ProbeQuestion(
            probe=probe.name,
            kind="alertmanager",
            target=subject_name(probe_context),
            query=" or ".join(f"amtool alert query {_matcher(*each)}" for each in shared.items()),
            timeout=probe.timeout,
            skip=skip,
            wire=AlertmanagerQuery(urls=urls, shared=shared, own=values),
            endpoint=urls[0],
        ),
    )


def _usable(value: str) -> bool:
    """Return True for a value that may appear in a query: queries are shown, so they must hold no secret."""
    return 0 < len(value) <= _LONGEST_VALUE and redact(value) == value


def _matcher(label: str, value: str) -> str:
    return f'{label}="{escape(value)}"'


def run(question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding:
    """Query the first server that answers. The alerts are facts: none of them is judged."""
    wire: AlertmanagerQuery = question.wire
    began = tools.clock.monotonic()
    failed: UnreachableError | NoAnswerError = NoAnswerError("0 servers")
    for left, url in zip(range(len(wire.urls), 0, -1), wire.urls, strict=True):
        now = tools.clock.monotonic()
        until = deadline.earlier(deadline.left(now) / left, now)
        try:
            around = _around(wire, url.rstrip("/"), until, tools)
            silences = _silences(around, url.rstrip("/"), until, tools)
        except (UnreachableError, NoAnswerError) as error:
            failed = error
            continue
        took = tools.clock.monotonic() - began
        fact = in_words(wire.shared, around, silences, tools.clock.now())
        lines = [f"{_name(each)}: {each.status.state}" for alerts in around.values() for each in alerts]
        return answer(question, Verdict.OK, fact, detail="\n".join(lines[:50]), duration=took, judged=False)
    took = tools.clock.monotonic() - began
    if isinstance(failed, UnreachableError):
        return unreachable(question, UnreachableError(f"Alertmanager: {failed}"), took)
    return answer(question, Verdict.UNKNOWN, f"Alertmanager: {failed} after {span(took)}", duration=took)


def _around(wire: AlertmanagerQuery, url: str, until: Deadline, tools: ProbeTools) -> dict[str, list[GettableAlert]]:
    """Return the other alerts by the first label that they share with the subject."""
    seen: set[str] = set()
    around: dict[str, list[GettableAlert]] = {}
    for label, value in wire.shared.items():
        query = urlencode({"filter": _matcher(label, value)})
        found = fetch(tools.outgoing, f"{url}/api/v2/alerts?{query}", ALERTS, until, _CAP)
        new = [each for each in found if each.fingerprint not in seen and not _is_own(each, wire.own)]
        seen |= {each.fingerprint for each in found}
        around[label] = new
    return around


def _is_own(alert: GettableAlert, own: Mapping[str, str]) -> bool:
    """Return True for the alert of the page itself: its name and all labels that are known of it are equal.

    A label may also have the value of another one of the alert: the subject has ``exported_pod`` as ``pod``.
    """
    known = [key for key in alert.labels if key in own and key not in _REWRITTEN]
    return alert.name == own.get("alertname", "") and all(own[key] in alert.labels.values() for key in known)


def _silences(
    around: Mapping[str, Sequence[GettableAlert]], url: str, until: Deadline, tools: ProbeTools
) -> list[GettableSilence]:
    ids = dict.fromkeys(each for alerts in around.values() for alert in alerts for each in alert.status.silenced_by)
    paths = [url + silence_path(each) for each in list(ids)[:_MOST_SILENCES]]
    return [fetch(tools.outgoing, path, SILENCE, until, _CAP) for path in paths]


def in_words(
    shared: Mapping[str, str],
    around: Mapping[str, Sequence[GettableAlert]],
    silences: Sequence[GettableSilence],
    now: datetime,
) -> str:
    """Return the other alerts in one sentence: firing ones by what they share, then those that are suppressed."""
    firing = {label: [each for each in alerts if each.status.state != "suppressed"] for label, alerts in around.items()}
    count = sum(map(len, firing.values()))
    places = [f"{label} {sanitize_line(shared[label], 60)}" for label in around]
    if not count:
        text = f"0 other alerts firing with {' or '.join(places)}"
    else:
        groups = [
            f"{label} {sanitize_line(shared[label], 60)}: {_names(each)}" for label, each in firing.items() if each
        ]
        text = f"{number_of(count, 'other alert')} firing: {'; '.join(groups)}"
    hidden = [each for alerts in around.values() for each in alerts if each.status.state == "suppressed"]
    silenced = [each for each in hidden if each.status.silenced_by]
    inhibited = [each for each in hidden if not each.status.silenced_by]
    if silenced:
        text += f"; {len(silenced)} silenced{_by(silences, now)}: {_names(silenced)}"
    if inhibited:
        text += f"; {len(inhibited)} inhibited: {_names(inhibited)}"
    return text


def _name(alert: GettableAlert) -> str:
    return alert.name or "alert without a name"


def _names(alerts: Sequence[GettableAlert]) -> str:
    counts = Counter(sanitize_line(_name(each), 60) for each in alerts)
    shown = [f"{name} ({count})" if count > 1 else name for name, count in counts.most_common(_NAMED)]
    return ", ".join(shown) + (f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else "")


def _by(silences: Sequence[GettableSilence], now: datetime) -> str:
    last = max(silences, key=lambda each: each.ends_at, default=None)
    if last is None:
        return ""
    why = f" ({sanitize_line(last.comment, 60)})" if last.comment else ""
    who = sanitize_line(last.created_by, 40) or "an unknown user"
    return f" by {who} until {time_of_day(last.ends_at, seen_from=now)}{why}"


KIND = ProbeKind(
    name="alertmanager",
    spec=AlertmanagerSpec,
    check=check,
    questions=questions,
    run=run,
    opening=b"GET ",
    of_group=False,
    setting="alertmanager_url",
)
