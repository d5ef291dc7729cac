"""Handles what Slack sends: stores an action, then answers.

Slack waits three seconds for an answer. A press is committed within them, or its answer says that it was not stored.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog

from responder.converse.apply import NOTE_LIMIT
from responder.converse.silencing import CannotSilenceError, groups_of
from responder.converse.slack import silence_form, views
from responder.converse.slack.payloads import Button, Person, Press, Submission, read
from responder.converse.timeline import timeline
from responder.counters import COUNTERS
from responder.model.action import Action, ActionKind
from responder.model.clock import Clock, time_of_day
from responder.model.incident import Incident
from responder.model.silence import SilenceReach
from responder.model.text import sanitize_line
from responder.notify.report.compose import proposed
from responder.outgoing.silences import AlertmanagerDownError, AlertmanagerRefusalError, Silences
from responder.store.database import Database, StoreError
from responder.store.incidents import actions, incidents, records

_log = structlog.get_logger()

#: The entry point's name in stored actions.
ENTRY = "slack"
#: Time in which Alertmanager says how many alerts match, in seconds: a trigger opens a dialog for three seconds.
REACH_SECONDS = 1.0
#: Time in which an action is committed, in seconds. With the second for the answer that it was NOT stored it is less
#: than Slack's three.
STORE_SECONDS = 1.5
#: Buttons that need no dialog.
_AT_ONCE = {Button.ACKNOWLEDGE: ActionKind.ACKNOWLEDGE, Button.UNSILENCE: ActionKind.UNSILENCE}
NOT_STORED = "NOT stored: responder cannot write to its database. Acknowledge in PagerDuty, or press again in a minute."
#: The reason of refusals until Slack has answered ``auth.test`` once.
UNKNOWN_WORKSPACE = (
    "Slack did not say which workspace the bot belongs to (auth.test); act in PagerDuty, or try again in a minute"
)
_SUBMITTED = {Button.NOTE: ActionKind.NOTE, Button.PUBLISH: ActionKind.PUBLISH}


class Api(Protocol):
    """The calls of Slack's Web API that answers need. Each is bounded to one second; a failure is logged there."""

    def open_view(self, trigger: str, view: Mapping[str, Any]) -> str:
        """Open a dialog. Return the reason why it could not be opened, empty for none."""

    def respond(self, url: str, message: Mapping[str, Any]) -> bool:
        """Answer the person by the ``response_url`` of a press. Return True if Slack took it."""

    def members(self, group: str) -> AbstractSet[str] | None:
        """Return the members of a user group; None if Slack has not listed them yet."""


class NotAnsweredError(Exception):
    """An action was not stored or was refused, and the answer did not arrive: Slack has to show its own warning."""


