"""The desk of commands that show what would be decided, and send nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from responder import bootstrap
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.engine.effects.context import DecisionContext

ANY_PROMETHEUS = "http://prometheus.invalid"
"""Stands for the one of production where nobody is asked: its probes are not skipped for want of it here."""


def desk_of(rules: str, runbooks: str, settings: Settings) -> DecisionContext:
    """The rules of a folder, with every channel as if it were configured: the answer is the same on a laptop and in CI.

    Raises InvalidRules, and InvalidSettings for a channel whose settings cannot be used.
    """
    book = bootstrap.load_rules(rules, runbooks)
    return bootstrap.desk(settings, book, bootstrap.shown_channels(settings))
