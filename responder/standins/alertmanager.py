"""Alertmanager's API v2 for silences: what it accepts, refuses and does, as measured with 0.25 and read in 0.34."""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from responder.standins.server import Call, OnEvent, Reply, StandIn, as_json

_FILTER = re.compile(r'("(?:[^"\\]|\\.)*"|[a-zA-Z_:][a-zA-Z0-9_:]*)=("(?:[^"\\]|\\.)*")', re.DOTALL)
_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSilence:
    """A silence; ``matchers`` as they were posted."""

    id: str
    matchers: tuple[Mapping[str, Any], ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str

    def state(self, now: datetime) -> str:
        """Return ``pending``, ``active`` or ``expired``."""
        return "expired" if self.ends_at <= now else "pending" if self.starts_at > now else "active"

    def mutes(self, labels: Mapping[str, str]) -> bool:
        """Return True if every matcher matches."""
        return all((_matches(each, labels.get(each["name"], ""))) is each["isEqual"] for each in self.matchers)


class AlertmanagerStandIn(StandIn):
    """Holds silences and alerts. ``alerts`` maps fingerprints to labels; ``now`` is the clock of this server.

    ``utf8_names`` is True from version 0.27 on, ``unknown_silence`` 404 from 0.26 on and 500 before.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = _wall_clock,
        utf8_names: bool = True,
        unknown_silence: int = 404,
        on_event: OnEvent | None = None,
    ) -> None:
        super().__init__(on_event=on_event)
        self.now = now
        self.alerts: dict[str, dict[str, str]] = {}
        self.silences: dict[str, StoredSilence] = {}
        self._utf8_names = utf8_names
        self._unknown_silence = unknown_silence

    @property
    def active(self) -> list[StoredSilence]:
        """The silences that have not expired."""
        with self.lock:
            return [each for each in self.silences.values() if each.state(self.now()) != "expired"]

    def answer(self, call: Call) -> Reply:
        """Answer as Alertmanager does, with its own clock in the Date header."""
        with self.lock:
            reply = self._answer(call)
        return replace(reply, headers={**reply.headers, "Date": format_datetime(self.now(), usegmt=True)})

    def _answer(self, call: Call) -> Reply:
        parts = urlsplit(call.path)
        wanted = self._filters(parts.query)
        match call.method, parts.path:
            case "GET", "/api/v2/status":
                status = {"uptime": "2026-01-01T00:00:00.000Z", "cluster": {"status": "disabled"}, "versionInfo": {}}
                return as_json(200, status)
            case "GET", "/api/v2/alerts" if wanted is not None:
                found = [each for each in self.alerts.items() if all(each[1].get(k, "") == v for k, v in wanted)]
                return as_json(200, [self._alert(*each) for each in found])
            case "GET", "/api/v2/silences" if wanted is not None:
                return as_json(200, [self._shown(each) for each in self.silences.values() if _has(each, wanted)])
            case "POST", "/api/v2/silences":
                return self._post(call.body)
        if wanted is None:
            return as_json(400, "bad matcher format")
        number = unquote(parts.path.removeprefix("/api/v2/silence/"))
        known = self.silences.get(number)
        if number == parts.path or call.method not in {"GET", "DELETE"}:
            return as_json(404, "no such path")
        if known is None:
            return as_json(404 if call.method == "GET" else self._unknown_silence, "silence not found")
        if call.method == "DELETE":
            self._expire(known)
            return Reply(200)
        return as_json(200, self._shown(known))

    def _post(self, body: bytes) -> Reply:
        given = json.loads(body)
        matchers = tuple({"isRegex": False, "isEqual": True, **each} for each in given.get("matchers", ()))
        if not matchers:
            return as_json(422, "matchers in body should have at least 1 items")
        starts_at, ends_at = (datetime.fromisoformat(given[name]) for name in ("startsAt", "endsAt"))
        if why := self._problem(matchers, starts_at, ends_at):
            return as_json(400, why)
        now, known = self.now(), self.silences.get(given.get("id", ""))
        if given.get("id") and known is None:
            return as_json(404, "silence not found")
        number = str(uuid.uuid4())
        if known is not None and known.state(now) != "expired":
            if known.matchers == matchers and int(known.starts_at.timestamp()) == int(starts_at.timestamp()):
                number = known.id
            else:
                self._expire(known)
        self.silences[number] = StoredSilence(
            id=number,
            matchers=matchers,
            starts_at=max(starts_at, now) if known is None or number != known.id else starts_at,
            ends_at=ends_at,
            created_by=given.get("createdBy", ""),
            comment=given.get("comment", ""),
        )
        return as_json(200, {"silenceID": number})

    def _problem(self, matchers: tuple[Mapping[str, Any], ...], starts_at: datetime, ends_at: datetime) -> str:
        if ends_at <= starts_at:
            return "failed to create silence: start time must be before end time"
        if ends_at <= self.now():
            return "failed to create silence: end time can't be in the past"
        for each in matchers:
            if not self._utf8_names and not _CLASSIC_NAME.fullmatch(each["name"]):
                return f'failed to create silence: silence invalid: invalid label name "{each["name"]}"'
        if all(_matches(each, "") is each["isEqual"] for each in matchers):
            return "failed to create silence: at least one matcher must not match the empty string"
        return ""

    def _expire(self, silence: StoredSilence) -> None:
        self.silences[silence.id] = replace(silence, ends_at=min(silence.ends_at, self.now()))

    def _filters(self, query: str) -> list[tuple[str, str]] | None:
        """Return the equalities of a query; None if one cannot be read."""
        found = [
            _FILTER.fullmatch(value) for name, value in parse_qsl(query, keep_blank_values=True) if name == "filter"
        ]
        pairs = [(_unquoted(each[1]), _unquoted(each[2])) for each in found if each]
        bad = not self._utf8_names and any(not _CLASSIC_NAME.fullmatch(name) for name, _value in pairs)
        return None if bad or len(pairs) != len(found) else pairs

    def _alert(self, fingerprint: str, labels: Mapping[str, str]) -> dict[str, Any]:
        by = [each.id for each in self.silences.values() if each.state(self.now()) == "active" and each.mutes(labels)]
        status = {"state": "suppressed" if by else "active", "silencedBy": by, "inhibitedBy": []}
        return {"fingerprint": fingerprint, "labels": labels, "status": status}

    def _shown(self, silence: StoredSilence) -> dict[str, Any]:
        return {
            "id": silence.id,
            "matchers": silence.matchers,
            "startsAt": _written(silence.starts_at),
            "endsAt": _written(silence.ends_at),
            "createdBy": silence.created_by,
            "comment": silence.comment,
            "status": {"state": silence.state(self.now())},
        }


def _has(silence: StoredSilence, wanted: list[tuple[str, str]]) -> bool:
    return all(any((each["name"], each["value"]) == pair for each in silence.matchers) for pair in wanted)


def _matches(matcher: Mapping[str, Any], value: str) -> bool:
    return bool(re.fullmatch(matcher["value"], value)) if matcher["isRegex"] else matcher["value"] == value


def _unquoted(text: str) -> str:
    return str(json.loads(text)) if text.startswith('"') else text


def _written(moment: datetime) -> str:
    """Return a time as the API writes it, in milliseconds."""
    return (moment - timedelta(microseconds=moment.microsecond % 1000)).isoformat().replace("+00:00", "Z")
