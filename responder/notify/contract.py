"""The contract of a channel, and its rate limits.

A channel does no I/O: it renders requests and reads responses; ``deliver.py`` sends.

Shared parts of channels: ``report/sections.py`` (the sections of a message, in their order, and its headline),
``render/plain_text.py`` (the message and its minimal form as text), ``render/response.py`` (JSON, cutting, and the
outcome of a status) and ``report/links.py`` (``safe_url``).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from operator import attrgetter
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from responder.model.check import Result, skipped
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Outcome
from responder.model.report import MessageKind
from responder.model.rule import Link
from responder.model.secret import Secret
from responder.model.setting import Setting

#: Float tolerance in seconds.
_HAIR = 1e-6
#: Seconds by which the clocks of replicas may differ. More than that, and a clock was set back.
SKEW = 10.0


@dataclass(frozen=True, slots=True)
class Available:
    """Messages that may be sent now: ``urgent`` in all, of which ``other`` may be of any severity but the worst."""

    urgent: int
    other: int

    def within(self, most: int) -> "Available":
        """Return the number of messages, ``most`` at most."""
        return Available(min(self.urgent, most), min(self.other, most))


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``burst`` messages at once, then one every ``interval`` seconds. The last ``reserve`` are for the worst severity.

    What was sent is remembered as one number, the time at which the bucket is full again (the generic cell rate
    algorithm, ITU-T I.371): two processes that update it in turns share one bucket.
    """

    interval: float
    burst: int
    reserve: int

    def available(self, full_at: float, now: float) -> Available:
        """Return the messages that may be sent at ``now``. Both are seconds since the epoch."""
        used = self._used(full_at, now)
        left = max(0, int((self.burst * self.interval - used + _HAIR) / self.interval))
        return Available(urgent=left, other=max(0, left - self.reserve))

    def full_after(self, full_at: float, now: float, count: int) -> float:
        """Return the time at which the bucket is full again after ``count`` more messages."""
        return now + self._used(full_at, now) + count * self.interval

    def emptied(self, full_at: float, now: float, at: float) -> float:
        """Return that time if the vendor accepts nothing before ``at``: then one of the worst severity may try."""
        return max(now + self._used(full_at, now), at + (self.burst - 1) * self.interval)

    def wait(self, full_at: float, now: float) -> float:
        """Return the seconds until a message of another severity than the worst may be sent; 0 if it may be now."""
        return max(0.0, self._used(full_at, now) - (self.burst - self.reserve - 1) * self.interval)

    def _used(self, full_at: float, now: float) -> float:
        """Return the seconds until the bucket is full; 0 if a clock that was set back since has written ``full_at``."""
        most = self.burst * self.interval
        used = max(0.0, full_at - now)
        return min(used, most) if used <= most + SKEW else 0.0


@dataclass(frozen=True, slots=True)
class MethodLimit:
    """A rate limit that a vendor counts for one of its methods, across channels.

    ``counted_by`` are the values by which it counts, which are never stored; ``steps`` use the method. ``pauses_all``
    is True if the vendor has no other limit of the method, so that its 429 concerns all channels.
    """

    method: str
    counted_by: tuple[str, ...]
    rate_limit: RateLimit
    steps: frozenset[str]
    pauses_all: bool


