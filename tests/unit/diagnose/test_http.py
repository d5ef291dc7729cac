"""HTTP answers become verdicts by what they say, and health by Spring Boot's own words."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from responder.diagnose.probes import PROBES
from responder.diagnose.probes.http import HttpSpec
from responder.model.finding import Verdict
from tests.unit.diagnose.conftest import Canned, Look, a_probe, a_scene

DOWN = {
    "status": "DOWN",
    "components": {
        "db": {
            "status": "DOWN",
            "details": {
                "error": "org.postgresql.util.PSQLException: Connection refused, password=hunter2",
                "url": "jdbc:secret",
            },
        },
        "diskSpace": {"status": "UP", "details": {"free": 1}},
        "brokers": {"status": "UNKNOWN", "components": {"a": {"status": "UP"}, "b": {"status": "UNKNOWN"}}},
    },
}


@pytest.mark.parametrize(
    ("status", "body", "verdict", "words"),
    [
        (200, {"status": "UP"}, Verdict.OK, "200 UP in"),
        (503, {"status": "DOWN"}, Verdict.BAD, "503 DOWN in"),
        (200, {"status": "DOWN"}, Verdict.BAD, "200 DOWN in"),
        (503, {"status": "OUT_OF_SERVICE"}, Verdict.BAD, "OUT_OF_SERVICE"),
        (200, {"status": "UNKNOWN"}, Verdict.UNKNOWN, "200 UNKNOWN"),
        (503, {"status": "UP"}, Verdict.UNKNOWN, "503 UP in"),
        (200, {"status": "UP", "components": {"db": {"status": "DOWN"}}}, Verdict.BAD, "db DOWN"),
        (200, {"status": "UP", "components": {"db": {"status": "UNKNOWN"}}}, Verdict.OK, "200 UP in"),
        (200, {"status": "FATAL"}, Verdict.UNKNOWN, "200 FATAL"),
        (404, {"status": 404, "error": "Not Found"}, Verdict.UNKNOWN, "404 in"),
        (200, ["UP"], Verdict.UNKNOWN, "no health status"),
        (200, "UP", Verdict.UNKNOWN, "no health status"),
    ],
)
def test_health_is_judged_by_its_body(
    canned: Canned, run: Look, status: int, body: object, verdict: Verdict, words: str
) -> None:
    """The body decides; unknown words are unknown, and UP is not believed against a 503 or a part that is down."""
    canned.status, canned.body = status, json.dumps(body).encode()
    (finding,) = run("http", HttpSpec(health=True), a_scene(canned.address))
    assert finding.verdict is verdict
    assert words in finding.headline
    assert finding.headline.startswith("plato: ")
    assert canned.asked == [("GET", "/plato/health", "")]


@pytest.mark.parametrize(
    ("expected", "verdict"),
    [
        ({"expect_status": (203,)}, Verdict.OK),
        ({"expect_status": (200,)}, Verdict.BAD),
        ({"expect_json": (("db.ok", True),)}, Verdict.OK),
        ({"expect_json": (("db.ok", "yes"),)}, Verdict.BAD),
    ],
)
def test_health_is_judged_by_what_the_catalog_expects(
    canned: Canned, run: Look, expected: dict[str, Any], verdict: Verdict
) -> None:
    """A service that is not Spring Boot has the status and values of a healthy answer in the catalog."""
    canned.status, canned.body = 203, b'{"db": {"ok": true}}'
    scene = a_scene(canned.address)
    plato = dataclasses.replace(scene.services["plato"], **expected)
    scene = dataclasses.replace(scene, services={**scene.services, "plato": plato})
    (finding,) = run("http", HttpSpec(health=True), scene)
    assert finding.verdict is verdict


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b"", b"\xff\xfe", b"[" * 60000, b'{"status": "UP"' + b" " * 70000]
)
def test_an_answer_that_is_no_json_is_unknown(canned: Canned, run: Look, body: bytes) -> None:
    """A login page with status 200 is not taken for health."""
    canned.body = body
    (finding,) = run("http", HttpSpec(health=True), a_scene(canned.address))
    assert finding.verdict is Verdict.UNKNOWN


def test_the_component_that_is_down_is_named_and_nothing_else_leaks(canned: Canned, run: Look) -> None:
    """The page names the part that fails with a short reason, and drops all other details."""
    canned.status, canned.body = 503, json.dumps(DOWN).encode()
    (finding,) = run("http", HttpSpec(health=True), a_scene(canned.address))
    assert "db DOWN (PSQLException: Connection" in finding.headline
    assert "brokers/b: UNKNOWN" in finding.detail
    assert "hunter2" not in finding.headline + finding.detail
    assert "jdbc" not in finding.detail
    assert "diskSpace" not in finding.detail


def test_hidden_components_come_with_the_setting_that_shows_them(canned: Canned, run: Look) -> None:
    """If Spring Boot hides the reason, the finding names the property that shows it."""
    canned.status, canned.body = 503, b'{"status":"DOWN","groups":["liveness"]}'
    (finding,) = run("http", HttpSpec(health=True), a_scene(canned.address))
    assert "management.endpoint.health.show-components=always" in finding.detail


@pytest.mark.parametrize(
    ("spec", "verdict", "words"),
    [
        (HttpSpec(), Verdict.OK, "200 in"),
        (HttpSpec(expect_status=(204,)), Verdict.BAD, "expected 204"),
        (HttpSpec(expect_json={"a.b": 1, "list.1": "y"}), Verdict.OK, "2 values"),
        (HttpSpec(expect_json={"a.b": 2}), Verdict.BAD, "a.b is 1, expected 2"),
        (HttpSpec(expect_json={"a.b": True}), Verdict.BAD, "expected true"),
        (HttpSpec(expect_json={"a.c": 1}), Verdict.BAD, "a.c is missing"),
        (HttpSpec(expect_json={"a": None}), Verdict.BAD, "a is dict"),
        (HttpSpec(expect_json={"a.b.c": 1}), Verdict.BAD, "missing"),
    ],
)
def test_status_and_json_are_compared(canned: Canned, run: Look, spec: HttpSpec, verdict: Verdict, words: str) -> None:
    """A check of status or of values in JSON says what it saw and what it expected."""
    canned.body = b'{"a":{"b":1},"list":["x","y"]}'
    (finding,) = run("http", spec, a_scene(canned.address))
    assert finding.verdict is verdict
    assert words in finding.headline


def test_json_that_cannot_be_read_is_unknown(canned: Canned, run: Look) -> None:
    """Invalid JSON makes the result unknown, not bad."""
    canned.body = b"<html>"
    (finding,) = run("http", HttpSpec(expect_json={"a": 1}), a_scene(canned.address))
    assert finding.verdict is Verdict.UNKNOWN


def test_one_probe_asks_every_dependency(canned: Canned, run: Look) -> None:
    """The dependencies of the failing service are probed too, each with its own finding."""
    canned.body = b'{"status":"UP"}'
    probe_context = a_scene(canned.address)
    found = run("http", HttpSpec(url="${health}/readiness", of="dependencies", health=True), probe_context)
    assert [finding.target for finding in found] == ["capsule", "odyssey"]
    assert canned.asked[0][1] == "/capsule/health/readiness"
    assert len(run("http", HttpSpec(of="all"), probe_context)) == 3


def test_what_cannot_be_asked_is_skipped_with_its_reason() -> None:
    """Nothing is probed for an unknown service, or for dependencies that do not exist."""
    probe_context = a_scene()
    nobody = dataclasses.replace(probe_context, subject=dataclasses.replace(probe_context.subject, service=None))
    (question,) = PROBES["http"].questions(a_probe("http", HttpSpec()), nobody)
    assert "not in catalog" in question.skip
    lonely = dataclasses.replace(probe_context, subject=dataclasses.replace(probe_context.subject, service="capsule"))
    (question,) = PROBES["http"].questions(a_probe("http", HttpSpec(of="dependencies")), lonely)
    assert "no dependencies listed" in question.skip


def test_a_redirect_is_not_followed(canned: Canned, run: Look) -> None:
    """An address that redirects is reported, not followed to wherever it points."""
    canned.status = 302
    (finding,) = run("http", HttpSpec(url=f"http://{canned.address}/x"), a_scene(canned.address))
    assert finding.verdict is Verdict.BAD
    assert "302" in finding.headline
    assert len(canned.asked) == 1
