"""``responder incidents postmortem``: write the draft of a post-mortem."""

from pathlib import Path

import click

from responder import bootstrap
from responder.cli.errors import FatalError, named_failures
from responder.model.text import one_line


@click.command("postmortem", short_help="Write the draft of a post-mortem in Markdown.")
@click.argument("incident")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write into a new file. [default: standard output]",
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def postmortem(incident: str, output: Path | None, *, force: bool) -> None:
    """Write the draft of a post-mortem: what is recorded of the incident, and what a person must add (TODO)."""
    from responder.converse import postmortem as draft
    from responder.store.incidents import records

    with named_failures(), bootstrap.database(bootstrap.settings_from_environment()) as database:
        with database.read() as connection:
            found = records.of_incident(connection, one_line(incident).upper())
        if found is None:
            raise FatalError(f"no incident {one_line(incident)[:40]}; run: responder incidents list --state all")
        text = draft.postmortem(found, bootstrap.SystemClock().now())
        if output is None:
            click.echo(text)
            return
        try:
            with output.open("w" if force else "x", encoding="utf-8") as sink:
                sink.write(f"{text}\n")
        except FileExistsError as error:
            raise FatalError(f"{output} exists: choose another file, or overwrite it with --force") from error
        except OSError as error:
            raise FatalError(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"{output}: {text.count('**TODO**')} places to complete", err=True)
