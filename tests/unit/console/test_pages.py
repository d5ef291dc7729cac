"""The pages: hostile text stays text, an unchanged page is not sent twice, filters are in the address."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum
from html.parser import HTMLParser
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from responder.console.access import Access
from responder.console.markdown import html_of
from responder.console.pages import MOST_OPEN
from responder.console.updates import GOOD_SECONDS
from responder.model.action import ActionKind
from responder.model.finding import Verdict
from responder.model.incident import AlertState
from responder.outgoing import Outgoing
from responder.outgoing.silences import Silences
from responder.settings.access import grants
from responder.standins.alertmanager import AlertmanagerStandIn
from responder.store.database import Database
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import actions, incidents
from tests.conftest import HandClock
from tests.support import console_pages
from tests.support.builders import NOW, a_content, a_finding, an_incident
from tests.unit.console.conftest import INCIDENT, ORIGIN, fill, whole_content
from tests.unit.console.test_access import token

STATIC = Path(__file__).parents[3] / "responder" / "console" / "static"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "https://evil.example.com/\"onclick='x'",
    "{{7*7}}{% raw %}",
    "</title></textarea></pre><svg/onload=alert(1)>",
    "\u202egnp.exe\u2066\x00\x1b[31m",
    "word" * 5000,
)
PAGES = tuple(each.format(incident=INCIDENT) for each in console_pages.PAGES)
TEMPLATES = STATIC.parent / "templates"
_TAGS = {"script", "img", "svg", "iframe", "object", "embed", "base", "style"}


class Page(HTMLParser):
    """A page as a browser reads it: elements that may run something, handlers, and targets of links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.active: list[str] = []
        self.targets: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        given = dict(attrs)
        if tag in _TAGS and not (given.get("src") or "").startswith("/static/") and given.get("class") != "chart":
            self.active.append(tag)
        self.active += [name for name in given if name.startswith("on") or name == "style"]
        self.targets += [value or "" for name, value in attrs if name in {"href", "action", "src"}]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def hostile(value: Any, text: str) -> Any:
    """The value with every text in it replaced."""
    if isinstance(value, Enum | datetime):
        return value
    if isinstance(value, str):
        return text
    if isinstance(value, dict):
        return dict.fromkeys([text] if value else [], next((hostile(each, text) for each in value.values()), None))
    if isinstance(value, tuple):
        return tuple(hostile(each, text) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{each.name: hostile(getattr(value, each.name), text) for each in dataclasses.fields(value)}
        )
    return value


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_text_stays_text_in_every_field_of_every_page(
    build: Callable[..., Flask], database: Database, folder: Path, clock: HandClock, number: int
) -> None:
    """Text in any field of an incident, a runbook or a payload becomes no element, handler or link."""
    text = HOSTILE[number]
    content = hostile(whole_content(), text)
    content = replace(
        content,
        findings=(*content.findings, hostile(a_finding(points=((1.0, 1.0), (2.0, 3.0))), text)),
        alerts=replace(content.alerts, groups={an_incident().dedup_key: {"alertname": text}}),
    )
    fill(
        database,
        content,
        **dict.fromkeys(
            ("title", "service", "rule", "reason", "runbook", "silenced", "resolve_reason", "cluster"), text
        ),
    )
    Inbox(database).set_aside(text.encode(), 2, text, 400, text, NOW)
    (folder / "common-issues.md").write_text(f"# {text}\n\n{text}\n\n[a]({text})\n\n```sh\n{text}\n```\n")
    outgoing = Outgoing(clock)
    down = Silences(outgoing, clock, {"": ("http://127.0.0.1:1",)})
    client = build(silences=down, explain=lambda _: text, settings=(("A", text, text),)).test_client()
    for kind in ("note", "resolve", "acknowledge"):
        data = {"csrf": token(client), "text": text, "once": text}
        assert client.post(f"/incidents/{INCIDENT}/{kind}", data=data, headers=ORIGIN).status_code == 303
    for address in (*PAGES, f"/incidents?text={text}&since={text}&rule={text}", f"/incidents/{INCIDENT}?action=1"):
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.text[-300:])
        page = Page(answer.text)
        assert not page.active, (address, page.active)
        assert not [each for each in page.targets if re.match(r"\s*(?!https?:)[a-z]+:", each, re.IGNORECASE)], address
        assert not any(sign in answer.text for sign in "\x00\x1b"), address
    outgoing.close()


