"""Cases of the probe kinds: the target of each, and its invalid specs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from responder.diagnose.cluster.causes.named import NamedCause
from responder.diagnose.contract import ProbeContext, Sources
from responder.diagnose.probes.alertmanager import AlertmanagerSpec
from responder.diagnose.probes.dns import DnsSpec
from responder.diagnose.probes.grafana import GrafanaSpec
from responder.diagnose.probes.http import HttpSpec
from responder.diagnose.probes.investigator import InvestigatorSpec
from responder.diagnose.probes.kubernetes import KubernetesSpec
from responder.diagnose.probes.loki import LokiSpec
from responder.diagnose.probes.promql import PromqlSpec
from responder.diagnose.probes.runbook_step import RunbookStepSpec
from responder.diagnose.probes.tcp import TcpSpec
from responder.diagnose.probes.tls import TlsSpec
from responder.model.finding import Verdict
from responder.runbooks.command import Scope
from responder.runbooks.document import RunbookSet, parse
from tests.support.builders import a_service, a_subject
from tests.support.faulty import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Case of a probe kind for the contract tests.

    ``at`` is a spec whose target is an address given as host:port; ``hostile`` one that uses the label ``pod`` wherever
    the kind allows labels. ``answered`` are the faults behind which the kind has seen what it asks for, with the
    verdict. ``wrong`` are specs that ``check`` refuses, with a word of the sentence. ``asks_with_labels`` is True if
    the question may contain labels of an alert, as strings. ``any_subject`` is True if it looks at subjects outside the
    catalog too.
    """

    at: Callable[[str], object]
    hostile: object
    wrong: tuple[tuple[object, str], ...]
    answered: dict[Fault, Verdict]
    asks_with_labels: bool = False
    any_subject: bool = False


# A TCP probe asks for no more than a connection, and a refusal is an answer to that.
_CONNECTED = dict.fromkeys(set(Fault) - {Fault.REFUSED}, Verdict.OK) | {Fault.REFUSED: Verdict.BAD}

_BAD_TARGETS = ("plato", "${pod}:80", "${health}:80", "169.254.169.254:80", "[fe80::1]:80", "[fd00:ec2::254]:80")

