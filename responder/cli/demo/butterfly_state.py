"""State of the BUTTERFLY stand-in during the demo, with findings for most of the sample alerts."""

from responder.standins import butterfly
from responder.standins.prometheus import PrometheusStandIn, SeriesSample
from responder.standins.stage import Stage

_MINUTE = 60.0
_DAY = 86_400.0


def prepare_services(stage: Stage) -> None:
    """Set one service DOWN because of its database, one without health details, the others healthy."""
    stage.butterfly.set("plato", butterfly.down("db", "HikariPool-1 - Connection is not available, request timed out"))
    stage.butterfly.set("odyssey", butterfly.hidden())
    _usual(stage.prometheus)
    _unusual(stage.prometheus)


def _usual(prometheus: PrometheusStandIn) -> None:
    prometheus.set("kube_replicaset_created", 9 * _DAY)
    prometheus.set("kube_deployment_status_replicas_available", 1)
    prometheus.set("sum(up{", 1)
    prometheus.set("kube_pod_container_status_restarts_total", 0)
    prometheus.set("container_memory_working_set_bytes", 0.61)
    prometheus.set("kube_pod_status_phase", 0)
    prometheus.set("count(count by (image)", 1)
    prometheus.set("http_server_requests_seconds_count", 0.002)
    prometheus.set("offset 1d", 1.04)
    prometheus.set("http_server_requests_seconds_bucket", SeriesSample(value=0.31, was=0.28))
    prometheus.set("http_server_requests_seconds_sum", 0.09)
    prometheus.set("logback_events_total", 3)
    prometheus.set("tomcat_threads_busy_threads", 0.12)
    prometheus.set("jvm_memory_used_bytes", SeriesSample(value=0.55, was=0.52))
    prometheus.set("jvm_memory_usage_after_gc", 0.38)
    prometheus.set("jvm_gc_pause_seconds_sum", 0.008)
    prometheus.set("jvm_threads_states_threads", 0)
    prometheus.set("hikaricp_connections_active", SeriesSample(value=0.3, was=0.28, labels={"pool": "HikariPool-1"}))
    prometheus.set("hikaricp_connections_pending", 0)
    prometheus.set("hikaricp_connections_timeout_total", 0)
    prometheus.set("hikaricp_connections_usage_seconds_sum", 0.02)
    prometheus.set("pg_up", 1)
    prometheus.set("max(pg_settings_max_connections)", 0.97)
    prometheus.set("cpu_cfs_throttled_periods", 0.04)
    prometheus.set("kafka_brokers", 3)
    prometheus.set("kafka_topic_partition_under_replicated_partition", 0)
    prometheus.set('ALERTS{alertstate="firing"', SeriesSample(value=3, labels={"alertname": "ServiceDown"}))


def _unusual(prometheus: PrometheusStandIn) -> None:
    prometheus.set('owner_name="plato"', 14 * _MINUTE)
    replicas = 'kube_deployment_status_replicas_available{namespace="butterfly", deployment='
    prometheus.set(f'{replicas}"plato"', 0.0)
    prometheus.set(f'{replicas}"nexus"', 0.67)
    prometheus.set('kube_deployment_status_condition{namespace="butterfly", deployment="nexus"', 1)
    prometheus.set('sum(up{namespace="butterfly",service="plato"}', 0)
    busy = SeriesSample(value=1.0, was=0.35, labels={"pool": "HikariPool-1"})
    prometheus.set('hikaricp_connections_active{namespace="butterfly",service="plato"', busy)
    prometheus.set('hikaricp_connections_pending{namespace="butterfly",service="plato"', 34)
    prometheus.set('hikaricp_connections_usage_seconds_sum{namespace="butterfly",service="plato"', 4.2)
    crashing = SeriesSample(value=7, labels={"pod": "odyssey-7d9f6b5c84-x2x9k", "container": "odyssey"})
    prometheus.set('kube_pod_container_status_restarts_total{namespace="butterfly", pod=~"odyssey-', crashing)
    prometheus.set('exitcode{namespace="butterfly", pod=~"odyssey-', SeriesSample(value=137, labels=crashing.labels))
    memory = 'container_memory_working_set_bytes{namespace="butterfly", pod=~"capsule-'
    prometheus.set(memory, SeriesSample(value=0.97, labels={"pod": "capsule-0"}))
    failing = 'http_server_requests_seconds_count{namespace="butterfly",service="nexus", outcome="SERVER_ERROR"'
    prometheus.set(failing, SeriesSample(value=0.142, was=0.004))
    where = {"method": "POST", "uri": "/api/v1/plans", "status": "503"}
    prometheus.set(
        f"topk(3, sum by (method, uri, status, exception) (rate({failing}", SeriesSample(value=11.3, labels=where)
    )
    prometheus.set(
        f"topk(3, sum by (pod) (rate({failing}", SeriesSample(value=11.3, labels={"pod": "nexus-5f6d7c8b9-kx2lp"})
    )
    prometheus.set(
        'http_server_requests_seconds_bucket{namespace="butterfly",service="perception"',
        SeriesSample(value=2.8, was=0.3),
    )
    prometheus.set('jvm_memory_used_bytes{namespace="butterfly",service="odyssey"', SeriesSample(value=0.94, was=0.71))
    prometheus.set('jvm_memory_usage_after_gc{namespace="butterfly",service="odyssey"', 0.91)
    lag = {"consumergroup": "perception", "topic": "observations"}
    prometheus.set("kafka_consumergroup_lag", SeriesSample(value=184_000, was=2_000, labels=lag))
    prometheus.set("(deriv(kafka_consumergroup_lag", SeriesSample(value=2_100, labels=lag))
    prometheus.set("kafka_consumergroup_members", SeriesSample(value=3, labels={"consumergroup": "perception"}))
    prometheus.set("kafka_consumergroup_current_offset", SeriesSample(value=40, labels=lag))
    prometheus.set('condition="Ready", status="true"', 1)
    prometheus.set("min by (node) (kube_node_status_condition", SeriesSample(value=0, labels={"node": "ip-10-0-1-12"}))
    prometheus.set("kubelet_volume_stats_available_bytes", SeriesSample(value=0.97, was=0.9))
    prometheus.set("deriv(kubelet_volume_stats_available_bytes", 3.2 * 3600)
    prometheus.set("kubelet_volume_stats_inodes_free", 0.12)
    prometheus.set(
        "certmanager_certificate_expiration_timestamp_seconds", SeriesSample(value=2.1, labels={"name": "nexus-tls"})
    )
