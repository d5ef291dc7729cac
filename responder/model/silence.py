"""Silences of incidents in Alertmanager."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

#: Labels and their values, each an equality. Those of a silence are the labels of the incident's group.
Matchers = Mapping[str, str]

_MARKER = re.compile(r"\[responder (INC-[0-9A-Z]{1,30})\]$")


def marker(incident: str) -> str:
    """Return the end of the comment of each silence of an incident, by which it is found again."""
    return f"[responder {incident}]"


def incident_of(comment: str) -> str:
    """Return the incident that a silence with this comment belongs to, empty if responder did not create it."""
    found = _MARKER.search(comment)
    return found[1] if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """The silence of an incident: ``ids`` are its silences in Alertmanager, one for each group of the incident."""

    by: str
    at: datetime
    until: datetime
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceResult:
    """The answer of Alertmanager to a silence or to its end. ``problem`` is why it was not done, empty if it was.

    ``ids`` are the silences that were created, extended or expired. ``note`` is what people should know about it.
    """

    ids: tuple[str, ...] = ()
    problem: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceReach:
    """The alerts that matchers match now: their number, and how many of them are no alerts of the incident."""

    total: int
    others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceOrder:
    """A silence to create. ``cluster`` is the incident's.

    ``groups`` are the matchers of each silence, ``own`` the fingerprints of the incident's alerts, and ``confirmed`` is
    the number of other alerts that the person agreed to silence, too. ``comment`` ends with ``marker``, by which the
    incident's silences are found again.
    """

    cluster: str
    groups: tuple[Matchers, ...]
    own: frozenset[str]
    confirmed: int
    by: str
    comment: str
    marker: str
    until: datetime