CASES: dict[str, Case] = {
    "http": Case(
        at=lambda address: HttpSpec(url=f"http://{address}/actuator/health", health=True),
        hostile=HttpSpec(health=True),
        wrong=(
            (HttpSpec(url="http://${pod}:8080/"), "placeholder"),
            (HttpSpec(url="${health}/${pod}"), "fixed path"),
            (HttpSpec(url="${health}@evil.example"), "fixed path"),
            (HttpSpec(url="javascript:alert(1)"), "absolute"),
            (HttpSpec(url="http://169.254.169.254/latest/meta-data/"), "metadata"),
            (HttpSpec(url="http://[fe80::1]/"), "metadata"),
            (HttpSpec(url="http://me:hunter2@plato/"), "user name"),
            (HttpSpec(url="http://plato/", of="all"), "needs ${health}"),
            (HttpSpec(expect_status=(42,)), "42"),
            (HttpSpec(expect_json={".": 1}), "path"),
            (HttpSpec(health=True, expect_status=(200,)), "leave"),
        ),
        answered={},
    ),
    "promql": Case(
        at=lambda _address: PromqlSpec(expr='up{pod="${pod}"}', bad=1),
        hostile=PromqlSpec(expr='up{pod="${pod}",instance=~"${pod}:.*",job!~\'${pod}\'}'),
        wrong=(
            (PromqlSpec(expr="up{${pod}}"), "outside a string"),
            (PromqlSpec(expr='up{pod="${selector}"}'), "inside a string"),
            (PromqlSpec(expr="up{pod=`${pod}`}"), "backticks"),
            (PromqlSpec(expr='label_replace(up, "a", "${pod}", "b", "c")'), "no matcher"),
            (PromqlSpec(expr='up{pod="${}"}'), "placeholder"),
            (PromqlSpec(expr='up{pod="x}'), "not closed"),
            (PromqlSpec(expr=" "), "empty"),
            (PromqlSpec(expr="up", warn=2, bad=1), "beyond"),
            (PromqlSpec(expr="up", warn=1, bad=2, when="below"), "beyond"),
            (PromqlSpec(expr="up", range="an hour"), "duration"),
            (PromqlSpec(expr="up", range="30d", step="1s"), "points"),
            (PromqlSpec(expr="up", step="1m"), "range"),
            (PromqlSpec(expr="up", headline="x" * 61), "60"),
            (PromqlSpec(expr="up", bad_headline="x" * 61), "60"),
        ),
        asks_with_labels=True,
        answered={},
    ),
    "tcp": Case(
        at=lambda address: TcpSpec(target=address),
        hostile=TcpSpec(),
        wrong=tuple((TcpSpec(target=target), "target") for target in _BAD_TARGETS),
        answered=_CONNECTED,
    ),
    "dns": Case(
        at=lambda address: DnsSpec(name="plato.butterfly.example", server=address),
        hostile=DnsSpec(),
        wrong=(
            (DnsSpec(name="${pod}"), "placeholder"),
            (DnsSpec(name="a b"), "host name"),
            (DnsSpec(name="169.254.169.254"), "metadata"),
            (DnsSpec(server="plato:53"), "looked up"),
            (DnsSpec(server="${health}"), "ip:port"),
            (DnsSpec(server="10.0.0.1"), "host:port"),
        ),
        answered={},
    ),
    "tls": Case(
        at=lambda address: TlsSpec(target=address),
        hostile=TlsSpec(),
        wrong=(
            *((TlsSpec(target=target), "target") for target in _BAD_TARGETS),
            (TlsSpec(warn_days=5, bad_days=7), "bad_days"),
            (TlsSpec(bad_days=-1), "bad_days"),
        ),
        answered={},
    ),
    "kubernetes": Case(
        at=lambda _address: KubernetesSpec(),
        hostile=KubernetesSpec(),
        wrong=(
            (KubernetesSpec(causes={"Lock": NamedCause(contains="lock held", says="a lock")}), "no code"),
            (KubernetesSpec(causes={"crash": NamedCause(contains="lock held", says="a lock")}), "none of"),
            (KubernetesSpec(causes={"db-lock": NamedCause(contains=" e ", says="a lock")}), "4 characters"),
            (KubernetesSpec(causes={"db-lock": NamedCause(contains="lock held", says=" ")}), "says is empty"),
        ),
        answered={},
        asks_with_labels=True,
        any_subject=True,
    ),
    "runbook-step": Case(
        at=lambda _address: RunbookStepSpec(section="test.md#steps"),
        hostile=RunbookStepSpec(section="test.md#hostile"),
        wrong=tuple(
            (RunbookStepSpec(section=each), "FILE.md#SECTION")
            for each in ("test.md", "#steps", "../test.md#steps", "/etc/test.md#steps", "http://evil/x.md")
        ),
        answered={},
        asks_with_labels=True,
        any_subject=True,
    ),
    "alertmanager": Case(
        at=lambda _address: AlertmanagerSpec(),
        hostile=AlertmanagerSpec(by=("pod", "namespace")),
        wrong=((AlertmanagerSpec(by=()), "empty"), (AlertmanagerSpec(by=('a="x"',)), "label name")),
        answered={},
        asks_with_labels=True,
        any_subject=True,
    ),
    "loki": Case(
        at=lambda _address: LokiSpec(),
        hostile=LokiSpec(selector="{pod=\"${pod}\",app=~'${pod}.*'}"),
        wrong=(
            (LokiSpec(selector="{pod=${pod}}"), "outside a string"),
            (LokiSpec(selector="{pod=`${pod}`}"), "backticks"),
            (LokiSpec(selector='up{pod="${pod}"}'), "one stream selector"),
            (LokiSpec(selector='{a="b"} or {c="d"}'), "one stream selector"),
            (LokiSpec(selector='{a="b}'), "not closed"),
            (LokiSpec(selector="{${selector}}"), "matchers of Prometheus"),
            (LokiSpec(pattern=""), "empty"),
            (LokiSpec(window="soon"), "duration"),
            (LokiSpec(times=-1), "negative"),
        ),
        answered={},
        asks_with_labels=True,
        any_subject=True,
    ),
    "grafana": Case(
        at=lambda _address: GrafanaSpec(),
        hostile=GrafanaSpec(),
        wrong=((GrafanaSpec(tags=()), "empty"), (GrafanaSpec(window="soon"), "duration")),
        answered={},
        any_subject=True,
    ),
    "investigator": Case(
        at=lambda _address: InvestigatorSpec(),
        hostile=InvestigatorSpec(),
        wrong=(
            (InvestigatorSpec(name=" "), "empty"),
            (InvestigatorSpec(deadline="soon"), "duration"),
            (InvestigatorSpec(deadline="1h"), "10m"),
        ),
        answered={},
        asks_with_labels=True,
        any_subject=True,
    ),
}


_RUNBOOK = """# Test

## Steps

### Step 1: Look

```sh {"name":"pods","tag":"readonly"}
kubectl get pods
```

## Hostile

### Step 1: Read

```sh {"name":"log","tag":"readonly"}
kubectl logs {{ pod }}
```
"""
_SCOPE = Scope(namespace="butterfly", namespaces=frozenset({"butterfly"}))


def a_scene(address: str, pod: str = "plato-0", name: str = "plato") -> ProbeContext:
    """plato, its health and Prometheus both at ``address``; ``pod`` and ``name`` are what an alert said."""
    return ProbeContext(
        subject=a_subject(name=name, values={"service": "plato", "namespace": "butterfly", "pod": pod}),
        services={"plato": a_service("plato", health=f"http://{address}/actuator/health")},
        prometheus_url=f"http://{address}",
        cluster=True,
        runbooks=RunbookSet(documents={"test.md": parse("test.md", _RUNBOOK)}, scope=_SCOPE),
        sources=Sources(
            alertmanager={"": (f"http://{address}",)},
            loki=f"http://{address}",
            grafana=f"http://{address}",
            investigator=f"http://{address}/api/chat",
        ),
    )
