"""Commands in the fences of runbooks: prompts and output left out, split into simple commands. Nothing is run."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from responder.runbooks.document import SHELLS
from responder.runbooks.lint.contract import ShellError
from responder.runbooks.markdown import Fence
from responder.runbooks.words import SLOT

_PROMPT = re.compile(r"^(\s*)(?:\$|[\w.-]+@[\w.:~/-]+[$#]|(?:ba)?sh-[\d.]+[$#])[ \t]+(?=\S)")
#: Languages of terminal sessions, whose commands follow prompts.
_SESSIONS = frozenset({"console", "shell-session", "shellsession", "terminal"})
#: Placeholders that are written for people: <pod-name>, <namespace of the alert>, [name], {name}.
_FOR_PEOPLE = re.compile(r"<[A-Za-z][^<>|&;$\n]*?>|(?:(?<=[ =/])|(?m:^))(?:\[[a-zA-Z][\w -]*\]|\{[a-zA-Z][\w -]*\})")
_SEPARATORS = frozenset("();|&")
_KEYWORDS = frozenset(
    {"do", "then", "else", "elif", "if", "while", "until", "time", "!", "{", "sudo", "exec", "command"}
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
#: Programs by which a fence without a language is recognized as a command.
PROGRAMS: Final = frozenset(
    {
        *("kubectl", "oc", "curl", "wget", "docker", "podman", "crictl", "systemctl", "journalctl", "helm", "etcdctl"),
        *("promtool", "amtool", "jq", "ssh", "psql", "mysql", "redis-cli", "aws", "gcloud", "az", "terraform"),
        *("ansible", "dig", "nslookup", "openssl", "virsh", "ceph", "rabbitmqctl", "responder", "sudo"),
    }
)


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """Words of a command between separators, with the position of its first word in the file."""

    words: tuple[str, ...]
    line: int
    column: int

    @property
    def text(self) -> str:
        """The words with one space between them."""
        return " ".join(self.words)


def has_prompts(content: str) -> bool:
    """Return True if commands follow a prompt, and the other lines are output."""
    return any(_PROMPT.match(line) for line in content.splitlines())


def script_of(fence: Fence) -> str:
    """Return the commands of a fence on their lines; prompts, output and placeholders are blanked or replaced.

    A placeholder becomes a word of the same length, so that columns stay. A session without prompts is output or a
    query, and no command, unless it begins with a known program.
    """
    lines = fence.content.split("\n")
    if has_prompts(fence.content):
        lines = list(_after_prompts(lines))
    elif fence.language in _SESSIONS and next(iter(fence.content.split()), "") not in PROGRAMS:
        return ""
    text = SLOT.sub(lambda found: "x" * len(found[0]), "\n".join(lines))
    return _FOR_PEOPLE.sub(lambda found: "x" * len(found[0]), text)


def _after_prompts(lines: list[str]) -> Iterator[str]:
    """Yield the lines of commands without their prompt, and an empty line for each of output."""
    going_on, ending, quote = False, "", ""
    for line in lines:
        prompt = _PROMPT.match(line)
        if prompt and not (going_on or ending or quote):
            line = " " * prompt.end() + line[prompt.end() :]  # noqa: PLW2901 - the prompt is blanked
        elif not (going_on or ending or quote):
            yield ""
            continue
        yield line
        if ending:
            ending = "" if line.strip() == ending else ending
            continue
        quote = _open_quote(line, quote)
        found = _HEREDOC.search(line)
        ending = found[2] if found and not quote else ""
        going_on = line.rstrip().endswith(("\\", "|", "&&"))


def _open_quote(line: str, quote: str) -> str:
    """Return the quote that is open at the end of a line, if ``quote`` was open at its beginning."""
    skip = False
    for sign in line:
        if skip:
            skip = False
        elif sign == "\\" and quote != "'":
            skip = True
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#":
            break
    return quote


def parse_errors(script: str) -> Iterator[ShellError]:
    """Yield quotes that are not closed: all that is found without shellcheck."""
    if _HEREDOC.search(script):
        return
    quote, opened = "", 0
    for number, line in enumerate(script.split("\n"), 1):
        before = quote
        quote = _open_quote(line, quote)
        if quote and quote != before:
            opened = number
    if quote:
        line = script.split("\n")[opened - 1]
        yield ShellError(opened, line.rfind(quote) + 1, f"the quote {quote} is not closed")


def simple_commands(fence: Fence) -> Iterator[SimpleCommand]:
    """Yield the simple commands of a fence in the language of a shell."""
    if fence.language not in SHELLS:
        return
    ending = ""
    pending, first = "", 0
    for number, line in enumerate(script_of(fence).split("\n")):
        if ending:
            ending = "" if line.strip() == ending else ending
            continue
        if not pending:
            first = number
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        if found := _HEREDOC.search(pending):
            ending = found[2]
        yield from _split(pending, fence.line + first, fence.column)
        pending = ""
    if pending:
        yield from _split(pending, fence.line + first, fence.column)


def _split(text: str, line: int, column: int) -> Iterator[SimpleCommand]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();|&")
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:
        tokens = text.split()
    words: list[str] = []
    begun = cursor = 0
    for token in [*tokens, ";"]:
        place = text.find(token, cursor)
        cursor = place + len(token) if place >= 0 else cursor
        if set(token) <= _SEPARATORS:
            if words:
                yield SimpleCommand(tuple(words), line, column + begun)
            words = []
        elif words or (token not in _KEYWORDS and not _ASSIGNMENT.match(token)):
            begun = begun if words else max(place, 0)
            words.append(token)
