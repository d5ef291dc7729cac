"""Runbooks of a folder, and what the rule files say that runbooks repeat."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from responder import bootstrap
from responder.checked_file import files_below, read_file, repository_of
from responder.cli.errors import FatalError
from responder.model.problem import InvalidRules, Position, Problem
from responder.model.rule import RuleBook
from responder.runbooks.document import Document, parse
from responder.runbooks.lint.contract import Catalog
from responder.runbooks.markdown import read as read_markdown


@dataclass(slots=True)
class Folder:
    """A folder of runbooks. Files are read once, and only inside of the repository."""

    path: Path
    problems: list[Problem] = field(default_factory=list)
    _texts: dict[str, str] = field(default_factory=dict)
    _anchors: dict[str, frozenset[str]] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Return the paths of its Markdown files, relative to it."""
        return sorted(path.relative_to(self.path).as_posix() for path in files_below(self.path, ".md"))

    def documents(self, names: list[str]) -> Iterator[Document]:
        """Yield the runbooks of these names; a file that cannot be read adds a problem."""
        for name in names:
            try:
                yield parse(name, self.text(name))
            except OSError as error:
                at = Position(name, 1, 1)
                said = str(error.strerror or error)
                self.problems.append(Problem(at, "unreadable", said, "replace it with a file, or remove it"))

    def text(self, name: str) -> str:
        """Return the text of a file; invalid UTF-8 is replaced. Raises OSError."""
        if name not in self._texts:
            within = repository_of(self.path)
            self._texts[name] = read_file(self.path / name, within).decode("utf-8", "replace")
        return self._texts[name]

    def forget(self) -> None:
        """Read the files again, which were changed."""
        self.problems.clear()
        self._texts.clear()
        self._anchors.clear()

    def anchors_of(self, name: str) -> frozenset[str] | None:
        """Return the anchors of a Markdown file; None if there is none that can be read."""
        if not name.endswith(".md"):
            return None
        if name not in self._anchors:
            try:
                self._anchors[name] = read_markdown(self.text(name)).anchors
            except OSError:
                return None
        return self._anchors[name]

    def exists(self, name: str) -> bool:
        """Return True if there is a file or folder of this name in the repository."""
        path = self.path / name
        return path.exists() and path.resolve().is_relative_to(repository_of(self.path).resolve())


def open_folder(paths: tuple[Path, ...]) -> tuple[Folder, list[str]]:
    """Return the folder, and the names of the runbooks that the arguments mean.

    One folder means all its runbooks; files are checked alone, beside their neighbours. Without arguments it is
    RESPONDER_RUNBOOKS. Raises FatalError.
    """
    paths = paths or (Path(bootstrap.folders_from_environment().runbooks),)
    if len(paths) == 1 and paths[0].is_dir():
        folder = Folder(paths[0])
        return folder, folder.names()
    folder = Folder(paths[0].parent)
    names = []
    for path in paths:
        if path.is_dir():
            raise FatalError(f"{path}: name one folder alone, or files of one folder")
        if not path.is_file():
            raise FatalError(f"{path}: no such file or folder of runbooks")
        if not path.is_relative_to(folder.path):
            raise FatalError(f"{path} is not in {folder.path}: check one folder at a time")
        names.append(path.relative_to(folder.path).as_posix())
    return folder, names


def rules_beside(folder: Path, rules: Path | None) -> Path | None:
    """Return the folder of the rule files: ``rules`` if given, else that beside the runbooks, else RESPONDER_RULES."""
    beside = folder.resolve().parent / "rules"
    candidates = [rules] if rules else [beside, Path(bootstrap.folders_from_environment().rules)]
    return next((each for each in candidates if each.is_dir()), None)


def load_book(
    rules: Path | None, lacking: str = "contacts, severities and services are not compared"
) -> tuple[RuleBook | None, str]:
    """Return the rule book, or None and the reason with what is ``lacking`` without it."""
    if rules is None:
        return None, f"no rule files found: {lacking}"
    try:
        return bootstrap.load_rules(str(rules), None, confined=True), ""
    except InvalidRules:
        return None, f"the rules in {rules} have errors (responder rules check {rules}): nothing is compared with them"


def catalog_of(book: RuleBook) -> Catalog:
    """Return what runbooks repeat of the rule files."""
    return Catalog(
        services=frozenset(book.services_by_name),
        contacts={contact.role: contact.contact for contact in book.contacts},
        urls={link.text: link.href for link in book.urls},
        responses={name: severity.response for name, severity in book.severities.items()},
        scope=bootstrap.scope_of(bootstrap.folders_from_environment(), book),
    )
