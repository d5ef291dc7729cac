"""Mail leaves under the same rules as all else: in time, over verified TLS, and every refusal has a name."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from responder.bootstrap import SystemClock
from responder.model.clock import Deadline
from responder.model.message import Request
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.notify.channels.smtp import Smtp
from responder.notify.delivery.deliver import Deliverer
from responder.outgoing import Outgoing, UnreachableError
from responder.outgoing.smtp import Mailer
from tests.support.builders import a_letter, a_mail_server, a_report
from tests.support.faulty import Fault, faulty
from tests.support.mail import MailStandIn
from tests.unit.diagnose.test_tls import Authority, serving

LETTER = a_letter(a_report(title="[P1] plato is down"), channel="smtp", step="mail")
PASSWORD = "hunter2hunter2"


class Post:
    """The deliverer with a mail server."""

    def __init__(self, port: int, tls: str = "none", authority: Authority | None = None, user: str = "") -> None:
        clock = SystemClock()
        ca_file = str(authority.root) if authority else ""
        self.outgoing = outgoing = Outgoing(clock, ca_file=ca_file)
        assert outgoing.tls  # loads the system's certificates: seconds on a busy machine, and of no mail's deadline
        self.server = a_mail_server(port, tls, user, PASSWORD if user else "")
        self.channel = Smtp("responder@example.com", ("oncall@example.com", "lead@example.com"), self.server)
        self.mailer = Mailer(outgoing, clock)
        self.deliverer = Deliverer(outgoing, clock, lambda _page: None, (self.server.password,), self.mailer)

    def send(self, seconds: float = 5.0) -> Outcome:
        """One mail."""
        return self.deliverer.deliver(self.channel, LETTER, Deadline(time.monotonic() + seconds))


@pytest.fixture
def server() -> Iterator[MailStandIn]:
    """A plain one."""
    with MailStandIn() as found:
        yield found


def test_a_mail_arrives_as_it_was_written(server: MailStandIn) -> None:
    """Everybody who is configured gets the page, with its title as the subject."""
    assert Post(server.port).send() == Delivered()
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == ("responder@example.com", ("oncall@example.com", "lead@example.com"))
    assert mail.message["Subject"] == "[P1] plato is down"
    assert "See whether a rollout is under way" in mail.message.get_content()


def test_no_thread_outlives_a_mail(server: MailStandIn) -> None:
    """The thread that cuts a late conversation ends with it: as a daemon it could abort the end of the process."""
    post = Post(server.port)
    for _ in range(30):
        post.send()
        assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())


@pytest.mark.parametrize(("mode", "implicit"), [("starttls", False), ("tls", True)])
def test_a_login_goes_over_verified_tls(tmp_path: Path, mode: str, implicit: bool) -> None:
    """The password is sent to the configured server only."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate((-1, 80), "127.0.0.1"))
    with MailStandIn(tls=context, implicit=implicit, login=("responder", PASSWORD)) as server:
        assert Post(server.port, mode, authority, "responder").send() == Delivered()
        assert [mail.encrypted for mail in server.mails] == [True]
        stranger = Post(server.port, mode, None, "responder").send()
        assert isinstance(stranger, TryLater)
        assert "TLS" in stranger.reason
        assert len(server.mails) == 1


def test_a_mail_server_hears_nothing_of_http(tmp_path: Path) -> None:
    """Mail still leaves after Slack or PagerDuty was called: a server that is offered HTTP's protocol hangs up."""
    authority = Authority(tmp_path)
    path = authority.certificate((-1, 80), "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with serving(path) as web, MailStandIn(tls=context, implicit=True) as server:
        post = Post(server.port, "tls", authority)
        with pytest.raises(UnreachableError, match="connection closed"):  # after a handshake: it speaks no HTTP
            post.outgoing.send(Request(f"https://{web}/", b"", {}, "GET"), Deadline(time.monotonic() + 5))
        assert post.send() == Delivered()


def test_a_wrong_password_is_refused_without_showing_it(tmp_path: Path) -> None:
    """A wrong password has a name in the log, and the password has not."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate((-1, 80), "127.0.0.1"))
    with MailStandIn(tls=context, login=("responder", "another")) as server:
        outcome = Post(server.port, "starttls", authority, "responder").send()
    assert isinstance(outcome, Refused)
    assert "wrong user or password" in outcome.reason
    assert PASSWORD not in outcome.reason


def test_a_server_without_starttls_gets_no_mail(server: MailStandIn) -> None:
    """A server in between cannot disable encryption."""
    outcome = Post(server.port, "starttls").send()
    assert isinstance(outcome, TryLater)
    assert "STARTTLS" in outcome.reason
    assert server.mails == []


@pytest.mark.parametrize(
    ("answer", "kind"), [("451 4.3.0 try later", TryLater), ("421 closing", TryLater), ("554 5.7.1 no", Refused)]
)
def test_what_the_server_says_decides(server: MailStandIn, answer: str, kind: type) -> None:
    """Temporary errors are retried, permanent ones are not; the server's words are the reason."""
    server.refusals.append(answer)
    outcome = Post(server.port).send()
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Delivered)
    assert answer in outcome.reason


def test_one_unknown_recipient_keeps_no_other_from_the_mail(server: MailStandIn) -> None:
    """One rejected recipient does not stop the page; all of them are a rejection."""
    server.unknown = {"lead@example.com"}
    assert Post(server.port).send() == Delivered()
    assert server.mails[0].recipients == ("oncall@example.com",)
    server.unknown.add("oncall@example.com")
    outcome = Post(server.port).send()
    assert isinstance(outcome, Refused)
    assert "550 5.1.1 no such user" in outcome.reason


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("mode", ["none", "tls"])
def test_no_mail_server_holds_us_beyond_the_deadline(fault: Fault, mode: str) -> None:
    """However it misbehaves, even a byte at a time, there is one named reason, in time."""
    with faulty(fault) as address:
        post = Post(int(address.rpartition(":")[2]), mode)
        request = post.channel.render(LETTER)
        began = time.monotonic()
        with pytest.raises(UnreachableError):
            post.mailer.send(request, Deadline(began + 0.3), 1000)
        assert time.monotonic() - began < 1.5


def test_a_server_that_drips_is_cut_off() -> None:
    """A conversation that would last for minutes ends at the deadline."""
    with MailStandIn(drip=0.2) as server:
        began = time.monotonic()
        outcome = Post(server.port).send(0.5)
        assert time.monotonic() - began < 2
    assert isinstance(outcome, TryLater)
    assert "timed out" in outcome.reason
