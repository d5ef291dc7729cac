"""The text of valid rule files, as it is kept in the database."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """A revision that can be loaded without its files: their bytes by name, and the anchors of each runbook."""

    revision: str
    files: Mapping[str, bytes]
    runbooks: Mapping[str, tuple[str, ...]]
