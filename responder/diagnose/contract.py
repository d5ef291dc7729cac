"""What a kind of probe is. Adding one: a file in ``probes/``, a line in ``PROBES``, a case in the contract tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from responder.model.clock import Clock, Deadline
from responder.model.decision import Subject
from responder.model.finding import Finding
from responder.model.rule import ProbeSpec, Service
from responder.outgoing import Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeContext:
    """All that a question may be made of: who the alert is about, the catalogue, and where Prometheus is.

    Addresses come from the catalogue and the settings only. Values of ``subject`` are hostile: they only select from
    the catalogue, or go through the builder for the language they end up in.
    """

    subject: Subject
    services: Mapping[str, Service]
    prometheus_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeQuestion:
    """One question, complete and not yet asked; a dry-run prints it.

    ``target`` is who it is about in people's words, ``question`` what will be asked, fit to be pasted. ``skip`` says
    why it cannot be, empty where it can. ``wire`` is the kind's own: what ``look`` needs to ask it. ``timeout`` is
    seconds. ``place`` is who must answer, where that is not the target itself: a Prometheus, a host and port.
    """

    probe: str
    kind: str
    target: str
    question: str
    timeout: float
    link: str = ""
    skip: str = ""
    wire: Any = None
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTools:
    """What a probe looks with."""

    outgoing: Outgoing
    clock: Clock


Spec = TypeVar("Spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeKind(Generic[Spec]):
    """A kind of probe, with the type of its own values in a rule file.

    ``spec`` is a frozen dataclass: its fields are the keys a rule file may give (checked with pydantic, unknown keys
    are problems). ``check`` returns what is wrong with a spec beyond its types, as sentences. ``asks`` is pure and
    never fails: what cannot be asked becomes a skipped Ask. ``look`` asks one: it returns by the deadline, raises
    nothing, and answers unknown whenever it could not look. ``opening`` is what it sends first over a connection, empty
    for nothing: a request that cannot change anything.
    """

    name: str
    spec: type[Spec]
    check: Callable[[Spec], tuple[str, ...]]
    asks: Callable[[ProbeSpec[Spec], ProbeContext], tuple[ProbeQuestion, ...]]
    look: Callable[[ProbeQuestion, Deadline, ProbeTools], Finding]
    opening: bytes
