"""Ingresses: a Service, port, class or certificate that they name and that does not exist or is not ready."""

from collections.abc import Iterator
from typing import Any

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import is_recent, last_edit
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Scene
from responder.model.clock import ago
from responder.model.clue import Clue, Role


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return what is wrong with the Ingress that the alert names, and with those that send to the subject."""
    return tuple(
        Clue(code=code, role=Role.CAUSE, entity=objects.reference(each), says=f"{_name(scene, each)} {why}")
        for each in scene.of("Ingress")
        if _concerns(scene, each)
        for code, why in _problems(scene, each)
    )


def _concerns(scene: Scene, ingress: Object) -> bool:
    named = {scene.place.workload, *scene.place.named.values()}
    if named & {objects.name(ingress)}:
        return True
    return any(service in named for _, service, _ in objects.backends(ingress))


def _name(scene: Scene, ingress: Object) -> str:
    edited, manager = last_edit(ingress)
    since = f", edited by {manager} {ago(scene.now, edited)} ago," if edited and is_recent(scene, edited) else ""
    return f"Ingress {objects.name(ingress)}{since}"


def _problems(scene: Scene, ingress: Object) -> Iterator[tuple[str, str]]:
    class_ = objects.text(ingress, "spec", "ingressClassName")
    classes = [objects.name(each) for each in scene.of("IngressClass", "")]
    if class_ and scene.was_read("IngressClass") and class_ not in classes:
        yield "ingress-class", f"names class {class_}, which does not exist (there is {', '.join(classes) or 'none'})"
    for where, name, port in objects.backends(ingress) if scene.was_read("Service") else ():
        service = scene.find("Service", name) if name else None
        if service is None and name:
            yield "ingress-service", f"sends {where} to Service {name}, which does not exist"
        elif service is not None and not _has(service, port):
            there = ", ".join(
                f"{objects.at(each, 'port')} {objects.text(each, 'name')}".strip()
                for each in objects.items(service, "spec", "ports")
            )
            asked = objects.at(port, "number") or objects.at(port, "name")
            yield "ingress-port", f"sends {where} to port {asked} of Service {name}, which has {there}"


def _has(service: Object, port: Any) -> bool:
    ports = objects.items(service, "spec", "ports")
    number, name = objects.at(port, "number"), objects.at(port, "name")
    return any(number == objects.at(each, "port") or (name and name == objects.at(each, "name")) for each in ports)
