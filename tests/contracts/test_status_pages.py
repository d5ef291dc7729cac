"""Status pages: three verbs within the vendors' rules, and nothing on them that only an alert said."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from responder.model.message import Request, Response
from responder.model.outcome import Continue, Delivered, Outcome, TryLater
from responder.model.report import (
    DecisionRecord,
    IncidentContent,
    MessageFacts,
    MessageKind,
    PublicText,
    Report,
    Status,
)
from responder.model.rule import Template
from responder.notify.channels import CHANNELS
from responder.notify.contract import Use
from responder.notify.report.compose import compose, filled, proposed
from tests.contracts.channel_cases import CASES, PAGE_KEY
from tests.support import statuspage
from tests.support.builders import NOW, a_conclusion, a_content, a_draft, a_letter
from tests.support.statuspage import StatuspageStandIn

STATUS_PAGES = [name for name, kind in CHANNELS.items() if kind.use is Use.STATUS_PAGE]
#: What an alert says; none of it may be published.
SECRETIVE = "10.1.2.3 <script> refused"
TEMPLATES = {
    "public-start": Template("Disruption", (("Status", "${status}"), ("Impact", "${impact}"))),
    "public-resolution": Template("Disruption", (("Text", "Resolved after ${duration}."),)),
}


def a_public_content(name: str, **changes: Any) -> IncidentContent:
    """An incident that its severity and its service publish on a status page, with hostile text in its alerts."""
    content = a_content()
    record: DecisionRecord = replace(
        content.decision,
        title=SECRETIVE,
        service=SECRETIVE,
        catalog_service="nexus",
        impact="Searches fail.",
        templates=TEMPLATES,
        status_pages=(name,),
        components={name: ("8kbf7d35c070",)},
    )
    alerts = replace(content.alerts, summary=SECRETIVE, description=SECRETIVE, said=SECRETIVE)
    return replace(content, decision=replace(record, **changes), alerts=alerts)


def a_public_report(
    name: str, kind: MessageKind = MessageKind.START, content: IncidentContent | None = None, **facts: Any
) -> Report:
    """The report of a message for the status page."""
    own = replace(MessageFacts(update=SECRETIVE, resolution=SECRETIVE), **facts)
    draft = a_draft(channel=name, kind=kind, facts=own)
    return compose(content or a_public_content(name), draft, NOW + timedelta(minutes=7))


def rendered(name: str, kind: MessageKind, previous: dict[str, str], **facts: Any) -> Request:
    """The request of a message."""
    channel = CASES[name].make()
    (step,) = channel.steps[kind]
    return channel.render(a_letter(a_public_report(name, kind, **facts), channel=name, step=step, previous=previous))


def vendor_answer(request: Request) -> Response:
    """The answer of the stand-in to a request."""
    found = httpx.request(request.method, request.url, content=request.body, headers=dict(request.headers))
    return Response(found.status_code, found.content, dict(found.headers))


@pytest.mark.parametrize("name", STATUS_PAGES)
@pytest.mark.parametrize("kind", [MessageKind.START, MessageKind.AGAIN, MessageKind.NOTE, MessageKind.RESOLUTION])
def test_only_rule_files_and_people_are_published(name: str, kind: MessageKind) -> None:
    """Nothing that alerts and reasons say: only the template or the impact, and the name in the catalog."""
    for content in (a_public_content(name), a_public_content(name, templates={}), a_public_content(name, impact="")):
        channel = CASES[name].make()
        letter = a_letter(a_public_report(name, kind, content), channel=name, step=channel.steps[kind][0])
        for minimal in (False, True):
            request = channel.render(replace(letter, minimal=minimal))
            CASES[name].taken(letter, request)
            assert b"10.1.2.3" not in request.body
            assert b"script" not in request.body
            assert b"nexus" in request.body


@pytest.mark.parametrize("name", STATUS_PAGES)
def test_a_person_has_the_last_word(name: str) -> None:
    """The words that a person confirmed replace the template, in the first text and in an update."""
    opened = proposed(a_public_content(name), name, "INC-1", NOW, updates=False)
    assert opened.text == "Status: Investigating\nImpact: Searches fail."
    for kind in (MessageKind.START, MessageKind.NOTE):
        assert b"Search is slow." in rendered(name, kind, {}, public="Search is slow.").body


@pytest.mark.parametrize("name", STATUS_PAGES)
def test_a_person_chooses_the_status(name: str) -> None:
    """A page opens as investigating; a likely cause proposes "identified" for an update, and only a person says it."""
    content = replace(a_public_content(name), conclusion=a_conclusion())
    assert proposed(content, name, "INC-1", NOW, updates=False).status is Status.INVESTIGATING
    assert proposed(content, name, "INC-1", NOW, updates=True).status is Status.IDENTIFIED
    assert proposed(content, name, "INC-1", NOW, updates=True, status="Monitoring").status is Status.MONITORING
    for chosen, shown in (("", b"investigating"), ("Identified", b"identified"), ("Monitoring", b"monitoring")):
        facts = {"public": "A text.", "public_status": chosen}
        assert shown in rendered(name, MessageKind.NOTE, {}, **facts).body
    assert b'"resolved"' in rendered(name, MessageKind.RESOLUTION, {}, public_status="Identified").body


@pytest.mark.parametrize("name", STATUS_PAGES)
def test_updates_of_the_incident_are_not_published(name: str) -> None:
    """Customers read only messages of these kinds: no update that responder makes by itself."""
    steps = CASES[name].make().steps
    published = {MessageKind.START, MessageKind.AGAIN, MessageKind.NOTE, MessageKind.RESOLUTION}
    assert {kind for kind, each in steps.items() if each} == published


def test_statuspage_opens_updates_and_resolves_one_incident() -> None:
    """The id of the first answer is that of the later requests; component and status are the vendor's words."""
    with StatuspageStandIn(PAGE_KEY) as vendor:
        channel = replace(CASES["statuspage"].make(), base_url=vendor.url)  # type: ignore[call-arg]
        known: dict[str, str] = {}
        told = []
        for kind in (MessageKind.START, MessageKind.NOTE, MessageKind.RESOLUTION, MessageKind.AGAIN):
            report = a_public_report("statuspage", kind, public="A text." if kind is MessageKind.NOTE else "")
            letter = a_letter(report, channel="statuspage", step=channel.steps[kind][0], previous=known)
            request = channel.render(letter)
            told.append(request.method)
            outcome = channel.read(letter, vendor_answer(request))
            assert isinstance(outcome, Delivered)
            known = known or outcome.ref
        [incident] = vendor.incidents.values()
    assert told == ["POST", "PATCH", "PATCH", "PATCH"]
    assert incident.name == "Disruption: nexus"
    assert incident.updates == [
        ("investigating", "Status: Investigating\nImpact: Searches fail."),
        ("investigating", "A text."),
        ("resolved", "Resolved after 7 minutes."),
        ("investigating", "Status: Investigating\nImpact: Searches fail."),
    ]
    assert incident.components == {"8kbf7d35c070": "major_outage"}


