"""SMTP under the rules of all that leaves: one total deadline, no address out of bounds, verified certificates."""

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable

from responder.model.clock import Clock, Deadline
from responder.model.message import MailServer, Request, Response
from responder.outgoing.client import Outgoing
from responder.outgoing.network import UnreachableError, reason


class Mailer:
    """Hands mails to servers, a connection each: they are few, and a kept connection would be dead when needed."""

    def __init__(self, outgoing: Outgoing, clock: Clock) -> None:
        self._outgoing = outgoing
        self._clock = clock

    def send(self, request: Request, deadline: Deadline, cap: int) -> Response:
        """Return the server's last reply in terms of HTTP: 200 accepted, 503 for 4yz, 422 for 5yz (RFC 5321, 4.2.1).

        The envelope is in the headers From and To. A request without a body goes as far as the login and a NOOP.
        Raises UnreachableError if there is no reply in time.
        """
        if request.mail_server is None:
            raise UnreachableError("no mail server is configured")
        say = (lambda session: _hand_in(session, request)) if request.body else _noop
        return self._converse(request.mail_server, say, deadline, cap)

    def _converse(
        self, server: MailServer, say: "Callable[[_Session], bytes]", deadline: Deadline, cap: int
    ) -> Response:
        left = deadline.left(self._clock.monotonic())
        connection = self._outgoing.connect(server.host, server.port, deadline)
        # The time-out of a socket is for each wait, and a server may drip: at the deadline the connection is cut.
        spare = connection.dup()
        cutter = threading.Timer(max(0.0, deadline.left(self._clock.monotonic())), _cut, [spare])
        cutter.daemon = True
        cutter.start()
        try:
            said = self._open(connection, server, say)
        except smtplib.SMTPRecipientsRefused as error:
            code, why = max(error.recipients.values())
            return _answer(code, why, cap)
        except smtplib.SMTPResponseException as error:
            if not 400 <= error.smtp_code < 600:  # half an answer, or none that SMTP knows
                raise self._named(error, left, deadline) from error
            return _answer(error.smtp_code, error.smtp_error, cap)
        except OSError as error:
            raise self._named(error, left, deadline) from error
        finally:
            cutter.cancel()
            cutter.join()  # at once: a daemon thread that is still there when the interpreter ends can abort it
            spare.close()
            connection.close()
        return Response(200, said)

    def _open(self, connection: socket.socket, server: MailServer, say: "Callable[[_Session], bytes]") -> bytes:
        """Run an SMTP session; ``say`` is called after TLS and login. Raises OSError."""
        session = _Session(connection, server.host, self._outgoing.tls if server.tls == "tls" else None)
        try:
            session.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                session.starttls(context=self._outgoing.tls)
            if server.user:
                session.login(server.user, server.password.reveal())
            return say(session)
        finally:
            with contextlib.suppress(OSError):
                session.putcmd("quit")  # the result is known already: do not wait for the response
            session.close()

    def _named(self, error: OSError, seconds: float, deadline: Deadline) -> UnreachableError:
        if deadline.left(self._clock.monotonic()) <= 0:
            return reason(TimeoutError(), seconds)
        if isinstance(error, smtplib.SMTPServerDisconnected):
            return UnreachableError("connection closed during the session")
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return UnreachableError(f"the mail server lacks a required extension: {error}")
        if isinstance(error, smtplib.SMTPException):
            return UnreachableError("the response is not SMTP")
        return reason(error, seconds)


class _Session(smtplib.SMTP):
    """A conversation over a connection that is there already."""

    def __init__(self, connection: socket.socket, host: str, tls: ssl.SSLContext | None) -> None:
        self._connection = connection
        self._tls = tls
        own = connection.getsockname()[0]  # by default smtplib looks up the local host name
        super().__init__(host, local_hostname=f"[IPv6:{own}]" if ":" in own else f"[{own}]")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        if self._tls is None:
            return self._connection
        return self._tls.wrap_socket(self._connection, server_hostname=host)


def _hand_in(session: _Session, request: Request) -> bytes:
    """Send a mail; the server may reject some of several recipients. Raises OSError."""
    recipients = request.headers["To"].split(", ")
    refused = session.sendmail(request.headers["From"], recipients, request.body)
    return f"accepted, but not for {', '.join(sorted(refused))}".encode() if refused else b"accepted"


def _noop(session: _Session) -> bytes:
    code, said = session.noop()
    if code != 250:
        raise smtplib.SMTPResponseException(code, said)
    return said


def _answer(code: int, said: bytes | str, cap: int) -> Response:
    text = said if isinstance(said, bytes) else said.encode("utf-8", "replace")
    return Response(422 if code >= 500 else 503, b"%d %s" % (code, text[:cap]))


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
