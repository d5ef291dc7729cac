"""Docs that name settings, metrics or commands are compared with the code; UPDATE_DOCS=1 writes them anew."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from responder.bootstrap import load_rules
from responder.cli import _COMMANDS, main
from responder.counters import METRICS
from responder.model.clock import short_duration
from responder.model.conclusion_codes import CODES
from responder.model.rule import ExpectedHeartbeat, RuleBook
from responder.notify.channels import CHANNELS
from responder.notify.contract import Use
from responder.notify.delivery.named import KINDS
from responder.notify.delivery.route import in_order
from responder.runbooks.document import parse
from responder.settings import Settings, env_name
from responder.store.database import Database
from responder.web.metrics import RulesInfo, StoreCollector
from tests.conftest import HandClock
from tests.support.builders import NOW, a_book, a_rule

ROOT = Path(__file__).parents[2]


def compare(name: str, expected: str) -> None:
    """Compare a generated page with its file."""
    path = ROOT / "docs" / name
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(expected)
    assert path.read_text() == expected, f"docs/{name} is stale: run make generate"


def test_the_settings_page_lists_every_setting() -> None:
    """The settings page lists exactly the existing settings."""
    rows = [
        f"| `{name}` | {'`' + value + '`' if value else ''} | {text.replace('|', chr(92) + '|')} |"
        for name, value, text in Settings().rows()
    ]
    head = (
        "# Settings\n\nSettings come from the environment, or from a YAML file that `--config FILE` or"
        ' `RESPONDER_CONFIG` names: `slack_channel: "#incidents"` is `RESPONDER_SLACK_CHANNEL`. The environment'
        " wins, and `serve --listen` and `--rules` win over both. Clusters are a mapping,"
        " `alertmanager_url: {prod-eu: [URL, URL], prod-us: URL}`. A secret can also be read from a file:"
        " set the variable of the same name with `_FILE` at its end to its path."
        " `responder serve --settings` shows the values and where each is from.\n\n"
        "| variable | default | description |\n|---|---|---|\n"
    )
    compare("settings.md", head + "\n".join(rows) + "\n")


def test_the_conclusions_page_lists_every_code() -> None:
    """Each code that `first_steps` and `runbooks` may name is documented with the step that it replaces."""
    rows = [f"| `{name}` | {each.short} | {each.step} | {'yes' if each.undo else ''} |" for name, each in CODES.items()]
    head = (
        "# Conclusions\n\nThe codes of conclusions, for `first_steps` of a rule or of `defaults`"
        " (`{crash: Read the log., none: Ask the owner.}`)\n"
        "and `runbooks` of a rule or of `platform` (`{crash: common-issues.md#crash-loop}`).\n"
        "The beginning of a code holds for all codes that begin with it: `crash` for `crash-memory`. The code `none`\n"
        "means that the cluster was read and nothing was found. A step of the rule takes precedence over that of the\n"
        "table, which takes precedence over the rule's `first_step`. Where *undo* says yes and a rollout of the\n"
        "workload came at most 2 h before the alert, the step begins with going back to the previous revision.\n"
        "A runbook for the conclusion replaces `runbook` on the page, also where the alert has one of its own.\n\n"
        "| code | in words | first step | undo |\n|---|---|---|---|\n"
    )
    compare("conclusions.md", head + "\n".join(rows) + "\n")


def test_the_channels_page_describes_every_channel() -> None:
    """Purpose, use and set-up of a channel are read from its own file."""
    uses = {
        Use.RULES: "rules",
        Use.FALLBACK: "fallback only",
        Use.STATUS_PAGE: "severities",
        Use.ROOM: "severities",
        Use.LAST_RESORT: "if no other channel is left",
    }
    order = in_order({})
    rows, described = [], dict[str, list[str]]()
    for name, kind in CHANNELS.items():
        use = f"rules, instead of `{kind.stands_in_for}`" if kind.stands_in_for else uses[kind.use]
        use += ", [channels of rule files](guides/teams.md#what-decides)" if name in KINDS else ""
        place = str(order.index(name) + 1) if name in order else ""
        settings = ", ".join(f"`{env_name(each.name)}`" for each in kind.settings)
        cells = (f"`{name}`", kind.title, use, "yes" if kind.pages else "", place, settings)
        rows.append(f"| {' | '.join(cells)} |")
        described.setdefault(inspect.getdoc(sys.modules[kind.__module__]) or "", []).append(f"`{name}`")
    head = (
        "# Channels\n\nThe kinds of channels. A page that a channel does not accept goes to the next configured\n"
        "channel in the fallback order that pages, and if none is left, to the next one that does not.\n"
        "[Settings](settings.md) explains each setting.\n\n"
        "| name | channel | used by | pages | fallback order | settings |\n|---|---|---|---|---|---|\n"
    )
    sections = [f"\n## {', '.join(names)}\n\n{text}\n" for text, names in described.items()]
    compare("channels.md", head + "\n".join(rows) + "\n" + "".join(sections))


def test_the_metrics_page_lists_every_metric(database: Database) -> None:
    """The metrics page lists every metric."""
    book = a_book(heartbeats=(ExpectedHeartbeat(cluster="prod", max_gap=600.0, rule=a_rule()),))
    rules = RulesInfo(revision="0", since=NOW, refused=0, heartbeats=book.heartbeats)
    collector = StoreCollector(database=database, clock=HandClock(), rules=lambda: rules)
    registry = CollectorRegistry()
    registry.register(collector)
    labels = {family.name: _labels(family) for family in collector.collect()}
    text = generate_latest(registry).decode()
    rows = [
        f"| `{name}{'_total' if each.kind == 'counter' else ''}` | {each.kind} | "
        f"{', '.join(f'`{label}`' for label in each.labels)} | {each.help} |"
        for name, each in METRICS.items()
    ]
    for name, help_text in re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE):
        kind = re.search(rf"^# TYPE {name} (\S+)$", text, re.MULTILINE)
        assert kind is not None
        rows.append(f"| `{name}` | {kind[1]} | {labels[name]} | {help_text} |")
    head = (
        "# Metrics\n\n`GET /metrics`. Counters and histograms belong to one instance, all its workers together: take\n"
        "`sum without (instance, pod)` of their `rate()` or `increase()`. Gauges read from the database are the same\n"
        "on all replicas: take `max without (instance, pod)`. Each description says so. Label values are fixed words\n"
        "or come from the configuration, never from an alert. `process_*` are those of the gunicorn master.\n"
        "`deploy/prometheus/responder.rules.yml` alerts on them, `deploy/grafana/responder.json` is a dashboard.\n\n"
        "| metric | type | labels | description |\n|---|---|---|---|\n"
    )
    compare("metrics.md", head + "\n".join(rows) + "\n")


def _labels(family: Metric) -> str:
    return ", ".join(f"`{name}`" for name in getattr(family, "_labelnames", ()))


def test_the_readme_names_every_command() -> None:
    """A newcomer finds each command in the README."""
    readme = (ROOT / "README.md").read_text()
    assert [name for name in _COMMANDS if f"responder {name}" not in readme] == []


PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"(?:`|^|/)responder ([a-z][^`\n|]*)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_the_docs_can_be_typed(page: Path) -> None:
    """No page names a command or an option that is not there, or not any more."""
    for line in COMMAND.findall(page.read_text()):
        command, options = _command_line(line)
        known = {name for parameter in command.params for name in parameter.opts}
        known |= {"--help"} if command is not main else {"--help", "--version"}
        assert options <= known, f"responder {line} in {page.name}"


def _command_line(line: str) -> tuple[click.Command, set[str]]:
    """The command that a line calls, and the options it names."""
    command: click.Command = main
    words = line.split()
    while isinstance(command, click.Group) and words and words[0] in command.list_commands(click.Context(command)):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    assert command is not main, f"there is no command 'responder {line}'"
    return command, {word.partition("=")[0].rstrip(",.;:") for word in words if word.startswith("--")}


def test_the_reliability_page_has_room_for_the_figures() -> None:
    """A run of a hundred seeds writes its figures into both pages, between the marks."""
    for name in ("reliability.md", "lab/reliability.md"):
        text = (ROOT / "docs" / name).read_text()
        assert text.count("<!-- figures: written by make faults SEEDS=100 -->") == 1
        assert text.count("<!-- end of figures -->") == 1


RUNBOOKS = ROOT / "runbooks"


def _shipped() -> RuleBook:
    return load_rules(str(ROOT / "rules"), str(RUNBOOKS))


def _alerts_table() -> list[str]:
    """The sections that rules link, with their rules and the alerts that these match, as the regex has them."""
    sections: dict[str, tuple[list[str], list[str]]] = {}
    for rule in _shipped().rules:
        if rule.runbook is not None:
            ids, names = sections.setdefault(str(rule.runbook), ([], []))
            ids.append(f"`{rule.id}`")
            found = [each.value for each in rule.matchers if each.name == "alertname"]
            names += [name for value in found for name in value.removeprefix("(?i)").split("|")] or ["any other alert"]
    rows = ((_titled(link), ", ".join(ids), ", ".join(dict.fromkeys(names))) for link, (ids, names) in sections.items())
    return _markdown_table(("Section", "Rules", "Alerts"), rows)


def _causes_table() -> list[str]:
    links: dict[str, list[str]] = {}
    for code, ref in _shipped().rules[-1].runbooks.items():
        links.setdefault(str(ref), []).append(f"`{code}`")
    return _markdown_table(("Cause", "Section"), ((", ".join(codes), _titled(link)) for link, codes in links.items()))


def _titled(link: str) -> str:
    """A link whose text is the heading it leads to."""
    file, _, anchor = link.partition("#")
    found = parse(file, (RUNBOOKS / file).read_text()).sections
    return f"[{next(each.title for each in found if each.anchor == anchor)}]({link})"


def _contacts_table() -> list[str]:
    rows = ((each.role, each.contact, each.hours) for each in _shipped().contacts)
    return _markdown_table(("Role", "Contact", "Hours"), rows)


def _urls_table() -> list[str]:
    return _markdown_table(("Resource", "URL"), ((each.text, each.href) for each in _shipped().urls))


def _services_table() -> list[str]:
    rows = (
        (each.name, each.owner, each.impact, ", ".join(each.depends_on), ", ".join(each.needed_by), f"`{each.health}`")
        for each in _shipped().services.values()
    )
    return _markdown_table(("Service", "Owner", "Impact", "Depends on", "Depended on by", "Health"), rows)


def _severities_table() -> list[str]:
    rows = (
        (each.name, each.meaning, each.response, "yes" if each.pages else "no", short_duration(each.next_update))
        for each in _shipped().severities.values()
    )
    return _markdown_table(("Severity", "Meaning", "Response", "Pages", "Updates every"), rows)


def _markdown_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("alerts", _alerts_table),
        ("causes", _causes_table),
        ("contacts", _contacts_table),
        ("urls", _urls_table),
        ("services", _services_table),
        ("severities", _severities_table),
    ],
)
def test_the_tables_of_the_runbooks_are_those_of_the_rules(name: str, rows: Callable[[], list[str]]) -> None:
    """The catalog of the runbooks states the contacts, addresses, severities, services and sections of the rules."""
    compare_part(RUNBOOKS / "README.md", name, "\n".join(rows()))


def test_the_alerting_page_has_the_shipped_configuration() -> None:
    """The configuration of Alertmanager in the docs is the one that is tested."""
    text = (ROOT / "deploy" / "alertmanager.yml").read_text().strip()
    compare_part(ROOT / "docs" / "monitoring" / "alerting.md", "config", f"```yaml\n{text}\n```")


def compare_part(path: Path, name: str, part: str) -> None:
    """Compare the generated part of a page, between its marks, with what it should be."""
    first, last = f"<!-- {name}: written by tests/unit/test_docs.py -->\n", f"<!-- end of {name} -->\n"
    before, found, rest = path.read_text().partition(first)
    _, ends, after = rest.partition(last)
    assert found, first
    assert ends, last
    expected = f"{before}{first}\n{part}\n\n{last}{after}"
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(expected)
    assert path.read_text() == expected, f"{path.relative_to(ROOT)} is stale: run make generate"
