"""`responder rules explain`: why an alert gets the rule, the severity and the people it gets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import click

from responder import bootstrap
from responder.cli.bodies import Sample, of_labels, samples
from responder.cli.fail import FAILED, named_failures


@click.command()
@click.argument("files", nargs=-1)
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label of the alert; may be repeated.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--rules", "folder", help="Folder of the rule files. [default: RESPONDER_RULES]")
@click.option("--runbooks", help="Folder of the runbooks. [default: RESPONDER_RUNBOOKS]")
def explain(
    files: tuple[str, ...], labels: tuple[str, ...], output: str, folder: str | None, runbooks: str | None
) -> None:
    """Show each step from an alert's labels to the people who are told, and every rule passed over with the reason.

    FILES are webhook bodies, bare alerts, folders of them, or - for standard input; or give the labels with --label.
    Exit status: 0 when every alert was decided, 1 when one could not be read.
    """
    from responder.cli.rules import trace

    if bool(files) == bool(labels):
        raise click.UsageError("give FILES, or labels with --label NAME=VALUE")
    given = labels_of(labels)
    with named_failures():
        settings = bootstrap.settings_from_environment()
        runbooks = runbooks or settings.runbooks
        book = bootstrap.load_rules(folder or settings.rules, runbooks)
        desk = bootstrap.desk(settings, book, bootstrap.channels(settings, show_unconfigured=True))
        anchors = bootstrap.surroundings(runbooks).runbooks or {}
        now = bootstrap.SystemClock().now()
        bodies: Iterator[Sample] = iter([of_labels(given, {}, now)]) if given else samples(files, sys.stdin.buffer, now)
        found = [trace.trace(sample, desk, anchors, now) for sample in bodies]
    if output == "json":
        click.echo(json.dumps([trace.as_json(each) for each in found], indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join("\n".join(trace.lines(each)) for each in found))
    if any(each.decision is None for each in found):
        sys.exit(FAILED)


def labels_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """The labels of NAME=VALUE pairs. Raises click.BadParameter for one that is none."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"'{pair}' is not NAME=VALUE", param_hint="--label")
        found[name] = value
    return found
