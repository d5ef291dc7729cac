"""From the names of probes to the questions they ask about one subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from responder.diagnose.contract import Ask, ProbeKind, Scene
from responder.model.rule import RuleBook
from responder.model.text import tidy_line


def plan(names: Iterable[str], book: RuleBook, kinds: Mapping[str, ProbeKind], scene: Scene) -> tuple[Ask, ...]:
    """Every question of the probes named, in their order, each probe once.

    A name the rule book does not know, or a probe of no known kind, becomes a skipped Ask: planning never fails.
    """
    return tuple(ask for name in dict.fromkeys(names) for ask in _asks(name, book, kinds, scene))


def _asks(name: str, book: RuleBook, kinds: Mapping[str, ProbeKind], scene: Scene) -> tuple[Ask, ...]:
    spec = book.probes.get(name)
    if spec is None:
        return (_nothing(name, "", scene, f"the rules define no probe {name}"),)
    kind = kinds.get(spec.kind)
    if kind is None:
        return (_nothing(name, spec.kind, scene, f"there is no kind of probe {spec.kind}"),)
    return kind.asks(spec, scene)


def _nothing(name: str, kind: str, scene: Scene, skip: str) -> Ask:
    return Ask(probe=name, kind=kind, target=tidy_line(scene.subject.name, 40), question="", timeout=0.0, skip=skip)
