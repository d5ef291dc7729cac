"""GET requests to one Kubernetes API server, with the credentials of a service account or a kubeconfig."""

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.secret import Secret
from responder.outgoing.network import Dialer, Proxies, UnreachableError

#: Seconds until a request that the API server could not serve is repeated, once.
RETRY_SECONDS = 0.2
#: Longest pause that a 429 may ask for, in seconds; a page does not wait for more.
MOST_PAUSE_SECONDS = 0.5
_UNABLE = frozenset({500, 502, 503, 504})
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """An API server, and how to log in to it.

    ``token`` returns the bearer token of now, empty for none; with ``anew`` it is read again, because the server
    refused it. ``tls`` verifies the server, and holds the client certificate if there is one. Both raise OSError or
    ValueError with a sentence if there is none to be had. ``source`` says where all this comes from.
    """

    server: str
    source: str
    tls: Callable[[], ssl.SSLContext] = field(repr=False)
    token: Callable[[bool], Secret] = field(repr=False)
    namespace: str = ""


class ApiServer:
    """Sends GET requests. Safe to share between threads."""

    def __init__(self, access: ClusterAccess, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._pause = threading.Event()
        from responder.outgoing.session import Session

        self._session = Session(Dialer(clock, {}), self._tls, Proxies())

    @property
    def access(self) -> ClusterAccess:
        """The server and how to log in to it."""
        return self._access

    def get(self, target: str, deadline: Deadline, cap: int, accept: str = JSON) -> Response:
        """Return the answer to a GET, whatever its status. Raises UnreachableError, by the deadline, if there is none.

        After a 401 the token is read again, once: bound tokens are rotated about hourly. A 429 is waited for if the
        server asks for a short pause. A 5xx is repeated once.
        """
        response = self._send("GET", target, b"", deadline, cap, anew=False, accept=accept)
        if response.status == 401:
            return self._send("GET", target, b"", deadline, cap, anew=True, accept=accept)
        wait = RETRY_SECONDS if response.status in _UNABLE else _asked_for(response.headers, response.status)
        if not wait or deadline.left(self._clock.monotonic()) < 2 * wait:
            return response
        self._pause.wait(wait)
        return self._send("GET", target, b"", deadline, cap, anew=False, accept=accept)

    def post(self, target: str, body: bytes, deadline: Deadline, cap: int = 65536) -> Response:
        """Return the answer to a POST; only ``doctor`` sends one, to ask for its own rights."""
        return self._send("POST", target, body, deadline, cap, anew=False)

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def _tls(self) -> ssl.SSLContext:
        try:
            return self._access.tls()
        except (OSError, ValueError) as error:
            raise UnreachableError(f"no TLS to the API server: {error}") from error

    def _send(
        self, method: str, target: str, body: bytes, deadline: Deadline, cap: int, *, anew: bool, accept: str = JSON
    ) -> Response:
        headers = {"Accept": accept}
        if body:
            headers["Content-Type"] = JSON
        try:
            token = self._access.token(anew).reveal()
        except (OSError, ValueError) as error:
            raise UnreachableError(f"no token for the API server: {error}") from error
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = Request(self._access.server.rstrip("/") + target, body, headers, method)
        return self._session.send(request, deadline, cap)


def _asked_for(headers: Mapping[str, str], status: int) -> float:
    """Return the seconds that a 429 asks to wait, 0 if they are too many for a page."""
    if status != 429:
        return 0.0
    try:
        seconds = float(headers.get("retry-after", "0"))
    except ValueError:
        return 0.0
    return min(max(seconds, RETRY_SECONDS), 60.0) if seconds <= MOST_PAUSE_SECONDS else 0.0
