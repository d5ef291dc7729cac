"""``responder runbooks new``: write a runbook from the template, filled with what rules and catalog know."""

from pathlib import Path

import click

from responder import bootstrap
from responder.cli.errors import FatalError, named_failures
from responder.cli.options import RULES, RUNBOOKS
from responder.cli.runbooks.folder import load_book
from responder.model.rule import Rule, RuleBook, Service
from responder.model.suggestions import nearest
from responder.runbooks.template import NewRunbook, slug, write


@click.command()
@click.argument("name")
@click.option("--service", metavar="NAME", help="Service of the catalog. [default: the one that NAME names]")
@click.option("--rule", "rule_ids", metavar="ID", multiple=True, help="Rule whose alerts it is for; may be repeated.")
@click.option("--alert", "alerts", metavar="NAME", multiple=True, help="Alert that it is for; may be repeated.")
@click.option("--owner", metavar="TEXT", help="Owner. [default: that of the service]")
@RULES
@RUNBOOKS
@click.option("--stdout", "to_stdout", is_flag=True, help="Print it, and write no file.")
def new(
    name: str,
    service: str | None,
    rule_ids: tuple[str, ...],
    alerts: tuple[str, ...],
    owner: str | None,
    rules: str | None,
    runbooks: str | None,
    *,
    to_stdout: bool,
) -> None:
    """Write the runbook NAME, such as "Kafka lag", with all sections of the template.

    Service, namespace, alerts, severities and contacts come from the rule files; the rules are those of --rule and
    --alert, else those that link to the new file. What a person must write is marked TODO, which `runbooks lint`
    reports. An existing file is never overwritten.

    Exit status: 0, 1 if the file exists or a name is unknown, 2 for a wrong command line.
    """
    if not slug(name):
        raise click.BadParameter("a name has at least one letter or digit", param_hint="NAME")
    with named_failures():
        folders = bootstrap.folders_from_environment()
        folder = Path(runbooks or folders.runbooks)
        path = folder / f"{slug(name)}.md"
        if not to_stdout and path.exists():
            raise FatalError(f"{path} exists; it is not overwritten")
        found = Path(rules or folders.rules)
        book, note = load_book(found if found.is_dir() else None, "service, alerts and contacts are left as TODO")
        if note:
            click.echo(f"note: {note}", err=True)
        text = write(_facts(name, book, service, rule_ids, alerts, owner))
        if to_stdout:
            click.echo(text, nl=False)
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise FatalError(f"{path}: {error.strerror or error}") from None
    click.echo(f"{path}: replace each TODO, then run: responder runbooks lint {path}")


def _facts(
    name: str,
    book: RuleBook | None,
    service: str | None,
    rule_ids: tuple[str, ...],
    alerts: tuple[str, ...],
    owner: str | None,
) -> NewRunbook:
    """Return the facts for the template. Raises FatalError for an unknown rule or service."""
    today = bootstrap.SystemClock().now().date()
    title = name if name != slug(name) else name.replace("-", " ").capitalize()
    if book is None:
        return NewRunbook(title=title, owner=owner or "", critical=False, today=today, alerts=alerts)
    rules = _rules(book, slug(name), rule_ids, alerts)
    found = _service(book, slug(name), service)
    given = {name for rule in rules for name in _severities(rule)}
    worst = min((book.severities[name] for name in given), key=lambda each: each.priority, default=None)
    names = (*alerts, *(alert for rule in rules for alert in _alerts(rule)))
    contact = next((f"{each.role} ({each.contact})" for each in book.contacts if "Team" in each.role), "")
    return NewRunbook(
        title=title,
        owner=owner or (found.owner if found else "") or contact,
        critical=worst is not None and worst.priority == 1,
        today=today,
        service=found.name if found else "",
        namespace=(found.namespace if found else "") or book.namespace,
        health=found.health if found else "",
        impact=found.impact if found else "",
        needed_by=found.needed_by if found else (),
        alerts=tuple(dict.fromkeys(names)),
        symptoms=tuple(dict.fromkeys(rule.symptom for rule in rules if rule.symptom and "${" not in rule.symptom)),
        severity=worst.name if worst else "",
        response=worst.response if worst else "",
        contacts=tuple((each.role, each.contact, each.hours) for each in book.escalation),
    )


def _rules(book: RuleBook, file: str, rule_ids: tuple[str, ...], alerts: tuple[str, ...]) -> list[Rule]:
    by_id = {rule.id: rule for rule in book.rules}
    for each in rule_ids:
        if each not in by_id:
            raise FatalError(f"no rule '{each}': {nearest(each, by_id)}")
    chosen = [by_id[each] for each in rule_ids]
    if alerts:
        chosen += [rule for rule in book.rules if set(alerts) & set(_alerts(rule)) and rule not in chosen]
    linked = [rule for rule in book.rules if rule.runbook and rule.runbook.file == f"{file}.md"]
    return chosen or linked or [rule for rule in book.rules if rule.id == file]


def _service(book: RuleBook, file: str, service: str | None) -> Service | None:
    if service is not None:
        if service not in book.services_by_name:
            raise FatalError(f"no service '{service}': {nearest(service, book.services)}")
        return book.services[book.services_by_name[service]]
    return next((book.services[each] for each in book.services if each in file.split("-")), None)


def _alerts(rule: Rule) -> list[str]:
    """Return the names of alerts that a rule matches by name: an equal matcher, or a regex of plain alternatives."""
    import re

    found: list[str] = []
    for matcher in rule.matchers:
        if matcher.name == "alertname" and matcher.op.value in {"=", "=~"}:
            names = matcher.value.split("|") if matcher.op.value == "=~" else [matcher.value]
            found += [each for each in names if re.fullmatch(r"\w+", each)]
    return found


def _severities(rule: Rule) -> set[str]:
    """Return the severities that a rule may give."""
    if isinstance(rule.severity, str):
        return {rule.severity, *(each.to for each in rule.adjust if each.to)}
    return {*rule.severity.mapping.values(), rule.severity.unknown, rule.severity.otherwise}
