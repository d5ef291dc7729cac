"""Runbooks as they are loaded, what their commands may reach, and what runs them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from responder.bootstrap.environment import programs
from responder.checked_file import files_below, read_file
from responder.model.clock import Clock
from responder.model.rule import RuleBook
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.diagnose.steps.run import StepTools
    from responder.runbooks.command import Scope
    from responder.runbooks.document import Document, RunbookSet


def runbook_set(settings: Settings, book: RuleBook, folder: str = "") -> "RunbookSet":
    """Read the runbooks of a folder, by default that of the settings; a link that leaves the folder is left out."""
    from responder.runbooks.document import RunbookSet

    root = Path(folder or settings.runbooks)
    found: dict[str, Document] = {}
    for path in sorted(files_below(root, ".md")) if root.is_dir() else ():
        try:
            found[path.relative_to(root).as_posix()] = document_of(path, root)
        except OSError:  # the checks of rules and runbooks name it
            continue
    return RunbookSet(documents=found, scope=scope_of(settings, book))


def document_of(path: Path, within: Path) -> "Document":
    """Read a runbook that is inside ``within``, links followed. Raises OSError."""
    from responder.runbooks.document import parse

    return parse(str(path), read_file(path, within).decode("utf-8", "replace"))


def scope_of(settings: Settings, book: RuleBook) -> "Scope":
    """Return what commands of runbooks may reach: addresses and namespaces of the catalog, rules and settings."""
    from responder.runbooks.command import Scope, origin_of

    addresses = [service.health for service in book.services.values()]
    addresses += [link.href for link in book.urls]
    addresses += [settings.prometheus_url, settings.loki_url, settings.grafana_url]
    addresses += [url for urls in settings.alertmanager_url.values() for url in urls]
    prometheus = frozenset(filter(None, [origin_of(settings.prometheus_url)]))
    namespaces = {book.namespace, *(service.namespace for service in book.services.values())}
    return Scope(
        namespace=book.namespace,
        namespaces=frozenset(namespaces - {""}),
        origins=frozenset(filter(None, map(origin_of, addresses))),
        prometheus=prometheus,
    )


@contextlib.contextmanager
def step_tools(settings: Settings, clock: Clock) -> "Iterator[StepTools]":
    """Build the tools that run steps of runbooks; their connections are closed at the end."""
    from responder.bootstrap.channels import outgoing
    from responder.bootstrap.kubernetes import shared_reads
    from responder.diagnose.steps.run import StepTools

    way, cluster = outgoing(settings, clock), shared_reads(settings, os.environ, clock)
    try:
        yield StepTools(send=way.send, clock=clock, cluster=cluster, programs=programs(os.environ))
    finally:
        way.close()
        if cluster is not None:
            cluster.close()
