"""Queries to Prometheus are exact, and its responses are read without guessing."""

from __future__ import annotations

import dataclasses
import json
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.diagnose.make_finding import figure, span
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.promql import PromqlSpec, without_value
from responder.diagnose.promql_text import fill, scan
from responder.model.finding import Verdict
from responder.model.text import seconds_of
from tests.support.builders import a_subject
from tests.unit.diagnose.conftest import Canned, Look, a_probe, a_scene

ERRORS = PromqlSpec(
    expr="sum(rate(http_server_requests_seconds_count{${selector},outcome='SERVER_ERROR'}[5m]))",
    headline="5xx ratio",
    unit="ratio",
    warn=0.01,
    bad=0.05,
)


def vector(*values: str, **more: object) -> bytes:
    """An answer of an instant query, one series a value."""
    result = [{"metric": {"pod": f"plato-{at}"}, "value": [1.0, value]} for at, value in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}} | more).encode()


@pytest.mark.parametrize(
    ("values", "verdict", "warning", "words"),
    [
        (("0.001",), Verdict.OK, False, "plato: 5xx ratio: 0.1% (warning > 1%)"),
        (("0.02",), Verdict.BAD, True, "plato: 5xx ratio: 2% (warning > 1%)"),
        (("0.142", "0.001"), Verdict.BAD, False, "plato: 5xx ratio: 14.2% (critical > 5%), worst of 2"),
        (("0.05",), Verdict.BAD, True, "5%"),
        ((), Verdict.UNKNOWN, False, "no data"),
        (("NaN",), Verdict.UNKNOWN, False, "no number"),
        (("+Inf", "NaN"), Verdict.UNKNOWN, False, "no number"),
        (("NaN", "0.9"), Verdict.BAD, False, "90%"),
        (("NaN", "0.001"), Verdict.OK, False, "0.1%"),
        (("+Inf", "0.001"), Verdict.UNKNOWN, False, '1%), pod="plato-1", but 1 of 2 series infinite'),
        (("+Inf", "0.9"), Verdict.BAD, False, "90%"),
    ],
)
def test_the_worst_series_is_judged_by_two_thresholds(
    canned: Canned, run: Look, values: tuple[str, ...], verdict: Verdict, warning: bool, words: str
) -> None:
    """A value beyond a threshold is a warning or bad; no data and NaN are unknown, never zero."""
    canned.body = vector(*values)
    (finding,) = run("promql", ERRORS, a_scene(canned.address))
    assert (finding.verdict, finding.warning) == (verdict, warning)
    assert words in finding.headline
    method, path, _ = canned.asked[0]
    assert (method, urlsplit(path).path) == ("GET", "/api/v1/query")
    assert parse_qs(urlsplit(path).query)["query"] == [finding.query]
    assert finding.link.startswith(f"http://{canned.address}/graph?g0.expr=sum%28rate")


def test_an_optional_figure_without_data_is_left_out(canned: Canned, run: Look) -> None:
    """A metric that a subject does not have adds nothing to a page; one that fails for another reason is unknown."""
    optional = PromqlSpec(expr="sum(up)", optional=True)
    canned.body = vector()
    assert run("promql", optional, a_scene(canned.address)) == ()
    canned.body = vector("NaN")
    (finding,) = run("promql", optional, a_scene(canned.address))
    assert finding.verdict is Verdict.UNKNOWN
    absent = PromqlSpec(expr='up{node="${node}"}', optional=True)
    assert PROBES["promql"].questions(a_probe("promql", absent), a_scene(canned.address)) == ()


def test_below_turns_the_thresholds_round(canned: Canned, run: Look) -> None:
    """If low values are bad, the smallest series is the worst."""
    canned.body = vector("3", "1", "2", "5")
    spec = PromqlSpec(expr="up", when="below", bad=2, unit="count", headline="ready")
    (finding,) = run("promql", spec, a_scene(canned.address))
    assert finding.verdict is Verdict.BAD
    assert "ready: 1 (critical < 2), worst of 4" in finding.headline
    assert finding.detail.splitlines()[-1] == "and 1 more"


