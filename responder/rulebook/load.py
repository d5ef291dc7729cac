"""Loading of a folder of rule files into a rule book."""

from collections.abc import Mapping
from errno import EFBIG
from hashlib import sha256
from pathlib import Path

from responder.checked_file import read_file
from responder.model.problem import InvalidRules, Position, Problem
from responder.model.rule import RuleBook
from responder.rulebook.assemble import assemble
from responder.rulebook.checks import REQUIRED
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.validate import validate
from responder.rulebook.yaml.reader import read

__all__ = ["SUFFIXES", "InvalidRules", "gather", "load", "required"]

SUFFIXES = frozenset({".yaml", ".yml"})


_FOLDER = "pass the folder of the rule files, or set RESPONDER_RULES; `responder init DIR` writes a first one"


def load(folder: Path | str, around: RuleReferences, within: Path | None = None) -> RuleBook:
    """Load the ``*.yaml`` and ``*.yml`` files of a folder, in the order of their names, as a rule book.

    ``within`` is the folder that symbolic links must not leave. Raises InvalidRules with all problems of all files.
    """
    return checked(gather(folder, within), around)


def checked(rule_files: RuleFiles, around: RuleReferences) -> RuleBook:
    """Check files that were read and assemble the rule book. Raises InvalidRules with all problems."""
    if problems := required(rule_files, around):
        raise InvalidRules(problems)
    return assemble(rule_files, rule_files.revision)


def text_of(folder: Path | str) -> dict[str, bytes]:
    """Return the bytes of a folder's rule files by name. Raises InvalidRules for none, OSError for unreadable ones."""
    return {path.name: read_file(path) for path in _files(Path(folder))}


def revision_of(files: Mapping[str, bytes]) -> str:
    """Return the hash of rule files that stands for their revision."""
    revision = sha256()
    for name, raw in sorted(files.items()):
        revision.update(f"{name}\n{len(raw)}\n".encode("utf-8", "surrogateescape") + raw)
    return revision.hexdigest()


def gather(folder: Path | str, within: Path | None = None) -> RuleFiles:
    """Read the rule files of a folder, without the checks. Raises InvalidRules if there are none.

    ``within`` is the folder that symbolic links must not leave.
    """
    folder = Path(folder)
    label, files, unreadable = folder.resolve().name, dict[str, bytes](), list[Problem]()
    for path in _files(folder):
        try:
            files[path.name] = read_file(path, within)
        except OSError as error:
            code = "too-big" if error.errno == EFBIG else "unreadable"
            hint = (
                "check its permissions"
                if isinstance(error, PermissionError)
                else "replace it with a file, or remove it"
            )
            position = Position(f"{label}/{path.name}", 1, 1)
            unreadable.append(Problem(position, code, str(error.strerror), hint))
    rule_files = gather_text(label, files)
    rule_files.problems.extend(unreadable)
    rule_files.whole = rule_files.whole and not unreadable
    return rule_files


def gather_text(label: str, files: Mapping[str, bytes]) -> RuleFiles:
    """Parse rule files, without the checks; ``label`` is the name of the folder in positions."""
    rule_files = RuleFiles()
    for name in sorted(files):
        document = read(f"{label}/{name}", files[name])
        shaped = validate(document)
        rule_files.add(document, shaped)
        rule_files.problems.extend(document.problems)
        # The reader drops invalid values; a schema error at the same position is only a consequence.
        refused = {problem.position for problem in document.problems}
        rule_files.problems.extend(problem for problem in shaped.problems if problem.position not in refused)
        rule_files.whole = rule_files.whole and (document.data is not None or not document.problems)
    rule_files.revision = revision_of(files)
    return rule_files


def required(rule_files: RuleFiles, around: RuleReferences) -> tuple[Problem, ...]:
    """Return all errors that prevent a rule book, in file order. Fills in matchers and probe specs."""
    problems = list(rule_files.problems)
    for code, check in REQUIRED.items() if rule_files.documents else ():
        # An unreadable file may define the missing names.
        found = list(check(rule_files, around))
        problems.extend(found if rule_files.whole or not code.startswith(("unknown-", "missing-", "no-")) else [])
    return tuple(sorted(set(problems)))


def _files(folder: Path) -> list[Path]:
    position = Position(str(folder), 1, 1)
    try:
        found = sorted(
            (path for path in folder.iterdir() if path.suffix in SUFFIXES and not path.name.startswith(".")),
            key=lambda path: path.name,
        )
        files = [path for path in found if not path.is_dir()]
    except OSError as error:
        said = f"cannot read the rules folder: {error.strerror}"
        raise InvalidRules((Problem(position, "no-rules", said, _FOLDER),)) from error
    if not files:
        said = "no *.yaml file in the rules folder"
        raise InvalidRules((Problem(position, "no-rules", said, _FOLDER),))
    return files
