"""Labels that name the broken thing, best first, and the patterns of exporters, which never are it. Data only."""

from typing import Final

from responder.model.alert import CLUSTER_LABELS

#: OpenTelemetry's names (semantic conventions, dots or underscores) and the labels that they count as.
TWINS: Final = {
    "service.name": "service",
    "k8s.namespace.name": "namespace",
    "k8s.pod.name": "pod",
    "k8s.container.name": "container",
    "container.name": "container",
    "k8s.deployment.name": "deployment",
    "k8s.statefulset.name": "statefulset",
    "k8s.daemonset.name": "daemonset",
    "k8s.job.name": "job_name",
    "k8s.cronjob.name": "cronjob",
    "k8s.hpa.name": "horizontalpodautoscaler",
    "k8s.resourcequota.name": "resourcequota",
    "k8s.persistentvolumeclaim.name": "persistentvolumeclaim",
    "k8s.replicaset.name": "workload",
    "k8s.volume.name": "volume",
    "db.instance.id": "db_instance",
    # Of the scrape configurations of Prometheus before `namespace` and `pod`, and of cAdvisor before Kubernetes 1.16.
    "kubernetes_namespace": "namespace",
    "kubernetes_name": "service",
    "kubernetes_pod_name": "pod",
    "pod_name": "pod",
    "server.address": "server",
    "url.full": "url",
    "host.name": "node",
    "k8s.node.name": "node",
    **dict.fromkeys(CLUSTER_LABELS[1:], "cluster"),
    "messaging.consumer.group.name": "consumergroup",
    "messaging.destination.name": "topic",
    "faas.name": "function_name",
}
#: Labels that Prometheus adds to each series of a target.
TARGET: Final = ("service", "pod", "container", "endpoint", "job", "instance")

#: Services of objectives, and the objectives, which stand beside the service where the alert names one.
SLO_SERVICES: Final = ("sloth_service", "openslo_service", "slo_service", "slo_service_name")
SLOS: Final = ("sloth_slo", "openslo_slo", "slo_name", "slo")
#: Services that only compute the objectives of others.
OF_SLOS: Final = ("*prometheus*", "*pyrra*", "*sloth*", "*thanos*", "*mimir*", "vmalert*")
#: Objects that an exporter or a controller reports: they come before the workload that reports them.
THINGS: Final = (
    *("persistentvolumeclaim", "pvc", "pvc_name", "claim", "claim_name", "openebs_pvc", "persistentvolume"),
    *("volume", "volume_name", "volumename", "volume_id", "pv", "pv_name", "openebs_pv", "ceph_daemon"),
    *("destination_service_name", "destination_service", "destination_workload"),
    *("consumergroup", "consumer_group", "redpanda_group", "queue", "queue_name", "consumer_name", "stream_name"),
    *("cronjob", "job_name", "nomad_job", "schedule", "dag_id", "jenkins_job", "connector"),
    *SLO_SERVICES,
    *("deployment", "statefulset", "daemonset", "rollout", "workload", "horizontalpodautoscaler"),
    *("poddisruptionbudget", "resourcequota", "ingress", "envoy_cluster_name", "proxy", "backend"),
    *("vm_name", "instance_id", "db_instance", "dbinstance_identifier", "dbcluster_identifier", "database_id"),
    *("target_group", "load_balancer", "function_name", "table_name", "bucket_name", "cache_cluster_id"),
    "auto_scaling_group_name",
    *("dimension_InstanceId", "dimension_DBInstanceIdentifier", "dimension_DBClusterIdentifier"),
    *("dimension_ServiceName", "dimension_TargetGroup", "dimension_LoadBalancer", "dimension_FunctionName"),
    *("dimension_QueueName", "dimension_VolumeId"),
    *("dimension_TableName", "dimension_BucketName", "dimension_CacheClusterId", "dimension_ClusterName"),
    *("resourceName", "resource_name", "monitor_name", "scaledObject", "scaledobject", "policy_name", "nodepool"),
    *("ds_name", "ups", "ups_name", "qmgr"),
    *("rabbitmq_node", "member_idx", "rs_nm"),
)
#: Labels that name the broken thing in the alerts of one product only, by its jobs or the names of its alerts. Such
#: things have no namespace.
OF_PRODUCTS: Final = {
    "*linstor*": ("resource",),
    "*drbd*": ("name",),
    "*smokeping*": ("host",),
    "*libvirt*": ("domain",),
    "*domain-exporter*": ("domain",),
    "^pve*": ("name", "id"),
    "^proxmox*": ("name", "id"),
    "*minio*": ("bucket",),
    "*metallb*": ("pool",),
    "*kminion*": ("group_id",),
}
#: Clusters of a product. A pod with a number, which is one of their members, comes before them.
CLUSTERS: Final = ("strimzi_io_cluster", "rabbitmq_cluster", "cnpg_cluster", "cnpg_io_cluster")
#: Hosts. Where a pod says what runs there, it comes before them.
HOSTS: Final = ("node", "fqdn", "nodename", "hostname", "Hostname", "host_name", "host")
SERVICES: Final = ("service", "app", "app_kubernetes_io_name", "k8s_app", "application")
#: Addresses: a host name comes before ``job``, an IP address after it.
ADDRESSES: Final = ("target", "url", "probe_url", "monitor_url", "server", "instance")
#: Labels that name the subject if nothing else does.
LAST: Final = (
    *("group", "topic", "project_name", "zone", "scope", "cluster_name", "datname", "database", "db"),
    *("exporter", "receiver", "processor", "rulename", "namespace", "cluster"),
)
#: Labels whose value may be host:port or a URL, of which only the host is the name.
HOST_VALUES: Final = frozenset({*ADDRESSES, *HOSTS, "member_idx"})
#: Label of the namespace of a thing, where that is not ``namespace``.
NAMESPACE_OF: Final = {
    "pvc": "pvc_namespace",
    "volume": "pvc_namespace",
    "policy_name": "resource_namespace",
    "destination_service_name": "destination_service_namespace",
    "destination_service": "destination_service_namespace",
    "destination_workload": "destination_workload_namespace",
}
#: Subjects without a namespace: one on the alert is that of the exporter.
CLUSTER_SCOPED: Final = frozenset({*HOSTS, "instance", "persistentvolume", "volume", "cluster", "zone", "nodepool"})
#: Parts of a host, and of a database server, that say where on it the fault is.
PARTS_OF_HOSTS: Final = (
    *("mountpoint", "groupname", "ifName", "ifDescr", "bgpPeerRemoteAddr", "zpool", "storage_pool", "device", "disk"),
    *("master", "name", "volume"),
)
PARTS_OF_DATABASES: Final = ("datname", "database", "slot_name", "tablespace")
#: Labels of a proxy's servers, and the label that says which server of them it is.
PROXIES: Final = ("proxy", "backend")
PART_OF_PROXIES: Final = "server"

