"""The known stream: which alerts fire, from when until when. Everything follows from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

#: Start of the last alert, in seconds.
SECONDS = 7.0
SERVICES = ("capsule", "odyssey", "perception", "plato", "nexus")
#: Seconds a page may wait for its diagnosis, for the severities that page, as in rules/all.yaml.
BUDGETS = {"P1": 2.0, "P2": 4.0}
TOLD_IN_SLACK = frozenset({"P1", "P3"})
#: RESPONDER_MAX_BODY_BYTES of the replicas.
MAX_BODY_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Episode:
    """Seconds from the start of the stream; ``until`` is None for an alert that still fires at the end."""

    begins: float
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of the stream; its name is its distinguishing label."""

    name: str
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Alerts that Alertmanager gathers, the first of which fires from the group's beginning to its end.

    ``budget`` is the number of seconds its page may wait for its diagnosis, None if its severity does not page.
    ``unlike`` marks one that must be paged by itself during any flood.
    """

    name: str
    severity: str
    service: str
    alerts: tuple[Alert, ...]
    budget: float | None = None
    alertname: str = "Fault"
    unlike: bool = False

    @property
    def pages(self) -> bool:
        """True if the alert must page."""
        return self.budget is not None

    @property
    def ends(self) -> bool:
        """True if all its alerts are resolved in the end."""
        return all(alert.episodes[-1].until is not None for alert in self.alerts)

    @property
    def flaps(self) -> bool:
        """True if it re-fires after it was resolved."""
        return len(self.alerts[0].episodes) > 1

    @property
    def group_key(self) -> str:
        """The key that Alertmanager will give it."""
        return f'{{}}:{{alertname="{self.alertname}", shard="{self.name}"}}'

    def labels(self, alert: Alert) -> dict[str, str]:
        """The alert as posted to Alertmanager."""
        return {
            "alertname": self.alertname,
            "shard": self.name,
            "service": self.service,
            "severity": self.severity,
            "namespace": "butterfly",
            "instance": alert.name,
        }


def stream(seed: int) -> tuple[Group, ...]:
    """The groups of a seed: two of each severity at least, some that resolve, some that re-fire."""
    dice = Random(f"stream {seed}")
    severities = ["P1", "P1", "P2", "P2", "P3", *dice.choices(["P1", "P2", "P3"], [2, 3, 1], k=dice.randrange(1, 4))]
    return tuple(_group(dice, f"{seed}-{number}", severity) for number, severity in enumerate(severities))


def _group(dice: Random, name: str, severity: str) -> Group:
    begins = dice.uniform(0, SECONDS)
    ends = begins + dice.uniform(1, 5) if dice.random() < 0.6 else None
    first = [Episode(begins, ends)]
    if ends and dice.random() < 0.3:
        first.append(Episode(ends + dice.uniform(1, 3), ends + dice.uniform(4, 6) if dice.random() < 0.5 else None))
        others = 0  # an alert that re-fires is alone in its group, so that the group's resolve has a definite time
    else:
        others = dice.choice([0, 0, 1, 3])
    members = [tuple(first), *(_within(dice, first[0]) for _ in range(others))]
    return Group(
        name=name,
        severity=severity,
        service=dice.choice(SERVICES),
        budget=BUDGETS.get(severity),
        alerts=tuple(Alert(name=f"{name}-{place}", episodes=each) for place, each in enumerate(members)),
    )


def _within(dice: Random, whole: Episode) -> tuple[Episode, ...]:
    """An alert that fires with or after the first one, and resolves before it."""
    begins = whole.begins + dice.uniform(0, 1)
    if whole.until is None:
        return (Episode(begins, begins + dice.uniform(1, 4) if dice.random() < 0.5 else None),)
    return (Episode(begins, max(begins, whole.until - 0.1)),)
