"""Parser of the commands in runbooks: the program shellcheck, or a search for open quotes where it is missing."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from responder.cli.errors import FatalError
from responder.runbooks.lint.contract import ShellError
from responder.runbooks.lint.shell import parse_errors

#: Time for one run of shellcheck, in seconds; 200 commands take less than 1 s.
_SECONDS = 30.0
#: Scripts of one run.
_AT_ONCE = 200
#: Codes that only say that, and where, parsing stopped.
_GENERAL = frozenset({1072, 1073})
_ADVICE = " Fix to allow more checks."

Scripts = Mapping[tuple[str, int], str]
Errors = dict[str, dict[int, Sequence[ShellError]]]


@dataclass(frozen=True, slots=True)
class ShellParser:
    """Parser of commands. ``name`` says which; ``program`` is empty for the built-in one."""

    name: str
    program: str

    def errors(self, scripts: Scripts) -> Errors:
        """Return the errors of scripts, by file and index of the command. Raises FatalError if shellcheck fails."""
        if not self.program:
            return _by_file((key, tuple(parse_errors(script))) for key, script in scripts.items())
        found: list[tuple[tuple[str, int], Sequence[ShellError]]] = []
        keys = list(scripts)
        for begin in range(0, len(keys), _AT_ONCE):
            with tempfile.TemporaryDirectory() as folder:
                paths = {
                    str(Path(folder, f"{number}.sh")): key for number, key in enumerate(keys[begin : begin + _AT_ONCE])
                }
                for path, key in paths.items():
                    Path(path).write_text(scripts[key], "utf-8", "replace")
                found += [(paths[path], errors) for path, errors in self._run(list(paths)).items()]
        return _by_file(found)

    def _run(self, paths: list[str]) -> dict[str, Sequence[ShellError]]:
        arguments = [self.program, "--norc", "--shell=bash", "--severity=error", "--format=json", *paths]
        try:
            done = subprocess.run(  # noqa: S603 - a list of arguments, no shell; it reads the files and runs nothing
                arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
            )
            comments: list[dict[str, Any]] = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            raise FatalError(f"shellcheck did not end within {_SECONDS:g} s") from None
        except (OSError, ValueError) as error:
            raise FatalError(f"shellcheck cannot be used: {error}") from None
        parsing = [each for each in comments if each["code"] < 2000]
        found: dict[str, Sequence[ShellError]] = {}
        for path in dict.fromkeys(each["file"] for each in parsing):
            own = [each for each in parsing if each["file"] == path]
            first = min(own, key=lambda each: (each["code"] in _GENERAL, -each["code"], each["line"]))
            found[path] = (
                ShellError(
                    first["line"], first["column"], f"{first['message'].removesuffix(_ADVICE)} (SC{first['code']})"
                ),
            )
        return found


def _by_file(found: Iterable[tuple[tuple[str, int], Sequence[ShellError]]]) -> Errors:
    errors: Errors = {}
    for (file, index), each in found:
        if each:
            errors.setdefault(file, {})[index] = each
    return errors


def find_parser(program: str | None) -> ShellParser:
    """Return the parser to use: ``program``, else shellcheck on the path or beside Python, else the built-in one."""
    beside = Path(sys.executable).with_name("shellcheck")
    found = program or shutil.which("shellcheck") or (str(beside) if beside.is_file() else "")
    return ShellParser("shellcheck" if found else "the built-in parser (open quotes only)", found)
