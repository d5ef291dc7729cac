"""Check of the links of rule files over the network, for ``rules check --online``."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from responder import bootstrap
from responder.cli.rules.case_run import samples_of
from responder.cli.rules.links import LinkStatus, Verdict, check_all, of_status
from responder.model.alert import Labels
from responder.model.clock import Deadline
from responder.model.message import Request
from responder.model.problem import Level, Position, Problem
from responder.model.rule import Op, Rule, RuleBook
from responder.notify.report.links import expanded
from responder.outgoing import Outgoing, UnreachableError
from responder.receive.alertmanager import InvalidPayload, parse
from responder.rulebook.assemble import assemble
from responder.rulebook.cases import load_cases
from responder.rulebook.references import RUNBOOKS, references
from responder.rulebook.rule_files import RuleFiles
from responder.settings import Settings
from responder.triage.rule_index import RuleIndex

#: Time for one link, in seconds.
_LINK_SECONDS = 5.0
#: Time for all links of a command, in seconds.
_LINKS_SECONDS = 60.0
#: A name of an alert, or several as a regex without any other sign.
_NAMES = re.compile(r"[A-Za-z0-9_|]+")
_WEB = ("http://", "https://")


def request_all(urls: Iterable[str], settings: Settings) -> dict[str, Verdict]:
    """Request each page once, in parallel, under a deadline for all of them."""
    clock = bootstrap.SystemClock()
    until = Deadline(clock.monotonic() + _LINKS_SECONDS)
    with closing(bootstrap.outgoing(settings, clock)) as outgoing:
        return check_all(urls, lambda url: _request(url, outgoing, until.earlier(_LINK_SECONDS, clock.monotonic())))


def _request(url: str, outgoing: Outgoing, deadline: Deadline) -> Verdict:
    try:
        return of_status(outgoing.send(Request(url, b"", method="GET"), deadline).status)
    except UnreachableError as error:
        return LinkStatus.UNCHECKED, f"request failed: {error}"


def dead_links(rule_files: RuleFiles, cases: Path, settings: Settings) -> list[Problem]:
    """Return the runbooks whose page does not exist, and those that could not be requested, as warnings.

    A URL with ``${label}`` is requested for each alert that its rule is known to decide: those of the test cases in the
    folder ``cases``, and those that its matchers name. Requires files that passed all checks.
    """
    known = _known_labels(assemble(rule_files, rule_files.revision), cases)
    places: list[tuple[str, Position]] = []
    problems = []
    for each in references(rule_files, RUNBOOKS):
        runbook, at = each.name, each.position
        if not runbook.startswith(_WEB):
            continue
        own = known.get(each.entry.name)
        several = [labels for some in known.values() for labels in some] if own is None else own
        urls = {url for labels in several if (url := expanded(runbook, labels))} if "${" in runbook else {runbook}
        places += [(url, at) for url in sorted(urls)]
        if not urls:
            said = f"{runbook}: not checked: no test case of the rule and no matcher gives its labels"
            problems.append(Problem(at, "dead-link", said, "add a test case", level=Level.WARNING))
    found = request_all({url for url, _ in places}, settings)
    for url, at in places:
        status, reason = found[url]
        if status is LinkStatus.NOWHERE:
            problems.append(Problem(at, "dead-link", f"{url}: {reason}", "correct the address"))
        elif status is LinkStatus.UNCHECKED:
            problems.append(Problem(at, "dead-link", f"{url}: not checked: {reason}", level=Level.WARNING))
    return sorted(problems)


def _known_labels(book: RuleBook, cases: Path) -> dict[str, list[Labels]]:
    """Return the labels of alerts by the id of the rule that decides them. Raises InvalidRules for invalid cases."""
    index = RuleIndex(book.rules)
    found = {rule.id: list(_named_alerts(rule)) for rule in book.rules}
    for path in sorted(each for each in cases.glob("*.y*ml") if each.is_file()):
        for sample in (sample for case in load_cases(path).cases for sample in samples_of(case)):
            with suppress(InvalidPayload):
                for alert in parse(sample.body).alerts:
                    found[index.first(index.labels_of(alert)).id].append(alert.labels)
    return found


def _named_alerts(rule: Rule) -> Iterator[Labels]:
    """Yield the labels that the matchers of a rule spell out, for each name of an alert."""
    fixed = {each.name: each.value for each in rule.matchers if each.op is Op.EQUAL}
    positive = (each.value for each in rule.matchers if each.name == "alertname" and each.op in {Op.EQUAL, Op.REGEX})
    for name in next(filter(_NAMES.fullmatch, positive), "").split("|"):
        if name:
            yield {**fixed, "alertname": name}
