"""Weight of alerts: how often they fired, from a Prometheus. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from responder.rulebook.prometheus_rules import AlertRule

_FIRING = 'ALERTS{alertstate="firing"}'
#: Points of a range query, at most about.
_STEPS = 10_000
#: Seconds of the longest step: Prometheus evaluates rules about as often.
_COARSEST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class FiringStats:
    """Number of times an alert started firing, and hours it fired, over all its series."""

    times: float = 0.0
    hours: float = 0.0


NOTHING = FiringStats()

#: Alert name and its ``severity`` label, empty if it has none.
Key = tuple[str, str]


class NoVectorError(Exception):
    """Response of Prometheus that is not an instant vector of alert counts."""


def queries(since: timedelta) -> tuple[str, str]:
    """Return the queries for times and hours. The resolution is a minute, finer for a short period."""
    seconds = int(since.total_seconds())
    step = max(1, min(_COARSEST_SECONDS, seconds // _STEPS))
    began = f"({_FIRING} unless {_FIRING} offset {step}s)"
    times = f"sum by (alertname, severity) (sum_over_time({began}[{seconds}s:{step}s]))"
    hours = f"sum by (alertname, severity) (count_over_time({_FIRING}[{seconds}s:{step}s])) * {step} / 3600"
    return times, hours


def read(times: Any, hours: Any) -> dict[Key, FiringStats]:
    """Return the weight of each alert from the responses to both queries. Raises NoVectorError."""
    began, lasted = _values(times), _values(hours)
    return {key: FiringStats(began.get(key, 0.0), lasted.get(key, 0.0)) for key in began.keys() | lasted.keys()}


def _values(answer: Any) -> dict[Key, float]:
    try:
        return {
            (each["metric"].get("alertname", ""), each["metric"].get("severity", "")): float(each["value"][1])
            for each in answer["data"]["result"]
        }
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise NoVectorError(f"the response is not a vector of alert counts: {error!r}") from error


def share_weights(
    alerts: Sequence[AlertRule], weights: dict[Key, FiringStats]
) -> tuple[list[FiringStats], FiringStats]:
    """Return the weight of each alert, and that of fired alerts which are not listed. The total is preserved.

    A weight belongs to the alert of the same name and severity, else to those of the name without a severity label.
    Alerts that cannot be distinguished share it.
    """
    named: dict[str, list[int]] = {}
    for number, alert in enumerate(alerts):
        named.setdefault(alert.name, []).append(number)
    found = [NOTHING] * len(alerts)
    strange = NOTHING
    for (name, severity), weight in weights.items():
        own = {number: alerts[number].labels.get("severity", "") for number in named.get(name, ())}
        owners = [n for n, of in own.items() if of == severity] or [n for n, of in own.items() if not of] or list(own)
        for number in owners:
            found[number] = _sum(found[number], weight, 1 / len(owners))
        if not owners:
            strange = _sum(strange, weight, 1.0)
    return found, strange


def _sum(one: FiringStats, other: FiringStats, share: float) -> FiringStats:
    return FiringStats(one.times + other.times * share, one.hours + other.hours * share)
