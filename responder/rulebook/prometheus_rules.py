"""Alerts as Prometheus defines them: plain rule files, PrometheusRule manifests, and its own API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.reader import ReaderError

DEEPEST: Final = 64
#: Bytes of one file.
LARGEST: Final = 64 * 1024 * 1024


class NotReadableError(Exception):
    """A file, or an answer, that holds no rules we can read; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alert that Prometheus may fire. ``labels`` are its fixed ones; those with a template in them are left out."""

    name: str
    source: str
    line: int
    group: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class _Mapping(dict[str, Any]):
    """A mapping that knows the line it begins on."""

    line = 0

    def put(self, key: str, value: Any) -> None:
        """Set a key; ``<<`` takes over what a mapping, or each of several, says and this one does not (YAML 1.1)."""
        if key != "<<":
            self[key] = value
            return
        for other in value if isinstance(value, list) else [value]:
            for name, text in list(other.items()) if isinstance(other, dict) else ():
                self.setdefault(name, text)


@dataclass(slots=True)
class _Reader:
    """Builds plain data out of YAML events. Unlike our own files, these may hold anchors and several documents."""

    anchors: dict[str, Any] = field(default_factory=dict)
    open: list[tuple[Any, list[Any]]] = field(default_factory=list)
    done: list[Any] = field(default_factory=list)

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._put(event.value, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._put(self.anchors.get(event.anchor or ""), None)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            if len(self.open) >= DEEPEST:
                raise NotReadableError(f"it is nested more than {DEEPEST} deep")
            into: Any = _Mapping() if isinstance(event, yaml.MappingStartEvent) else []
            if isinstance(into, _Mapping):
                into.line = event.start_mark.line + 1 if event.start_mark else 0
            self.open.append((into, []))
            if event.anchor:
                self.anchors[event.anchor] = into
        elif isinstance(event, yaml.CollectionEndEvent):
            self._put(self.open.pop()[0], None)

    def _put(self, value: Any, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = value
        if not self.open:
            self.done.append(value)
            return
        into, keys = self.open[-1]
        if isinstance(into, list):
            into.append(value)
        elif keys:
            into.put(keys.pop(), value)
        else:
            keys.append(value if isinstance(value, str) else "")


def read_file(source: str, raw: bytes) -> tuple[AlertRule, ...]:
    """The alerts of a file: groups at the top, or under ``spec`` of PrometheusRule manifests. Raises NotReadableError.

    Empty where it is YAML about something else. Recording rules are left out.
    """
    if len(raw) > LARGEST:
        raise NotReadableError(f"it is over {LARGEST // 1024 // 1024} MiB")
    reader = _Reader()
    try:
        for event in yaml.parse(raw.decode("utf-8-sig"), Loader=yaml.CSafeLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise NotReadableError(f"line {mark.line + 1 if mark else 1}: {error.problem}") from error
    except (ReaderError, UnicodeDecodeError) as error:
        raise NotReadableError("it is not text in UTF-8") from error
    return tuple(alert for document in reader.done for alert in _of_document(source, document))


def read_answer(source: str, answer: Any) -> tuple[AlertRule, ...]:
    """The alerts of the decoded answer of ``/api/v1/rules`` (Prometheus, "Querying API"). Raises NotReadableError."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("groups"), list):
        raise NotReadableError("the answer is not that of /api/v1/rules")
    found = []
    for group in data["groups"]:
        for rule in _list(group, "rules"):
            if isinstance(rule, dict) and rule.get("type") == "alerting":
                named = {"alert": rule.get("name"), **{key: rule.get(key) for key in ("labels", "annotations")}}
                found.append(_alert(source, named, group))
    return tuple(found)


def _of_document(source: str, document: Any) -> Iterator[AlertRule]:
    """Those of a manifest or a plain file, or of each manifest of a Kubernetes list."""
    for each in (document, *_list(document, "items")):
        manifest = isinstance(each, dict) and each.get("kind") == "PrometheusRule"
        for group in _list(each.get("spec") if manifest else each, "groups"):
            for rule in _list(group, "rules"):
                if isinstance(rule, dict) and _text(rule.get("alert", "")):
                    yield _alert(source, rule, group)


def _alert(source: str, rule: Mapping[str, Any], group: Any) -> AlertRule:
    name = _text(rule.get("alert"))
    shared = _texts(group.get("labels")) if isinstance(group, dict) else {}
    fixed = {key: text for key, text in {**shared, **_texts(rule.get("labels"))}.items() if "{{" not in text}
    return AlertRule(
        name=name,
        source=source,
        line=getattr(rule, "line", 0),
        group=_text(group.get("name", "")),
        labels={**fixed, "alertname": name},
        annotations=_texts(rule.get("annotations")),
    )


def _list(holder: Any, key: str) -> list[Any]:
    found = holder.get(key) if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []


def _texts(value: Any) -> dict[str, str]:
    return {str(key): _text(text) for key, text in value.items()} if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A scalar as text. Lists and mappings are none: aliases make of a few lines one that no memory holds."""
    return "" if isinstance(value, dict | list) else str(value)
