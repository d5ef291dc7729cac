"""The kinds of probe. To add one: a file here, a line in PROBES, a case in the contract tests."""

from typing import Any

from responder.diagnose.contract import ProbeKind
from responder.diagnose.probes.alertmanager import KIND as ALERTMANAGER
from responder.diagnose.probes.dns import KIND as DNS
from responder.diagnose.probes.grafana import KIND as GRAFANA
from responder.diagnose.probes.http import KIND as HTTP
from responder.diagnose.probes.investigator import KIND as INVESTIGATOR
from responder.diagnose.probes.kubernetes import KIND as KUBERNETES
from responder.diagnose.probes.loki import KIND as LOKI
from responder.diagnose.probes.promql import KIND as PROMQL
from responder.diagnose.probes.runbook_step import KIND as RUNBOOK_STEP
from responder.diagnose.probes.tcp import KIND as TCP
from responder.diagnose.probes.tls import KIND as TLS

PROBES: dict[str, ProbeKind[Any]] = {
    "http": HTTP,
    "promql": PROMQL,
    "tcp": TCP,
    "dns": DNS,
    "tls": TLS,
    "kubernetes": KUBERNETES,
    "runbook-step": RUNBOOK_STEP,
    "alertmanager": ALERTMANAGER,
    "loki": LOKI,
    "grafana": GRAFANA,
    "investigator": INVESTIGATOR,
}
