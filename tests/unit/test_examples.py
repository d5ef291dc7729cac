"""The example alerts: generated, complete, and shaped as Alertmanager shapes them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
BODIES = sorted((EXAMPLES / "alerts").glob("*.json"))
KEYS = [
    "receiver",
    "status",
    "alerts",
    "groupLabels",
    "commonLabels",
    "commonAnnotations",
    "externalURL",
    "version",
    "groupKey",
    "truncatedAlerts",
]


def fingerprint(labels: dict[str, str]) -> str:
    """FNV-1a 64 as Alertmanager computes it, written a second time so that the generator is not its own judge."""
    data = b"".join(name.encode() + b"\xff" + value.encode() + b"\xff" for name, value in sorted(labels.items()))
    state = 14695981039346656037
    for byte in data:
        state = (state ^ byte) * 1099511628211 % 2**64
    return f"{state:016x}"


def load(path: Path) -> dict[str, Any]:
    """The payload as JSON."""
    body: dict[str, Any] = json.loads(path.read_bytes())
    return body


def test_the_fingerprint_is_alertmanagers() -> None:
    """The examples carry the fingerprints that Alertmanager would send, so that deduplication is tested."""
    upstream = {"name": "garland, briggs", "fear": "love is not enough"}
    captured = {
        "alertname": "HighLatency",
        "cluster": "lab",
        "namespace": "prod-eu",
        "service": "checkout",
        "severity": "critical",
    }
    assert int(fingerprint(upstream), 16) == 5799056148416392346
    assert fingerprint(captured) == "4e6581a8c33405ff"


def test_regenerating_gives_the_same_bytes(tmp_path: Path) -> None:
    """The examples can be generated again at any time; none was edited by hand."""
    subprocess.run([sys.executable, "-B", str(EXAMPLES / "make_alerts.py"), str(tmp_path)], check=True, timeout=60)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in BODIES}


def test_the_readme_lists_every_body() -> None:
    """The list of examples is complete and has no missing file."""
    listed = re.findall(r"^\| \[([\w-]+)\]\(alerts/\1\.json\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert listed == [path.stem for path in BODIES]
    assert len(listed) >= 16


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_the_shape_is_alertmanagers(path: Path) -> None:
    """Every example could have come from a real Alertmanager: what works on the examples works on its webhooks."""
    raw, body = path.read_bytes(), load(path)
    assert raw.endswith(b"}\n")
    assert not re.search(rb"[<>&]", raw)
    assert list(body) == KEYS
    assert body["version"] == "4"
    assert body["status"] == ("firing" if any(a["status"] == "firing" for a in body["alerts"]) else "resolved")
    for alert in body["alerts"]:
        assert list(alert) == ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"]
        assert (alert["endsAt"] == "0001-01-01T00:00:00Z") == (alert["status"] == "firing")
        assert alert["fingerprint"] == fingerprint(alert["labels"])
        for part in ("labels", "annotations"):
            assert list(alert[part]) == sorted(alert[part])
            common = body["commonLabels" if part == "labels" else "commonAnnotations"]
            assert common.items() <= alert[part].items()


def test_what_follows_belongs_to_what_came_before() -> None:
    """The resolved examples end the very alerts that the firing examples began, as in a real incident."""
    payloads = {path.stem: load(path) for path in BODIES}
    for begun, ended in (("high-error-rate", "resolved"), ("group-of-twenty", "partly-resolved")):
        assert payloads[begun]["groupKey"] == payloads[ended]["groupKey"]
        assert [a["fingerprint"] for a in payloads[begun]["alerts"]] == [
            a["fingerprint"] for a in payloads[ended]["alerts"]
        ]
    assert {a["status"] for a in payloads["partly-resolved"]["alerts"]} == {"firing", "resolved"}


def test_the_truncated_example_is_the_trap() -> None:
    """A cut group that reads "resolved" is among the examples, since resolving on it would hide an open outage."""
    body = load(EXAMPLES / "alerts" / "truncated.json")
    assert body["status"] == "resolved"
    assert body["truncatedAlerts"] > 0


def test_the_hostile_examples_hold_what_they_promise() -> None:
    """The attacks that are covered are in the examples that every stage runs on."""
    labels = [a["labels"]["service"] for a in load(EXAMPLES / "alerts" / "hostile-labels.json")["alerts"]]
    for attack in ("<!channel>", "$(id)", '"} or vector(1) #', "../../", "169.254.169.254", "javascript:"):
        assert any(attack in value for value in labels), attack
    text = str(load(EXAMPLES / "alerts" / "hostile-text.json")["alerts"][0]["labels"].values())
    assert "u202e" in text
    assert "x1b" in text
    secrets = (EXAMPLES / "alerts" / "secrets-in-annotations.json").read_text()
    assert "password=hunter2-example" in secrets
    assert "Bearer example" in secrets
