"""The programs of others on loopback, with their files: Prometheus and Alertmanager."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from responder.standins.processes import Program, free_port, started

#: The programs of others, by the name that Debian gives to both the program and its package.
SERVERS = ("prometheus", "prometheus-alertmanager")


def missing() -> tuple[str, ...]:
    """Return the Debian packages of the SERVERS that are not on the PATH."""
    return tuple(name for name in SERVERS if shutil.which(name) is None)


@contextlib.contextmanager
def prometheus(folder: Path, config: str, rules: str, *, port: int | None = None) -> Iterator[Program]:
    """Debian's Prometheus on loopback with these texts as its files. Raises DidNotStart."""
    port = port or free_port()
    (folder / "prometheus.yml").write_text(config, "utf-8")
    (folder / "prometheus.rules.yml").write_text(rules, "utf-8")
    command = [
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=prometheus.data",
        f"--web.listen-address=127.0.0.1:{port}",
        # Prometheus sends before it has found its Alertmanager, and by default again only after a minute.
        "--rules.alert.resend-delay=1s",
    ]
    with started("prometheus", command, url=f"http://127.0.0.1:{port}", ready="/-/ready", folder=folder) as program:
        yield program


@contextlib.contextmanager
def alertmanager(
    folder: Path, config: str, *, port: int | None = None, name: str = "alertmanager", cluster: Sequence[str] = ()
) -> Iterator[Program]:
    """Debian's Alertmanager on loopback. ``name`` distinguishes two of them. Raises DidNotStart.

    ``cluster`` is its own gossip address and those of its peers; it stands alone where none is given.
    """
    port = port or free_port()
    (folder / f"{name}.yml").write_text(config, "utf-8")
    own, *peers = cluster or ("",)
    command = [
        "prometheus-alertmanager",
        f"--config.file={name}.yml",
        f"--storage.path={name}.data",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--cluster.listen-address={own}",
        *(f"--cluster.peer={peer}" for peer in peers),
        # It sends nothing before ten rounds of gossip were quiet; and its peer has 0.3 s to deliver first, not 15 s.
        "--cluster.gossip-interval=20ms",
        "--cluster.peer-timeout=300ms",
    ]
    with started(name, command, url=f"http://127.0.0.1:{port}", ready="/-/ready", folder=folder) as program:
        yield program


def alertmanager_config(
    webhook_url: str,
    token: str,
    *,
    group_by: Sequence[str] = ("alertname", "service"),
    group_wait: str = "1s",
    group_interval: str = "2s",
) -> str:
    """A configuration that sends every alert to one webhook, as quickly as Alertmanager can. JSON is YAML."""
    webhook = {
        "url": webhook_url,
        "send_resolved": True,
        "http_config": {"authorization": {"type": "Bearer", "credentials": token}},
    }
    route = {
        "receiver": "responder",
        "group_by": list(group_by),
        "group_wait": group_wait,
        "group_interval": group_interval,
        "repeat_interval": "4h",
    }
    return json.dumps({"route": route, "receivers": [{"name": "responder", "webhook_configs": [webhook]}]}, indent=1)


def prometheus_config(targets: Mapping[str, str], alertmanagers: Sequence[str]) -> str:
    """Scrape every service each second and evaluate as often. ``targets`` maps a service to ``host:port/path``."""
    scrapes = [
        {
            "targets": [target.partition("/")[0]],
            "labels": {
                "service": service,
                "namespace": "butterfly",
                "instance": f"{service}:8080",
                "__metrics_path__": "/" + target.partition("/")[2],
            },
        }
        for service, target in targets.items()
    ]
    addresses = [url.removeprefix("http://") for url in alertmanagers]
    return json.dumps(
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["prometheus.rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": addresses}]}]},
            "scrape_configs": [{"job_name": "butterfly", "static_configs": scrapes}],
        },
        indent=1,
    )


def alerting_rule(name: str, expr: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """A rule file with one alert that fires as soon as ``expr`` has a result."""
    rule = {"alert": name, "expr": expr, "labels": dict(labels), "annotations": dict(annotations)}
    return json.dumps({"groups": [{"name": "butterfly", "rules": [rule]}]}, indent=1)
