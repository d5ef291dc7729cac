"""Links of a message lead where the settings, the rules and the alert say, and never into an internal network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from responder.model.rule import Link, LinkAnnotations, RunbookRef
from responder.notify.report.links import LinkBuilder, safe_url
from tests.support.builders import NOW, STARTED, a_book, a_group, a_service, an_alert

MAKER = LinkBuilder(
    runbook_base_url="https://runbooks.example.com/main/",
    alertmanager_public_urls={"": ("https://alertmanager.example.com/",)},
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
        "javascript:alert(1)",
        "https://prometheus.example.com@evil.example.com/",
        "https://evil.example.com\\@prometheus.example.com/",
        "//prometheus.example.com/graph",
        "https://prometheus.example.com/graph?g0.expr=password%3Dhunter2",
        "",
        "https://[",
    ],
)
def test_what_is_no_plain_web_address_is_left_out(url: str) -> None:
    """An alert can neither bring another scheme or a user name into a link, nor leak a secret through one."""
    alert = an_alert(generator_url=url, annotations={"runbook_url": url, "dashboard_url": url})
    links = MAKER.around(a_group(alert), a_service(), alert, since=STARTED, now=NOW)
    assert [link.text for link in links] == ["Dashboard", "Silence", "Status page"]
    assert "/d/" in links[0].href or "plato" in links[0].href
    assert MAKER.runbook(None, alert) is None


def test_the_graph_is_the_one_that_the_alert_names() -> None:
    """The graph behind the alert is one click away."""
    url = "https://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1"
    assert _links(group=a_group(an_alert(generator_url=url)))["Graph"] == url


def test_the_graph_is_at_the_public_address_of_prometheus() -> None:
    """The setting replaces the internal address by which Prometheus names itself; links of Grafana stay."""
    maker = replace(MAKER, prometheus_public_url="https://prometheus.example.com/eu/")
    alert = an_alert(generator_url="http://prometheus-0:9090/graph?g0.expr=up&g0.tab=1")
    graph = _links(maker, group=a_group(alert))["Graph"]
    assert graph == "https://prometheus.example.com/eu/graph?g0.expr=up&g0.tab=1"
    grafana = "https://grafana.example.com/alerting/grafana/ab12/view"
    assert _links(maker, group=a_group(an_alert(generator_url=grafana)))["Graph"] == grafana


def test_the_runbook_of_the_rule_is_first_and_that_of_the_alert_beside_it() -> None:
    """A page links both, the rule's as its runbook; under the catch-all the alert's own is the runbook."""
    own = "https://runbooks.example.com/kubernetes/kubejobfailed"
    alert = an_alert(annotations={"runbook_url": own})
    ref = RunbookRef("common-issues.md", "job-failed")
    of_rule = MAKER.runbook(ref, alert)
    assert of_rule is not None
    assert of_rule.text == "Runbook: common-issues.md#job-failed"
    links = MAKER.around(a_group(alert), None, alert, of_rule, since=STARTED, now=NOW)
    assert links[0] == Link("Runbook of the alert", own)
    assert MAKER.runbook(ref, alert, first=("runbook_url",)) == Link(
        "Runbook: runbooks.example.com/…/kubejobfailed", own
    )
    assert MAKER.runbook(None, alert) == Link("Runbook: runbooks.example.com/…/kubejobfailed", own)
    assert MAKER.runbook(ref, an_alert(), first=("runbook_url",)) == of_rule


def test_each_name_of_a_group_has_its_own_runbook() -> None:
    """The runbook of an alert of another name is linked with that name, and a shared one only once."""
    first, second, third = (
        an_alert(
            fingerprint=str(n), labels={"alertname": name}, annotations={"runbook_url": f"https://x.example/{page}"}
        )
        for n, (name, page) in enumerate([("CheckoutErrors", "b"), ("KubePodCrashLooping", "a"), ("Same", "b")])
    )
    page = MAKER.runbook(None, first)
    links = MAKER.around(a_group(first, second, third), None, first, page, since=STARTED, now=NOW)
    assert [link for link in links if "unbook" in link.text] == [
        Link("Runbook of KubePodCrashLooping", "https://x.example/a")
    ]


def test_the_rule_files_name_the_links_of_an_alert() -> None:
    """Names of the installation replace the usual ones, in their order; Grafana's fields are names like others."""
    names = LinkAnnotations(runbook=("playbook",), dashboard=("board", "dashboardURL"), panel=())
    maker = replace(MAKER, annotations=names)
    at = "https://x.example.com/"
    annotations = {each: f"{at}{each}" for each in ("playbook", "runbook_url", "board", "dashboard_url", "panel_url")}
    alert = an_alert(annotations=annotations, links={"dashboardURL": f"{at}grafana"})
    runbook = maker.runbook(None, alert)
    assert runbook is not None
    assert runbook.href == f"{at}playbook"
    links = maker.around(a_group(alert), None, alert, runbook, since=STARTED, now=NOW)
    assert [(link.text, link.href) for link in links[:2]] == [
        ("Dashboard", f"{at}board"),
        ("Dashboard", f"{at}grafana"),
    ]
    assert [link.text for link in links[2:]] == ["Graph", "Silence", "Status page"]


