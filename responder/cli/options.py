"""Options shared by several commands."""

import click

OUTPUT = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output format.",
)
LIMIT = click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Maximum rows, newest first.",
)
#: Timeout in seconds.
TIMEOUT = click.FloatRange(min=0, min_open=True)
RULES = click.option("--rules", metavar="DIR", help="Folder of the rule files. [default: RESPONDER_RULES]")
RUNBOOKS = click.option("--runbooks", metavar="DIR", help="Folder of the runbooks. [default: RESPONDER_RUNBOOKS]")