def test_each_page_of_an_empty_database_says_what_its_emptiness_means(build: Callable[..., Flask]) -> None:
    """A page without rows has a sentence in their place."""
    client = build(book=lambda: None).test_client()
    for address, said in (
        ("/", "No incident has been stored yet."),
        ("/incidents", "No incident has been stored yet."),
        ("/incidents?text=x", "No incident matches"),
        ("/messages", "No message has been written yet."),
        ("/rejects", "No payload has been rejected."),
        ("/rules", "The database has no rules yet"),
        ("/coverage", "Every alert was decided by a rule of its own."),
        ("/status", "No channel has been used yet."),
    ):
        assert said in " ".join(client.get(address).text.split()), address
    assert client.get("/incidents/INC-404").status_code == 404
    assert '<form id="acknowledge"' in client.get("/").text  # incidents to tick come with an update


def test_a_page_is_sent_again_only_when_it_changed(client: FlaskClient, database: Database, clock: HandClock) -> None:
    """The same page is answered 304 until something is stored, or a minute has passed."""
    first = client.get("/")  # sets the cookie of the forms
    first = client.get("/")
    tag = first.headers["ETag"]
    assert client.get("/", headers={"If-None-Match": tag}).status_code == 304
    assert client.get("/incidents", headers={"If-None-Match": tag}).status_code == 200
    fill(database, whole_content(), id="INC-2", dedup_key="other")
    second = client.get("/", headers={"If-None-Match": tag})
    assert second.status_code == 200
    clock.move(60)
    assert client.get("/", headers={"If-None-Match": second.headers["ETag"]}).status_code == 200


def update(client: FlaskClient, address: str, tag: str = "") -> TestResponse:
    """Ask for the update of an open page as htmx does."""
    return client.get(address, headers={"HX-Request": "true", "If-None-Match": tag})


def test_tabs_share_an_update(build: Callable[..., Flask], filled: None, clock: HandClock) -> None:
    """An update is rendered once for all persons with a role, and nothing in it is of one person."""
    del filled
    access = Access(header="X-User", peers=(ip_network("127.0.0.0/8"),), granted=grants("ann=act,bob=act,carl=read"))
    app = build(access=access)
    tabs = {name: app.test_client() for name in ("ann", "bob", "carl")}
    for address in ("/", f"/incidents/{INCIDENT}"):
        pages, updates = {}, {}
        for name, tab in tabs.items():
            tab.environ_base["HTTP_X_USER"] = name
            pages[name], updates[name] = tab.get(address).text, update(tab, address)
            assert name in pages[name]
            assert not re.search(r"ann|bob|carl|csrf|once", updates[name].text), address
            assert updates[name].text.strip() in pages[name]
        assert updates["ann"].text == updates["bob"].text
        assert updates["ann"].headers["ETag"] == updates["bob"].headers["ETag"]
        assert update(tabs["bob"], address, updates["ann"].headers["ETag"]).status_code == 304
    clock.move(GOOD_SECONDS)
    assert 'type="checkbox"' in update(tabs["bob"], "/").text
    assert 'type="checkbox"' not in update(tabs["carl"], "/").text


def test_an_update_is_good_for_a_moment(client: FlaskClient, database: Database, clock: HandClock) -> None:
    """A change is shown within the seconds that an update is good for; a part that is the same is not sent again."""
    clock.move(600)
    one, every = (update(client, address) for address in (f"/incidents/{INCIDENT}", "/"))
    fill(database, a_content(), id="INC-2", dedup_key="other", opened_at=NOW - timedelta(hours=9))
    assert update(client, "/", every.headers["ETag"]).status_code == 304
    clock.move(GOOD_SECONDS)
    assert "INC-2" in update(client, "/", every.headers["ETag"]).text
    assert update(client, f"/incidents/{INCIDENT}", one.headers["ETag"]).status_code == 304
    clock.move(60)
    assert update(client, "/", every.headers["ETag"]).status_code == 200
    assert update(client, "/incidents/INC-404").status_code == 404


def test_pages_that_ask_for_updates_have_some(client: FlaskClient) -> None:
    """A page with a polling element is one whose part is answered alone; the others are answered whole."""
    live = {name for name, view in client.application.view_functions.items() if getattr(view, "live", False)}
    asking = {path.stem for path in TEMPLATES.glob("*.html") if "hx-get" in path.read_text()}
    assert (live, asking) == ({"pages.opened", "pages.incident"}, {"open", "incident"})
    assert "<html" in update(client, "/status").text


