"""``responder runbooks report``: coverage of the rules, and runbooks that are stale, orphaned, unused or failed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import named_failures
from responder.cli.options import OUTPUT, RULES, RUNBOOKS
from responder.cli.table import Column, format_time, print_json, table, terminal
from responder.model.rule import RuleBook
from responder.model.text import number_of
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.cli.runbooks.catalog import CatalogEntry
    from responder.model.transcript import StepRecord
    from responder.store.incidents.runbook_use import RunbookUse


@dataclass(frozen=True, slots=True)
class RunbookReport:
    """Report on all runbooks. ``uses`` is None without a database, and ``note`` says why.

    ``without`` are the rules without a runbook, ``missing`` those whose file or section is missing. ``steps`` counts
    those that were run for an incident, ``differing`` those whose output was not as expected, by runbook.
    """

    rules: int
    without: Sequence[str]
    missing: Sequence[str]
    stale: Sequence[str]
    orphaned: Sequence[str]
    uses: "Sequence[RunbookUse] | None" = None
    note: str = ""
    files: Sequence[str] = field(default_factory=tuple)
    steps: Mapping[str, int] = field(default_factory=dict)
    differing: Mapping[str, int] = field(default_factory=dict)

    @property
    def covered(self) -> int:
        """Number of rules whose runbook exists."""
        return self.rules - len(self.without) - len(self.missing)

    @property
    def never_used(self) -> list[str]:
        """Files that no incident named."""
        used = {name.partition("#")[0] for name in (*(use.runbook for use in self.uses or ()), *self.steps)}
        return [file for file in self.files if file not in used]

    @property
    def failed(self) -> "list[RunbookUse]":
        """Runbooks whose incidents re-fired or took more than a day."""
        return [use for use in self.uses or () if use.failed]


@click.command()
@RULES
@RUNBOOKS
@click.option("--stale-days", metavar="N", type=click.IntRange(1), default=180, show_default=True, help="Maximum age.")
@click.option(
    "--critical-days", metavar="N", type=click.IntRange(1), default=90, show_default=True, help="The same, if critical."
)
@OUTPUT
def report(rules: str | None, runbooks: str | None, stale_days: int, critical_days: int, output: str) -> None:
    """Report on the runbooks: coverage of the rules, stale, orphaned, never used, used and failed.

    Orphaned is a runbook that no rule and no other file links to. The last two come from the incidents in the database:
    a runbook failed if an incident re-fired after it was resolved, or was open for more than a day.

    Exit status: 0, 1 for invalid rules or settings, 2 for a wrong command line.
    """
    from responder.cli.runbooks.catalog import entries
    from responder.cli.runbooks.folder import Folder

    with named_failures():
        settings = bootstrap.settings_from_environment()
        folder = Folder(Path(runbooks or settings.runbooks))
        book = bootstrap.load_rules(rules or settings.rules, None)
        found = entries(folder, book, bootstrap.SystemClock().now().date())
        uses, records, note = _uses(settings)
        days = {"Critical": critical_days}
        result = RunbookReport(
            rules=sum(rule.action.value == "notify" for rule in book.rules),
            without=[rule.id for rule in book.rules if rule.action.value == "notify" and rule.runbook is None],
            missing=list(_missing(book, folder.anchors_of)),
            stale=[each.file for each in found if (each.age_days or 0) > days.get(each.urgency, stale_days)],
            orphaned=[each.file for each in found if not each.rules and not each.linked_from],
            uses=uses,
            note=note,
            steps=Counter(record.runbook for record in records),
            differing=Counter(record.runbook for record in records if record.result == "mismatch"),
            files=[each.file for each in found],
        )
    if output == "json":
        print_json(_as_dict(result))
    else:
        click.echo("\n".join(_as_text(result, found)))


def _uses(settings: Settings) -> "tuple[Sequence[RunbookUse] | None, Sequence[StepRecord], str]":
    """Return the use of runbooks and the steps that were run; None and the reason if the database cannot be read."""
    from responder.store.database import StoreError
    from responder.store.incidents import transcripts
    from responder.store.incidents.runbook_use import by_runbook

    try:
        with bootstrap.database(settings) as database, database.read() as connection:
            records = [record for each in transcripts.every(connection).values() for record in each]
            return by_runbook(connection, bootstrap.SystemClock().now()), records, ""
    except StoreError as error:
        return None, (), f"no incidents to count: {error}"


def _missing(book: RuleBook, anchors_of: Any) -> Iterator[str]:
    for rule in book.rules:
        link = rule.runbook
        if rule.action.value != "notify" or link is None or link.is_url:
            continue
        anchors = anchors_of(link.file)
        if anchors is None or (link.section and link.section not in anchors):
            yield rule.id


def _as_dict(found: RunbookReport) -> Mapping[str, Any]:
    return {
        "rules": found.rules,
        "covered": found.covered,
        "without_runbook": found.without,
        "missing": found.missing,
        "stale": found.stale,
        "orphaned": found.orphaned,
        "never_used": found.never_used if found.uses is not None else None,
        "used": [
            {
                "runbook": use.runbook,
                "incidents": use.incidents,
                "refired": use.refired,
                "longer_than_a_day": use.long,
                "last": use.last,
            }
            for use in found.uses
        ]
        if found.uses is not None
        else None,
        "steps_run": dict(found.steps),
        "steps_differing": dict(found.differing),
        "note": found.note,
    }


def _as_text(found: RunbookReport, runbooks: "Sequence[CatalogEntry]") -> Iterator[str]:
    share = f"{100 * found.covered // found.rules} %" if found.rules else "-"
    yield f"Coverage: {found.covered} of {number_of(found.rules, 'rule')} have a runbook ({share})."
    lists = {
        "Rules without a runbook": found.without,
        "Rules whose runbook or section does not exist": found.missing,
        "Stale": found.stale,
        "Orphaned": found.orphaned,
    }
    for name, each in lists.items():
        yield f"{name}: {', '.join(each) or 'none'}"
    if found.uses is None:
        yield f"Never used, used and failed: unknown, {found.note}"
        return
    yield f"Never used: {', '.join(found.never_used) or 'none'} (of {number_of(len(runbooks), 'runbook')})"
    yield f"Used and failed: {', '.join(use.runbook for use in found.failed) or 'none'}"
    columns = (
        *(Column("INCIDENTS", right=True), Column("RE-FIRED", right=True), Column("OVER 1 DAY", right=True)),
        *(Column("STEPS RUN", right=True), Column("DIFFERED", right=True), Column("LAST"), Column("RUNBOOK")),
    )
    rows = [
        (
            *(str(use.incidents), str(use.refired), str(use.long)),
            *(str(found.steps.get(use.runbook, 0)), str(found.differing.get(use.runbook, 0))),
            *(format_time(use.last), use.runbook),
        )
        for use in found.uses
    ]
    if rows:
        yield ""
        yield from table(columns, rows, terminal())
