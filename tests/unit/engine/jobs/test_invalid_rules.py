"""Invalid rule files over a real database: one message about responder itself, and an incident that resolves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from responder.engine.jobs.own_incidents import EVERY, HOLD, InvalidRulesJob
from responder.engine.jobs.recheck import RecheckJob
from responder.engine.workers.rule_reloader import RulesStatus
from responder.engine.workers.triage import IncidentWriter
from responder.store.database import Database
from responder.store.incidents import incidents
from tests.conftest import HandClock
from tests.support.jobs import RunJobs
from tests.unit.engine.test_pipeline import a_desk


class Reporting(RunJobs):
    """The status of the rules, and the jobs that look at it."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        context, writer = a_desk(), IncidentWriter(database, clock)
        self.status = RulesStatus("0123456789abcdef", clock.now())
        jobs = (
            InvalidRulesJob(database, writer, lambda: context, clock, lambda: self.status),
            RecheckJob(database, writer, lambda: context, clock),
        )
        super().__init__(database, clock, EVERY, jobs)

    def refuse(self, *, kept: bool) -> None:
        """The files are invalid from now on."""
        problem = "rules/a.yaml:1:1: error[unknown-key]: no"
        self.status = replace(self.status, refused=2, problem=problem, refused_at=self._clock.now(), kept=kept)

    def open(self) -> list[str]:
        """The reasons of the open incidents."""
        with self._database.read() as connection:
            return [each.reason for each in incidents.open_ones(connection)]


def test_invalid_rules_are_one_message_that_pages_nobody(database: Database, clock: HandClock) -> None:
    """However long files stay invalid, on-call reads it once, with the first problem, and once that it is over."""
    reporting = Reporting(database, clock)
    reporting.refuse(kept=False)
    reporting.passes(timedelta(seconds=50))
    assert reporting.sent() == []
    reporting.passes(timedelta(hours=1))
    (reason,) = reporting.open()
    assert "the rule files are invalid (2 problems)" in reason
    assert "rules/a.yaml:1:1" in reason
    first = reporting.sent()
    assert first == [("slack", "post"), ("slack", "details")]
    reporting.status = RulesStatus("fedcba9876543210", clock.now())
    reporting.passes(HOLD + timedelta(seconds=30))
    assert reporting.open() == []
    assert {channel for channel, _ in reporting.sent()[2:]} == {"slack"}


def test_the_revision_of_the_database_is_reported_at_once(database: Database, clock: HandClock) -> None:
    """A start with invalid files is no slip of an editor."""
    reporting = Reporting(database, clock)
    reporting.refuse(kept=True)
    reporting.passes(EVERY)
    (reason,) = reporting.open()
    assert "the last valid revision, kept in the database, is in force" in reason


def test_a_slip_is_not_reported(database: Database, clock: HandClock) -> None:
    """Files that are fixed within a minute lead to no message."""
    reporting = Reporting(database, clock)
    reporting.refuse(kept=False)
    reporting.passes(timedelta(seconds=30))
    reporting.status = RulesStatus("fedcba9876543210", clock.now())
    reporting.passes(timedelta(minutes=10))
    assert (reporting.sent(), reporting.open()) == ([], [])
