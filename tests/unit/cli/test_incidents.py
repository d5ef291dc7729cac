"""`responder incidents`: lists, timelines, and actions that `serve` applies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from responder.cli import main
from responder.cli.incidents import WATCH_SECONDS, looking
from responder.cli.table import format_time
from responder.engine.workers.actions import ActionWorker
from responder.engine.workers.triage import IncidentWriter
from responder.model.transcript import StepRecord
from responder.store.database import Database
from responder.store.incidents import actions, incidents, records, transcripts
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_page_again import host, notified
from tests.unit.engine.workers.test_triage import Shop


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A triage with an open incident that was paged."""
    found = Shop(database, clock)
    found.context = a_desk(replace(EVERYTHING, probes=()))
    notified(found, host(1))
    yield found
    found.diagnosis.close()
    structlog.reset_defaults()


@pytest.fixture
def run(shop: Shop, database_url: str) -> Callable[..., Result]:
    """Run one command line."""
    assert shop is not None
    return lambda *given: CliRunner().invoke(main, ["incidents", *given], env={"RESPONDER_DATABASE_URL": database_url})


def incident(shop: Shop) -> str:
    """The id of the incident."""
    return str(shop.rows("SELECT id FROM incidents")[0][0])


def apply(shop: Shop) -> None:
    """Apply the stored actions, as ``serve`` does."""
    ActionWorker(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock).step()


def test_list_is_json_in_a_pipe_and_a_table_on_request(shop: Shop, run: Callable[..., Result]) -> None:
    """A pipe gets JSON, ``--output text`` a table with the state."""
    (row,) = json.loads(run("list").stdout)
    assert (row["id"], row["state"], row["acknowledged_by"]) == (incident(shop), "open", "")
    head, line = run("list", "--output", "text").stdout.splitlines()
    assert head.split() == ["ID", "SEVERITY", "STATE", "OPENED", "SERVICE", "TEAMS", "TITLE"]
    assert line.split()[:3] == [incident(shop), row["severity"], "open"]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--state", "resolved"), 0),
        (("--state", "all"), 1),
        (("--severity", "P9"), 0),
        (("--service", "nobody"), 0),
        (("--team", "nobody"), 0),
        (("--text", "HOST"), 1),
        (("--text", "nothing like it"), 0),
        (("--since", "1m"), 0),
        (("--limit", "1"), 1),
    ],
)
def test_filters(run: Callable[..., Result], options: tuple[str, ...], count: int) -> None:
    """Each filter admits only incidents that match."""
    assert len(json.loads(run("list", *options).stdout)) == count


