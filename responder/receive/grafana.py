"""Differences of Grafana's alerting from Prometheus: alerts about a query without data, or with an error."""

from __future__ import annotations

from typing import Final

from responder.model.alert import Labels

#: Starts the fingerprints of Grafana's alerts: no Alertmanager lists them, so reconciliation must not look for them.
PREFIX: Final = "grafana-"
#: What has happened to the query of a rule, by the ``alertname`` that Grafana sends in the place of the rule's name.
_STATES: Final = {"DatasourceNoData": "query returned no data", "DatasourceError": "query failed"}


def described(labels: Labels, given: Labels) -> Labels:
    """The annotations with a summary that names the rule, for an alert about the query of a rule; else ``given``.

    The annotations of the rule are about its condition, which could not be evaluated. Labels are left as they are.
    """
    state, rule = _STATES.get(labels.get("alertname", "")), labels.get("rulename")
    if not state or not rule:
        return given
    about = f" ({given['summary']})" if given.get("summary") else ""
    return {**given, "summary": f"{rule}: {state}{about}"}