def per_minute(limit: int, burst: int) -> RateLimit:
    """At most ``limit`` messages in any minute, ``burst`` of them at once, half of the burst for the worst severity."""
    burst = max(1, min(burst, limit // 2))
    return RateLimit(interval=60.0 / max(1, limit - burst), burst=burst, reserve=burst // 2)


#: Sends a request and returns the response; the caller handles unreachable servers.
SendRequest = Callable[[Request], Response]


def call_host(send: SendRequest, url: Secret, path: str = "/") -> None:
    """Send a GET request for ``path`` to the host of an address. The address itself would post a message."""
    address = urlsplit(url.reveal())
    send(Request(f"{address.scheme}://{address.netloc}{path}", b"", method="GET"))


#: End of the name of a companion of one channel, whose references to messages it gets.
COMPANION_SUFFIX = ".pictures"


class Use(Enum):
    """Use of a channel: by rules, as a fallback only, or as the last resort."""

    #: Rules name it.
    RULES = "rules"
    #: Only instead of a channel that does not take a page; rules cannot name it. Rule files may declare channels of its
    #: kind if it has a destination, and rules may name those.
    FALLBACK = "fallback"
    #: Severities name it, and it shows incidents to customers: a person confirms each of them. Rules cannot name it.
    STATUS_PAGE = "status page"
    #: Severities with ``room: true`` use it: a place of its own for each incident. Rules cannot name it.
    ROOM = "room"
    #: Only where no other channel is left; rules cannot name it.
    LAST_RESORT = "last resort"
    #: Beside channels of the kinds in ``accompanies``, for actions of people and late findings; rules cannot name it.
    COMPANION = "companion"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMessage:
    """A message as people read it.

    ``where`` is the place and what the vendor shows beside the title. A row is a name and a text, or a text by itself.
    ``links`` are the addresses behind its texts.
    """

    where: str
    title: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(ABC):
    """A destination of messages: an instance of a kind, which is the class, under a name of its own.

    Everything that other modules need to know of a channel is declared here; none of them knows a channel's name.
    """

    #: The name that rules, the outbox and the metrics use.
    name: str = field(default="")

    settings: ClassVar[tuple[Setting, ...]] = ()
    #: The setting that says where messages go: a channel of a rule file gives it itself. Empty if there is none.
    destination: ClassVar[str] = ""
    #: The key of its receivers in an alertmanager.yml; empty if Alertmanager has no such receivers.
    alertmanager_receiver: ClassVar[str] = ""
    #: Settings that only rule files give, beside ``settings``; their names start with the kind's, too.
    file_settings: ClassVar[tuple[Setting, ...]] = ()
    #: Values of settings that ``dry-run`` and ``rules test`` assume where they are not set. Secrets need none.
    assumed: ClassVar[Mapping[str, Any]] = {}
    #: Name in a sentence.
    title: ClassVar[str]
    #: Fields by whose values the vendor counts messages: channels with equal ones share one rate limit.
    account: ClassVar[tuple[str, ...]] = ("name",)
    #: True if a message opens an incident at the vendor that calls on-call. The vendor merges messages of one dedup
    #: key, does not page for an update, and keeps the incident open until it is resolved.
    pages: ClassVar[bool] = False
    #: Place among the channels that are tried one after the other for a page that was not accepted; None for never.
    fallback_order: ClassVar[int | None] = None
    use: ClassVar[Use] = Use.RULES
    #: The name of the channel whose messages it gets where that one is not configured; empty for none.
    stands_in_for: ClassVar[str] = ""
    #: The kinds of the channels that it accompanies; empty for a channel that incidents are sent to.
    accompanies: ClassVar[frozenset[str]] = frozenset()
    #: Steps of each kind of message, in order: each is a message of its own, with this word as its ``step``. A channel
    #: that sends one message for each kind has one step, as here.
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = dict.fromkeys(MessageKind, ("post",))
    #: The step that changes the first message in place without a notification; empty if the vendor has none.
    edits: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel that the settings describe, None for none.

        ``given`` has every setting of all channels, and ``public_url`` and ``console_url``, the addresses of
        responder itself and of its console.
        """

    @classmethod
    def from_rule_files(cls, name: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> Self | None:
        """Return the channel that rule files declare under a name; None if ``given`` lacks what ``own`` leaves out.

        ``own`` are its settings by name, ``given`` those of ``from_settings``.
        """
        found = cls.from_settings({**given, **own})
        return replace(found, name=name) if found else None

    @classmethod
    def keys(cls) -> Mapping[str, Setting]:
        """Return its settings by the keys of a rule file: their names without the kind's."""
        prefix = f"{cls.__dataclass_fields__['name'].default}_"
        return {each.name.removeprefix(prefix): each for each in (*cls.settings, *cls.file_settings)}

    @classmethod
    def destination_key(cls) -> tuple[str, Setting]:
        """Return the destination with its key in a rule file. Raises StopIteration if the kind has none."""
        return next((key, each) for key, each in cls.keys().items() if each.name == cls.destination)

    @classmethod
    def problems(cls, _given: Mapping[str, Any]) -> Iterable[str]:
        """Return problems of settings that are valid one by one."""
        return ()

    @property
    @abstractmethod
    def rate_limit(self) -> RateLimit | None:
        """Rate limit for all replicas together; None for no limit."""

    @property
    def counted_by(self) -> object:
        """Values by which the vendor counts messages: those of ``account``. Compared at each claim, never stored."""
        return attrgetter(*self.account)(self)

    @property
    def method_limits(self) -> tuple[MethodLimit, ...]:
        """Limits of the vendor's methods, in addition to ``rate_limit``."""
        return ()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Its own secrets, which no reason and no log shows."""
        values = (getattr(self, each.name) for each in fields(self))
        return tuple(value for value in values if isinstance(value, Secret))

    @property
    def kind(self) -> str:
        """Name of its kind, which is that of the channel of the settings."""
        return str(self.__dataclass_fields__["name"].default)

    @classmethod
    def is_additional(cls) -> bool:
        """True if it only adds to what the other channels send: its messages fall back to no other channel."""
        return cls.use in {Use.STATUS_PAGE, Use.ROOM}

    @property
    def keeps_open(self) -> bool:
        """True if a message opens an incident at the vendor, so that there is a resolve only after it."""
        return self.pages or self.use is Use.STATUS_PAGE

    @property
    def reaches_on_call(self) -> bool:
        """True if a page that is sent here as a fallback calls on-call."""
        return self.pages

    @property
    def clock_url(self) -> str:
        """Address of the vendor that ``doctor`` compares the clock with; empty for none."""
        return ""

    @property
    def is_fallback_only(self) -> bool:
        """True if rules cannot name it, since it is only a fallback."""
        return self.use is Use.FALLBACK and self.name == self.kind

    @abstractmethod
    def render(self, message: ClaimedMessage) -> Request:
        """Return the request for a message, within the vendor's limits; the minimal form if ``message.minimal``.

        The minimal form is sent after the vendor refused the full one, so that no text of an alert can be the cause
        twice: ASCII, few lines, no markup. A message that was cut says so, with ``Cut`` or an ellipsis.
        """

    def early(self, _message: ClaimedMessage) -> Outcome | None:
        """Return the outcome of a message that is not sent, or not yet; None to send it."""
        return None

    def following(self, _message: ClaimedMessage, _responses: Sequence[Response]) -> Request | None:
        """Return the next request of an attempt of several, after these responses; None after the last."""
        return None

    @abstractmethod
    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the meaning of a response. Never raises, whatever came back."""

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return the summary line and the text that ``dry-run --raw`` shows for the requests of one report."""
        return f"{len(sent[0].body):,} bytes", sent[0].body

    def shown(self, request: Request) -> ShownMessage:
        """Return what people read of a request, after the cuts of ``render``; only the size of one for a program."""
        return ShownMessage(where=f"request of {len(request.body):,} bytes; --raw shows it")

    @classmethod
    def unconfigured(cls, name: str) -> Result:
        """Return the result of ``doctor`` for a kind that is not configured."""
        needed = [f"RESPONDER_{each.name.upper()}" for each in cls.settings[:1]]
        return skipped(name, "is not configured", f"set {needed[0]}" if needed else "")

    def check(self, _call: SendRequest) -> Iterable[Result]:
        """Return the results of ``doctor``, without sending a message."""
        return ()