#: All labels that a subject, its namespace or its part is read from.
_PLAIN: Final = (
    *("alertname", "cluster", "component", "container", "job", "name", "namespace", "pod", "prometheus", "type"),
    *SLOS,
    *(*TARGET, *THINGS, *CLUSTERS, *HOSTS, *SERVICES, *ADDRESSES, *LAST),
    *(label for labels in OF_PRODUCTS.values() for label in labels),
    *(*NAMESPACE_OF.values(), *PARTS_OF_HOSTS, *PARTS_OF_DATABASES, PART_OF_PROXIES),
)
READ: Final = frozenset(
    {*_PLAIN, *(f"exported_{each}" for each in _PLAIN), *TWINS, *(each.replace(".", "_") for each in TWINS)}
)

#: Scrape Services, jobs and pods that export the state of something else, or only exist to be scraped. ``*`` stands
#: for any text; ``_`` counts as ``-``; a release name and a dash may come first, unless the pattern begins with ``^``.
EXPORTERS: Final = (
    *("*exporter*", "kube-state-metrics*", "metrics", "kubelet", "cadvisor", "blackbox*"),
    *("pushgateway*", "statsd*", "otel-collector*", "opentelemetry-collector*", "otelcol*", "otc-container"),
    *("grafana-agent*", "alloy*", "integrations/*", "^node", "^windows", "^wmi", "^snmp*", "^ipmi*", "^smartctl*"),
    *("^systemd", "^process", "^ssl", "^zfs", "cloudwatch*", "yace*", "stackdriver*", "azure-metrics*", "^vmware*"),
    *(
        "^kubernetes",
        "^kubernetes-pods*",
        "^kubernetes-service-endpoints*",
        "^kubernetes-nodes*",
        "*-coredns",
        "*-kube-dns",
        "*-kube-etcd",
        "*-kube-scheduler",
        "*-kube-proxy",
    ),
    *("*-kube-controller-manager", "longhorn-backend", "longhorn-manager*", "*ceph-mgr*", "argocd-*"),
    *("linstor-controller*", "linstor-satellite*", "drbd-reactor*", "*smokeping*", "^libvirt*", "^pve", "^proxmox"),
    *("^nut", "^apcupsd*", "^junos*", "^juniper*", "*metallb*", "kyverno-svc-metrics"),
)
#: Those whose pod and namespace are those of the object: the scrape configuration honors their labels.
HONORED: Final = ("kube-state-metrics*", "kubelet", "cadvisor")
#: Exporters of a host: ``instance`` is the host, ``name`` a part of it.
OF_HOSTS: Final = (
    *("*node*exporter*", "^node", "^windows*", "^wmi*", "^snmp*", "^ipmi*", "^smartctl*", "^systemd*", "^zfs*"),
    *("^junos*", "^juniper*"),
    *("^process", "*process-exporter*", "*snmp-exporter*", "*windows-exporter*", "*ipmi-exporter*"),
    *("integrations/unix", "integrations/windows", "*linux-node"),
)
#: Jobs that are named after a product: without a pod, the address says which of its servers it is.
PRODUCTS: Final = (
    *("^mysql*", "^mariadb*", "^postgres*", "^pgbouncer*", "^redis*", "^mongo*", "^memcached*", "^elasticsearch*"),
    *("^opensearch*", "^cassandra*", "^clickhouse*", "^mssql*", "^oracle*", "^kafka*", "^zookeeper*", "^nginx*"),
)
