"""The log: the page as plain lines on a terminal, where no other channel is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from responder.model.message import Letter, Request, Response
from responder.model.outcome import Outcome
from responder.model.report import Moment
from responder.notify.contract import Channel, Use
from responder.notify.render.plain_text import page, title
from responder.notify.render.response import judged

URL = "log:"  # the deliverer prints what goes here
_STEPS = ("print",)


@dataclass(frozen=True, slots=True)
class Log(Channel):
    """Prints each message. It has no settings and nothing to keep secret."""

    name: str = "log"
    title: ClassVar[str] = "the log"
    fallback_order: ClassVar[int] = 100
    use: ClassVar[Use] = Use.LAST_RESORT
    steps: ClassVar[Mapping[Moment, tuple[str, ...]]] = dict.fromkeys(Moment, _STEPS)
    pace: ClassVar[None] = None

    def render(self, letter: Letter) -> Request:
        """The page as text; its title alone in the minimal form."""
        rows = [title(letter.report)] if letter.plain else list(page(letter.report))
        return Request(url=URL, body="\n".join(rows).encode("utf-8", "replace"))

    def read(self, letter: Letter, response: Response) -> Outcome:
        """Printed is delivered."""
        return judged(letter, response, "")