@pytest.mark.parametrize("name", ["runbook_url", "runbook", "documentation"])
def test_a_runbook_is_read_under_every_usual_name(name: str) -> None:
    """Other teams write `runbook` or `documentation`, as an annotation or as a label."""
    url = "https://wiki.example.com/x"
    for alert in (an_alert(annotations={name: url}), an_alert(labels={"alertname": "A", name: url})):
        assert MAKER.runbook(None, alert) == Link("Runbook: wiki.example.com/x", url)


@pytest.mark.parametrize("name", ["dashboard_url", "dashboard", "grafana_dashboard_link", "panel_url"])
def test_the_dashboard_of_the_alert_is_linked(name: str) -> None:
    """The dashboard that the author of the alert chose comes before those of the catalog."""
    alert = an_alert(annotations={name: "https://grafana.example.com/d/ab"})
    assert MAKER.around(a_group(alert), None, alert, since=STARTED, now=NOW)[0].href == (
        "https://grafana.example.com/d/ab"
    )


def test_the_links_of_grafana_are_used() -> None:
    """Dashboard, panel and silence form of a Grafana-managed alert come from its own fields."""
    alert = an_alert(
        links={
            "dashboardURL": "https://grafana.example.com/d/ab",
            "panelURL": "https://grafana.example.com/d/ab?viewPanel=2",
            "silenceURL": "https://grafana.example.com/alerting/silence/new?alertmanager=grafana",
        }
    )
    links = {link.text: link.href for link in MAKER.around(a_group(alert), None, alert, since=STARTED, now=NOW)}
    assert links["Dashboard"] == alert.links["dashboardURL"]
    assert links["Panel"] == alert.links["panelURL"]
    assert links["Silence"] == alert.links["silenceURL"]


def test_only_listed_hosts_are_linked_where_there_is_a_list() -> None:
    """With `RESPONDER_LINK_HOSTS` an alert cannot send on-call to another site."""
    maker = replace(MAKER, hosts=frozenset({"runbooks.example.com"}))
    listed = an_alert(annotations={"runbook_url": "https://runbooks.example.com/a"})
    other = an_alert(
        annotations={"runbook_url": "https://evil.example.com/a"}, generator_url="https://evil.example.com/graph"
    )
    assert maker.runbook(None, listed) is not None
    assert maker.runbook(None, other) is None
    assert "Graph" not in _links(maker, group=a_group(other))


def test_a_runbook_can_be_a_url_with_labels_in_it() -> None:
    """One line of a rule leads to the published runbook of each alert, whatever the label holds."""
    ref = RunbookRef("https://runbooks.example.com/kubernetes/${alertname|lower}")
    found = MAKER.runbook(ref, an_alert(labels={"alertname": "KubeJobFailed"}))
    assert found == Link(
        "Runbook: runbooks.example.com/…/kubejobfailed", "https://runbooks.example.com/kubernetes/kubejobfailed"
    )
    hostile = MAKER.runbook(ref, an_alert(labels={"alertname": "../../x?y#z"}))
    assert hostile is not None
    assert hostile.href == "https://runbooks.example.com/kubernetes/..%2F..%2Fx%3Fy%23z"
    for value in ("", ".."):
        assert MAKER.runbook(ref, an_alert(labels={"alertname": value})) is None


def test_the_silence_form_is_filled_in() -> None:
    """Silencing takes one click, and a hostile label cannot change what is silenced."""
    labels = {"alertname": 'x"},{y="', "a\n": "b\\"}
    url = _links(group=a_group(group_labels=labels))["Silence"]
    base, _, value = url.partition("?filter=")
    assert base == "https://alertmanager.example.com/#/silences/new"
    assert not set(value) & set('"{}<>| ')
    assert unquote(value) == '{"a\\n"="b\\\\",alertname="x\\"},{y=\\""}'


def test_no_silence_form_for_everything_or_with_a_secret() -> None:
    """A group without labels gets no form that would silence all; a secret in a label gets none either."""
    assert "Silence" not in _links(group=a_group(group_labels={}))
    assert "Silence" not in _links(group=a_group(group_labels={"password": "hunter2"}))


def test_alerts_that_no_alertmanager_knows_have_no_silence_form() -> None:
    """Alertmanager's form would silence nothing of Grafana's alerts."""
    assert "Silence" not in _links(group=a_group(an_alert(fingerprint="grafana-9d6fb58bd573fcec")))


def test_the_silence_form_is_at_the_external_url_or_the_public_one_of_the_cluster() -> None:
    """Never the address that responder queries: on-call may not reach it."""
    group = a_group(external_url="https://am.example.com/x")
    assert _links(LinkBuilder(), group=group)["Silence"].startswith("https://am.example.com/x/#/silences/new?filter=")
    maker = LinkBuilder(alertmanager_public_urls={"eu": ("https://eu.example.com",), "": ("https://am2.example.com",)})
    assert _links(maker, group=replace(group, cluster="eu"))["Silence"].startswith("https://eu.example.com/#/")
    assert _links(maker, group=group)["Silence"].startswith("https://am2.example.com/#/")
    assert "Silence" not in _links(LinkBuilder(), group=a_group(external_url="javascript:alert(1)"))


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