def test_a_watched_list_follows_the_incident_until_ctrl_c(
    shop: Shop, run: Callable[..., Result], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``--watch`` what happens elsewhere is shown at the next look; Ctrl-C ends it without an error."""
    monkeypatch.setenv("RESPONDER_DATABASE_URL", database_url)
    seen: list[str] = []

    def look(database: Database) -> None:
        with database.read() as connection:
            seen.append(records.listed(connection, records.Filter(), 1)[0].state)

    def wait(seconds: float) -> None:
        assert seconds == WATCH_SECONDS
        if len(seen) == 2:
            raise KeyboardInterrupt
        run("ack", incident(shop), "--as", "Ann", "--wait", "0")
        apply(shop)

    looking(look, watch=True, wait=wait)
    looking(look, watch=False, wait=wait)
    assert seen == ["open", "acknowledged", "acknowledged"]


def test_an_action_is_stored_and_applied_by_serve(shop: Shop, run: Callable[..., Result]) -> None:
    """Without ``serve`` the action is stored; ``serve`` applies it and the list shows it."""
    done = run("ack", incident(shop).lower(), "--as", "Ann", "--wait", "0")
    assert (done.exit_code, "stored" in done.stdout) == (0, True), done.output
    apply(shop)
    (row,) = json.loads(run("list").stdout)
    assert (row["state"], row["acknowledged_by"]) == ("acknowledged", "Ann")


def test_a_snooze_acknowledges_until_its_end(shop: Shop, run: Callable[..., Result]) -> None:
    """It is an acknowledgement with an end, before which there is no reminder."""
    assert run("ack", incident(shop), "--snooze", "2h", "--as", "Ann", "--wait", "0").exit_code == 0
    apply(shop)
    (row,) = json.loads(run("list").stdout)
    assert row["acknowledged_by"] == "Ann"
    assert "snoozed until" in run("show", incident(shop)).stdout
    assert run("ack", incident(shop), "--snooze", "soon", "--as", "Ann").exit_code == 2


def test_the_outcome_is_printed_and_a_refusal_fails(shop: Shop, run: Callable[..., Result]) -> None:
    """While ``serve`` runs, the command prints the outcome; exit status 1 for a refused action."""

    def acted(*given: str) -> Result:
        serving = threading.Event()

        def serve() -> None:
            while not serving.wait(0.05):
                apply(shop)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return run(*given)
        finally:
            serving.set()
            thread.join()

    done = acted("resolve", incident(shop), "--reason", "restarted", "--as", "Ann")
    said = f"{incident(shop)}: resolved by Ann (command line): restarted"
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, said)
    refused = acted("ack", incident(shop), "--as", "Ann")
    said = f"{incident(shop)}: refused: the incident is resolved"
    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (1, said)


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        (("ack", "INC-nothing"), 1, "no incident INC-nothing; run: responder incidents list"),
        (("show", "<script>\x1b[31m"), 1, "no incident <script>"),
        (("note", "INC-1", " "), 2, "the note is empty"),
        (("ack", "INC-1", "--as", " "), 2, "--as needs a name"),
        (("ack",), 2, "Missing argument"),
        (("publish", "INC-nothing"), 1, "no incident INC-nothing"),
        (("list", "--since", "soon"), 2, "--since"),
    ],
)
def test_refusals(shop: Shop, run: Callable[..., Result], given: tuple[str, ...], status: int, said: str) -> None:
    """A wrong command line stores nothing, and says what is wrong without control characters."""
    done = run(*given)
    assert (done.exit_code, said in done.stderr, "\x1b" in done.stderr) == (status, True, False), done.output
    assert shop.rows("SELECT count(*) FROM actions")[0][0] == 0


def test_one_unknown_id_stores_no_action(shop: Shop, run: Callable[..., Result]) -> None:
    """Of several ids either all get the action or none."""
    assert run("ack", incident(shop), "INC-nothing").exit_code == 1
    assert shop.rows("SELECT count(*) FROM actions")[0][0] == 0


def test_show_is_the_timeline(shop: Shop, run: Callable[..., Result]) -> None:
    """``show`` lists the notification, its outcome, and actions with names as one line."""
    run("note", incident(shop), "drain <b>node</b>\n7", "--as", "Ann\n<b>", "--wait", "0")
    apply(shop)
    with shop.database.read() as connection:
        assert actions.of_incident(connection, incident(shop))[0].state == "applied"
    shown: dict[str, Any] = json.loads(run("show", incident(shop)).stdout)
    kinds = [each["kind"] for each in shown["timeline"]]
    assert kinds == ["received", "decided", "action"]
    assert shown["timeline"][-1]["text"] == "note by Ann <b> (command line): drain <b>node</b> 7"
    text = run("show", incident(shop), "--output", "text").stdout
    assert text.startswith(f"Incident      {incident(shop)} ")
    assert "TIME" in text


def test_show_prints_recorded_steps_of_runbooks(shop: Shop, run: Callable[..., Result]) -> None:
    """A recorded step is a line of the timeline; ``--transcripts`` adds its command and output, in JSON all fields."""
    at = shop.clock.now()
    step = StepRecord(
        at=at,
        runbook="a.md#b",
        step="step 1: pods",
        result="match",
        command="kubectl get pods",
        output="one\n\x1b[31mtwo",
    )
    with shop.database.transaction() as connection:
        assert transcripts.add(connection, incident(shop), (step,))
    brief = run("show", incident(shop), "--output", "text").stdout
    assert "a.md#b: step 1: pods: as expected" in brief
    assert "kubectl" not in brief
    text = run("show", incident(shop), "--transcripts", "--output", "text").stdout
    assert text.splitlines()[-5:] == [
        f"{format_time(at)} a.md#b: step 1: pods",
        *("  $ kubectl get pods", "  one", "  two"),
        "  as expected",
    ]
    shown: dict[str, Any] = json.loads(run("show", incident(shop), "--transcripts").stdout)
    assert [each["text"] for each in shown["timeline"] if each["kind"] == "runbook"] == [
        "a.md#b: step 1: pods: as expected"
    ]
    assert [(each["command"], each["result"]) for each in shown["transcripts"]] == [("kubectl get pods", "match")]


def test_postmortem_is_written_into_a_new_file(shop: Shop, run: Callable[..., Result], tmp_path: Path) -> None:
    """The draft goes to standard output or into a new file; a file with a person's text is not overwritten."""
    number, path = incident(shop), tmp_path / "draft.md"
    printed = run("postmortem", number.lower())
    assert printed.exit_code == 0
    assert "# Post-mortem: " in printed.stdout
    assert f"- Incident: {number}" in printed.stdout
    done = run("postmortem", number, "--output", str(path))
    assert (done.exit_code, done.stdout) == (0, "")
    assert path.read_text().startswith("# Post-mortem: ")
    again = run("postmortem", number, "--output", str(path))
    assert again.exit_code == 1
    assert "--force" in again.stderr
    assert run("postmortem", number, "--output", str(path), "--force").exit_code == 0
    assert run("postmortem", number, "--output", str(tmp_path / "no" / "draft.md")).exit_code == 1
    assert "no incident inc-none" in run("postmortem", "inc-none").stderr


def test_a_publication_is_shown_and_confirmed(shop: Shop, run: Callable[..., Result]) -> None:
    """The text is shown; without a confirmation nothing is stored, and an incident without a page is refused."""
    assert "needs status_pages" in run("publish", incident(shop)).stderr
    with shop.database.transaction() as connection:
        found = incidents.contents_of(connection, [incident(shop)])[incident(shop)]
        page: dict[str, Any] = {
            "status_pages": ("public",),
            "components": {"public": ("c1",)},
            "impact": "Searches fail.",
        }
        changed = replace(found, decision=replace(found.decision, **page))
        incidents.save_contents(connection, [changed], [], shop.clock.now())
    asked = run("publish", incident(shop))
    assert (asked.exit_code, "text: Searches fail." in asked.stderr) == (1, True), asked.output
    assert shop.rows("SELECT count(*) FROM actions")[0][0] == 0
    assert run("publish", incident(shop), "--yes", "--as", "Ann", "--wait", "0").exit_code == 0
    assert "open as investigating" in asked.stderr
    assert run("publish", incident(shop), "--status", "monitoring", "--yes", "--wait", "0").exit_code == 0
    assert shop.rows("SELECT kind, target FROM actions") == [("publish", "Investigating"), ("publish", "Monitoring")]


def test_rejudge_replays_the_newest_notification(shop: Shop, run: Callable[..., Result]) -> None:
    """The effects by the rules in force are shown, and the payload is stored again unless it is a dry run."""
    before = shop.rows("SELECT count(*) FROM notifications")[0][0]
    dry = run("rejudge", incident(shop), "--dry-run")
    assert (dry.exit_code, shop.rows("SELECT count(*) FROM notifications")[0][0]) == (0, before), dry.output
    done = run("rejudge", incident(shop).lower())
    assert (done.exit_code, shop.rows("SELECT count(*) FROM notifications")[0][0]) == (0, before + 1), done.output
    assert run("rejudge", "INC-nothing").exit_code == 1
