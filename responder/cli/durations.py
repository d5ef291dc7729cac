"""Durations on the command line."""

import re
from datetime import timedelta

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class DurationType(click.ParamType[timedelta]):
    """Duration with one unit, in Prometheus's notation."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse the duration; an invalid one is a usage error."""
        found = re.fullmatch(r"([1-9]\d{0,8})([smhdw])", str(value), re.ASCII)
        if found is None:
            self.fail(f"'{value}' is not a duration: write 12h, 30d or 4w", param, ctx)
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


SPAN = DurationType()


def shown(span: timedelta) -> str:
    """Format a duration with its largest whole unit: 7d, 90m."""
    seconds = int(span.total_seconds())
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"