@pytest.mark.parametrize("lost", [True, False], ids=["answer lost", "request lost"])
def test_a_repeat_after_an_unknown_result_shows_nothing_twice(lost: bool) -> None:
    """One incident, and each text once, if the answer was lost and if the whole request was."""
    with StatuspageStandIn(PAGE_KEY) as vendor:
        channel = replace(CASES["statuspage"].make(), base_url=vendor.url)  # type: ignore[call-arg]
        known: dict[str, str] = {}
        asked = []
        for number, kind in enumerate((MessageKind.START, MessageKind.NOTE, MessageKind.RESOLUTION, MessageKind.AGAIN)):
            report = a_public_report("statuspage", kind, public="A text." if kind is MessageKind.NOTE else "")
            letter = replace(
                a_letter(report, channel="statuspage", step=channel.steps[kind][0], previous=known), id=7 + number
            )
            if lost:
                vendor_answer(channel.render(letter))
            outcome: Outcome = TryLater("")
            before: str | None = None
            while not isinstance(outcome, Delivered):
                later = replace(letter, attempt=2, before=before)
                if kind is MessageKind.RESOLUTION:  # composed anew, with another duration
                    later = replace(later, report=replace(report, public=PublicText("x", "Resolved after an hour.")))
                request = channel.render(later)
                asked.append(request.method)
                outcome = channel.read(later, vendor_answer(request))
                before = outcome.reason if isinstance(outcome, Continue) else before
            known = known or outcome.ref
        [incident] = vendor.incidents.values()
    assert [status for status, _text in incident.updates] == ["investigating"] * 2 + ["resolved", "investigating"]
    assert asked == (["GET"] * 4 if lost else ["GET", "POST", *["GET", "PATCH"] * 3])