def test_a_value_without_thresholds_is_a_fact(canned: Canned, run: Look) -> None:
    """An expression without thresholds informs, never alarms and rules nothing out."""
    canned.body = b'{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}'
    (finding,) = run("promql", PromqlSpec(expr="up"), a_scene(canned.address))
    assert (finding.verdict, finding.judged, finding.headline) == (Verdict.OK, False, "plato: it: 7")
    (finding,) = run("promql", PromqlSpec(expr="up", warn=9), a_scene(canned.address))
    assert finding.judged


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (422, b'{"status":"error","errorType":"execution","error":"too many samples"}', "422, execution: too many"),
        (400, b'{"status":"error","errorType":"bad_data","error":"parse error"}', "parse error"),
        (503, b'{"status":"error","errorType":"timeout","error":"query timed out"}', "timed out"),
        (502, b"<html>Bad gateway</html>", "502, not an answer of Prometheus"),
        (200, b"{}", "200, not an answer"),
        (200, b'{"status":"success"}', "unknown shape"),
        (200, b'{"status":"success","data":{"resultType":"string","result":[1,"x"]}}', "unknown shape"),
        (
            200,
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}',
            "unknown shape",
        ),
        (
            200,
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}',
            "no number",
        ),
        (200, b" " * (1024 * 1024), "longer than 1024 KiB"),
    ],
)
def test_an_answer_without_a_number_is_unknown(canned: Canned, run: Look, status: int, body: bytes, words: str) -> None:
    """Errors, proxies' pages and odd shapes are named, and say nothing about the service."""
    canned.status, canned.body = status, body
    (finding,) = run("promql", ERRORS, a_scene(canned.address))
    assert finding.verdict is Verdict.UNKNOWN
    assert words in finding.headline
    assert any(sign.isdigit() for sign in finding.headline)


def series(**labels: str) -> dict[str, object]:
    """A series of an instant query."""
    value = labels.pop("is")
    return {"metric": labels, "value": [1.0, value]}


@pytest.mark.parametrize(
    ("spec", "result", "words"),
    [
        (
            PromqlSpec(expr="up", headline="{value restart} in the last hour ({limit})", unit="count", bad=3),
            [{"is": "7", "pod": "plato-0"}],
            'plato: 7 restarts in the last hour (critical > 3), pod="plato-0"',
        ),
        (
            PromqlSpec(expr="up", headline="{value restart} in the last hour ({limit})", unit="count"),
            [{"is": "1"}],
            "plato: 1 restart in the last hour (no limit)",
        ),
        (
            PromqlSpec(expr="up", headline="{pod} uses {value} of its memory limit", unit="ratio", bad=0.95),
            [{"is": "0.97", "pod": "capsule-0"}, {"is": "0.5", "pod": "capsule-1"}],
            "plato: capsule-0 uses 97% of its memory limit, worst of 2",
        ),
        (
            PromqlSpec(expr="up", headline="also firing: {alertname} ({value})", unit="count"),
            [{"is": "3", "alertname": "{value}"}, {"is": "1", "alertname": "B"}],
            "plato: also firing: {value} (3), and 1 more",
        ),
        (
            PromqlSpec(
                expr="up", headline="node is ready", bad_headline="node is not ready", unit="bool", when="below", bad=1
            ),
            [{"is": "0"}],
            "plato: node is not ready",
        ),
        (
            PromqlSpec(
                expr="up", headline="node is ready", bad_headline="node is not ready", unit="bool", when="below", bad=1
            ),
            [{"is": "1"}],
            "plato: node is ready",
        ),
        (PromqlSpec(expr="up", headline="{uri} fails"), [{"is": "1"}], "plato: unknown fails"),
    ],
)
def test_a_headline_is_a_sentence_with_the_number_in_its_place(
    canned: Canned, run: Look, spec: PromqlSpec, result: list[dict[str, str]], words: str
) -> None:
    """Value, limit and labels are filled into a headline; a label's value is never filled in again."""
    data = {"resultType": "vector", "result": [series(**each) for each in result]}
    canned.body = json.dumps({"status": "success", "data": data}).encode()
    (finding,) = run("promql", spec, a_scene(canned.address))
    assert finding.headline == words


