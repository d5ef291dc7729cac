"""Prometheus' query API on loopback: instant and range queries, answered with what a test or a demo sets."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from responder.standins.server import Call, OnEvent, Reply, StandIn, as_json

_MOST_POINTS = 11_000  # as the real one


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSample:
    """A series: its value now, and the value it ``was`` at the start of a range (None: the same)."""

    value: float
    was: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


class PrometheusStandIn(StandIn):
    """Answers ``/api/v1/query`` and ``/api/v1/query_range``. ``queries`` are the expressions received, in order.

    An expression is answered by the text set last of those that occur in it; any other has an empty result.
    """

    def __init__(self, *, on_event: OnEvent | None = None) -> None:
        super().__init__(on_event=on_event)
        self.queries: list[str] = []
        self._answers: dict[str, tuple[SeriesSample, ...]] = {}

    def set(self, part: str, *samples: SeriesSample | float) -> None:
        """From now on, an expression that contains ``part`` has these series; none is an empty result."""
        with self.lock:
            self._answers.pop(part, None)
            self._answers[part] = tuple(
                sample if isinstance(sample, SeriesSample) else SeriesSample(value=sample) for sample in samples
            )

    def answer(self, call: Call) -> Reply:
        """The result as Prometheus writes it; 400 without a query, 404 elsewhere."""
        parts = urlsplit(call.path)
        if parts.path not in {"/api/v1/query", "/api/v1/query_range"}:
            return Reply(404, b"404 page not found\n")
        asked = parse_qs(parts.query) | parse_qs(call.body.decode("utf-8", "replace"))
        query = asked.get("query", [""])[0]
        if not query:
            return _error('invalid parameter "query": unknown position: parse error: no expression found in input')
        with self.lock:
            self.queries.append(query)
            found = next((part for part in reversed(self._answers) if part in query), None)
            samples = self._answers[found] if found is not None else ()
        self.emit("prometheus.query", query)
        try:
            return _range(asked, samples) if parts.path.endswith("range") else _instant(asked, samples)
        except (KeyError, ValueError):
            return _error("start, end and step of a range must be numbers, and the step positive")


def _instant(asked: Mapping[str, list[str]], samples: tuple[SeriesSample, ...]) -> Reply:
    at = float(asked.get("time", [str(time.time())])[0])
    return _data("vector", [{"metric": dict(each.labels), "value": [at, _text(each.value)]} for each in samples])


def _range(asked: Mapping[str, list[str]], samples: tuple[SeriesSample, ...]) -> Reply:
    start, end, step = (float(asked[name][0].removesuffix("s")) for name in ("start", "end", "step"))
    if step <= 0 or end < start or (end - start) / step > _MOST_POINTS:
        raise ValueError(step)
    count = int((end - start) / step) + 1
    return _data(
        "matrix",
        [
            {
                "metric": dict(each.labels),
                "values": [[start + at * step, _text(_between(each, at / max(1, count - 1)))] for at in range(count)],
            }
            for each in samples
        ],
    )


def _text(value: float) -> str:
    """Return a value with all digits, as Prometheus writes it: 1 and not 1.0."""
    return repr(value).removesuffix(".0")


def _between(sample: SeriesSample, share: float) -> float:
    was = sample.value if sample.was is None else sample.was
    return was + (sample.value - was) * share


def _data(kind: str, result: list[dict[str, Any]]) -> Reply:
    return as_json(200, {"status": "success", "data": {"resultType": kind, "result": result}})


def _error(message: str) -> Reply:
    return as_json(400, {"status": "error", "errorType": "bad_data", "error": message})
