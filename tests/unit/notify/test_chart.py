"""The range behind a finding: one geometry, drawn as SVG and as a line of text."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree as ET

from responder.notify.render.chart import caption, chart_of, spark, svg
from tests.support.builders import NOW, a_finding

POINTS = tuple((NOW.timestamp() + 60 * each, float(each)) for each in range(60))


def test_a_finding_with_fewer_than_two_moments_has_no_picture() -> None:
    """A single value is a number, not a picture."""
    assert chart_of(a_finding(points=())) is None
    assert chart_of(a_finding(points=POINTS[:1])) is None
    assert chart_of(a_finding(points=(POINTS[0], POINTS[0]))) is None


def test_everything_lies_inside_the_picture() -> None:
    """Value, threshold and start of the alert have their place, also where the threshold is above all values."""
    found = chart_of(a_finding(points=POINTS, threshold=100.0), NOW + timedelta(minutes=30))
    assert found is not None
    drawn = ET.fromstring(svg(found, 'a "label" <b>&'))
    kinds = {each.get("class"): each for each in drawn}
    assert {"threshold", "fired", "line"} <= kinds.keys()
    places = [tuple(map(float, pair.split(","))) for pair in (kinds["line"].get("points") or "").split()]
    assert all(0 <= x <= 600 and 0 <= y <= 120 for x, y in places)
    assert float(kinds["threshold"].get("y1") or 0) < min(y for _, y in places)
    assert (kinds["fired"].get("x1"), drawn[0].text) == ("305.0", 'a "label" <b>&')


def test_a_line_of_text_keeps_the_peak() -> None:
    """Sixty values in thirty characters still show the highest one; a constant is a flat line."""
    peak = tuple((at, 9.0 if number == 31 else 0.0) for number, (at, _) in enumerate(POINTS))
    found, flat = chart_of(a_finding(points=peak)), chart_of(a_finding(points=tuple((at, 5.0) for at, _ in POINTS)))
    assert found is not None
    assert flat is not None
    assert (len(spark(found)), spark(found).count("█"), set(spark(flat))) == (30, 1, {"▁"})
    assert caption(found) == "0 to 9 from 02:41 to 03:40 UTC"
