"""People who act in PagerDuty and in Slack while things break. PagerDuty retries its webhooks to a replica."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from random import Random
from typing import Self

from tests.faults.presses import Presses
from tests.faults.timeline import Timeline
from tests.support.pagerduty_account import PagerDutyAccount

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
    """Act on open incidents until it is left: by ``presses`` in Slack, and in PagerDuty, where ``deeds`` are done."""

    def __init__(self, pagerduty: PagerDutyAccount, presses: Presses, seed: int, timeline: Timeline) -> None:
        self.deeds: list[Deed] = []
        self._pagerduty = pagerduty
        self._presses = presses
        self._seed = seed
        self._dice = Random(seed)
        self._timeline = timeline
        self._stopping = threading.Event()
        targets = (self._act_in_pagerduty, self._press)
        self._threads = [threading.Thread(target=each, daemon=True) for each in targets]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        for each in self._threads:
            each.join()

    def _press(self) -> None:
        dice = Random(f"presses {self._seed}")
        while not self._stopping.wait(dice.uniform(0.1, PAUSE_SECONDS)):
            self._presses.act(dice)

    def _act_in_pagerduty(self) -> None:
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
