"""TLS of the listener: a context whose certificate is read again when its file changes."""

import ssl
import time
from pathlib import Path
from socket import socket

import structlog

_log = structlog.get_logger()

#: Seconds between looks at the files.
LOOK_SECONDS = 1.0
_monotonic = time.monotonic  # noqa: TID251 - gunicorn builds the worker, and its own timers read this clock


class ServerTls:
    """Wraps accepted sockets. The next connection gets a renewed certificate; one that cannot be read changes nothing.

    Raises ``OSError`` or ``ssl.SSLError`` if the first certificate cannot be read.
    """

    def __init__(self, certificate: str, key: str) -> None:
        self._files = certificate, key
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.load_cert_chain(*self._files)
        self._seen, self._looked = self._state(), _monotonic()

    def wrap(self, sock: socket) -> ssl.SSLSocket:
        """Return the socket with TLS. The handshake is left to the caller, since it may wait."""
        if _monotonic() - self._looked >= LOOK_SECONDS:
            self._renew()
        return self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def _renew(self) -> None:
        self._looked = _monotonic()
        try:
            seen = self._state()
            if seen == self._seen:
                return
            # A pair that does not fit, as between the replacement of both files, must not spoil the context in use.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self._context.load_cert_chain(*self._files)
        except OSError as error:  # ssl.SSLError is one, too
            _log.warning("tls.not_renewed", reason=str(error), certificate=self._files[0])
            return
        self._seen = seen
        _log.info("tls.renewed", certificate=self._files[0])

    def _state(self) -> tuple[tuple[int, int], ...]:
        stats = [Path(each).stat() for each in self._files]
        return tuple((each.st_ino, each.st_mtime_ns) for each in stats)