@dataclass(frozen=True, slots=True)
class SlackEntry:
    """Slack as an entry point.

    ``workspace`` returns the id of the bot's workspace, empty while it is unknown: then everybody is refused.
    ``on_kept`` wakes the engine.
    ``acting_groups`` returns the user group of each team that restricts who may act.
    ``silences`` counts the alerts that a silence would match, and ``morning`` returns the next business morning.
    """

    database: Database
    api: Api
    clock: Clock
    workspace: Callable[[], str]
    on_kept: Callable[[], None]
    silences: Silences
    morning: Callable[[datetime], datetime]
    acting_groups: Callable[[], Mapping[str, str]] = dict
    store_seconds: float = STORE_SECONDS

    def interact(self, payload: bytes) -> Mapping[str, Any] | None:
        """Handle a press or a dialog; return the body of the answer, None for an empty one.

        Raises BadPayloadError and NotAnsweredError.
        """
        found = read(payload)
        if found is None:
            return None
        if why := self._foreign(found.person):
            return self._refuse(found, why)
        try:
            if why := self._outsider(found):
                return self._refuse(found, why)
            return self._press(found) if isinstance(found, Press) else self._submit(found)
        except StoreError as error:
            _log.error("slack.not_stored", incident=found.incident, reason=str(error))
            if isinstance(found, Submission):
                return views.problem(views.TEXT, NOT_STORED)
            if not self.api.respond(found.response_url, views.answer(NOT_STORED)):
                raise NotAnsweredError(str(error)) from error
            return None

    def command(self, text: str, person: Person) -> Mapping[str, Any]:
        """Answer ``/responder`` with the open incidents, ``/responder INC-...`` with one."""
        if why := self._foreign(person):
            COUNTERS.add("responder_actions", "refused")
            _log.warning("slack.refused", command="/responder", person=sanitize_line(person.id, 40), reason=why)
            return views.answer(f"Refused: {why}.")
        wanted = text.strip().upper()
        try:
            if not wanted:
                with self.database.read() as connection:
                    return views.listed(incidents.open_ones(connection), self.clock.now())
            found = self._shown(wanted)
        except StoreError:
            return views.answer("The database of responder does not answer: try again in a minute.")
        if found is None:
            asked = sanitize_line(wanted, 60)
            return views.answer(f"There is no incident {asked}. Type /responder for the open incidents.")
        return views.shown(found)

    def _press(self, press: Press) -> Mapping[str, Any] | None:
        incident = self._incident(press.incident)
        if incident is not None and press.button is Button.POSTMORTEM:
            self._keep(press, ActionKind.POSTMORTEM)
            return None
        if incident is not None and press.button is Button.ARCHIVE:
            if incident.open:
                return self._refuse(press, f"{incident.id} is open again")
            self._keep(press, ActionKind.ARCHIVE)
            return None
        if incident is None or not incident.open:
            why = f"{press.incident} is resolved" if incident else f"there is no incident {press.incident}"
            return self._refuse(press, why)
        if press.button in _AT_ONCE:
            self._keep(press, _AT_ONCE[press.button])
            return None
        if press.button is Button.SILENCE:
            return self._ask_silence(press, incident)
        view = self._dialog(press.button, incident)
        if view is None:
            return self._refuse(press, f"no status page is named for {incident.id}")
        self._open(press, view)
        return None

    def _open(self, press: Press, view: Mapping[str, Any]) -> None:
        if why := self.api.open_view(press.trigger, view):
            self.api.respond(press.response_url, views.answer(f"Slack did not open the dialog ({why}): press again."))

    def _ask_silence(self, press: Press, incident: Incident) -> Mapping[str, Any] | None:
        """Open the dialog with the matchers and the number of alerts that they match now."""
        with self.database.read() as connection:
            content = incidents.content_of(connection, incident.id)
        reach: SilenceReach | str
        try:
            groups = groups_of(incident, content)
            reach = self.silences.reach(incident.cluster, groups, incident.alerts, REACH_SECONDS)
        except (CannotSilenceError, AlertmanagerRefusalError) as error:
            return self._refuse(press, f"NOT silenced: {error}")
        except AlertmanagerDownError as error:
            reach = str(error)
        now = self.clock.now()
        self._open(press, silence_form.dialog(incident.id, groups, reach, self.morning(now), now))
        return None

    def _submit_silence(self, form: Submission) -> Mapping[str, Any] | None:
        now = self.clock.now()
        try:
            until = silence_form.chosen_end(form.values, self.morning(now), now)
        except silence_form.BadChoiceError as error:
            return views.problem(error.input_id, str(error))
        confirmed = form.values.get(silence_form.CONFIRM, "0")
        self._keep(form, ActionKind.SILENCE, form.values.get(views.TEXT, ""), until=until, target=confirmed[:9])
        return None

    def _dialog(self, button: Button, incident: Incident) -> Mapping[str, Any] | None:
        """Return the dialog of a button; None if there is no status page to publish on."""
        if button is Button.NOTE:
            return views.note_dialog(incident.id)
        if button is not Button.PUBLISH:
            firing = sum(known.ends_at is None for known in incident.alerts.values())
            return views.resolve_dialog(incident.id, firing)
        with self.database.read() as connection:
            content = incidents.content_of(connection, incident.id)
        pages = content.decision.publishable if content else ()
        if content is None or not pages:
            return None
        updates = set(pages) <= set(incident.channels)
        text = proposed(content, pages[0], incident.id, self.clock.now(), updates=updates)
        return views.publish_dialog(incident.id, text, pages, updates=updates)

    def _submit(self, form: Submission) -> Mapping[str, Any] | None:
        incident = self._incident(form.incident)
        if incident is None:
            return self._refuse(form, f"there is no incident {form.incident}")
        kind = _SUBMITTED.get(form.button, ActionKind.RESOLVE)
        if kind is not ActionKind.NOTE and not incident.open:
            return self._refuse(form, f"{incident.id} is resolved already")
        if form.button is Button.SILENCE:
            return self._submit_silence(form)
        text = form.values.get(views.TEXT, "")
        if kind is ActionKind.NOTE and not text.strip():
            return views.problem(views.TEXT, "write what was found or done")
        self._keep(form, kind, text, target=form.values.get(views.STATUS, "")[:20])
        return None

    def _refuse(self, found: Press | Submission, why: str) -> Mapping[str, Any] | None:
        """Count a refusal, and answer it with the reason."""
        COUNTERS.add("responder_actions", "refused")
        shown = sanitize_line(found.incident, 40)
        _log.warning("slack.refused", button=found.button.value, incident=shown, person=found.person.id, reason=why)
        if isinstance(found, Submission):
            # Slack shows a problem only at an input that the dialog has.
            given = views.TEXT if views.TEXT in found.values else next(iter(found.values), views.TEXT)
            return views.problem(given, f"Refused: {why}")
        if not self.api.respond(found.response_url, views.answer(f"Refused: {why}.")):
            raise NotAnsweredError(why)
        return None

    def _outsider(self, found: Press | Submission) -> str:
        """Return the reason why a person may not act on an incident of its teams, empty for none."""
        groups = self.acting_groups()
        if not groups:
            return ""
        with self.database.read() as connection:
            content = incidents.content_of(connection, found.incident)
        teams = [team for team in content.decision.teams if team in groups] if content else []
        listed = {groups[team]: self.api.members(groups[team]) for team in teams}
        if not teams or any(found.person.id in members for members in listed.values() if members is not None):
            return ""
        if unknown := [group for group, members in listed.items() if members is None]:
            named = ", ".join(unknown)
            return f"Slack did not list the user group {named}; act in PagerDuty, or try again in a minute"
        return f"only the user group {', '.join(listed)} may act on incidents of {', '.join(teams)}"

    def _keep(
        self,
        found: Press | Submission,
        kind: ActionKind,
        text: str = "",
        *,
        until: datetime | None = None,
        target: str = "",
    ) -> None:
        action = Action(
            incident=found.incident,
            kind=kind,
            entry=ENTRY,
            key=found.key,
            actor=found.person.name,
            text=text[: NOTE_LIMIT + 1],  # a longer one ends with an ellipsis
            until=until,
            target=target,
            at=self.clock.now(),
        )
        actions.keep(self.database, action, action.at, self.store_seconds)
        self.on_kept()

    def _incident(self, incident: str) -> Incident | None:
        with self.database.read() as connection:
            return incidents.find(connection, incident)

    def _shown(self, incident: str) -> views.Shown | None:
        with self.database.read() as connection:
            found = records.of_incident(connection, incident)
        if found is None:
            return None
        now = self.clock.now()
        newest_first = reversed(timeline(found))  # what does not fit is the oldest
        rows = (f"{time_of_day(each.at, seen_from=now)} {each.kind.value}: {each.text}" for each in newest_first)
        shown = found.incident
        state = f"open since {time_of_day(shown.opened_at, seen_from=now)}" if shown.open else "resolved"
        return views.Shown(f"{shown.id} {shown.title}", (state, *rows))

    def _foreign(self, person: Person) -> str:
        """Return why a person may not act for lack of the bot's workspace, empty if nothing is wrong."""
        own = self.workspace()
        if not own:
            return UNKNOWN_WORKSPACE
        return "" if person.team == own else f"the workspace {sanitize_line(person.team, 40)} is not the bot's"
