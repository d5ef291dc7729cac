"""docs/rules.md, written from the JSON Schema of rule files and the examples in tests/fixtures/every-key."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from responder.bootstrap import examine_rules
from responder.cli.rules.schema import text
from responder.diagnose.contract import ProbeKind
from responder.diagnose.probes import PROBES
from responder.model.problem import Level
from responder.model.secret import Secret
from responder.notify.channels import CHANNELS
from responder.notify.contract import Channel
from responder.rulebook.rule_schema import (
    AdjustShape,
    RuleShape,
    RunbookFromShape,
    SeverityFromShape,
    SubjectFromShape,
    WhenShape,
)
from responder.rulebook.schema import (
    Defaults,
    File,
    HeartbeatShape,
    LinkAnnotationsShape,
    Platform,
    ProbeShape,
    RemindersShape,
    ServiceShape,
    SeverityShape,
    UrlShape,
    WindowShape,
)
from responder.rulebook.team_schema import ChannelShape, ContactShape, TeamFromShape, TeamShape
from tests.contracts.probe_cases import CASES as PROBE_CASES
from tests.unit.test_docs import ROOT, compare

FIXTURES = sorted((ROOT / "tests" / "fixtures" / "every-key").glob("*/*.yaml"))
SCHEMA: dict[str, Any] = json.loads(text())
SHAPES: dict[str, type[BaseModel]] = {
    "platform": Platform,
    "platform.link_annotations": LinkAnnotationsShape,
    "channels.NAME": ChannelShape,
    "teams.NAME": TeamShape,
    "severities.NAME": SeverityShape,
    "severities.NAME.reminders": RemindersShape,
    "services.NAME": ServiceShape,
    "contacts[]": ContactShape,
    "urls[]": UrlShape,
    "probes.NAME": ProbeShape,
    "windows.NAME": WindowShape,
    "defaults": Defaults,
    "heartbeats[]": HeartbeatShape,
    "rules[]": RuleShape,
    "rules[].severity, read from a label": SeverityFromShape,
    "rules[].team, read from a label": TeamFromShape,
    "rules[].adjust[]": AdjustShape,
    "rules[].adjust[].when": WhenShape,
    "rules[].subject, read from a label": SubjectFromShape,
    "rules[].runbook, read from an annotation": RunbookFromShape,
}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.parent.name)
def test_the_examples_are_valid(path: Path) -> None:
    """The files that the examples are taken from are loaded without an error."""
    problems = examine_rules(str(path.parent), str(ROOT / "runbooks")).problems
    assert [each for each in problems if each.level is Level.ERROR] == []


def test_the_rules_page_lists_every_key() -> None:
    """The page lists every key with its values, its default and an example, and no unknown key."""
    lines = [
        "# Rule files",
        "",
        "Every `*.yaml` of the rules folder is read, in the order of the names; a file may hold any of these parts.",
        "Rules are tried from top to bottom, and the first that matches decides; the last must be `match: []`.",
        "Matchers are Alertmanager's: `=`, `!=`, `=~`, `!~`; regular expressions are RE2 and fully anchored; a missing",
        "label is the empty string. `responder rules check` lists all problems at once. Durations are written",
        "`8s`, `15m`, `4h`, `1d`. A default of - means that there is none: the key may be left out.",
        "",
        "## The parts of a file",
        "",
        "| key | description |",
        "|---|---|",
        *(f"| `{key}` | {_cell(value.description or '')} |" for key, value in File.model_fields.items()),
        "",
    ]
    for part, shape in SHAPES.items():
        lines += _table(f"`{part}`", SCHEMA["$defs"][shape.__name__], list(_nodes(part)))
    lines += ["## Kinds of probe", "", "The keys beside `kind` and `timeout` in `probes.NAME`.", ""]
    for kind in PROBES.values():
        schema = SCHEMA["$defs"][f"{kind.name.capitalize()}Probe"]
        about = str(inspect.getdoc(kind.spec)).splitlines()[0]
        nodes = _of_kind("probes.NAME", kind.name) or [_of_case(kind)]
        lines += _table(f"`kind: {kind.name}`", schema, nodes, about, level=3)
    lines += [
        "## Kinds of channel",
        "",
        "The keys beside `kind` in `channels.NAME`. `{secret: NAME}` is read from the",
        "",
    ]
    lines[-2] += " setting `RESPONDER_SECRET_NAME`."
    for each in SCHEMA["$defs"]["ChannelShape"]["allOf"]:
        name = each["if"]["properties"]["kind"]["const"]
        nodes = _of_kind("channels.NAME", name) or [dict(_assumed(CHANNELS[name]))]
        lines += _table(f"`kind: {name}`", each["then"], nodes, level=3)
    compare("rules.md", "\n".join(lines).rstrip() + "\n")


def _table(
    title: str, schema: dict[str, Any], nodes: list[dict[str, Any]], text: str = "", level: int = 2
) -> list[str]:
    head = [f"{level * '#'} {title}", "", *([text, ""] if text else [])]
    head += ["| key | values | default | description | example |", "|---|---|---|---|---|"]
    own = {key: value for key, value in schema["properties"].items() if "const" not in value and value}
    required = schema.get("required", ())
    rows = [
        f"| `{key}` | {_cell(_values(value))} | {'required' if key in required else _default(value)} "
        f"| {_cell(value['description'])} | `{_cell(_example(title, key, nodes))}` |"
        for key, value in own.items()
    ]
    return [*head, *rows, ""] if rows else [*head[:-2], "No further keys.", ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _values(schema: dict[str, Any]) -> str:
    """Return the allowed values in words."""
    if "enum" in schema:
        return " or ".join(f"`{_flow(each)}`" for each in schema["enum"])
    several = schema.get("anyOf") or schema.get("oneOf")
    if several:
        return " or ".join(dict.fromkeys(map(_values, several)))
    if "$ref" in schema or "secret" in schema.get("properties", ()):
        return "`{secret: NAME}`" if "$ref" not in schema else "mapping"
    if schema.get("type") == "array":
        return f"list of {_values(schema['items'])}"
    if schema.get("type") in {"integer", "number"}:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        limits = f" {low} to {high}" if low is not None and high is not None else ""
        return f"{'whole number' if schema['type'] == 'integer' else 'number'}{limits}"
    if schema.get("type") == "string" and "examples" in schema:
        return "duration"
    return {"string": "text", "boolean": "`true` or `false`", "object": "mapping", "null": "`null`"}.get(
        schema.get("type", ""), "any"
    )


def _default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    if value in (None, "", [], {}):
        return "-"
    text = _flow(value)
    return f"`{text}`" if len(text) < 100 else "as described"


def _flow(value: object) -> str:
    return yaml.safe_dump([value], default_flow_style=True, width=1000, sort_keys=False).strip()[1:-1]


def _example(title: str, key: str, nodes: Iterable[dict[str, Any]]) -> str:
    found = [f"{key}: {_flow(each[key])}" for each in nodes if key in each]
    assert found, f"add the key {key} of {title} to tests/fixtures/every-key"
    return min(found, key=len)


def _of_case(kind: ProbeKind[Any]) -> dict[str, object]:
    """The keys of a probe with the values that its contract case has."""
    spec = PROBE_CASES[kind.name].at("10.0.0.1:443")
    return {each.name: getattr(spec, each.name) for each in fields(kind.spec)}


def _assumed(kind: type[Channel]) -> Iterator[tuple[str, object]]:
    """The keys of a channel with the values that ``dry-run`` assumes."""
    for key, each in kind.keys().items():
        secret = {"secret": f"{kind.__dataclass_fields__['name'].default}-{key}"}
        yield key, secret if each.kind is Secret else kind.assumed.get(each.name, each.default)


def _of_kind(part: str, kind: str) -> list[dict[str, Any]]:
    return [each for each in _nodes(part) if each.get("kind") == kind]


def _nodes(part: str) -> Iterator[dict[str, Any]]:
    """Yield the mappings of a part in the examples."""
    nodes: list[Any] = [yaml.safe_load(path.read_text()) for path in FIXTURES]
    for step in part.partition(",")[0].split("."):
        name = step.removesuffix("[]")
        mappings = [each for each in nodes if isinstance(each, dict)]
        nodes = [value for each in mappings for key, value in each.items() if name in {key, "NAME"}]
        nodes = [inner for each in nodes for inner in (each if isinstance(each, list) else [each])]
    yield from (each for each in nodes if isinstance(each, dict))
