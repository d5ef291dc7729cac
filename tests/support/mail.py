"""A mail server on loopback: stores mails, and refuses or drips on demand."""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import ssl
import threading
from collections import deque
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Final, Self

_NO_MAIL: Final = "http/1.1"


@dataclass(frozen=True, slots=True)
class Mail:
    """An accepted mail: the envelope, the text as it came, and True if it came over TLS."""

    sender: str
    recipients: tuple[str, ...]
    body: bytes
    encrypted: bool

    @property
    def message(self) -> EmailMessage:
        """The mail as a client reads it."""
        return message_from_bytes(self.body, policy=default)


class MailStandIn:
    """SMTP on 127.0.0.1, in a thread for each conversation. Use it as a context manager.

    ``refusals`` are the answers to the next mails, one each, in place of accepting them (``"451 try later"``).
    ``unknown`` are addresses it does not take. With ``tls`` it offers STARTTLS, or speaks TLS from the first byte where
    ``implicit`` says so, and hangs up on a client that offers HTTP there, as Exim does. With ``login`` (user, password)
    it accepts mails from no one else. ``drip`` answers a byte at a time, with so many seconds between two.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        drip: float = 0.0,
    ) -> None:
        self.mails: list[Mail] = []
        self.refusals: deque[str] = deque()
        self.unknown: set[str] = set()
        self.tls, self.implicit, self.login, self.drip = tls, implicit, login, drip
        if tls:
            tls.set_alpn_protocols([_NO_MAIL])  # chosen only where it is offered
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Conversation)
        self._server.stand_in = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Port of the server."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for thread in self._server.conversations:
            thread.join(2)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    stand_in: MailStandIn

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.conversations: list[threading.Thread] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread that the end of the server joins."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self.conversations.append(thread)
        thread.start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news to anybody."""


class _Conversation(socketserver.BaseRequestHandler):
    """One connection (RFC 5321): a line, an answer, until QUIT."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        self._stand_in = self.server.stand_in
        self._encrypted = False
        self._known = self._stand_in.login is None
        self._sender, self._recipients = "", list[str]()
        if self._stand_in.implicit:
            self._encrypt()
        self._file = self.request.makefile("rb")
        self._say("220 stand-in ESMTP")
        with contextlib.suppress(OSError):
            while (line := self._file.readline()) and self._answer(line.decode("ascii", "replace").strip()):
                pass

    def finish(self) -> None:
        """Close what STARTTLS may have put in the connection's place."""
        self.request.close()

    def _answer(self, line: str) -> bool:
        """Answer one command; False where it was the last."""
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO":
                self._say(self._offers())
            case "STARTTLS" if self._stand_in.tls and not self._encrypted:
                self._say("220 go ahead")
                self._file.close()
                self._encrypt()
                self._file = self.request.makefile("rb")
            case "AUTH":
                self._say(self._authenticate(rest))
            case "MAIL":
                self._sender, self._recipients = _address(rest), []
                self._say("250 ok" if self._known else "530 5.7.0 log in first")
            case "RCPT":
                self._say(self._recipient(_address(rest)))
            case "DATA":
                self._data()
            case "QUIT":
                self._say("221 bye")
                return False
            case _:
                self._say("250 ok")
        return True

    def _offers(self) -> str:
        offers = ["stand-in", "8BITMIME"]
        offers += ["STARTTLS"] if self._stand_in.tls and not self._encrypted else []
        offers += ["AUTH PLAIN"] if self._stand_in.login else []
        return "\r\n".join([*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}"])

    def _authenticate(self, rest: str) -> str:
        parts = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        self._known = tuple(parts[1:]) == self._stand_in.login
        return "235 welcome" if self._known else "535 5.7.8 wrong user or password"

    def _recipient(self, address: str) -> str:
        if address in self._stand_in.unknown:
            return f"550 5.1.1 no such user {address}"
        self._recipients.append(address)
        return "250 ok"

    def _data(self) -> None:
        self._say("354 go on")
        lines = []
        while (line := self._file.readline()) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b"..") else line)
        if self._stand_in.refusals:
            self._say(self._stand_in.refusals.popleft())
            return
        mail = Mail(self._sender, tuple(self._recipients), b"".join(lines), self._encrypted)
        self._stand_in.mails.append(mail)
        self._say("250 kept")

    def _encrypt(self) -> None:
        assert self._stand_in.tls is not None
        self.request = self._stand_in.tls.wrap_socket(self.request, server_side=True)
        if self.request.selected_alpn_protocol() == _NO_MAIL:
            raise ConnectionAbortedError
        self._encrypted = True

    def _say(self, text: str) -> None:
        data = f"{text}\r\n".encode()
        if not self._stand_in.drip:
            self.request.sendall(data)
            return
        for byte in data:
            self.request.sendall(bytes([byte]))
            self._stand_in.stopping.wait(self._stand_in.drip)


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
