"""Checks of the ways to people: reachable and authenticated, without sending anything unless it was asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from responder import bootstrap
from responder.cli.doctor.result import Patient, Result, bad, ok, skipped, warn
from responder.model.rule import RuleBook
from responder.notify.contract import Channel
from responder.notify.render.response import decoded, text_of
from responder.outgoing import CouldNotReach

KEY = re.compile(r"[0-9a-zA-Z]{32}")
REACH = "see the network: DNS, egress rules, a proxy (responder uses none)"
_SCOPE = "chat:write"
_MADE = 2026  # the year of the first release: no clock that was ever set is behind it


def pagerduty(patient: Patient) -> tuple[Result, ...]:
    """Whether PagerDuty answers, and whether the key looks like one; only an event can prove it."""
    key = patient.settings.pagerduty_routing_key.reveal()
    if not key:
        return (bad("pagerduty", "nobody is woken: there is no key", "set RESPONDER_PAGERDUTY_ROUTING_KEY"),)
    results = []
    if not KEY.fullmatch(key):
        text = f"the key has {len(key)} characters and not 32 letters and digits"
        results.append(warn("pagerduty", text, "copy the integration key of an Events API v2 service"))
    try:
        response = patient.get(patient.settings.pagerduty_url)
    except CouldNotReach as error:
        return (*results, bad("pagerduty", str(error), REACH))
    if response.status >= 500:
        results.append(bad("pagerduty", f"answers HTTP {response.status}", "see status.pagerduty.com"))
    return tuple(results) or (ok("pagerduty", "answers; --send proves the key"),)


def slack(patient: Patient) -> tuple[Result, ...]:
    """Whether the bot's token is accepted and may post."""
    given = patient.settings
    if not given.slack_bot_token.reveal():
        if given.slack_webhook_url.reveal():
            return _hook(patient, given.slack_webhook_url.reveal())
        return (warn("slack", "is not configured", "set RESPONDER_SLACK_BOT_TOKEN and RESPONDER_SLACK_CHANNEL"),)
    headers = {"Authorization": f"Bearer {given.slack_bot_token.reveal()}"}
    try:
        response = patient.get(f"{given.slack_api_url.rstrip('/')}/auth.test", headers, "POST")
    except CouldNotReach as error:
        return (bad("slack", str(error), REACH),)
    answer = decoded(response)
    if answer.get("ok") is not True:
        said = text_of(answer.get("error")) or f"HTTP {response.status}"
        return (bad("slack", f"refuses the token: {said}", "see RESPONDER_SLACK_BOT_TOKEN (xoxb-...)"),)
    scopes = response.headers.get("x-oauth-scopes", "")
    if scopes and _SCOPE not in [scope.strip() for scope in scopes.split(",")]:
        return (bad("slack", f"the bot has no scope {_SCOPE}", f"add {_SCOPE} to the app and install it again"),)
    who = f"{text_of(answer.get('user'))} in {text_of(answer.get('team'))}"
    return (ok("slack", f"is {who}; --send proves that it may post to {given.slack_channel}"),)


def _hook(patient: Patient, url: str) -> tuple[Result, ...]:
    try:
        patient.get(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}/")
    except CouldNotReach as error:
        return (bad("slack", str(error), REACH),)
    return (ok("slack", "the incoming webhook's host answers; --send proves the address"),)


def test_messages(patient: Patient) -> tuple[Result, ...]:
    """With --send: a page of the mildest severity on each channel, and its end."""
    if not patient.send:
        return (skipped("send", "no test message was sent", "try --send: it opens and resolves an event"),)
    if patient.book is None:
        return (skipped("send", "the rules cannot be used"),)
    told = [channel for name, channel in bootstrap.channels(patient.settings).items() if name != "log"]
    return tuple(_sent(patient, patient.book, channel) for channel in told) or (
        bad("send", "no channel is configured", "see pagerduty and slack above"),
    )


def _sent(patient: Patient, book: RuleBook, channel: Channel) -> Result:
    from responder.cli.doctor.page import letters
    from responder.model.outcome import Delivered
    from responder.notify.delivery.deliver import Deliverer

    deliverer = Deliverer(
        patient.outgoing,
        patient.clock,
        print_page=lambda _page: None,
        secrets=patient.settings.secrets(),
        mailer=bootstrap.mailer(patient.settings, patient.clock, patient.outgoing),
    )
    accepted: Mapping[str, str] = {}
    for letter in letters(channel, book, patient.clock.now()):
        outcome = deliverer.deliver(channel, replace(letter, previous=accepted), patient.deadline)
        if not isinstance(outcome, Delivered):
            what = f"{channel.name} did not take the {letter.step}: {outcome.reason}"
            return bad("send", what, f"see the settings of {channel.name}")
        accepted = accepted or outcome.ref
    return ok("send", f"{channel.name} took a test page and its end")


def clocks(patient: Patient) -> tuple[Result, ...]:
    """Our clock against the Date header of whoever answers; where nobody does, it can still be plainly wrong."""
    from responder.notify.render.response import date

    change = "let chrony or systemd-timesyncd keep the time"
    found = []
    for name, url in _timekeepers(patient):
        before = patient.clock.now()
        try:
            response = patient.get(url)
        except CouldNotReach:
            continue
        theirs = date(response.headers.get("date", ""))
        if theirs is None:
            continue
        ours = before + (patient.clock.now() - before) / 2
        away = max(timedelta(0), abs(ours - theirs) - timedelta(seconds=1)).total_seconds()  # Date has whole seconds
        if away > 60:
            found.append(bad("clock", f"{away:.0f} s away from {name}'s", change))
        elif away > 5:
            found.append(warn("clock", f"{away:.0f} s away from {name}'s", change))
        else:
            found.append(ok("clock", f"agrees with {name}'s"))
    if not found and (now := patient.clock.now()).year < _MADE:
        return (bad("clock", f"says {now:%Y-%m-%d}, before this release was made", change),)
    return tuple(found) or (skipped("clock", "nobody to compare with answered"),)


def _timekeepers(patient: Patient) -> list[tuple[str, str]]:
    given = patient.settings
    found = [("Prometheus", given.prometheus_url)] if given.prometheus_url else []
    found += [("Alertmanager", url) for urls in given.alertmanager_url.values() for url in urls][:1]
    if given.pagerduty_routing_key.reveal():
        found.append(("PagerDuty", given.pagerduty_url))
    return found
