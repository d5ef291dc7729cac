"""Check of the links of rule files over the network, for ``rules check --online``."""

from collections.abc import Iterable

from responder import bootstrap
from responder.cli.rules.links import LinkStatus, Verdict, check_all, of_status
from responder.model.clock import Deadline
from responder.model.message import Request
from responder.model.problem import Level, Problem
from responder.outgoing import Outgoing, UnreachableError
from responder.rulebook.defaults import runbook_positions
from responder.rulebook.rule_files import RuleFiles
from responder.settings import Settings

#: Time for one link, in seconds.
_LINK_SECONDS = 5.0
#: Time for all links of a command, in seconds.
_LINKS_SECONDS = 60.0
_WEB = ("http://", "https://")


def request_all(urls: Iterable[str], settings: Settings) -> dict[str, Verdict]:
    """Request each page once, in parallel, under a deadline for all of them."""
    clock = bootstrap.SystemClock()
    outgoing = bootstrap.outgoing(settings, clock)
    until = Deadline(clock.monotonic() + _LINKS_SECONDS)
    try:
        return check_all(urls, lambda url: _request(url, outgoing, until.earlier(_LINK_SECONDS, clock.monotonic())))
    finally:
        outgoing.close()


def _request(url: str, outgoing: Outgoing, deadline: Deadline) -> Verdict:
    try:
        return of_status(outgoing.send(Request(url, b"", method="GET"), deadline).status)
    except UnreachableError as error:
        return LinkStatus.UNCHECKED, f"request failed: {error}"


def dead_links(rule_files: RuleFiles, settings: Settings) -> list[Problem]:
    """Return the runbooks whose page does not exist, and those that could not be requested, as warnings."""
    places = [(url, at) for url, at in runbook_positions(rule_files) if url.startswith(_WEB) and "${" not in url]
    found = request_all({url for url, _ in places}, settings)
    problems = []
    for url, at in places:
        status, reason = found[url]
        if status is LinkStatus.NOWHERE:
            problems.append(Problem(at, "dead-link", f"{url}: {reason}", "correct the address"))
        elif status is LinkStatus.UNCHECKED:
            problems.append(Problem(at, "dead-link", f"{url}: not checked: {reason}", level=Level.WARNING))
    return problems