def test_the_first_screen_names_the_cause_and_the_first_step(client: FlaskClient) -> None:
    """The problem, the likely cause and the first step stand before everything else."""
    text = client.get(f"/incidents/{INCIDENT}").text
    places = [text.index(each) for each in ("<h1>", "Likely cause", "First step", 'id="findings"', 'id="timeline"')]
    assert places == sorted(places)


def test_filters_stand_in_the_address(client: FlaskClient, database: Database, clock: HandClock) -> None:
    """A link to a list is the list: each filter narrows it, and a wrong one is named."""
    fill(
        database,
        whole_content(),
        id="INC-2",
        dedup_key="b",
        open=False,
        resolved_at=NOW,
        service="nexus",
        severity="P3",
    )
    clock.move(7200)

    def found(query: str) -> list[str]:
        return [name for name in ("INC-1", "INC-2") if f"/incidents/{name}" in client.get(f"/incidents?{query}").text]

    assert found("") == ["INC-1", "INC-2"]
    assert found("state=open") == ["INC-1"]
    assert found("state=resolved") == ["INC-2"]
    assert found("severity=P3") == ["INC-2"]
    assert found("service=nexus&state=open") == []
    assert found("since=1h") == []
    assert "a duration is a number with a unit" in client.get("/incidents?since=soon").text
    assert found("since=999999999999w") == ["INC-1", "INC-2"]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("incidents?state=closed", 200, "state: open, resolved, not 'closed'"),
        ("incidents?colour=red&since=soon", 200, "colour: no such filter; use state, severity"),
        ("incidents?after=nonsense", 400, "after: no place in the list"),
        ("incidents?after=nan_INC-1", 400, "after: no place in the list"),
        ("messages?state=lost", 200, "state: waiting, sent, dead, merged, withdrawn, not 'lost'"),
        ("messages?before=-1", 400, "before: a whole number, not '-1'"),
        ("rejects?before=x", 400, "before: a whole number"),
        ("rules?from=x", 400, "from: a whole number"),
        ("nothing", 404, "There is no such page."),
        (f"rejects/{10**20}/body", 404, "There is no such page."),
    ],
)
def test_a_value_of_the_address_that_cannot_be_used_is_named(
    client: FlaskClient, query: str, status: int, said: str
) -> None:
    """No list ignores a filter or a place: a page says it above its rows, the API refuses it."""
    answer = client.get(f"/{query}")
    assert (answer.status_code, said in html.unescape(answer.text)) == (status, True), answer.text
    answer = client.get(f"/api/v1/{query}")
    if query.startswith(("incidents", "messages")):
        assert (answer.status_code, said in (answer.json or {})["error"]) == (400, True)


def test_the_last_resolved_incident_comes_first(client: FlaskClient, database: Database, clock: HandClock) -> None:
    """The first page states the end of an incident and how long it lasted, not its start."""
    clock.move(3600)
    for name, start, end in (("INC-8", 50, 5), ("INC-9", 20, 10)):
        opened, ended = (clock.now() - timedelta(minutes=each) for each in (start, end))
        fill(database, a_content(), id=name, dedup_key=name, open=False, opened_at=opened, resolved_at=ended)
    text = client.get("/").text
    assert text.index("INC-8") < text.index("INC-9")
    assert re.search(r"03:36 UTC</time>, after 45 min", text)


def test_an_old_incident_of_the_worst_severity_is_among_the_open_ones(client: FlaskClient, database: Database) -> None:
    """The first page shows the worst severities, then the newest incidents, and counts those that do not fit."""
    with database.write() as connection:
        mild = [
            an_incident(id=f"INC-9{number:03}", dedup_key=str(number), severity="P3", opened_at=NOW)
            for number in range(MOST_OPEN)
        ]
        unknown = an_incident(id="INC-2", dedup_key="b", severity="SEV0", opened_at=NOW - timedelta(days=9))
        incidents.save(connection, [*mild, unknown], [])
    text = client.get("/").text
    shown = re.findall(r'"/incidents/(INC-\d+)"', text)
    assert (shown[:3], len(shown)) == (["INC-2", INCIDENT, f"INC-9{MOST_OPEN - 1:03}"], MOST_OPEN)
    said = " ".join(Page(text).text.split())
    assert f"{MOST_OPEN + 2} open incidents" in said
    assert "200 are shown, the worst severity first, then the newest; 200 of these are not acknowledged." in said
    assert "Not shown: 2 P3." in said
    assert "/incidents?state=open&severity=P3" in Page(text).targets


