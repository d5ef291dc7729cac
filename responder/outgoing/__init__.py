"""The one way out: HTTP with a total deadline, a byte cap and no redirects; plain TCP and SMTP under the same rules."""

from __future__ import annotations

from responder.outgoing.client import Outgoing
from responder.outgoing.network import CouldNotReach, is_forbidden, is_ip, join_address, split_address

__all__ = ["CouldNotReach", "Outgoing", "is_forbidden", "is_ip", "join_address", "split_address"]
