"""Argo CD and Flux: the revision that was last synced, when and by whom, and syncs that failed."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import before_alert, is_recent
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Scene
from responder.model.clock import ago
from responder.model.clue import Certainty, Clue, Role

#: A commit or a digest, and the characters of it that are shown.
_COMMIT = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,56}\b")
#: Phases of an operation of Argo CD that did not succeed (OperationState.phase).
_FAILED = frozenset({"Failed", "Error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sync:
    """The last sync that succeeded, and the failure of the last one; empty and None where there is none."""

    what: str = ""
    at: datetime | None = None
    by: str = ""
    failure: str = ""
    failed_at: datetime | None = None


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return the sync of the object that the workload says it is from, where it could be read."""
    kind, name, namespace = objects.delivered_by(scene.workload) if scene.workload is not None else ("", "", "")
    found = scene.find(kind, name, namespace) if kind else None
    if found is None:
        return ()
    sync, tool = _SYNCS[kind](found), "Argo CD" if kind == "Application" else "Flux"
    own: dict[str, Any] = {
        "entity": objects.reference(found),
        "namespace": objects.namespace(found),
    }
    clues: list[Clue] = []
    if sync.at is not None and is_recent(scene, sync.at):
        by = f" by {sync.by}" if sync.by else ""
        clues.append(
            Clue(
                code="change-sync" if sync.at <= scene.began else "change-after",
                role=Role.CHANGE,
                says=f"{tool} synced {name} to {sync.what}{by} {before_alert(scene, sync.at)}",
                certainty=Certainty.COINCIDES,
                since=sync.at,
                **own,
            )
        )
    if sync.failure:
        since = f" {ago(scene.now, sync.failed_at)} ago" if sync.failed_at else ""
        says = f"{tool} failed to sync {name}{since}: {sync.failure}"
        clues.append(Clue(code="sync-failed", role=Role.FACT, says=says, since=sync.failed_at, **own))
    return tuple(clues)


def _short(revision: str) -> str:
    return _COMMIT.sub(r"\1", revision) or "an unknown revision"


def _application(found: Object) -> _Sync:
    """Return the sync of an Application.

    https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml, ApplicationStatus in its CRD: of
    `history` the last one is the newest; an automated sync has no user.
    """
    history, state = objects.items(found, "status", "history"), objects.at(found, "status", "operationState")
    newest = history[-1] if history else None
    several = [each for each in objects.items(newest, "revisions") if isinstance(each, str)]
    by = objects.text(newest, "initiatedBy", "username")
    if not by and objects.at(newest, "initiatedBy", "automated") is True:
        by = "its automated sync"
    failed = objects.text(state, "phase") in _FAILED
    return _Sync(
        what=_short(", ".join(several) or objects.text(newest, "revision")),
        at=objects.when(newest, "deployedAt"),
        by=by,
        failure=(objects.text(state, "message") or objects.text(state, "phase")) if failed else "",
        failed_at=objects.when(state, "finishedAt"),
    )


def _kustomization(found: Object) -> _Sync:
    """Return the sync of a Kustomization.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#kustomization-status: `history` (Flux 2.7) has the
    newest first; before, the time is that at which it became ready.
    """
    applied = objects.text(found, "status", "lastAppliedRevision")
    newest = next(iter(objects.items(found, "status", "history")), None)
    ready = objects.condition(found, "Ready")
    at = objects.when(newest, "firstReconciled")
    if at is None and objects.is_true(found, "Ready"):
        at = objects.when(ready, "lastTransitionTime")
    return _Sync(what=_short(applied), at=at if applied else None, by=_source(found), **_failure(ready))


def _release(found: Object) -> _Sync:
    """Return the sync of a HelmRelease.

    https://fluxcd.io/flux/components/helm/helmreleases/#history: the newest first.
    """
    newest = next(iter(objects.items(found, "status", "history")), None)
    chart = f"{objects.text(newest, 'chartName')} {objects.text(newest, 'chartVersion')}"
    number = objects.number(newest, "version")
    return _Sync(
        what=f"{chart} (release {number})" if newest else "",
        at=objects.when(newest, "lastDeployed"),
        **_failure(objects.condition(found, "Ready")),
    )


def _failure(ready: Object) -> dict[str, Any]:
    if objects.text(ready, "status") != "False":
        return {}
    why = objects.text(ready, "message") or objects.text(ready, "reason")
    return {"failure": why, "failed_at": objects.when(ready, "lastTransitionTime")}


def _source(found: Object) -> str:
    kind, name = objects.text(found, "spec", "sourceRef", "kind"), objects.text(found, "spec", "sourceRef", "name")
    return f"{kind}/{name}" if name else ""


_SYNCS = {"Application": _application, "Kustomization": _kustomization, "HelmRelease": _release}
