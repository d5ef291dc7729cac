"""The body of a request as a stream of its decoded bytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from responder.web.hangup import hangup_of

_CHUNK_BYTES = 256 * 1024
#: zlib's window sizes: 15 bits, and 32 more for gzip and zlib by their header.
_ANY_HEADER, _RAW = 15 + 32, -15


class CutOffError(Exception):
    """The connection ended before the body did: the sender repeats the request."""


class EncodingError(Exception):
    """A body whose Content-Encoding is not supported (status 415), or that is not what it says (400).

    Malformed chunks are of the second kind.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def chunks(incoming: Request) -> Iterator[bytes]:
    """The body in chunks of at most 256 KiB, uncompressed. Raises CutOffError and EncodingError."""
    encoding = incoming.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return _received(incoming)
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return _inflated(_received(incoming))
    return _unsupported()


def _unsupported() -> Iterator[bytes]:
    raise EncodingError(415, "unsupported Content-Encoding: use gzip, deflate or identity")
    yield b""


def _received(incoming: Request) -> Iterator[bytes]:
    length, received = incoming.content_length, 0
    while True:
        try:
            chunk = incoming.stream.read(_CHUNK_BYTES)
        except (ClientDisconnected, OSError) as error:
            raise CutOffError(str(error)) from None
        except ParseException as error:
            if hangup_of(incoming.environ)():
                raise CutOffError(str(error)) from None
            raise EncodingError(400, f"the chunked body is malformed: {error}") from None
        if not chunk:
            break
        received += len(chunk)
        yield chunk
    if length is not None and received < length:
        raise CutOffError(f"{received} of {length} bytes arrived")


def _inflated(compressed: Iterator[bytes]) -> Iterator[bytes]:
    """The uncompressed bytes of gzip (of one or several members), zlib or raw deflate; never many of them at once."""
    decoder, fresh, started = zlib.decompressobj(_ANY_HEADER), True, False
    for chunk in compressed:
        data = chunk
        while data:
            if decoder.eof:
                decoder, fresh = zlib.decompressobj(_ANY_HEADER), True
            try:
                out = decoder.decompress(data, _CHUNK_BYTES)
            except zlib.error as error:
                if started or not fresh:
                    raise EncodingError(400, f"the body cannot be decompressed: {error}") from None
                started, decoder = True, zlib.decompressobj(_RAW)
                continue
            started, fresh = True, False
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if out:
                yield out
    while not decoder.eof:
        out = decoder.decompress(decoder.unconsumed_tail, _CHUNK_BYTES)
        if not out:
            raise EncodingError(400, "the compressed body ends early")
        yield out