@pytest.mark.parametrize(
    ("value", "spec", "age", "seconds"),
    [
        ("840", PromqlSpec(expr="up", headline="last rollout {value} ago", unit="seconds"), "14 min ago", 840),
        (
            "-2.5",
            PromqlSpec(expr="up", headline="in {value}", past_headline="expired {value} ago", unit="days"),
            "2.5 days ago",
            216000,
        ),
        ("840", PromqlSpec(expr="up", headline="{value} left", unit="seconds"), "", None),
    ],
)
def test_an_age_in_a_headline_has_its_moment(
    canned: Canned, run: Look, value: str, spec: PromqlSpec, age: str, seconds: int | None
) -> None:
    """A finding keeps the moment that its age counts from."""
    data = {"resultType": "vector", "result": [series(**{"is": value})]}
    canned.body = json.dumps({"status": "success", "data": data}).encode()
    (finding,) = run("promql", spec, a_scene(canned.address))
    assert finding.age == age
    assert age in finding.headline
    past = (datetime.now(UTC) - finding.since).total_seconds() if finding.since else None
    assert past == (pytest.approx(seconds, abs=60) if seconds else None)


@pytest.mark.parametrize(
    ("values", "words"),
    [(["0.35", "1"], "pool 100% in use, up from 35% in 1h"), (["1", "1"], "pool 100% in use")],
)
def test_a_range_says_how_the_value_moved(canned: Canned, run: Look, values: list[str], words: str) -> None:
    """A range query names the value at its start where it has risen or fallen since."""
    points = [[time.time() - 30 * (len(values) - at), value] for at, value in enumerate(values)]
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": points}]}
    canned.body = json.dumps({"status": "success", "data": data}).encode()
    spec = PromqlSpec(expr="up", range="1h", step="1m", headline="pool {value} in use", unit="ratio", bad=0.95)
    (finding,) = run("promql", spec, a_scene(canned.address))
    assert finding.headline == f"plato: {words}"


def test_a_range_keeps_its_points(canned: Canned, run: Look) -> None:
    """A range query judges the latest value, says from where to where it went, and keeps points for a sparkline."""
    now = time.time()
    values = [[now - 60 * (3 - at), value] for at, value in enumerate(["1", "9", "NaN", "4"])]
    canned.body = json.dumps(
        {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}}
    ).encode()
    spec = PromqlSpec(expr="up", range="1h", step="1m", headline="lag", bad=5, unit="count")
    (finding,) = run("promql", spec, a_scene(canned.address))
    assert finding.headline == "plato: lag: 4 (critical > 5), between 1 and 9 in the last 1h"
    assert [value for _, value in finding.points] == [1.0, 9.0, 4.0]
    asked = parse_qs(urlsplit(canned.asked[0][1]).query)
    assert asked["step"] == ["60"]
    assert float(asked["end"][0]) - float(asked["start"][0]) == pytest.approx(3600)


def test_a_range_that_stopped_is_unknown(canned: Canned, run: Look) -> None:
    """A series that ended some time ago does not speak for now."""
    values = [[time.time() - 1200, "1"]]
    canned.body = json.dumps(
        {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}}
    ).encode()
    (finding,) = run("promql", PromqlSpec(expr="up", range="1h", step="1m"), a_scene(canned.address))
    assert finding.verdict is Verdict.UNKNOWN
    assert "no data for 20 min" in finding.headline


