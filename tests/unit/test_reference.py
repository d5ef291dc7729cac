"""Pages of docs/reference that are written from the code: commands and the console's API."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import click

from responder.cli import main
from responder.console.api import document
from tests.unit.test_docs import ROOT, compare


def test_the_commands_page_lists_every_command() -> None:
    """The page has the help of each command, its arguments and its options."""
    text = (
        "# Commands\n\n`responder --help` and `responder COMMAND --help` print the same. Each exits with 0 on\n"
        "success, 1 if it found a problem, 2 for a wrong command line.\n"
    )
    compare("reference/commands.md", text + "".join(_commands(main, "responder")))


def _commands(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    if command is not main:
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"\n## {path}\n\n    {path} {usage}\n\n{''.join(_paragraphs(command.help or ''))}"
        yield from _options(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, f"{path} {name}")


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those that click prints as they are become blocks, comments become code."""
    for number, each in enumerate(inspect.cleandoc(text).split("\n\n")):
        raw = each.startswith("\b\n")
        lines = [re.sub(r"^([#<].*?)(\.?)$", r"`\1`\2", line) for line in each.removeprefix("\b\n").splitlines()]
        yield ("\n" if number else "") + "".join(f"{'    ' if raw else ''}{line}\n" for line in lines)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [each.get_help_record(context) for each in command.params if not getattr(each, "hidden", False)]
    rows = [(name, text) for name, text in filter(None, records)]
    if rows:
        yield "\n| option | description |\n|---|---|\n"
        yield from (f"| `{_cell(name)}` | {_cell(text)} |\n" for name, text in rows)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def test_the_api_page_lists_every_path() -> None:
    """The page has each path of the OpenAPI document with its parameters, and each type with its fields."""
    found = document()
    lines = [
        "# Console API",
        "",
        "Paths are below `/api/v1` of [the console](../console.md#the-read-api), which says who may use it.",
        "`GET /api/v1/openapi.json` answers the same as an OpenAPI document.",
        "",
        "| request | purpose | parameters | answer |",
        "|---|---|---|---|",
    ]
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            given = "; ".join(f"`{each['name']}`: {each['description']}" for each in _described(operation))
            answer = _type(operation["responses"]["200"]["content"]["application/json"]["schema"])
            lines.append(f"| `{method.upper()} {path}` | {_cell(operation['summary'])} | {_cell(given)} | {answer} |")
    for name, schema in found["components"]["schemas"].items():
        about = inspect.cleandoc(schema.get("description", "")).splitlines()
        lines += ["", f"## {name}", "", *about, "", "| field | type |", "|---|---|"]
        lines += [f"| `{field}` | {_type(value)} |" for field, value in schema["properties"].items()]
    compare("reference/api.md", "\n".join(lines) + "\n")


def _described(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"description": "in the path", **each} for each in operation.get("parameters", ())]


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("format") or schema.get("type") or "any")


def test_the_index_leads_to_every_page() -> None:
    """No page of the reference is missing in its index."""
    index = (ROOT / "docs" / "reference" / "README.md").read_text()
    generated = ("settings", "metrics", "rules", "channels", "conclusions", "runbook-checks")
    pages = {f"({path.name})" for path in (ROOT / "docs" / "reference").glob("[a-z]*.md")}
    assert [each for each in (*pages, *(f"(../{name}.md)" for name in generated)) if each not in index] == []