def test_a_long_list_has_pages(client: FlaskClient, database: Database) -> None:
    """The link to older incidents leads on from the last row."""
    for number in range(60):
        fill(database, whole_content(), id=f"INC-9{number:02}", dedup_key=f"k{number}", open=False, resolved_at=NOW)
    first = client.get("/incidents").text
    following = next(each for each in Page(first).targets if "after=" in each)
    second = client.get(following).text
    assert (first.count('class="title"'), second.count('class="title"')) == (50, 11)


def test_an_action_is_stored_once_with_the_name_of_the_person(client: FlaskClient, database: Database) -> None:
    """A form that is sent twice acts once, with another text twice; its outcome, or that it waits, is on the page."""
    data = {"csrf": token(client), "text": "restarted", "once": "x1"}
    for _ in range(2):
        answer = client.post(f"/incidents/{INCIDENT}/note", data=data, headers=ORIGIN)
        assert answer.status_code == 303
    with database.read() as connection:
        (row,) = actions.of_incident(connection, INCIDENT)
    assert (row.action.actor, row.action.entry, row.action.text) == ("ann", "console", "restarted")
    assert "applies it as soon as it runs" in client.get(answer.headers["Location"]).text
    client.post(f"/incidents/{INCIDENT}/note", data={**data, "text": "back, and changed"}, headers=ORIGIN)
    with database.read() as connection:
        assert len(actions.of_incident(connection, INCIDENT)) == 2


def test_ticked_incidents_are_acknowledged_together(client: FlaskClient, database: Database) -> None:
    """One form acknowledges all that are ticked; without any it says so."""
    fill(database, whole_content(), id="INC-2", dedup_key="other")
    data = {"csrf": token(client), "incident": ["INC-1", "INC-2"]}
    assert client.post("/acknowledge", data=data, headers=ORIGIN).status_code == 303
    with database.read() as connection:
        kinds = [actions.of_incident(connection, each)[0].action.kind.value for each in ("INC-1", "INC-2")]
    assert kinds == ["acknowledge", "acknowledge"]
    assert client.post("/acknowledge", data={"csrf": data["csrf"]}, headers=ORIGIN).status_code == 400


@pytest.mark.parametrize("name", ["../secret.md", "/etc/passwd", "..%2f..%2fsecret.md", "common-issues.md/../../x.md"])
def test_a_path_cannot_leave_the_folder_of_runbooks(client: FlaskClient, folder: Path, name: str) -> None:
    """Only files that the list shows are shown."""
    (folder.parent / "secret.md").write_text("secret")
    answer = client.get(f"/runbooks/{name}")
    assert (answer.status_code, "secret" in answer.text) == (404, False)


def test_a_runbook_has_the_values_of_the_incident(client: FlaskClient) -> None:
    """Placeholders in commands are filled; without an incident they stay."""
    assert "kubectl -n butterfly get pods" in client.get(f"/runbooks/common-issues.md?incident={INCIDENT}").text
    assert "kubectl -n {{ namespace }} get pods" in client.get("/runbooks/common-issues.md").text
    assert 'id="service-down"' in client.get("/runbooks/common-issues.md").text


def test_a_value_that_is_no_name_fills_nothing() -> None:
    """A value with a space or a sign of the shell leaves the placeholder as it is."""
    assert "{{ pod }}" in html_of("```sh\nkubectl get pod {{ pod }}\n```", {}, {"pod": "a; rm -rf /"})


def test_a_finding_with_a_range_has_a_picture(client: FlaskClient, database: Database) -> None:
    """Value, threshold and the start of the alert are drawn, and said in words."""
    finding = a_finding(
        verdict=Verdict.BAD, points=tuple((NOW.timestamp() + each, float(each)) for each in range(9)), threshold=5.0
    )
    fill(database, replace(whole_content(), findings=(finding,)), id="INC-2", dedup_key="other")
    text = client.get("/incidents/INC-2").text
    assert '<polyline class="line"' in text
    assert 'class="threshold"' in text
    assert "0 to 8 from 02:41 to 02:41 UTC, threshold 5" in text


