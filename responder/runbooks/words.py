"""Words of a command of a runbook: placeholders, and the flags that are listed, nothing else."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

#: A placeholder; its group is the name.
SLOT: Final = re.compile(r"\{\{[ \t]*([a-z][a-z0-9_]{0,62})[ \t]*\}\}")
#: A value that may stand for one: as names of Kubernetes, and so never a flag, a path or two arguments.
_VALUE = re.compile(r"(?!.{254})[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", re.ASCII)


def is_value(text: str) -> bool:
    """Return True if a text may stand for a placeholder."""
    return _VALUE.fullmatch(text) is not None and ".." not in text


class Word(NamedTuple):
    """A word of a command, and its column from 1."""

    text: str
    column: int


class Refused(ValueError):
    """A command that may not be run: why, and the column from 1."""

    def __init__(self, reason: str, column: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags that a command may have, with the name that each stands for. ``grouped`` allows ``-sS`` for ``-s -S``."""

    values: Mapping[str, str]
    switches: Mapping[str, str] = field(default_factory=dict)
    grouped: bool = False

    def read(self, words: Sequence[Word]) -> tuple[list[Word], dict[str, Word]]:
        """Return what is no flag, and the flags with their values; a switch has an empty one. Raises Refused."""
        found: list[Word] = []
        options: dict[str, Word] = {}
        left = list(words)
        while left:
            word = left.pop(0)
            if not word.text.startswith("-"):
                found.append(word)
                continue
            name, equals, value = word.text.partition("=")
            if name in self.values:
                if not equals:
                    if not left or left[0].text.startswith("-"):
                        raise Refused(f"{name} needs a value", word.column)
                    value = left.pop(0).text
                key, own = self.values[name], Word(value, word.column)
                if key in options:
                    raise Refused(f"{name} is given twice", word.column)
                options[key] = own
                continue
            group = [f"-{sign}" for sign in word.text[1:]] if self.grouped and word.text[:2] != "--" else [word.text]
            if word.text == "-" or any(each not in self.switches for each in group):
                raise Refused(f"the flag {name} is not allowed", word.column)
            options |= {self.switches[each]: Word("", word.column) for each in group}
        return found, options
