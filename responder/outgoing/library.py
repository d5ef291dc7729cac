"""The HTTP library. No other module imports it: to move to httpx2, change the two imports below.

Tested against httpx 0.28, httpcore 1.0, httpx2 2.16 and httpcore2 2.16, by their public interfaces only.
"""

import httpcore as httpcore  # noqa: PLC0414 - re-exported
import httpx as httpx  # noqa: PLC0414 - re-exported

__all__ = ["httpcore", "httpx"]
