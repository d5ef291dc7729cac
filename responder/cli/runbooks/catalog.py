"""Entries of the catalog of runbooks: what files and rules say about each."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from responder.cli.runbooks.folder import Folder
from responder.model.rule import RuleBook
from responder.runbooks.document import Document
from responder.runbooks.lint.contract import Profile, date_of
from responder.runbooks.lint.lint import profile_of


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A runbook. ``updated`` and ``age_days`` are those of its last update; ``linked_from`` are other files.

    Scripts rely on its fields in ``--output json``: add, never rename.
    """

    file: str
    title: str
    urgency: str
    owner: str
    updated: str
    age_days: int | None
    steps: int
    runnable: int
    rules: tuple[str, ...]
    linked_from: tuple[str, ...]


def entries(folder: Folder, book: RuleBook | None, today: date) -> list[CatalogEntry]:
    """Return the runbooks of a folder without indexes, critical ones first."""
    documents = list(folder.documents(folder.names()))
    runbooks = [each for each in documents if profile_of(each) is not Profile.INDEX]
    found = [_entry(each, documents, book, today) for each in runbooks]
    return sorted(found, key=lambda each: (each.urgency != "Critical", each.file))


def _entry(document: Document, documents: Iterable[Document], book: RuleBook | None, today: date) -> CatalogEntry:
    metadata = document.metadata
    updated = date_of(metadata["last_updated"].value) if "last_updated" in metadata else None
    linked = [other.path for other in documents if other is not document and document.path in _targets(other)]
    return CatalogEntry(
        file=document.path,
        title=document.title,
        urgency=metadata["criticality"].value if "criticality" in metadata else "-",
        owner=metadata["owner"].value if "owner" in metadata else "",
        updated=updated.isoformat() if updated else "",
        age_days=(today - updated).days if updated else None,
        steps=len(document.steps),
        runnable=sum(command.fence.tag == "readonly" for command in document.commands),
        rules=tuple(rule for rule, file in links_of(book) if file == document.path),
        linked_from=tuple(linked),
    )


def _targets(document: Document) -> set[str]:
    folder = posixpath.dirname(document.path)
    return {posixpath.normpath(posixpath.join(folder, link.target.partition("#")[0])) for link in document.links}


def links_of(book: RuleBook | None) -> list[tuple[str, str]]:
    """Return the rules with the file that each links to, once for each file."""
    if book is None:
        return []
    heartbeats = [(f"heartbeat-{each.cluster}", each.rule) for each in book.heartbeats]
    named = [*((rule.id, rule) for rule in book.rules), *heartbeats]
    pairs = [
        (name, link.file)
        for name, rule in named
        for link in (rule.runbook, *rule.runbooks.values())
        if link is not None and not link.is_url
    ]
    return list(dict.fromkeys(pairs))
