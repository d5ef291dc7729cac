"""Sending: route, rate limit, retry and fallback."""
