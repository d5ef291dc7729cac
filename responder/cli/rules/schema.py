"""``responder rules schema``: print the JSON Schema of rule files, for editors."""

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of rule files, for validation and completion in editors.

    Save it beside the rules as schema.json, and add to each rule file: # yaml-language-server: $schema=schema.json
    """
    click.echo(text(), nl=False)


def text() -> str:
    """Return the text of ``rules/schema.json``."""
    import json

    from responder.diagnose.probes import PROBES
    from responder.notify.delivery.named import KINDS
    from responder.rulebook.json_schema import json_schema

    return json.dumps(json_schema(PROBES, KINDS), indent=2) + "\n"
