"""Links lead to configured places only, filtered to the incident."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from responder.model.rule import Link, RunbookRef
from responder.notify.report.links import LinkBuilder, safe_url
from tests.support.builders import NOW, STARTED, a_book, a_group, a_service, an_alert

MAKER = LinkBuilder(
    runbook_base_url="https://runbooks.example.com/main/",
    prometheus_url="http://prometheus:9090",
    alertmanager_urls={"": ("http://alertmanager:9093/",)},
    urls=a_book().urls,
)


def _links(maker: LinkBuilder = MAKER, **changes: object) -> dict[str, str]:
    group = changes.pop("group", a_group())
    return {link.text: link.href for link in maker.around(group, a_service(), since=STARTED, now=NOW)}  # type: ignore[arg-type]


def test_all_links_in_their_order() -> None:
    """The same links are at the same place on every page."""
    assert list(_links()) == ["Dashboard", "Graph", "Silence", "Status page"]


def test_a_dashboard_opens_on_the_incident() -> None:
    """The dashboard shows the service and the time around the alert, not the last six hours of everything."""
    query = parse_qs(urlsplit(_links()["Dashboard"]).query)
    hour = 3_600_000
    start = int(STARTED.timestamp() * 1000)
    assert query == {"from": [str(start - hour)], "to": [str(start + 30_000)], "var-service": ["plato"]}


def test_there_are_never_more_than_five() -> None:
    """Many dashboards do not push the silence form off the page."""
    service = a_service(dashboards=tuple(Link(f"d{number}", f"https://g.example.com/{number}") for number in range(9)))
    links = MAKER.around(a_group(), service, since=STARTED, now=NOW)
    assert [link.text for link in links] == ["d0", "d1", "Graph", "Silence", "Status page"]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/graph",
        "javascript:alert(1)",
        "https://prometheus.butterfly.example.com@evil.example.com/",
        "https://prometheus.butterfly.example.com.evil.example.com/",
        "https://evil.example.com\\@prometheus.butterfly.example.com/",
        "http://prometheus:9091/graph",
        "//prometheus.butterfly.example.com/graph",
        "https://prometheus.butterfly.example.com/graph?g0.expr=password%3Dhunter2",
        "",
        "https://[",
    ],
)
def test_a_graph_link_to_anywhere_else_is_left_out(url: str) -> None:
    """An alert cannot link to a site that is not configured, nor leak a secret through a link."""
    assert "Graph" not in _links(group=a_group(an_alert(generator_url=url)))


def test_a_graph_link_to_our_prometheus_is_kept() -> None:
    """The graph behind the alert is one click away where it is on a configured host."""
    url = "http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"
    assert _links(group=a_group(an_alert(generator_url=url)))["Graph"] == url


def test_the_silence_form_is_filled_in() -> None:
    """Silencing takes one click, and a hostile label cannot change what is silenced."""
    labels = {"alertname": 'x"},{y="', "a\n": "b\\"}
    url = _links(group=a_group(group_labels=labels))["Silence"]
    base, _, value = url.partition("?filter=")
    assert base == "http://alertmanager:9093/#/silences/new"
    assert not set(value) & set('"{}<>| ')
    assert unquote(value) == '{"a\\n"="b\\\\",alertname="x\\"},{y=\\""}'


def test_no_silence_form_for_everything_or_with_a_secret() -> None:
    """A group without labels gets no form that would silence all; a secret in a label gets none either."""
    assert "Silence" not in _links(group=a_group(group_labels={}))
    assert "Silence" not in _links(group=a_group(group_labels={"password": "hunter2"}))


def test_alerts_that_no_alertmanager_knows_have_no_silence_form() -> None:
    """Alertmanager's form would silence nothing of Grafana's alerts."""
    assert "Silence" not in _links(group=a_group(an_alert(fingerprint="grafana-9d6fb58bd573fcec")))


def test_an_unknown_external_url_is_not_used() -> None:
    """Without a configured Alertmanager, its own URL counts only for a known host."""
    maker = LinkBuilder(urls=(Link("Alertmanager", "https://am.example.com"),))
    known = a_group(external_url="https://am.example.com/x")
    assert "Silence" not in _links(maker, group=a_group(external_url="https://evil.example.com"))
    assert _links(maker, group=known)["Silence"].startswith("https://am.example.com/x/#/silences/new?filter=")


def test_a_runbook_without_a_base_address_is_named_but_not_linked() -> None:
    """Without a configured place for the runbooks the page still says which one."""
    ref = RunbookRef("common-issues.md", "service-down")
    assert LinkBuilder().runbook(ref) == Link("Runbook: common-issues.md#service-down", "")
    assert LinkBuilder().runbook(None) is None
    link = MAKER.runbook(ref)
    assert link is not None
    assert link.href == "https://runbooks.example.com/main/common-issues.md#service-down"


def test_an_alert_from_the_year_one_still_gets_its_links() -> None:
    """An absurd start narrows to the last week and breaks nothing."""
    links = MAKER.around(a_group(), a_service(), since=datetime(1, 1, 1, tzinfo=UTC), now=NOW)
    assert links[0].text == "Dashboard"


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("https://a.example.com/x y?q=<|>\"'`#f[1]", "https://a.example.com/x%20y?q=%3C%7C%3E%22%27%60#f%5B1%5D"),
        ("HTTP://A.b:80/é%20", "http://a.b/%C3%A9%20"),
        ("http://[::1]:9/", "http://[::1]:9/"),
        ("https://a.example.com//x", "https://a.example.com//x"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("https://user@a.example.com/", ""),
        ("https://a:99999/", ""),
        ("https://bücher.example.com/", ""),
        ("https://a.example.com/" + "x" * 2000, ""),
        ("", ""),
    ],
)
def test_only_plain_web_addresses_become_links(url: str, made: str) -> None:
    """A link is http or https to a plain host, with nothing in it that could end its markup."""
    assert safe_url(url) == made
