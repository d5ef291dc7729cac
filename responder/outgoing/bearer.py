"""Which bearer token a question carries, and that no answer repeats it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from responder.model.message import Request, Response
from responder.model.secret import MASK, Secret

SHORTEST: Final = 8
"""Characters. Anything shorter is no secret, and may stand in an answer by chance."""

#: The port of an address that names none.
PORTS: Final = {"http": 80, "https": 443}


def token_for(url: str, tokens: Mapping[str, Secret]) -> Secret | None:
    """The token of the server that ``url`` belongs to, None where it belongs to none of them.

    ``tokens`` are by base address. Scheme, host and port must be those of the base, and the path its own or below it;
    of several bases the longest counts. An address with a name and password of its own gets no token beside them.
    """
    asked = _place(url)
    bases = {base: place for base in tokens if (place := _place(base))}
    known = [
        base for base, (origin, path) in bases.items() if asked and origin == asked[0] and asked[1].startswith(path)
    ]
    if not known or "@" in urlsplit(url).netloc:
        return None
    return tokens[max(known, key=lambda base: len(bases[base][1]))]


def with_token(request: Request, token: Secret) -> Request:
    """The request as the server's own clients send it (RFC 6750, section 2.1)."""
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token.reveal()}"})


def masked(response: Response, token: Secret) -> Response:
    """The answer without the token: a proxy's error page may show the request it refused."""
    value = token.reveal().encode()
    if len(value) < SHORTEST or value not in response.body:
        return response
    return replace(response, body=response.body.replace(value, MASK.encode()))


def _place(url: str) -> tuple[tuple[str, str, int], str] | None:
    """Where an address leads, and its path with a slash at the end; None for what is no http(s) address."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if not port or not parts.hostname:
        return None
    return (parts.scheme, parts.hostname, port), f"{parts.path.rstrip('/')}/"
