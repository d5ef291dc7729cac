"""Checks of the ways that are taken when PagerDuty does not take a page. Nothing is sent."""

from __future__ import annotations

from responder import bootstrap
from responder.cli.doctor.channels import KEY, REACH
from responder.cli.doctor.result import ANSWER_LIMIT, Patient, Result, bad, ok, skipped, warn
from responder.notify.render.response import decoded, text_of
from responder.outgoing import CouldNotReach


def another_way(patient: Patient) -> tuple[Result, ...]:
    """Whether there is any way besides the first key; one that mentions nobody in Slack wakes nobody."""
    given = patient.settings
    ways = [
        name
        for name, there in (
            ("PagerDuty's second key", "pagerduty_fallback" in bootstrap.channels(given)),
            ("Slack's on-call group", bool(given.slack_oncall_group)),
            ("mail", bool(given.smtp_host)),
        )
        if there
    ]
    if ways:
        return (ok("fallback", f"a page that PagerDuty does not take goes by {', then '.join(ways)}"),)
    what = "a page that PagerDuty does not take wakes nobody"
    change = "set RESPONDER_PAGERDUTY_FALLBACK_ROUTING_KEY, RESPONDER_SLACK_ONCALL_GROUP or RESPONDER_SMTP_HOST"
    return (warn("fallback", what, change),)


def second_key(patient: Patient) -> tuple[Result, ...]:
    """Whether the place of the second key answers, and whether the key looks like one."""
    given = patient.settings
    key = given.pagerduty_fallback_routing_key.reveal()
    if "pagerduty_fallback" not in bootstrap.channels(given):
        return (skipped("second", "PagerDuty has no second key or region"),)
    results = []
    if key and not KEY.fullmatch(key):
        text = f"the second key has {len(key)} characters and not 32 letters and digits"
        results.append(warn("second", text, "copy the integration key of an Events API v2 service"))
    try:
        response = patient.get(given.pagerduty_fallback_url or given.pagerduty_url)
    except CouldNotReach as error:
        return (*results, bad("second", str(error), REACH))
    if response.status >= 500:
        results.append(bad("second", f"answers HTTP {response.status}", "see status.pagerduty.com"))
    return tuple(results) or (ok("second", "answers; --send proves the key"),)


def oncall_group(patient: Patient) -> tuple[Result, ...]:
    """Whether Slack knows the group, where the bot may look (usergroups:read); posting does not need that scope.

    The form of the id is checked with the settings.
    """
    given = patient.settings
    group, token = given.slack_oncall_group, given.slack_bot_token.reveal()
    if not group:
        return (skipped("group", "Slack has no on-call group to mention"),)
    if not token:
        return (ok("group", f"{group} is well formed; not checked: a webhook cannot look it up"),)
    try:
        url = f"{given.slack_api_url.rstrip('/')}/usergroups.list"
        answer = decoded(patient.get(url, {"Authorization": f"Bearer {token}"}))
    except CouldNotReach as error:
        return (bad("group", str(error), REACH),)
    groups = answer.get("usergroups")
    if answer.get("ok") is not True or not isinstance(groups, list):
        why = text_of(answer.get("error")) or "Slack did not list the groups"
        if why == "missing_scope":
            why = "the bot has no scope usergroups:read, and needs none"
        return (ok("group", f"{group} is well formed; not checked: {why}"),)
    if group not in [each.get("id") for each in groups if isinstance(each, dict)]:
        return (bad("group", f"Slack has no group {group}, or it is disabled", "see RESPONDER_SLACK_ONCALL_GROUP"),)
    return (ok("group", f"{group} is a group of Slack's"),)


def mail(patient: Patient) -> tuple[Result, ...]:
    """Whether the mail server answers, proves who it is and takes the login. No mail is sent."""
    given = patient.settings
    mailer = bootstrap.mailer(given, patient.clock, patient.outgoing)
    if mailer is None:
        return (skipped("mail", "there is no mail server"),)
    where = f"{given.smtp_host}:{given.smtp_port}"
    try:
        answer = mailer.look(patient.deadline, ANSWER_LIMIT)
    except CouldNotReach as error:
        return (bad("mail", f"{where}: {error}", "see RESPONDER_SMTP_HOST, _PORT and _TLS, and the network"),)
    if answer.status != 200:
        said = answer.body.decode("utf-8", "replace")
        return (bad("mail", f"{where} refuses: {said}", "see RESPONDER_SMTP_USER and RESPONDER_SMTP_PASSWORD"),)
    done = ["answers", *(["over verified TLS"] if given.smtp_tls != "none" else [])]
    done += ["and takes the login"] if given.smtp_user else []
    found = ok("mail", f"{where} {' '.join(done)}; --send proves that mails are taken")
    if given.smtp_tls == "none":
        return (found, warn("mail", "mails leave in the clear", "set RESPONDER_SMTP_TLS to starttls or tls"))
    return (found,)
