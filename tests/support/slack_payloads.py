"""Payloads as Slack sends them when a person acts, and their signature."""

from __future__ import annotations

from responder.standins.slack_payloads import ANN, TEAM, pressed, signed, submitted

__all__ = ["ANN", "TEAM", "pressed", "signed", "submitted"]
