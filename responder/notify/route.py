"""Which channels a decision reaches: what the rule wishes, what the severity allows, what is configured."""

from __future__ import annotations

from collections.abc import Collection

PAGER = "pagerduty"
RESERVES = frozenset({"pagerduty_fallback", "smtp"})
"""What is told only where it stands in for another channel. Rules cannot name it."""
PAGERS = frozenset({PAGER, "pagerduty_fallback"})
LOG = "log"
"""Where a page goes that nothing else takes."""
_STANDS_IN = {"slack": "slack_webhook"}


def route(wished: Collection[str], pages: bool, configured: Collection[str]) -> tuple[str, ...]:
    """The channels to tell, in the rule's order.

    Only what ``pages`` reaches the pager. Slack's incoming webhook stands in for the bot where only it is
    configured. Where nothing is left the log gets the page: it must be somewhere.
    """
    names = (name for name in wished if pages or name != PAGER)
    able = (name if name in configured else _STANDS_IN.get(name, "") for name in names)
    return tuple(name for name in able if name in configured) or (LOG,)
