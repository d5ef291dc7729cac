"""`responder rules schema`: the JSON Schema of the rule files, for editors."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of a rule file, which editors use to check and complete.

    Keep it beside the rules as schema.json, and write into each rule file: # yaml-language-server: $schema=schema.json
    """
    click.echo(text(), nl=False)


def text() -> str:
    """The schema as it stands in ``rules/schema.json``."""
    import json

    from responder.diagnose.probes import PROBES
    from responder.rulebook.json_schema import json_schema

    return json.dumps(json_schema(PROBES), indent=2) + "\n"
