"""Read and check rule files, and build what decisions depend on."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from responder.bootstrap.channels import companions, find_named_channels, named_channels
from responder.bootstrap.environment import SystemClock
from responder.bootstrap.kubernetes import cluster_access
from responder.bootstrap.runbooks import runbook_set
from responder.checked_file import repository_of
from responder.model.problem import InvalidRules
from responder.model.rule import RuleBook
from responder.model.rule_text import RuleText
from responder.model.timing import Timing
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.engine.effects.context import DecisionContext
    from responder.engine.workers.rule_reloader import LoadedRules
    from responder.notify.contract import Channel
    from responder.rulebook.file_state import FileStates
    from responder.rulebook.lint import LintResult
    from responder.rulebook.rule_files import RuleReferences
    from responder.store.database import Database

#: Time after which a child process that reads rule files is killed. 10,000 rules take 2 s.
READ_SECONDS = 60.0
#: Time for comparing the rules with each other in ``rules check``. 10,000 rules take 2 s.
ANALYSIS_SECONDS = 20.0
_TRY = "import sys; from responder import bootstrap; bootstrap.try_rules(*sys.argv[1:])"


def load_rules(folder: str, runbooks: str | None, *, confined: bool = False) -> RuleBook:
    """The checked rule book of a folder. Raises InvalidRules with every problem at once.

    Without ``runbooks`` the links to them are not checked.

    ``confined`` refuses links that lead out of the repository of the folder: for files that may be under review.
    """
    from responder.rulebook.load import load
    from responder.rulebook.yaml.reader import no_collection

    around = rule_references(runbooks, confined=confined)
    with no_collection():
        return load(Path(folder), around, within=repository_of(Path(folder)) if confined else None)


def examine_rules(folder: str, runbooks: str, *, confined: bool = False) -> "LintResult":
    """Return all problems and advice about the rule files of a folder; ``confined`` as in ``load_rules``."""
    from responder.rulebook.lint import examine

    clock = SystemClock()
    end = clock.monotonic() + ANALYSIS_SECONDS
    around = replace(rule_references(runbooks, confined=confined), out_of_time=lambda: clock.monotonic() > end)
    return examine(Path(folder), around, clock.now().date(), repository_of(Path(folder)) if confined else None)


def rule_references(
    runbooks: str | Mapping[str, tuple[str, ...]] | None, *, confined: bool = False
) -> "RuleReferences":
    """Return the references that rule files may use: probes, channels, and runbooks of a folder or by their anchors."""
    from responder.diagnose.probes import PROBES
    from responder.notify.channels import CHANNELS
    from responder.notify.contract import Use
    from responder.notify.delivery.named import KINDS
    from responder.notify.delivery.route import in_order, named_by_rules, pagers
    from responder.rulebook.rule_files import RuleReferences
    from responder.runbooks.catalog import read as read_catalog
    from responder.triage.matchers import parse, predicate

    known: Mapping[str, frozenset[str]] | None = None
    if isinstance(runbooks, str):
        known = read_catalog(Path(runbooks), repository_of(Path(runbooks)) if confined else None)
    elif runbooks is not None:
        known = {file: frozenset(anchors) for file, anchors in runbooks.items()}
    return RuleReferences(
        probe_kinds=PROBES,
        runbooks=known,
        channels=named_by_rules(),
        pagers=named_by_rules() & pagers({}),
        parse=parse,
        predicate=predicate,
        channel_kinds=KINDS,
        built_in_channels=frozenset(CHANNELS),
        status_pages=frozenset(name for name, kind in CHANNELS.items() if kind.use is Use.STATUS_PAGE),
        fallback_channels=frozenset(name for name in in_order({}) if CHANNELS[name].use is not Use.LAST_RESORT),
    )


def context(
    settings: Settings, book: RuleBook, channels: "dict[str, Channel]", runbooks: str = ""
) -> "DecisionContext":
    """Build everything that decisions depend on; ``channels`` are the channels by name.

    ``runbooks`` is their folder, if it is not that of the settings. They are read if a probe runs steps of them.
    """
    from responder.diagnose.contract import Sources
    from responder.diagnose.probes import PROBES
    from responder.engine.effects.context import DecisionContext
    from responder.notify.report.links import LinkBuilder
    from responder.runbooks.document import RunbookSet
    from responder.triage.rule_index import RuleIndex

    kinds = [PROBES[each.kind] for each in book.probes.values() if each.kind in PROBES]
    needs = any(kind.of_runbooks for kind in kinds)
    return DecisionContext(
        book=book,
        runbooks=runbook_set(settings, book, runbooks) if needs else RunbookSet(),
        matching=RuleIndex(book.rules),
        probe_kinds=PROBES,
        channels=channels | companions(settings, channels),
        links=LinkBuilder(
            runbook_base_url=settings.runbook_base_url,
            urls=book.urls,
            annotations=book.link_annotations,
            prometheus_public_url=settings.prometheus_public_url,
            alertmanager_public_urls=settings.alertmanager_public_url,
            hosts=frozenset(settings.link_hosts.replace(",", " ").lower().split()),
        ),
        prometheus_url=settings.prometheus_url,
        timing=Timing(timedelta(seconds=settings.group_interval)),
        cluster=cluster_access(settings, os.environ) is not None,
        cluster_name=settings.kubernetes_cluster,
        sources=Sources(
            alertmanager=settings.alertmanager_url,
            loki=settings.loki_url,
            loki_tenant=settings.loki_tenant,
            grafana=settings.grafana_url,
            investigator=settings.investigator_url,
        ),
    )


def loaded(settings: Settings, channels: "dict[str, Channel]") -> "LoadedRules":
    """Load the rules, and the channels that they declare in addition to ``channels``.

    Raises InvalidRules with every problem at once, and OSError for unreadable files.
    """
    from responder.engine.workers.rule_reloader import LoadedRules
    from responder.rulebook.load import revision_of, text_of
    from responder.runbooks.catalog import read as read_catalog

    states = rule_files(settings)
    book = load_rules(settings.rules, settings.runbooks)
    files = text_of(settings.rules)
    if revision_of(files) != book.revision:
        raise OSError("the rule files changed while they were read")
    anchors = {file: tuple(sorted(each)) for file, each in read_catalog(Path(settings.runbooks)).items()}
    text = RuleText(revision=book.revision, files=files, runbooks=anchors)
    return LoadedRules(context(settings, book, channels | named_channels(settings, book)), states, text)


def last_valid(settings: Settings, database: "Database", channels: "dict[str, Channel]") -> "DecisionContext | None":
    """Load the rules of the last valid revision; None if the database has none that is valid. Raises StoreError.

    Channels that lack a secret are left out.
    """
    from responder.store.maintenance import kept_rules

    text = kept_rules.load(database)
    book = kept_book(text) if text else None
    return context(settings, book, channels | find_named_channels(settings, book)[0]) if book else None


def kept_book(text: RuleText) -> RuleBook | None:
    """Return the rules of a revision; None if it is not valid: it was written for another version of responder."""
    from responder.rulebook.load import checked, gather_text

    try:
        return checked(gather_text("rules", text.files), rule_references(text.runbooks))
    except InvalidRules:
        return None


def loaded_in_place_of(
    error: InvalidRules | OSError, settings: Settings, channels: "dict[str, Channel]"
) -> "LoadedRules | None":
    """Load what a start with invalid rule files continues with; None if the database has no valid revision."""
    from responder.engine.workers.rule_reloader import LoadedRules, problems_of
    from responder.store.database import Database, StoreError

    states = rule_files(settings)
    try:
        with contextlib.closing(Database(settings.database_url.reveal(), create=False)) as database:
            found = last_valid(settings, database, channels)
    except StoreError:
        return None
    return LoadedRules(found, states, problems=problems_of(error)) if found else None


def load_changed(settings: Settings, channels: "dict[str, Channel]", seconds: float = READ_SECONDS) -> "LoadedRules":
    """Load the rules of files that changed. Raises InvalidRules, and OSError where reading them crashes or hangs.

    A child process reads the files first: only files that it read within ``seconds`` are read in this process.
    """
    states = rule_files(settings)
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-c", _TRY, settings.rules, settings.runbooks]
    environment = {**os.environ, "PYTHONPATH": path}
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, timeout=seconds, check=False)  # noqa: S603 - this Python, and a fixed statement
    except subprocess.TimeoutExpired:
        raise OSError(f"reading the rule files took longer than {seconds:g} s") from None
    if done.returncode:
        raise OSError(f"the process that reads the rule files ended with status {done.returncode}")
    if rule_files(settings) != states:
        raise OSError("the rule files changed while they were read")
    return loaded(settings, channels)


def try_rules(folder: str, runbooks: str) -> None:
    """Read the rule files and drop the result: what the child process of ``load_changed`` does."""
    with contextlib.suppress(InvalidRules):
        load_rules(folder, runbooks)


def rule_files(settings: Settings) -> "FileStates":
    """Return the fingerprint of the rule files on disk."""
    from responder.rulebook.file_state import file_states

    return file_states([settings.rules, settings.runbooks])
