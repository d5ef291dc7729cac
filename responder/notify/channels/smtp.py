"""Mail: the last way to reach people, plain text that every client shows. The deliverer speaks SMTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from responder.model.message import Letter, Request, Response
from responder.model.outcome import Outcome
from responder.model.report import Moment, Report
from responder.model.text import one_line
from responder.notify.contract import Channel, Use
from responder.notify.rate_limit import Pace, per_minute
from responder.notify.render.plain_text import page, title
from responder.notify.render.response import ascii_only, judged

URL = "smtp:"  # the deliverer mails what goes here
SUBJECT_LIMIT = 180
MOST_LINES = 400
_STEPS = ("mail",)


@dataclass(frozen=True, slots=True)
class Smtp(Channel):
    """Mails from ``sender`` to ``recipients``, plain addresses both. Server and password are the deliverer's."""

    sender: str
    recipients: tuple[str, ...]
    name: str = field(default="smtp", kw_only=True)
    title: ClassVar[str] = "the mail server"
    fallback_order: ClassVar[int] = 60
    use: ClassVar[Use] = Use.FALLBACK
    steps: ClassVar[Mapping[Moment, tuple[str, ...]]] = dict.fromkeys(Moment, _STEPS)
    pace: ClassVar[Pace] = per_minute(60, 10)
    wakes: ClassVar[bool] = True

    def render(self, letter: Letter) -> Request:
        """The mail as it goes over the wire, in 7 bits; in the minimal form its title, and the runbook if any.

        The mails of an incident refer to one another, so that clients show them as one thread.
        """
        from email.message import EmailMessage
        from email.policy import SMTP

        report = letter.report
        domain = self.sender.rpartition("@")[2]
        thread = f"<{report.incident}@{domain}>"
        mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
        subject = ascii_only(title(report)) if letter.plain else title(report)
        mail["Subject"] = one_line(subject)[:SUBJECT_LIMIT]
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Date"] = report.written_at
        mail["Message-ID"] = f"<{letter.id}.{report.incident}@{domain}>"
        mail["In-Reply-To"] = mail["References"] = thread
        mail["Auto-Submitted"] = "auto-generated"
        if report.pages and report.moment in {Moment.START, Moment.AGAIN, Moment.FALLBACK}:
            mail["Importance"] = "high"
        mail.set_content("\n".join(_plain(report) if letter.plain else _cut(list(page(report)))) + "\n")
        envelope = {"From": self.sender, "To": ", ".join(self.recipients)}
        return Request(url=URL, body=mail.as_bytes(), headers=envelope)

    def read(self, letter: Letter, response: Response) -> Outcome:
        """The deliverer answers in the words of HTTP: 200 accepted, 422 refused for good, 503 not now."""
        return judged(letter, response, response.body[:500].decode("utf-8", "replace"), of="mail")


def _plain(report: Report) -> list[str]:
    runbook = report.runbook.href or report.runbook.text if report.runbook else ""
    rows = (title(report), f"because {report.detour}" if report.detour else "", runbook)
    return [ascii_only(one_line(row[:2000])) for row in rows if row]


def _cut(lines: list[str]) -> list[str]:
    left = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"Cut: {left} more lines left out."] if left > 0 else lines
