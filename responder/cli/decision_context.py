"""Decision context of commands that show a decision and send nothing."""

from typing import TYPE_CHECKING

from responder import bootstrap
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.engine.effects.context import DecisionContext

#: Placeholder for production's Prometheus where no probe runs, so that its probes are not shown as skipped.
ANY_PROMETHEUS = "http://prometheus.invalid"


def decision_context_of(rules: str, runbooks: str, settings: Settings) -> "DecisionContext":
    """Load the rules of a folder, with every channel as if configured, so that results are the same in CI.

    Raises InvalidRules, and InvalidSettings for invalid channel settings.
    """
    book = bootstrap.load_rules(rules, runbooks, confined=True)
    return bootstrap.context(settings, book, bootstrap.shown_channels(settings, book), runbooks)
