"""Placeholders ``{{ name }}`` in the commands and expected blocks of runbooks."""

import re
from typing import Final

#: A placeholder; its group is the name.
SLOT: Final = re.compile(r"\{\{[ \t]*([a-z][a-z0-9_]{0,62})[ \t]*\}\}")
#: A value that may stand for one: as names of Kubernetes, and so never a flag, a path or two arguments.
_VALUE = re.compile(r"(?!.{254})[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", re.ASCII)


def is_value(text: str) -> bool:
    """Return True if a text may stand for a placeholder."""
    return _VALUE.fullmatch(text) is not None and ".." not in text
