"""The check that an address is free, before a server tries to listen on it."""

import errno
import socket

from responder.cli.errors import FatalError

#: Seconds until the console of a process that was killed has ended by itself.
CONSOLE_ENDS_SECONDS = 8.0
_POLL_SECONDS = 0.2


def is_loopback(listen: str) -> bool:
    """Return True for an address that only this machine reaches."""
    return listen.rpartition(":")[0] in {"127.0.0.1", "localhost", "[::1]", "::1"}


def refuse_used_port(listen: str, setting: str, patience: float = 0.0) -> None:
    """Raise FatalError if gunicorn could not listen: it would try for five seconds and print ten lines.

    A port that another process has is waited for, at most ``patience`` seconds.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

    retrying = Retrying(
        stop=stop_after_delay(patience),
        wait=wait_fixed(_POLL_SECONDS),
        retry=retry_if_exception_type(FatalError),
        reraise=True,
    )
    retrying(_try, listen, setting)


def _try(listen: str, setting: str) -> None:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            probe.bind((host, int(port)))
            probe.listen(1)
    except OSError as error:
        advice = f"set {setting} to another ADDRESS:PORT"
        if error.errno == errno.EADDRINUSE:
            advice = f"stop the process that listens there (ss -ltnp 'sport = :{port}'), or {advice}"
        raise FatalError(f"cannot listen on {listen}: {error.strerror or error}; {advice}") from None
