"""Alerting rules of Prometheus and Grafana, from the files that hold them and from Prometheus' API."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.reader import ReaderError

#: Levels of nesting, at most.
DEEPEST: Final = 64
#: Maximum size of a file, in bytes.
LARGEST: Final = 64 * 1024 * 1024


#: Ends of the names of rule files in a folder.
SUFFIXES: Final = (".yaml", ".yml", ".rules", ".json")
#: Ends of the names of files in a folder that are read if an alert is in them: other names of rule files, templates.
OTHER_SUFFIXES: Final = (
    *(".rule", ".alert", ".alerts", ".prom", ".ruleset", ".tpl", ".tmpl", ".gotmpl", ".template", ".j2", ".erb"),
    *(".jsonnet", ".libsonnet", ""),
)
_ALERT: Final = re.compile(r"""(?:^|[\s{,\[-])["']?alert["']?\s*:\s*["']?\w""")
#: Signs of a Helm template that a rule file for Prometheus cannot have, and those that only count in invalid YAML.
_HELM: Final = re.compile(r"\{\{[^}\n]*(?:\.(?:Values|Release|Chart|Capabilities|Files)\b|\binclude +\\?\")")
_TEMPLATE: Final = re.compile(r"^\s*(?:- *)?\{\{|\{\{[-`]|-\}\}|:\s+\{\{", re.MULTILINE)
_OTHER_TEMPLATE: Final = re.compile(r"^\s*(?:\{%|<%)", re.MULTILINE)
_HELM_HINT: Final = "a Helm template; read what it renders to: helm template CHART | responder rules coverage -"
_OTHER_HINT: Final = "a template; render it, and read the result: responder rules coverage -"
_JSONNET_HINT: Final = "Jsonnet; read what it renders to: jsonnet -J vendor FILE | responder rules coverage -"


class NotReadableError(Exception):
    """File or response that cannot be parsed; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """Alerting rule. ``labels`` are those without a template, ``templates`` those with one."""

    name: str
    source: str
    line: int
    group: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    templates: Mapping[str, str] = field(default_factory=dict)


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
    """Read the alerts of a file. Raises NotReadableError, also for a file that has neither alerts nor rules.

    Groups of rules are found wherever they are: in rule files, manifests (PrometheusRule, VMRule, ConfigMap), Helm
    values and Grafana's provisioning files. Recording rules are left out.
    """
    if source.endswith(("jsonnet", "libsonnet")):
        raise NotReadableError(_JSONNET_HINT)
    finder = _Finder(source)
    for document in documents(raw):
        finder.search(document, 0)
    if not finder.groups:
        raise NotReadableError("no alerting rules found in it")
    return tuple(finder.alerts)


def has_alert(text: str) -> bool:
    """Return True if a text that may be anything looks like one with alerting rules."""
    return _ALERT.search(text) is not None


def documents(raw: bytes) -> list[Any]:
    """Parse YAML of other programs: mappings and lists of text. Raises NotReadableError, which names Helm templates."""
    if len(raw) > LARGEST:
        raise NotReadableError(f"larger than {LARGEST // 1024 // 1024} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotReadableError("not UTF-8 text") from error
    if _HELM.search(text):
        raise NotReadableError(_HELM_HINT)
    try:
        return _documents(text)
    except NotReadableError as error:
        other = _OTHER_HINT if _OTHER_TEMPLATE.search(text) else str(error)
        raise NotReadableError(_HELM_HINT if _TEMPLATE.search(text) else other) from error


def _documents(text: str) -> list[Any]:
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise NotReadableError(f"line {mark.line + 1 if mark else 1}: {error.problem}") from error
    except ReaderError as error:
        raise NotReadableError("not UTF-8 text") from error
    return reader.done


def _documents_in(key: str, text: str) -> list[Any]:
    """Return the documents in a text: a file by its name (``key``), or else anything in which an alert is."""
    if key.endswith(SUFFIXES):
        return _documents(text)
    if "\n" not in text or not has_alert(text):
        return []
    try:
        return _documents(text)
    except NotReadableError:
        return []  # words about an alert


class _Finder:
    """Search for groups of rules in a document. ``groups`` counts those found."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.alerts: list[AlertRule] = []
        self.groups = 0
        self._seen: set[int] = set()
        self._kept: list[Any] = []

    def search(self, value: Any, depth: int) -> None:
        if not isinstance(value, dict | list) or id(value) in self._seen or depth > DEEPEST:
            return
        self._seen.add(id(value))  # an anchor is read once
        if isinstance(value, list):
            for each in value:
                self.search(each, depth + 1)
            return
        if isinstance(value.get("rules"), list):
            self._group(value)
        elif "expr" in value and _name(value):
            self._group({"rules": [value]})  # a rule alone, such as that of a patch
        for key, each in value.items():
            if isinstance(each, str):
                # The documents must outlive the search: ids of discarded ones are used again.
                self._kept += (inner := _documents_in(key, each))
                for document in inner:
                    self.search(document, depth + 1)
            elif key != "rules":
                self.search(each, depth + 1)

    def _group(self, group: Mapping[str, Any]) -> None:
        rules = [rule for rule in group["rules"] if isinstance(rule, dict)]
        alerts = [rule for rule in rules if _name(rule)]
        self.alerts += (_alert(self.source, rule, group) for rule in alerts)
        self.groups += bool(alerts) or any("record" in rule for rule in rules)


def _name(rule: Mapping[str, Any]) -> str:
    """Return the name of an alerting rule, Grafana's included; empty for any other mapping."""
    grafana = "title" in rule and ("condition" in rule or "data" in rule)
    return _text(rule.get("alert") or (rule["title"] if grafana else ""))


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
                found.append(_alert(_text(group.get("file") or source), named, group))
    return tuple(found)


def _alert(source: str, rule: Mapping[str, Any], group: Any) -> AlertRule:
    name = _name(rule)
    shared = _texts(group.get("labels")) if isinstance(group, dict) else {}
    labels = {**shared, **_texts(rule.get("labels"))}
    return AlertRule(
        name=name,
        source=source,
        line=getattr(rule, "line", 0),
        group=_text(group.get("name", "")),
        labels={**{key: text for key, text in labels.items() if "{{" not in text}, "alertname": name},
        annotations=_texts(rule.get("annotations")),
        templates={key: text for key, text in labels.items() if "{{" in text},
    )


def _list(holder: Any, key: str) -> list[Any]:
    found = holder.get(key) if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []


def _texts(value: Any) -> dict[str, str]:
    return {str(key): _text(text) for key, text in value.items()} if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """Return a scalar as text, "" for lists and mappings: with aliases their text can exceed the memory."""
    return "" if isinstance(value, dict | list) else str(value)
