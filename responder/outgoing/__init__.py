"""The one way out: HTTP with a total deadline, a byte cap and no redirects; plain TCP and SMTP under the same rules."""

from responder.outgoing.client import Outgoing
from responder.outgoing.network import UnreachableError, is_forbidden, is_ip, join_address, split_address

__all__ = ["Outgoing", "UnreachableError", "is_forbidden", "is_ip", "join_address", "split_address"]
