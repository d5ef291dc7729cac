"""Logs as events with fields: readable lines on a terminal, one JSON object a line in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, MutableMapping
from typing import Any

import structlog

from responder.model.secret import Secret
from responder.model.text import clean


def configure(log_format: str, secrets: Iterable[Secret] = (), *, for_good: bool = True) -> None:
    """Send events to standard error. ``secrets`` are replaced by their mask wherever they would appear.

    ``for_good`` makes each logger keep this, which is faster, and then it cannot be changed any more.
    """
    hidden = [secret.reveal() for secret in secrets]
    as_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    renderer = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if as_text else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _scrubber(hidden),
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=for_good,
    )


def _scrubber(hidden: list[str]) -> Any:
    def scrub(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            if isinstance(value, str):
                text = clean(value)
                for secret in hidden:
                    text = text.replace(secret, "***")
                event[key] = text
        return event

    return scrub
