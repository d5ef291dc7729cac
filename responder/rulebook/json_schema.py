"""JSON Schema of rule files, for editors."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from pydantic import TypeAdapter

from responder.rulebook.rule_files import ChannelKind, ProbeKindSchema
from responder.rulebook.schema import File

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kinds: Mapping[str, ProbeKindSchema], channels: Mapping[str, ChannelKind]) -> dict[str, Any]:
    """Return the schema of ``File`` in the dialect 2020-12, with the keys of each kind of probe and of channel."""
    schema = File.model_json_schema(by_alias=True)
    parts = schema["$defs"]
    for name, kind in sorted(kinds.items()):
        parts[_named(name)] = _probe(name, kind, parts)
    shape = parts["ProbeShape"]
    shape["properties"]["kind"]["enum"] = sorted(kinds)
    shape["properties"]["timeout"]["default"] = "3s"  # the default of the field is in seconds
    shape["allOf"] = [
        {"if": {"properties": {"kind": {"const": name}}}, "then": {"$ref": f"#/$defs/{_named(name)}"}}
        for name in sorted(kinds)
    ]
    channel = parts["ChannelShape"]
    channel["properties"]["kind"]["enum"] = sorted(channels)
    channel["allOf"] = [
        {"if": {"properties": {"kind": {"const": name}}}, "then": channels[name].schema()} for name in sorted(channels)
    ]
    return {"$schema": DIALECT, **schema, "title": "responder rule file"}


def _probe(name: str, kind: ProbeKindSchema, parts: dict[str, Any]) -> dict[str, Any]:
    own = TypeAdapter(kind.spec).json_schema(ref_template="#/$defs/{model}")
    parts.update(own.get("$defs", {}))
    properties = own["properties"]
    for each in fields(kind.spec):
        if text := each.metadata.get("help"):
            properties[each.name]["description"] = text
    needed = [each.name for each in fields(kind.spec) if each.default is MISSING and each.default_factory is MISSING]
    common = {"kind": {"const": name}, "timeout": {}}
    found = {"type": "object", "properties": {**common, **properties}, "additionalProperties": False}
    return found | {"required": ["kind", *needed]}


def _named(kind: str) -> str:
    return f"{kind.capitalize()}Probe"
