"""Mail: plain text that every client shows, one thread for each incident, and the last fallback that reaches on-call.

1. Ask for an account that may submit mail: the server's name, its port (587 with STARTTLS, 465 with TLS), a user and
   a password. With Google and Microsoft that is an app password or a relay of the organisation.
2. Set `RESPONDER_SMTP_HOST`, `RESPONDER_SMTP_FROM` and `RESPONDER_SMTP_TO`, and `RESPONDER_SMTP_USER` with
   `RESPONDER_SMTP_PASSWORD` if the server needs a login. `RESPONDER_SMTP_FROM` is an address that the account may use.

`responder doctor` checks the server and the login, `responder doctor --send` mails a test page. The channel of the
settings is a fallback only. A channel of a rule file, with the server of the settings, is notified as any other:

    channels:
      payments-mail: {kind: smtp, to: "payments-oncall@example.com, payments-lead@example.com"}

The subject is the title of the page. All mails of an incident refer to the same message (`In-Reply-To` and
`References`), so that clients show one thread.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from responder.model.check import Result, bad, ok, warn
from responder.model.message import ClaimedMessage, MailServer, Request, Response
from responder.model.outcome import Outcome
from responder.model.report import MessageKind
from responder.model.setting import Setting, one_of, port, secret
from responder.model.text import cut, one_line
from responder.notify.contract import Channel, RateLimit, SendRequest, ShownMessage, Use, per_minute
from responder.notify.render.plain_text import lines, minimal, rows_of, title
from responder.notify.render.response import ascii_only, outcome_of

if TYPE_CHECKING:
    from email.message import EmailMessage

URL = "submission:"  # the deliverer mails what goes here
#: Characters of a subject.
SUBJECT_LIMIT = 180
#: Lines of a mail.
MOST_LINES = 400
#: Characters of a line of the minimal form.
LINE_LIMIT = 2_000
# Deliberately narrow: what can be written into a mail's header without any quoting.
_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def addresses(text: str) -> tuple[str, ...]:
    """Return the parts of a list that is separated by commas."""
    return tuple(filter(None, map(str.strip, text.split(","))))


def _address_problem(text: str) -> str:
    wrong = [each for each in addresses(text) if not _MAIL.fullmatch(each)]
    return f"has '{wrong[0]}': write plain addresses, for example oncall@example.com" if wrong else ""


@dataclass(frozen=True, slots=True)
class Smtp(Channel):
    """Mails from ``sender`` to ``recipients``, plain addresses both, through ``server``."""

    sender: str
    recipients: tuple[str, ...]
    server: MailServer
    name: str = field(default="smtp", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("smtp_host", "mail server, the last fallback for pages", calls_oncall=True),
        Setting("smtp_port", "its port", kind=int, default=587, check=port),
        Setting(
            "smtp_tls",
            "starttls, tls (from the first byte, port 465) or none",
            default="starttls",
            check=one_of("starttls", "tls", "none"),
        ),
        Setting("smtp_user", "user to log in as; empty for no login"),
        secret("smtp_password", "password of that user"),
        Setting("smtp_from", "address that mails come from", check=_address_problem),
        Setting("smtp_to", "addresses that mails go to, separated by commas", check=_address_problem),
    )
    destination: ClassVar[str] = "smtp_to"
    alertmanager_receiver: ClassVar[str] = "email_configs"
    assumed: ClassVar[Mapping[str, Any]] = {
        "smtp_host": "localhost",
        "smtp_from": "responder@localhost",
        "smtp_to": "oncall@localhost",
    }
    title: ClassVar[str] = "the mail server"
    fallback_order: ClassVar[int] = 60
    use: ClassVar[Use] = Use.FALLBACK
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = dict.fromkeys(MessageKind, ("mail",))
    rate_limit: ClassVar[RateLimit] = per_minute(60, 10)

    @property
    def reaches_on_call(self) -> bool:
        """A mail is sent to reach on-call."""
        return True

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the mail server."""
        if not (given["smtp_host"] and given["smtp_from"] and given["smtp_to"]):
            return None
        server = MailServer(
            host=given["smtp_host"],
            port=given["smtp_port"],
            tls=given["smtp_tls"],
            user=given["smtp_user"],
            password=given["smtp_password"],
        )
        return cls(given["smtp_from"], addresses(given["smtp_to"]), server)

    @property
    def counted_by(self) -> object:
        """The account at the server."""
        return self.server.host, str(self.server.port), self.server.user

    @classmethod
    def problems(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is missing, and a password that would be sent in the clear."""
        if given["smtp_host"] and not (given["smtp_from"] and given["smtp_to"]):
            yield "RESPONDER_SMTP_HOST needs RESPONDER_SMTP_FROM and RESPONDER_SMTP_TO"
        password = given["smtp_password"].reveal()
        if bool(given["smtp_user"]) != bool(password):
            yield "RESPONDER_SMTP_USER and RESPONDER_SMTP_PASSWORD go together: set both or none"
        if password and given["smtp_tls"] == "none":
            yield "RESPONDER_SMTP_TLS is none: the password would be sent in the clear; write starttls or tls"

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that the server answers, proves its identity and takes the login. No mail is sent."""
        server = self.server
        where = f"{server.host}:{server.port}"
        answer = send(Request(URL, b"", mail_server=server))
        if answer.status != 200:
            said = answer.body.decode("utf-8", "replace")
            yield bad(self.name, f"{where} refuses: {said}", "see RESPONDER_SMTP_USER and RESPONDER_SMTP_PASSWORD")
            return
        done = ["answers", *(["over verified TLS"] if server.tls != "none" else [])]
        done += ["and accepts the login"] if server.user else []
        yield ok(self.name, f"{where} {' '.join(done)}; --send proves that mails are accepted")
        if server.tls == "none":
            yield warn(self.name, "mails are sent in the clear", "set RESPONDER_SMTP_TLS to starttls or tls")

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return the size of the mail, and the mail as a client shows it."""
        mail = _read(sent[0])
        text = f"To: {mail['To']}\nSubject: {mail['Subject']}\n\n{mail.get_content()}".replace("\r\n", "\n")
        return f"{len(sent[0].body):,} bytes", text.encode("utf-8", "replace")

    def shown(self, request: Request) -> ShownMessage:
        """Return the mail as a client shows it."""
        mail = _read(request)
        return ShownMessage(
            where=f"mail to {mail['To']}", title=mail["Subject"], rows=tuple(rows_of(mail.get_content()))
        )

    def render(self, message: ClaimedMessage) -> Request:
        """The mail as it goes over the wire, in 7 bits.

        The mails of an incident refer to one another, so that clients show them as one thread.
        """
        from email.message import EmailMessage
        from email.policy import SMTP

        report = message.report
        domain = self.sender.rpartition("@")[2]
        thread = f"<{report.incident}@{domain}>"
        mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
        subject = ascii_only(title(report)) if message.minimal else title(report)
        mail["Subject"] = cut(one_line(subject), SUBJECT_LIMIT)
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Date"] = report.written_at
        mail["Message-ID"] = f"<{message.id}.{report.incident}@{domain}>"
        mail["In-Reply-To"] = mail["References"] = thread
        mail["Auto-Submitted"] = "auto-generated"
        if report.pages and report.kind in {MessageKind.START, MessageKind.AGAIN, MessageKind.FALLBACK}:
            mail["Importance"] = "high"
        rows = minimal(report, LINE_LIMIT) if message.minimal else _cut(list(lines(report)))
        mail.set_content("\n".join(rows) + "\n")
        envelope = {"From": self.sender, "To": ", ".join(self.recipients)}
        return Request(url=URL, body=mail.as_bytes(), headers=envelope, mail_server=self.server)

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome of the status that the mailer made: 200 accepted, 422 refused for good, 503 not now."""
        return outcome_of(message, response, response.body[:500].decode("utf-8", "replace"), of="mail")


def _read(request: Request) -> "EmailMessage":
    from email import message_from_bytes
    from email.policy import default

    return message_from_bytes(request.body, policy=default)


def _cut(rows: list[str]) -> list[str]:
    left = len(rows) - MOST_LINES
    return [*rows[:MOST_LINES], f"Cut: {left} more lines left out."] if left > 0 else rows
