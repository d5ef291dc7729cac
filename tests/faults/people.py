"""People who act in PagerDuty while things break: its signed webhooks go to a replica, and are retried."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from random import Random
from typing import Self

from responder.standins.pagerduty import PagerDutyStandIn
from tests.faults.timeline import Timeline

#: Secret of the webhook subscription.
SECRET = "signs-webhooks-of-the-suite"
#: Seconds that a day lasts for the retries.
DAY_SECONDS = 120.0
#: Longest pause between two deeds, in seconds.
PAUSE_SECONDS = 0.8


@dataclass(frozen=True, slots=True)
class Deed:
    """An action in PagerDuty: the id of its event, and the dedup key of its incident."""

    event: str
    dedup_key: str


class People:
    """Acknowledges and annotates open incidents until it is left. ``deeds`` are those done."""

    def __init__(self, pagerduty: PagerDutyStandIn, seed: int, timeline: Timeline) -> None:
        self.deeds: list[Deed] = []
        self._pagerduty = pagerduty
        self._dice = Random(seed)
        self._timeline = timeline
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._dice.uniform(0.1, PAUSE_SECONDS)):
            if not (incidents := self._pagerduty.open()):
                continue
            incident = self._dice.choice(incidents)
            if incident.state == "triggered" and self._dice.random() < 0.5:
                event = self._pagerduty.act(incident, "acknowledged")
            else:
                event = self._pagerduty.act(incident, "annotated", content=f"looked at it, {len(self.deeds)}")
            self.deeds.append(Deed(str(event["id"]), incident.dedup_key))
            self._timeline.note(f"{event['event_type']}: {incident.title}")
