"""The kinds of probe there are. A new one is a file here, a line in PROBES and a case in the contract tests."""

from __future__ import annotations

from responder.diagnose.contract import ProbeKind
from responder.diagnose.probes import dns, http, promql, tcp, tls

PROBES: dict[str, ProbeKind] = {
    "http": http.KIND,
    "promql": promql.KIND,
    "tcp": tcp.KIND,
    "dns": dns.KIND,
    "tls": tls.KIND,
}
