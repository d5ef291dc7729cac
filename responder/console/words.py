"""Times, states and texts as the pages show them: the filters of the templates. All results are escaped."""

from datetime import datetime

from markupsafe import Markup

from responder.console.markdown import linked
from responder.model.clock import short_duration
from responder.model.finding import Finding
from responder.model.text import clean
from responder.notify.render.chart import caption, chart_of, svg
from responder.notify.report.links import safe_url
from responder.notify.report.sections import result


def when(at: datetime | None, now: datetime | None = None) -> Markup:
    """Return a time in UTC: of day if it is today, else with its date."""
    if at is None:
        return Markup("&ndash;")
    today = now is not None and at.date() == now.date()
    shown = f"{at:%H:%M}" if today else f"{at:%b} {at.day}, {at:%H:%M}" if _near(at, now) else f"{at:%Y-%m-%d %H:%M}"
    exact = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return Markup(f'<time datetime="{at.isoformat(timespec="seconds")}" title="{exact}">{shown} UTC</time>')  # noqa: S704 - digits and names of months


def without_control_characters(value: object) -> object:
    """Return a text without control and invisible characters. Every expression of a page passes through it."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def bare_title(title: str, severity: str) -> str:
    """Return a title without the severity in front, which stands beside it."""
    return title.removeprefix(f"[{severity}] ")


def _near(at: datetime, now: datetime | None) -> bool:
    return now is not None and abs((now - at).days) < 300


def ago(at: datetime | None, now: datetime) -> str:
    """Return how long ago a time was: ``14 min``."""
    return short_duration((now - at).total_seconds()) if at else ""


def offset(at: datetime, start: datetime) -> str:
    """Return the time since a start: ``+2.1 s`` within the first minute, then ``+14 min``."""
    seconds = (at - start).total_seconds()
    sign = "+" if seconds >= 0 else "-"
    return f"{sign}{abs(seconds):.1f} s" if abs(seconds) < 60 else f"{sign}{short_duration(abs(seconds))}"


def picture(finding: Finding, fired_at: datetime | None = None) -> Markup:
    """Return the range behind a finding as a figure; empty if none is stored."""
    found = chart_of(finding, fired_at)
    if found is None:
        return Markup()
    drawn = Markup(svg(found, f"{clean(finding.headline)}: {caption(found)}"))  # noqa: S704 - numbers, and a label it escapes
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(drawn, caption(found))


#: Filters of the templates.
FILTERS = {
    "when": when,
    "ago": ago,
    "bare_title": bare_title,
    "offset": offset,
    "safe_url": safe_url,
    "linked": linked,
    "result": result,
    "chart": picture,
}
