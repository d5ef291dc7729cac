"""The range behind a finding as a picture: geometry once, drawn as SVG, as PNG and as a line of text. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from responder.model.finding import Finding

#: Size of the SVG in its own units; it is scaled to the width of the page.
WIDTH, HEIGHT, MARGIN = 600.0, 120.0, 6.0
_BARS = "▁▂▃▄▅▆▇█"
#: Characters of the line of text.
SPARK_WIDTH = 30


@dataclass(frozen=True, slots=True)
class Shape:
    """The lines of a picture: the levels of the threshold and of the moment it fired, None for none, and the values."""

    threshold: float | None
    fired: float | None
    line: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Values over time, with the threshold and the moment the alert fired, if they are known.

    ``points`` are (epoch seconds, value) pairs in order; at least two.
    """

    points: tuple[tuple[float, float], ...]
    threshold: float | None = None
    fired_at: float | None = None

    @property
    def span(self) -> tuple[float, float]:
        """The first and last moment, in epoch seconds."""
        return self.points[0][0], self.points[-1][0]

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and highest value shown; the threshold is always between them."""
        values = [value for _, value in self.points] + ([self.threshold] if self.threshold is not None else [])
        low, high = min(values), max(values)
        return (low, high) if high > low else (low - 1, high + 1)


def chart_of(finding: Finding, fired_at: datetime | None = None) -> Chart | None:
    """Return the chart of a finding; None if it has fewer than two points."""
    points = tuple(sorted(finding.points))
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return None
    return Chart(points, finding.threshold, fired_at.timestamp() if fired_at else None)


def shape(chart: Chart, width: float, height: float, margin: float) -> Shape:
    """Return the lines of a picture of this size; y grows downwards."""
    (first, last), (low, high) = chart.span, chart.bounds

    def x(at: float) -> float:
        return margin + (at - first) / (last - first) * (width - 2 * margin)

    def y(value: float) -> float:
        return height - margin - (value - low) / (high - low) * (height - 2 * margin)

    return Shape(
        threshold=None if chart.threshold is None else y(chart.threshold),
        fired=x(chart.fired_at) if chart.fired_at is not None and first <= chart.fired_at <= last else None,
        line=tuple((x(at), y(value)) for at, value in chart.points),
    )


def svg(chart: Chart, label: str) -> str:
    """Return the chart as SVG. Colours are those of the classes line, threshold and fired of the style sheet."""
    lines = shape(chart, WIDTH, HEIGHT, MARGIN)
    box = f'viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none"'
    parts = [f'<svg class="chart" role="img" {box}><title>{escape(label)}</title>']
    if lines.threshold is not None:
        level = f"{lines.threshold:.1f}"
        parts.append(f'<line class="threshold" x1="0" x2="{WIDTH:g}" y1="{level}" y2="{level}"/>')
    if lines.fired is not None:
        at = f"{lines.fired:.1f}"
        parts.append(f'<line class="fired" x1="{at}" x2="{at}" y1="0" y2="{HEIGHT:g}"/>')
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in lines.line)
    parts.append(f'<polyline class="line" points="{line}"/></svg>')
    return "".join(parts)


def caption(chart: Chart) -> str:
    """Return what the picture shows in words: ``0.35 to 1 from 01:41 to 02:41 UTC, threshold 0.95``."""
    (first, last), values = chart.span, [value for _, value in chart.points]
    times = " to ".join(f"{datetime.fromtimestamp(at, UTC):%H:%M}" for at in (first, last))
    limit = f", threshold {chart.threshold:.4g}" if chart.threshold is not None else ""
    return f"{min(values):.4g} to {max(values):.4g} from {times} UTC{limit}"


def spark(chart: Chart) -> str:
    """Return the values as a line of block characters."""
    low, high = min(v for _, v in chart.points), max(v for _, v in chart.points)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in _resampled([v for _, v in chart.points]))


def _resampled(values: Sequence[float]) -> Iterator[float]:
    """Yield at most SPARK_WIDTH values: the highest of each equal part, so that no peak is lost."""
    count = min(SPARK_WIDTH, len(values))
    for number in range(count):
        yield max(values[number * len(values) // count : (number + 1) * len(values) // count])