@pytest.mark.parametrize(
    ("old", "new", "verdict", "words"),
    [
        ("0.04", "0.001", Verdict.UNKNOWN, "no data for 40 min, last value 4%"),
        ("0.9", "0.2", Verdict.BAD, "20%"),
        ("0.004", "0.001", Verdict.OK, "0.1%"),
    ],
)
def test_pods_that_a_rollout_replaced_hide_nothing(
    canned: Canned, run: Look, old: str, new: str, verdict: Verdict, words: str
) -> None:
    """Of several pods those that still report decide; one that fell silent in trouble leaves the answer open."""
    now = time.time()
    values = {"old": [[now - 2400, old]], "new": [[now - 30, new]]}
    result = [{"metric": {"pod": pod}, "values": points} for pod, points in values.items()]
    canned.body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
    spec = dataclasses.replace(ERRORS, range="1h", step="1m")
    (finding,) = run("promql", spec, a_scene(canned.address))
    assert finding.verdict is verdict
    assert words in finding.headline


@pytest.mark.parametrize(("value", "verdict"), [("0.001", Verdict.UNKNOWN), ("0.9", Verdict.BAD)])
def test_an_answer_with_a_part_missing_rules_nothing_out(
    canned: Canned, run: Look, value: str, verdict: Verdict
) -> None:
    """If part of Prometheus did not respond, bad results stay bad, and good ones are unknown."""
    canned.body = vector(value, warnings=["store b: no answer"])
    (finding,) = run("promql", ERRORS, a_scene(canned.address))
    assert finding.verdict is verdict
    assert "store b: no answer" in finding.detail


def test_a_long_query_is_posted_as_a_form(canned: Canned, run: Look) -> None:
    """Queries too long for an address still get through."""
    canned.body = vector("1")
    run("promql", PromqlSpec(expr="up " + "+ up " * 600), a_scene(canned.address))
    method, path, sent = canned.asked[0]
    assert (method, path) == ("POST", "/api/v1/query")
    assert sent.startswith("query=up")


def test_values_are_escaped_for_where_they_stand() -> None:
    """A label's value can select series and do nothing else."""
    expr = 'up{a="${x}",b=~"${x}-.*",c!=\'${x}\'}'
    assert scan(expr)[1] == ()
    assert fill(expr, {"x": 'a."} or vector(1) #'}) == (
        'up{a="a.\\"} or vector(1) #",b=~"a\\\\.\\"\\\\} or vector\\\\(1\\\\) #-.*",c!=\'a."} or vector(1) #\'}'
    )
    assert fill('up{a="${x}"}', {"x": "a\nb\u202e'\\"}) == 'up{a="a\\nb\\u202e\'\\\\"}'
    assert fill("up{${selector}}", {"selector": 'service="plato"'}) == 'up{service="plato"}'


@given(st.text(), st.sampled_from(['"', "'"]))
def test_no_value_ends_the_string_it_stands_in(value: str, quote: str) -> None:
    """Any label value leaves the strings and matchers of the expression unchanged."""
    filled = fill(f"up{{a={quote}${{x}}{quote}}}", {"x": value})
    inside = filled.removeprefix(f"up{{a={quote}").removesuffix(f"{quote}}}")
    assert filled == f"up{{a={quote}{inside}{quote}}}"
    plain = inside.replace("\\\\", "")
    assert quote not in plain.replace(f"\\{quote}", "")
    assert not plain.endswith("\\")
    assert filled.isprintable()


@pytest.mark.parametrize(
    ("expr", "values", "words"),
    [
        ('up{pod="${pod}",node="${node}"}', {"pod": "plato-0"}, "no label node"),
        ('up{pod="${pod}"}', {"pod": ""}, "no label pod"),
        ('up{pod="${pod}"}', {"pod": "x" * 2000}, "too long"),
        ('up{pod="${pod}"}', {"pod": "password=hunter2"}, "secret"),
    ],
)
def test_a_missing_label_skips_the_question(expr: str, values: dict[str, str], words: str) -> None:
    """A query that lacks a value does not run, and its finding names the label."""
    (question,) = PROBES["promql"].questions(a_probe("promql", PromqlSpec(expr=expr)), a_scene(**values))
    assert words in question.skip
    assert "hunter2" not in question.query + question.link


