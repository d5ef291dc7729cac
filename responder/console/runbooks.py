"""The pages of the runbooks: a list, and each runbook rendered, with the values and findings of an incident."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, abort, render_template, request

from responder.checked_file import files_below, read_file
from responder.console.access import needs
from responder.console.app import Console
from responder.console.markdown import MOST_PARSED, html_of
from responder.console.pages import report_of
from responder.model.report import IncidentContent
from responder.notify.report import sections
from responder.runbooks.document import parse
from responder.settings.access import Role
from responder.store.incidents import records

#: Runbooks by name and text; parsing takes most of the time of a page.
_parsed = lru_cache(maxsize=MOST_PARSED)(parse)


def names_in(folder: Path) -> list[str]:
    """Return the runbooks of a folder by their path in it, the only ones that are shown."""
    return sorted(path.relative_to(folder).as_posix() for path in files_below(folder, ".md")) if folder.is_dir() else []


def blueprint(console: Console) -> Blueprint:
    """Return the routes."""
    routes, folder = Blueprint("runbooks", __name__), console.runbooks

    @routes.get("/runbooks")
    @needs(Role.READ)
    def listed() -> str:
        found = [(name, _parsed(name, _text(folder, name))) for name in names_in(folder)]
        return render_template("runbooks.html", rows=found, folder=folder)

    @routes.get("/runbooks/<path:name>")
    @needs(Role.READ)
    def runbook(name: str) -> str:
        if name not in names_in(folder):
            abort(404, "There is no such runbook in the folder of the console.")
        with console.database.read() as connection:
            found = records.of_incident(connection, request.args.get("incident", "").upper())
        text, report = _text(folder, name), report_of(found, console.clock.now()) if found else None
        document, values = _parsed(name, text), _values(found.content if found else None)
        return render_template(
            "runbook.html",
            document=document,
            html=html_of(text, {each.line: each.anchor for each in document.sections}, values),
            incident=found.incident if found else None,
            findings=sections.findings(report) if report else (),
        )

    return routes


def _text(folder: Path, name: str) -> str:
    try:
        return read_file(folder / name, folder).decode("utf-8", "replace")
    except OSError as error:
        abort(404, f"{name} cannot be read: {error.strerror or error}.")


def _values(content: IncidentContent | None) -> Mapping[str, str]:
    """Return the values of placeholders that an incident gives."""
    if content is None:
        return {}
    own = {"service": content.decision.service, "namespace": content.decision.namespace}
    return {**content.alerts.labels, **{name: value for name, value in own.items() if value}}