def test_a_rejected_payload_is_a_download_of_plain_text(client: FlaskClient) -> None:
    """No browser interprets what a stranger sent."""
    answer = client.get("/rejects/1/body")
    assert answer.mimetype == "text/plain"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_vendored_files_are_the_published_ones() -> None:
    """Each file of others has its version, licence and hash beside it."""
    for each in json.loads((STATIC / "vendor.json").read_text()):
        assert hashlib.sha256((STATIC / each["file"]).read_bytes()).hexdigest() == each["sha256"]
        assert (STATIC / each["licence_file"]).is_file()


def test_the_console_works_below_the_path_of_its_public_address(build: Callable[..., Flask], filled: None) -> None:
    """With a path in RESPONDER_CONSOLE_URL all links begin with it, whether or not the proxy removes it."""
    del filled
    client = build(url="https://ops.example.com/responder/").test_client()
    for address in ("/", "/responder/", "/responder/incidents"):
        targets = Page(client.get(address).text).targets
        assert targets
        assert all(each.startswith(("/responder/", "#")) for each in targets), address


@pytest.fixture
def alertmanager(clock: HandClock) -> Iterator[AlertmanagerStandIn]:
    """An Alertmanager with the alert of the incident and one of another."""
    with AlertmanagerStandIn(now=clock.now) as running:
        group = {"alertname": "ServiceDown", "service": "plato"}
        running.alerts["1".rjust(16, "0")] = {**group, "instance": "10.1.2.3:8080"}
        running.alerts["2".rjust(16, "0")] = {**group, "instance": "10.1.2.4:8080"}
        yield running


def silencing(database: Database) -> None:
    """Let the incident have the labels of its group, and one alert."""
    content = whole_content()
    alerts = replace(content.alerts, groups={"key": {"alertname": "ServiceDown", "service": "plato"}})
    known = {"1".rjust(16, "0"): AlertState(NOW.timestamp())}
    fill(database, replace(content, alerts=alerts), id="INC-2", dedup_key="key", alerts=known)


def test_a_silence_shows_its_matchers_and_their_number_first(
    build: Callable[..., Flask], database: Database, clock: HandClock, alertmanager: AlertmanagerStandIn
) -> None:
    """The page names the exact matchers and the alerts of others; what is stored is what was confirmed."""
    silencing(database)
    outgoing = Outgoing(clock)
    client = build(silences=Silences(outgoing, clock, {"": (alertmanager.url,)})).test_client()
    page = client.get("/incidents/INC-2/silence")
    assert "ETag" not in page.headers
    text = html.unescape(page.text)
    assert 'alertname="ServiceDown"' in text
    assert "Matches 2 alerts now, 1 of them NOT of this incident." in text
    assert "Silence 1 alert of others, too" in text
    csrf = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert csrf is not None
    form = {"csrf": csrf[1], "once": "a", "text": "maintenance", "confirm": "1"}
    wrong = client.post("/incidents/INC-2/silence", data={**form, "other": "1s"}, headers=ORIGIN)
    assert "at least" in wrong.text
    sent = client.post("/incidents/INC-2/silence", data={**form, "other": "2h"}, headers=ORIGIN)
    assert sent.status_code == 303
    with database.read() as connection:
        row = actions.find(connection, 1)
    assert row is not None
    assert (row.action.kind, row.action.target, row.action.text) == (ActionKind.SILENCE, "1", "maintenance")
    assert row.action.until is not None
    assert timedelta(hours=1, minutes=59) < row.action.until - NOW <= timedelta(hours=2)
    outgoing.close()


def test_an_alertmanager_that_is_down_or_unknown_is_named(
    build: Callable[..., Flask], database: Database, clock: HandClock
) -> None:
    """The page says that the number is not known and what follows; a resolved incident is not silenced."""
    silencing(database)
    client = build().test_client()
    unset = client.get("/incidents/INC-2/silence")
    assert (unset.status_code, "RESPONDER_ALERTMANAGER_URL" in unset.text) == (409, True)
    outgoing = Outgoing(clock)
    down = build(silences=Silences(outgoing, clock, {"": ("http://127.0.0.1:1",)})).test_client()
    assert "did not say how many alerts" in down.get("/incidents/INC-2/silence").text
    outgoing.close()
    fill(database, whole_content(), id="INC-3", dedup_key="other", open=False, resolved_at=NOW)
    refused = client.get("/incidents/INC-3/silence")
    assert (refused.status_code, "INC-3 is resolved" in refused.text) == (409, True)