def test_without_prometheus_or_catalog_nothing_is_asked() -> None:
    """No Prometheus is no failure; a selector needs the catalog, or a namespace and a workload."""
    probe_context = a_scene()
    (question,) = PROBES["promql"].questions(
        a_probe("promql", ERRORS), dataclasses.replace(probe_context, prometheus_url="")
    )
    assert "no Prometheus" in question.skip
    unknown = dataclasses.replace(
        probe_context, services={}, subject=a_subject(namespace="pay", service=None, values={})
    )
    (question,) = PROBES["promql"].questions(a_probe("promql", ERRORS), unknown)
    assert "not in catalog" in question.skip
    named = dataclasses.replace(unknown, subject=a_subject(namespace="pay", service=None, values={"workload": "cards"}))
    (question,) = PROBES["promql"].questions(a_probe("promql", ERRORS), named)
    assert 'namespace="pay",service="cards"' in question.query
    assert question.wire.spec.optional  # no finding where it has no such metrics


@pytest.mark.parametrize(
    ("namespace", "values", "matcher"),
    [
        ("shop", {"node": "worker-3"}, 'namespace="shop"'),
        ("", {"node": "worker-3", "instance": "10.0.3.14:9100"}, 'node="worker-3"'),
        ("", {"instance": "db-1:9104"}, 'instance="db-1:9104"'),
        ("", {"cluster": "prod-eu-1"}, 'namespace=""'),
    ],
)
def test_related_alerts_are_those_around_the_subject(namespace: str, values: dict[str, str], matcher: str) -> None:
    """An alert about a node or the whole cluster asks for alerts there, never for those of some namespace."""
    subject = a_subject(service=None, namespace=namespace, name="x", values=values)
    probe_context = dataclasses.replace(a_scene(), subject=subject)
    (question,) = PROBES["promql"].questions(a_probe("promql", PromqlSpec(expr="ALERTS{${neighbors}}")), probe_context)
    assert (question.query, question.skip) == (f"ALERTS{{{matcher}}}", "")


def test_the_link_holds_no_credentials() -> None:
    """User and password of Prometheus stay out of all texts."""
    probe_context = dataclasses.replace(a_scene(), prometheus_url="https://me:hunter2@prometheus.example/base/")
    (question,) = PROBES["promql"].questions(a_probe("promql", PromqlSpec(expr="up", range="1h")), probe_context)
    assert question.link == "https://prometheus.example/base/graph?g0.expr=up&g0.tab=0&g0.range_input=1h"


def test_numbers_are_shown_as_people_read_them() -> None:
    """Units and sizes fit the value."""
    assert [figure(0.142, "ratio"), figure(14.2, "percent"), figure(3.2e9, "bytes")] == ["14.2%", "14.2%", "2.98 GiB"]
    assert [figure(184000, "count"), figure(12.34, "days"), figure(0.5, "none")] == ["184,000", "12.3 days", "0.5"]
    assert [span(0.041), span(3), span(600), span(9000), span(300000)] == [
        "41 ms",
        "3.0 s",
        "10 min",
        "2.5 h",
        "3.5 days",
    ]
    assert [seconds_of("1h30m"), seconds_of("30s"), seconds_of("1d"), seconds_of("2w")] == [5400, 30, 86400, 1209600]


@pytest.mark.parametrize(
    ("headline", "asked"),
    [
        ("{value} connections in state {state}", "number of connections"),
        ("{value message} behind on {topic}", "number of messages behind"),
        ("{value restart} in the last hour", "number of restarts in the last hour"),
        ("{value} of inodes on {mountpoint} free", "share of inodes on … free"),
    ],
)
def test_a_figure_without_data_ends_in_no_unknown_label(headline: str, asked: str) -> None:
    """Without a series there is no label: the page does not end its sentence with a question mark for one."""
    assert without_value(headline) == asked
