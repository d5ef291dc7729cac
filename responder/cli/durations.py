"""Durations on the command line."""

from datetime import timedelta

import click

from responder.model.text import seconds_of


class DurationType(click.ParamType[timedelta]):
    """Duration in Prometheus's notation, as in rule files."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse the duration; an invalid one is a usage error."""
        try:
            return timedelta(seconds=seconds_of(str(value)))
        except ValueError as error:
            self.fail(f"'{value}': {error}", param, ctx)


SPAN = DurationType()


def shown(span: timedelta) -> str:
    """Format a duration with its largest whole unit: 7d, 90m."""
    seconds = int(span.total_seconds())
    size, unit = next(each for each in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if seconds % each[0] == 0)
    return f"{seconds // size}{unit}"
