"""How often alerts fired lately, as a Prometheus remembers it: what a rule is worth. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from responder.rulebook.prometheus_rules import AlertRule

_FIRING = 'ALERTS{alertstate="firing"}'
_STEPS = 10_000
_COARSEST = 60


@dataclass(frozen=True, slots=True)
class FiringStats:
    """How many times an alert began to fire, and how many hours it did, all its series together."""

    times: float = 0.0
    hours: float = 0.0


NOTHING = FiringStats()

Key = tuple[str, str]
"""The name of an alert and its label ``severity``, empty where it has none."""


class NoVectorError(Exception):
    """An answer of Prometheus that does not say how often alerts fired."""


def queries(since: timedelta) -> tuple[str, str]:
    """What to ask for the times and for the hours. Prometheus looks once a minute, more often in a short range."""
    seconds = int(since.total_seconds())
    step = max(1, min(_COARSEST, seconds // _STEPS))
    began = f"({_FIRING} unless {_FIRING} offset {step}s)"
    times = f"sum by (alertname, severity) (sum_over_time({began}[{seconds}s:{step}s]))"
    hours = f"sum by (alertname, severity) (count_over_time({_FIRING}[{seconds}s:{step}s])) * {step} / 3600"
    return times, hours


def read(times: Any, hours: Any) -> dict[Key, FiringStats]:
    """The weight of each alert out of the answers to both queries. Raises NoVectorError."""
    began, lasted = _values(times), _values(hours)
    return {key: FiringStats(began.get(key, 0.0), lasted.get(key, 0.0)) for key in began.keys() | lasted.keys()}


def _values(answer: Any) -> dict[Key, float]:
    try:
        return {
            (each["metric"].get("alertname", ""), each["metric"].get("severity", "")): float(each["value"][1])
            for each in answer["data"]["result"]
        }
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise NoVectorError(f"it does not say how often alerts fired: {error!r}") from error


def shared(alerts: Sequence[AlertRule], weights: dict[Key, FiringStats]) -> tuple[list[FiringStats], FiringStats]:
    """The weight of each alert, and of what fired and is none of them. Together they are what was given.

    What fired belongs to the alert of its name and severity, else to those of its name without a severity of their own.
    Several that cannot be told apart share it.
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