def test_an_incident_of_another_is_not_taken_for_its_own() -> None:
    """The look-up compares the reference that only responder writes, not the name."""
    with StatuspageStandIn(PAGE_KEY) as vendor:
        channel = replace(CASES["statuspage"].make(), base_url=vendor.url)  # type: ignore[call-arg]
        letter = a_letter(a_public_report("statuspage"), channel="statuspage", step="open")
        vendor_answer(channel.render(replace(letter, id=letter.id + 1)))
        again = replace(letter, before=None)
        assert isinstance(channel.read(again, vendor_answer(channel.render(again))), Continue)


@pytest.mark.parametrize(
    "body", [b"", b"[", b"[1]", b'"x"', b"null", *(b'[{"%s":1}]' % each for each in (b"metadata", b"incident_updates"))]
)
def test_an_answer_to_a_look_up_that_means_nothing(body: bytes) -> None:
    """It is asked for again, or says that the incident is not there: it raises nothing."""
    channel = CASES["statuspage"].make()
    for previous in ({}, {"id": "p31"}):
        letter = a_letter(a_public_report("statuspage"), channel="statuspage", step="open", previous=previous)
        outcome = channel.read(replace(letter, before=None), Response(200, body))
        assert isinstance(outcome, TryLater | Continue)


def test_the_limit_of_statuspage_is_waited_out() -> None:
    """420 pauses the channel as 429 does; nothing is given up."""
    with StatuspageStandIn(PAGE_KEY, per_minute=0) as vendor:
        channel = replace(CASES["statuspage"].make(), base_url=vendor.url)  # type: ignore[call-arg]
        letter = a_letter(a_public_report("statuspage"), channel="statuspage", step="open")
        outcome = channel.read(letter, vendor_answer(channel.render(letter)))
    assert isinstance(outcome, TryLater)
    assert outcome.limited
    assert channel.rate_limit is not None
    assert channel.rate_limit.interval >= 1.0


def test_an_id_of_an_answer_is_no_path() -> None:
    """An id with a slash or a query never becomes part of an address."""
    for bad in ("../x", "a/b", "a?b=c", "", "a" * 65):
        request = rendered("statuspage", MessageKind.NOTE, {"id": bad}, public="A text.")
        assert request.url.endswith("/incidents")
    channel = CASES["statuspage"].make()
    letter = a_letter(a_public_report("statuspage"), channel="statuspage", step="open")
    answer = replace(statuspage.ACCEPTED, body=b'{"id":"../../x"}')
    assert isinstance(channel.read(letter, answer), TryLater)


def test_the_webhook_says_what_a_page_needs() -> None:
    """Event, state, text and components, under the incident's id."""
    for kind, event, state in (
        (MessageKind.START, "open", "major"),
        (MessageKind.RESOLUTION, "resolve", "operational"),
    ):
        sent = json.loads(rendered("status_webhook", kind, {}).body)
        assert (sent["version"], sent["event"], sent["title"]) == (1, event, "Disruption: nexus")
        assert sent["components"] == [{"id": "8kbf7d35c070", "state": state}]


def test_an_empty_field_of_a_template_is_left_out() -> None:
    """As in the other templates."""
    template = Template("x", (("Next", "${next_update}"), ("Status", "${status}")))
    content = a_public_content("statuspage", next_update=0.0)
    report = a_public_report("statuspage", content=content)
    assert filled(template, report, content) == {"Status": "Investigating"}
