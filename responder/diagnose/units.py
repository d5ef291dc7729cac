"""Numbers as people read them: 41 ms, 3.2 GiB, 14.2%."""

from __future__ import annotations

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def span(seconds: float) -> str:
    """A length of time in the unit that suits it, from ``0 ms`` to days."""
    size = abs(seconds)
    if size < 1:
        return f"{seconds * 1000:.0f} ms"
    if size < 120:
        return f"{seconds:.1f} s"
    if size < 7200:
        return f"{seconds / 60:.0f} min"
    if size < 2 * 86400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def figure(value: float, unit: str) -> str:
    """A finite value in a unit of promql probes. ``ratio`` is shown as a percentage, ``percent`` is one already."""
    match unit:
        case "percent":
            return f"{plain(value)}%"
        case "ratio":
            return f"{plain(value * 100)}%"
        case "seconds":
            return span(value)
        case "bytes":
            return _bytes(value)
        case "days":
            return f"{plain(value)} days"
    return plain(value)


def plain(value: float) -> str:
    """Three significant digits below a thousand, groups of three above."""
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _bytes(value: float) -> str:
    step = 0
    while abs(value) >= 1024 and step < len(_BINARY) - 1:
        value /= 1024
        step += 1
    return f"{plain(value)} {_BINARY[step]}"
