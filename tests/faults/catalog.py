"""The faults, as a plain dict. Each is started, lasts for its seconds, and is undone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from responder.notify.channels.pagerduty import UNKNOWN_SECONDS
from tests.faults.large import body_above_the_limit
from tests.faults.manners import (
    accepts_and_dies,
    answers_429,
    answers_500,
    answers_html,
    cannot,
    hangs,
    misbehave,
    refuses_all_but_the_plainest,
    refuses_everything,
    resets,
)
from tests.faults.pause import pause_replica, pause_sender
from tests.faults.strikes import (
    Strike,
    break_engine_thread,
    delete_log,
    disk_full,
    half_requests,
    hang_probes,
    kill_at_press,
    kill_postgres,
    kill_replica,
    kill_worker,
    lose_log,
    move_clock,
    reload_and_kill,
    replace_database,
    restart_postgres,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that lasts at most ``longest`` seconds.

    Faults of one ``queue`` never overlap; those of different lanes do. ``engine`` is the database it needs,
    empty for both.
    """

    queue: str
    longest: float
    strike: Strike
    engine: str = ""


#: The fault that needs a disk of its own.
NEEDS_DISK = "disk full"

_process = partial(Fault, queue="process")
_database = partial(Fault, queue="database")
_pagerduty = partial(Fault, queue="pagerduty", longest=4.0)
_slack = partial(Fault, queue="slack", longest=4.0)
_silences = partial(Fault, queue="silences", longest=4.0)
_clock = partial(Fault, queue="clock", longest=4.0)

FAULTS: dict[str, Fault] = {
    "SIGKILL of a worker": _process(longest=0.1, strike=kill_worker),
    "SIGKILL around a press": _process(longest=0.1, strike=kill_at_press),
    "SIGKILL of a replica": _process(longest=2.0, strike=kill_replica),
    "the log is lost": _process(longest=1.0, strike=lose_log),
    "engine threads die": _process(longest=0.5, strike=break_engine_thread),
    # Of the process queue: no process that still has a deleted log open is killed meanwhile.
    "SQLite's log is deleted": _process(longest=0.1, strike=delete_log, engine="sqlite"),
    "SQLite's file is replaced": _process(longest=2.0, strike=replace_database, engine="sqlite"),
    "reload followed by a worker's death": _process(longest=2.0, strike=reload_and_kill),
    "a paused sender": _process(longest=8.0, strike=pause_sender),
    "a paused replica": _process(longest=8.0, strike=pause_replica),
    "PostgreSQL restarted": _database(longest=2.0, strike=restart_postgres, engine="postgres"),
    "SIGKILL of PostgreSQL": _database(longest=2.0, strike=kill_postgres, engine="postgres"),
    NEEDS_DISK: _database(longest=2.5, strike=disk_full, engine="sqlite"),
    "PagerDuty: 500": _pagerduty(strike=misbehave("PagerDuty", answers_500, away=True)),
    "PagerDuty: 429": _pagerduty(strike=misbehave("PagerDuty", answers_429, away=True)),
    "PagerDuty: 400 to full pages": _pagerduty(strike=misbehave("PagerDuty", refuses_all_but_the_plainest)),
    "PagerDuty: 400 to everything, which ends": _pagerduty(
        strike=misbehave("PagerDuty", refuses_everything, away=True)
    ),
    "PagerDuty: a 2xx that means nothing": _pagerduty(
        strike=misbehave("PagerDuty", answers_html, away=True, lasting=UNKNOWN_SECONDS + 1)
    ),
    "PagerDuty: hangs": _pagerduty(strike=misbehave("PagerDuty", hangs, away=True)),
    "PagerDuty: resets": _pagerduty(strike=misbehave("PagerDuty", resets, away=True)),
    "PagerDuty: accepts and dies": _pagerduty(strike=misbehave("PagerDuty", accepts_and_dies)),
    "Slack: 500": _slack(strike=misbehave("Slack", answers_500)),
    "Slack: 429": _slack(strike=misbehave("Slack", answers_429)),
    "Slack: not ok": _slack(strike=misbehave("Slack", cannot)),
    "Slack: hangs": _slack(strike=misbehave("Slack", hangs)),
    "Slack: resets": _slack(strike=misbehave("Slack", resets)),
    "Slack: accepts and dies": _slack(strike=misbehave("Slack", accepts_and_dies)),
    "Alertmanager: 500": _silences(strike=misbehave("Alertmanager", answers_500)),
    "Alertmanager: hangs": _silences(strike=misbehave("Alertmanager", hangs)),
    "Alertmanager: resets": _silences(strike=misbehave("Alertmanager", resets)),
    "Alertmanager: accepts and dies": _silences(strike=misbehave("Alertmanager", accepts_and_dies)),
    "half requests": Fault(queue="clients", longest=6.0, strike=half_requests),
    "a body above the limit": Fault(queue="clients", longest=1.0, strike=body_above_the_limit),
    "every probe hangs": Fault(queue="probes", longest=6.0, strike=hang_probes),
    "the clocks jump an hour ahead": _clock(strike=move_clock(3600)),
    "the clocks jump an hour back": _clock(strike=move_clock(-3600)),
}
