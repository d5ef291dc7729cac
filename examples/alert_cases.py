"""The cases behind ``examples/alerts/``: alerts, grouping, and the purpose of each case."""  # noqa: INP001

from alert_groups import (
    CLUSTER,
    HOSTILE_TEXT,
    SECRETS,
    Case,
    Member,
    crash_loops,
    full_volumes,
    high_error_rate,
    hostile_labels,
    labels,
    notes,
    service_down,
)


def _one(names: dict[str, str], texts: dict[str, str], started: str, expr: str = "") -> tuple[Member, ...]:
    return (Member(names, texts, started, expr=expr),)


CASES = (
    Case(
        "certificate",
        "a certificate that ends in two days; cert-manager's own namespace label is misleading",
        _one(
            labels(
                "CertificateExpiringSoon",
                "warning",
                "service=nexus job=cert-manager instance=10.2.7.3:9402 name=nexus-tls exported_namespace=butterfly",
            )
            | {"namespace": "cert-manager"},
            notes(
                "Certificate butterfly/nexus-tls expires in 2d 3h", "Renewal has failed since 3 days: 429 rateLimited."
            ),
            "2026-11-23T01:10:00.25Z",
            "certmanager_certificate_expiration_timestamp_seconds - time() < 3 * 86400",
        ),
    ),
    Case(
        "connection-pool",
        "every connection of a Hikari pool is in use and requests wait",
        _one(
            labels(
                "HikariConnectionsExhausted",
                "critical",
                "service=plato job=plato instance=10.2.3.14:8080 pod=plato-7d9f6b5c84-x2x9k pool=HikariPool-1",
            ),
            notes("HikariPool-1 of plato: 10 of 10 connections busy, 34 waiting", runbook="common-issues.md"),
            "2026-11-23T02:38:44.91Z",
            "hikaricp_connections_pending > 0 and hikaricp_connections_active >= hikaricp_connections_max",
        ),
    ),
    Case(
        "crash-loop",
        "one pod; only its name shows the service, since the other labels are those of kube-state-metrics",
        _one(
            labels(
                "KubePodCrashLooping",
                "warning",
                "container=odyssey instance=10.2.0.17:8443 job=kube-state-metrics pod=odyssey-7d9f6b5c84-x2x9k"
                " reason=CrashLoopBackOff uid=6f1d3c0e-8a52-4a0e-9d75-0c4f6f7d21b3",
            ),
            notes("Pod is crash looping.", 'Pod butterfly/odyssey is in waiting state (reason: "CrashLoopBackOff").'),
            "2026-11-23T02:44:51.003Z",
            'max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[5m]) >= 1',
        ),
    ),
    Case(
        "group-of-twenty",
        "twenty alerts in one group, over all five services",
        crash_loops(),
        group_by=("alertname", "namespace"),
    ),
    Case(
        "heap",
        "a heap that stays full after garbage collection",
        _one(
            labels(
                "HighHeapUsage",
                "warning",
                "service=odyssey job=odyssey instance=10.2.4.9:8080 pod=odyssey-7d9f6b5c84-q7rvm area=heap",
            ),
            notes("odyssey uses 94% of its heap", "91% are still in use after garbage collection."),
            "2026-11-23T02:20:12.4Z",
            'sum by (pod) (jvm_memory_used_bytes{area="heap"})'
            ' / sum by (pod) (jvm_memory_max_bytes{area="heap"} > 0) > 0.9',
        ),
    ),
    Case("high-error-rate", "a service answers with 5xx", high_error_rate()),
    Case(
        "high-latency",
        "a service answers slowly",
        _one(
            labels("HighLatency", "warning", "service=perception job=perception"),
            notes("perception p95 is 2.8 s", "The limit is 1 s over 10 minutes; yesterday it was 0.3 s."),
            "2026-11-23T02:47:02.77Z",
            "histogram_quantile(0.95, sum by (le, service) (rate(http_server_requests_seconds_bucket[5m]))) > 1",
        ),
    ),
    Case(
        "hostile-labels",
        "label values that try to mention, run, inject, climb, reach the metadata service and script",
        hostile_labels(),
        group_by=("alertname",),
    ),
    Case(
        "hostile-text",
        "control characters, right-to-left overrides, emoji, other scripts, forged lines and a long description",
        HOSTILE_TEXT,
        group_by=("alertname", "bidi", "ansi", "note"),
    ),
    Case(
        "kafka-lag",
        "a consumer group falls behind",
        _one(
            labels(
                "KafkaConsumerLag",
                "warning",
                "consumergroup=perception topic=observations job=kafka-exporter instance=10.2.6.2:9308",
            ),
            notes("Consumer group perception is 184k messages behind on observations", "It grows by 2.1k a second."),
            "2026-11-23T02:31:40.18Z",
            "sum by (consumergroup, topic) (kafka_consumergroup_lag) > 10000",
        ),
    ),
    Case(
        "no-alertname",
        "an alert without a name, as any client may post one",
        _one(
            {**CLUSTER, "severity": "warning", "service": "capsule", "note": "posted by hand"},
            notes("An alert without alertname"),
            "2026-11-23T02:55:30.696101Z",
        ),
    ),
    Case(
        "node-not-ready",
        "a node that lost its heartbeat; it names no service",
        _one(
            labels(
                "KubeNodeNotReady",
                "warning",
                "node=ip-10-0-1-12 condition=Ready status=true instance=10.2.0.17:8443 job=kube-state-metrics",
            )
            | {"namespace": "monitoring"},
            notes("Node is not ready.", "ip-10-0-1-12 has been unready for more than 15 minutes on cluster prod-eu."),
            "2026-11-23T02:24:09.5Z",
            'kube_node_status_condition{condition="Ready",status="true"} == 0',
        ),
    ),
    Case(
        "out-of-memory",
        "a container was killed at its memory limit",
        _one(
            labels(
                "ContainerOOMKilled",
                "warning",
                "container=capsule pod=capsule-0 reason=OOMKilled instance=10.2.0.17:8443 job=kube-state-metrics",
            ),
            notes("Container capsule in capsule-0 was OOMKilled 3 times in 10 minutes"),
            "2026-11-23T02:33:20.042Z",
            'kube_pod_container_status_last_terminated_reason{reason="OOMKilled"} == 1',
        ),
    ),
    Case(
        "partly-resolved",
        "the group of twenty half an hour later: eight alerts are resolved, twelve still fire",
        crash_loops(8),
        group_by=("alertname", "namespace"),
    ),
    Case(
        "replicas-mismatch",
        "a stuck rollout; the labels service and pod name the exporter, not the affected workload",
        _one(
            labels(
                "KubeDeploymentReplicasMismatch",
                "warning",
                "deployment=nexus service=kube-state-metrics pod=kube-state-metrics-5f7b9c6d8-w4jzp"
                " container=kube-rbac-proxy-main instance=10.2.0.17:8443 job=kube-state-metrics",
            ),
            notes(
                "Deployment has not matched the expected number of replicas.",
                "nexus has 2 of 3 replicas for 16 minutes.",
            ),
            "2026-11-23T02:29:00.999Z",
            "kube_deployment_spec_replicas > kube_deployment_status_replicas_available",
        ),
    ),
    Case(
        "resolved",
        "high-error-rate is resolved: same group, same fingerprint, with `endsAt`",
        high_error_rate("2026-11-23T03:05:47.632Z"),
    ),
    Case(
        "secrets-in-annotations",
        "annotations full of made-up secrets, none of which may be sent",
        _one(
            labels("DatabaseLoginFailed", "critical", "service=perception job=perception"),
            SECRETS,
            "2026-11-23T02:58:00.1Z",
        ),
    ),
    Case("service-down", "no pod of a service answers", service_down()),
    Case(
        "target-down",
        "kube-prometheus counts scrapes per job: no instance, no pod",
        _one(
            labels("TargetDown", "warning", "service=capsule job=capsule"),
            notes(
                "One or more targets are unreachable.", "33.33% of the capsule/capsule targets in butterfly are down."
            ),
            "2026-11-23T02:42:30.7Z",
            "100 * (count by (cluster, job, namespace, service) (up == 0)"
            " / count by (cluster, job, namespace, service) (up)) > 10",
        ),
    ),
    Case(
        "truncated",
        'max_alerts cut an alert that still fires, so the status reads "resolved": it must not resolve anything',
        full_volumes(),
        route='{}/{severity="critical"}',
        receiver=r"responder\.capped",  # Alertmanager quotes the name "responder.capped" as a regex
        max_alerts=1,
    ),
    Case(
        "unknown-alert",
        "an alert that no specific rule matches",
        _one(
            labels("FluxCapacitorDrift", "critical", "job=flux-capacitor instance=10.2.9.9:9100"),
            notes("The flux capacitor drifts by 1.21 GW"),
            "2026-11-23T02:52:08.3Z",
            "flux_capacitor_drift > 1",
        ),
    ),
    Case(
        "volume-filling",
        "a volume with 3% left",
        (full_volumes()[1],),
    ),
    Case(
        "watchdog",
        "always fires, to show that alerting works; not notified",
        _one(
            {"alertname": "Watchdog", "cluster": "prod-eu", "severity": "none"},
            notes("An alert that should always be firing to certify that Alertmanager is working properly."),
            "2026-11-20T08:00:17.632Z",
            "vector(1)",
        ),
        route='{}/{alertname="Watchdog"}',
    ),
)
