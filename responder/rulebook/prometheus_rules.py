"""Alerting rules of Prometheus, from rule files, PrometheusRule manifests and its API."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.reader import ReaderError

DEEPEST: Final = 64
#: Maximum size of a file, in bytes.
LARGEST: Final = 64 * 1024 * 1024


class NotReadableError(Exception):
    """File or response that cannot be parsed; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """Alerting rule. ``labels`` are those without a template."""

    name: str
    source: str
    line: int
    group: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class _Mapping(dict[str, Any]):
    """Mapping with the number of its first line."""

    line = 0

    def put(self, key: str, value: Any) -> None:
        """Set a key; ``<<`` merges the keys of one or several mappings without overwriting (YAML 1.1)."""
        if key != "<<":
            self[key] = value
            return
        for other in value if isinstance(value, list) else [value]:
            for name, text in list(other.items()) if isinstance(other, dict) else ():
                self.setdefault(name, text)


@dataclass(slots=True)
class _Reader:
    """Builder of plain data from YAML events. Unlike rule files of responder, anchors and several documents work."""

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
                raise NotReadableError(f"nested more than {DEEPEST} levels")
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
    """Read the alerts of a rule file or of PrometheusRule manifests. Raises NotReadableError.

    Empty for other YAML. Recording rules are left out.
    """
    return tuple(alert for document in documents(raw) for alert in _of_document(source, document))


def documents(raw: bytes) -> list[Any]:
    """Parse YAML of other programs: mappings and lists of text. Raises NotReadableError."""
    if len(raw) > LARGEST:
        raise NotReadableError(f"larger than {LARGEST // 1024 // 1024} MiB")
    reader = _Reader()
    try:
        for event in yaml.parse(raw.decode("utf-8-sig"), Loader=yaml.CSafeLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise NotReadableError(f"line {mark.line + 1 if mark else 1}: {error.problem}") from error
    except (ReaderError, UnicodeDecodeError) as error:
        raise NotReadableError("not UTF-8 text") from error
    return reader.done


def read_answer(source: str, answer: Any) -> tuple[AlertRule, ...]:
    """Read the alerts of a response of ``/api/v1/rules`` (Prometheus, "HTTP API"). Raises NotReadableError."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("groups"), list):
        raise NotReadableError("unexpected response of /api/v1/rules")
    found = []
    for group in data["groups"]:
        for rule in _list(group, "rules"):
            if isinstance(rule, dict) and rule.get("type") == "alerting":
                named = {"alert": rule.get("name"), **{key: rule.get(key) for key in ("labels", "annotations")}}
                found.append(_alert(source, named, group))
    return tuple(found)


def _of_document(source: str, document: Any) -> Iterator[AlertRule]:
    """Yield the alerts of a rule file, a manifest, or each manifest of a Kubernetes list."""
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
    """Return a scalar as text, "" for lists and mappings: with aliases their text can exceed the memory."""
    return "" if isinstance(value, dict | list) else str(value)
