"""What a channel is. It does no I/O: it renders a request and reads the response; ``deliver.py`` owns the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from responder.model.message import Letter, Request, Response
from responder.model.outcome import Outcome
from responder.model.report import Moment
from responder.notify.pace import Pace


class Channel(Protocol):
    """A place people read.

    ``steps`` says which messages a moment becomes on this channel, in order; each step is a word of the channel's own
    that comes back in ``Letter.step``.
    """

    @property
    def name(self) -> str:
        """The name rules use: the registry's key."""

    @property
    def steps(self) -> Mapping[Moment, tuple[str, ...]]:
        """Which steps each moment takes."""

    @property
    def pace(self) -> Pace | None:
        """How fast it may be sent to, all replicas together; None for as fast as we can."""

    @property
    def wakes(self) -> bool:
        """Whether a page that comes this way calls somebody."""

    def render(self, letter: Letter) -> Request:
        """The request for one message, within the vendor's limits; the minimal form where ``letter.plain``."""

    def read(self, letter: Letter, response: Response) -> Outcome:
        """What the response means. Never raises, whatever came back."""
