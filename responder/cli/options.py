"""Options shared by several commands."""

import sys

import click


def _config(context: click.Context, _parameter: click.Parameter, path: str | None) -> None:
    from responder import bootstrap

    if path:
        context.with_resource(bootstrap.config_file(path))


#: Also of single commands, since both places are usual.
CONFIG = click.option(
    "--config",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_config,
    help="YAML file of settings, as RESPONDER_CONFIG; the environment wins.",
)
OUTPUT = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output format.",
)


def labels_of(_context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    """Parse the values of an option, each NAME=VALUE."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"'{pair}' is not NAME=VALUE")
        found[name] = value
    return found


LABELS = click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    callback=labels_of,
    help="Label of the alert; repeatable.",
)


def _automatic(_context: click.Context, _parameter: click.Parameter, chosen: str | None) -> str:
    return chosen or ("text" if sys.stdout.isatty() else "json")


AUTO_OUTPUT = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    callback=_automatic,
    help="Output format. [default: text on a terminal, else json]",
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
