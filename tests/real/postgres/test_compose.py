"""The parts of deploy/compose on loopback: PostgreSQL, Prometheus, Alertmanager and responder."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml

from responder.settings import declared, env_name
from responder.standins import butterfly
from responder.standins.monitoring import alerting_rule, alertmanager, prometheus
from responder.standins.processes import free_port, responder_serve
from responder.standins.stage import Stage
from tests.real.conftest import ROOT, need, until

pytestmark = pytest.mark.real
COMPOSE = ROOT / "deploy" / "compose"


def parts() -> dict[str, Any]:
    """The compose file."""
    return dict(yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8")))


def test_the_compose_file_names_what_exists() -> None:
    """Each setting, secret, mounted file and dependency of the compose file exists, and every port is on loopback."""
    found = parts()
    known = {env_name(each.name) for each in declared()}
    given = found["services"]["responder"]["environment"]
    assert {name.removesuffix("_FILE") for name in given} <= known
    for name, service in found["services"].items():
        assert set(service.get("secrets", [])) <= set(found["secrets"])
        assert set(service.get("depends_on", [])) <= set(found["services"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            written_by_init = source in {"./rules", "./runbooks"}
            assert written_by_init or source in found["volumes"] or (COMPOSE / source).is_file(), source
    mentioned = set(re.findall(r"secrets/([a-z-]+)", (COMPOSE / "compose.yaml").read_text("utf-8")))
    assert set(found["secrets"]) <= mentioned


def test_the_parts_of_compose_turn_an_alert_into_a_page(stage: Stage, database_url: str, tmp_path: Path) -> None:
    """From nothing: Prometheus fires, Alertmanager notifies, and responder on PostgreSQL pages, by shipped files."""
    need("prometheus", "prometheus-alertmanager")
    stage.butterfly.set("plato", butterfly.down())
    ports = {name: free_port() for name in ("prometheus", "alertmanager")}
    hidden = {"database-url": database_url, "webhook-token": secrets.token_hex(32)}
    for name, value in hidden.items():
        (tmp_path / name).write_text(value, "utf-8")

    def here(text: str) -> str:
        """The text with loopback addresses instead of the names of services, and files instead of mounts."""
        text = text.replace("responder:8080", stage.settings["RESPONDER_LISTEN"])
        text = re.sub(r"(prometheus|alertmanager|localhost):909[03]", lambda name: _address(name[1], ports), text)
        return text.replace("/run/secrets/", f"{tmp_path}/").replace("/etc/prometheus/responder", "prometheus")

    env = {name: here(str(value)) for name, value in parts()["services"]["responder"]["environment"].items()}
    env |= {name: value for name, value in stage.settings.items() if name not in env and f"{name}_FILE" not in env}
    watched = yaml.safe_load(here((COMPOSE / "prometheus.yml").read_text("utf-8")))
    watched["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    plato = stage.butterfly.scrape_targets["plato"]
    labels = {"service": "plato", "namespace": "butterfly", "__metrics_path__": "/" + plato.partition("/")[2]}
    watched["scrape_configs"].append(
        {"job_name": "plato", "static_configs": [{"targets": [plato.partition("/")[0]], "labels": labels}]}
    )
    routed = here((COMPOSE / "alertmanager.yml").read_text("utf-8")).replace("group_wait: 10s", "group_wait: 1s")
    rule = alerting_rule("ServiceDown", "application_up == 0", {"severity": "critical"}, {"summary": "plato is down"})
    with (
        alertmanager(tmp_path, routed, port=ports["alertmanager"]),
        prometheus(tmp_path, yaml.safe_dump(watched), rule, port=ports["prometheus"]),
        responder_serve(env, tmp_path),
    ):
        until(stage.pagerduty.open)
    assert "plato is down" in stage.pagerduty.events[0].summary


def _address(name: str, ports: dict[str, int]) -> str:
    return f"127.0.0.1:{ports['prometheus' if name == 'localhost' else name]}"
