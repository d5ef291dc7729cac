"""An alert and the group Alertmanager delivers it in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

Labels = Mapping[str, str]
#: Form of Alertmanager's fingerprints (prometheus/common model/signature.go). Alerts of Grafana and of responder itself
#: have others.
FINGERPRINT: Final = re.compile(r"[0-9a-f]{16}")

#: Labels that name the cluster of an alert; OpenTelemetry's name also has underscores in place of its dots.
CLUSTER_LABELS: Final = ("cluster", "k8s.cluster.name", "k8s_cluster_name", "kubernetes_cluster", "k8s_cluster")
#: Labels that distinguish alerts of one name, the most specific first.
DISTINCTIVE: Final = (
    "pod",
    "instance",
    "node",
    "container",
    "persistentvolumeclaim",
    "deployment",
    "topic",
    "consumergroup",
    "name",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A member of a webhook's ``alerts`` list.

    ``links`` are URLs by the sender's field names (Grafana: dashboardURL, panelURL, silenceURL).
    ``ends_at`` is None while the alert fires (Alertmanager sends the year 1 then). ``fingerprint`` covers the labels
    only: annotations of the same alert may differ between two deliveries.
    """

    firing: bool
    labels: Labels
    annotations: Labels
    starts_at: datetime
    ends_at: datetime | None = None
    generator_url: str = ""
    fingerprint: str
    links: Labels = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The ``alertname`` label; an alert may come without one."""
        return self.labels.get("alertname", "")

    @property
    def title(self) -> str:
        """The name with the first label that distinguishes alerts of one name: ``HostDown instance db-1``."""
        own = next((f"{key} {self.labels[key]}" for key in DISTINCTIVE if self.labels.get(key)), "")
        return " ".join(filter(None, (self.name, own)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertGroup:
    """A notification: the whole group as Alertmanager sees it now, not only the changes.

    ``cluster`` is the last segment of the webhook's URL, empty where it names none. ``truncated`` counts the alerts
    that ``max_alerts`` cut off: with any, neither the group's status nor its common labels can be relied upon.
    ``outdated`` are members older than the known state, left out of ``alerts``; the receiver sets none.
    """

    group_key: str
    cluster: str
    receiver: str
    group_labels: Labels
    common_labels: Labels
    common_annotations: Labels
    external_url: str
    truncated: int
    alerts: tuple[Alert, ...]
    outdated: tuple[Alert, ...] = ()

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The members that fire, in Alertmanager's order."""
        return tuple(alert for alert in self.alerts if alert.firing)

    @property
    def dedup_key(self) -> str:
        """Key that makes notifications the same incident, here and at PagerDuty: 64 hex characters.

        Without a cluster it is sha256(groupKey), exactly what Alertmanager's own PagerDuty notifier sends
        (``notify/util.go``, ``Key.Hash``), so that a native fallback receiver deduplicates with responder's pages.
        """
        text = f"{self.cluster}\n{self.group_key}" if self.cluster else self.group_key
        return sha256(text.encode()).hexdigest()
