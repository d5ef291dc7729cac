"""The log: the page as plain lines on standard output, if no other channel is configured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Outcome
from responder.model.report import MessageKind
from responder.notify.contract import Channel, ShownMessage, Use
from responder.notify.render.plain_text import lines, minimal, rows_of
from responder.notify.render.response import outcome_of

URL = "stdout:"  # the deliverer prints what goes here
#: Characters of a line of the minimal form.
LINE_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Log(Channel):
    """Prints each message. It has no settings and nothing to keep secret."""

    name: str = "log"
    title: ClassVar[str] = "the log"
    fallback_order: ClassVar[int] = 100
    use: ClassVar[Use] = Use.LAST_RESORT
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = dict.fromkeys(MessageKind, ("print",))
    rate_limit: ClassVar[None] = None

    @classmethod
    def from_settings(cls, _given: Mapping[str, Any]) -> Self:
        """Return the log, which is always there."""
        return cls()

    def dry_run(self, _sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return why the page is printed."""
        return "no channel is configured for this severity: the page is printed to the log", b""

    def shown(self, request: Request) -> ShownMessage:
        """Return the printed text."""
        text = request.body.decode("utf-8", "replace")
        title = text.splitlines()[1]
        return ShownMessage(
            where="no channel is configured: printed to the log", title=title, rows=tuple(rows_of(text))
        )

    def render(self, message: ClaimedMessage) -> Request:
        """Return the page as text."""
        rows = minimal(message.report, LINE_LIMIT) if message.minimal else lines(message.report)
        return Request(url=URL, body="\n".join(rows).encode("utf-8", "replace"))

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Printed is delivered."""
        return outcome_of(message, response, "")
