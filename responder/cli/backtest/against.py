"""Rules to compare with: another folder or a git revision, read without touching the working tree."""

import contextlib
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from responder.cli.errors import FatalError
from responder.cli.git import git
from responder.model.text import one_line


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Folders of a set of rules and of its runbooks; ``name`` is used in output."""

    name: str
    rules: Path
    runbooks: Path


@contextlib.contextmanager
def reference_rules(wanted: str, now: RuleSet) -> Iterator[RuleSet]:
    """Yield the set that ``wanted`` names: a git revision of the repository with the rules of ``now``, or a folder.

    Only what starts with ``/`` or ``.`` is a folder: a change under test could add a folder with the name of the
    revision it is compared with. Runbooks come from beside the folder or from the same revision, else from ``now``.

    Raises:
        FatalError: No such folder or revision, or it cannot be read.
    """
    if wanted.startswith(("/", ".")):
        folder = Path(wanted)
        if not folder.is_dir():
            raise FatalError(f"'{one_line(wanted)}' is not a folder: name one with --against")
        beside = folder.resolve().parent / now.runbooks.name
        yield RuleSet(wanted, folder, beside if beside.is_dir() else now.runbooks)
        return
    try:
        top = Path(git(now.rules, "rev-parse", "--show-toplevel").decode().strip())
    except FatalError as error:
        raise FatalError(f"{error}; without git, name the folder of the older rules with --against ./FOLDER") from error
    commit = _commit(wanted, now.rules)
    with tempfile.TemporaryDirectory(prefix="responder-rules-") as into:
        rules = _extract(top, commit, now.rules, Path(into))
        if rules is None:
            raise FatalError(f"revision {wanted} ({commit[:12]}) has no folder {_inside(top, now.rules)}")
        runbooks = _extract(top, commit, now.runbooks, Path(into))
        yield RuleSet(f"{wanted} ({commit[:12]})", rules, runbooks or now.runbooks)


def _commit(wanted: str, rules: Path) -> str:
    try:
        found = git(rules, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{wanted}^{{commit}}")
    except FatalError as error:
        shown = one_line(wanted)
        hint = f"for the folder write --against ./{shown}" if Path(wanted).is_dir() else "name one with --against"
        raise FatalError(f"'{shown}' is not a git revision of {rules}: {hint}") from error
    return found.decode().strip()


def _extract(top: Path, commit: str, folder: Path, into: Path) -> Path | None:
    """Return a folder as it was at a commit; None if it lies outside the repository or did not exist.

    Raises:
        FatalError: It holds a symbolic link to something outside itself.
    """
    inside = _inside(top, folder)
    if inside is None or not git(top, "ls-tree", "-d", "--name-only", commit, "--", inside):
        return None
    with tarfile.open(fileobj=BytesIO(git(top, "archive", "--format=tar", commit, "--", inside))) as archive:
        links = [each for each in archive if each.issym()]
        with contextlib.suppress(tarfile.FilterError):
            archive.extractall(into, filter="data")
    for link in links:
        if (
            not (into / link.name).resolve().is_relative_to((into / inside).resolve())
            or not (into / link.name).exists()
        ):
            raise FatalError(
                f"{one_line(link.name)} at {commit[:12]} is a symbolic link to {one_line(link.linkname)}, outside "
                f"{inside}: check the revision out elsewhere (git worktree add) and name that folder with --against"
            )
    return into / inside


def _inside(top: Path, folder: Path) -> str | None:
    resolved = folder.resolve()
    return str(resolved.relative_to(top.resolve())) if resolved.is_relative_to(top.resolve()) else None
