"""Check of the access to the Kubernetes cluster: the rights that are missing, and those that are too many."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from responder.bootstrap.kubernetes import AccessError, cluster_access
from responder.cli.doctor.context import DoctorContext
from responder.diagnose.cluster.collect import FIRST
from responder.diagnose.cluster.reader import RESOURCES
from responder.model.check import Result, bad, ok, skipped, warn
from responder.model.text import number_of
from responder.outgoing import UnreachableError
from responder.outgoing.kubernetes import ApiServer

_ABOUT = "kubernetes"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource, with its group; ``subresource`` may be empty."""

    verb: str
    group: str
    resource: str
    subresource: str = ""

    def __str__(self) -> str:
        name = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {name}"


#: Rights that reading never needs: with them a leaked token could do harm.
EXCESS = (
    Right("get", "", "secrets"),
    Right("list", "", "secrets"),
    Right("create", "", "pods", "exec"),
    Right("create", "", "pods", "portforward"),
    Right("delete", "", "pods"),
    Right("patch", "apps", "deployments"),
    Right("update", "apps", "deployments", "scale"),
    Right("*", "*", "*"),
)


def needed() -> tuple[Right, ...]:
    """Return the rights of an investigation: those of every page first."""
    kinds = dict.fromkeys((*FIRST, *RESOURCES))
    found = [Right("list", _group(RESOURCES[kind].root), RESOURCES[kind].plural) for kind in kinds]
    return (*found, Right("get", "", "pods", "log"))


def _group(root: str) -> str:
    """Return the group of a path: ``apps`` of ``/apis/apps/v1``, empty for ``/api/v1``."""
    parts = root.strip("/").split("/")
    return parts[1] if parts[0] == "apis" else ""


def access(context: DoctorContext) -> tuple[Result, ...]:
    """Check that the API server answers, and ask it for the rights of this account."""
    try:
        found = cluster_access(context.settings, context.environment)
    except AccessError as error:
        return (bad(_ABOUT, str(error), "correct the kubeconfig, or set RESPONDER_KUBERNETES=off"),)
    if found is None:
        what = "no access configured: pages do not say what the cluster shows"
        return (skipped(_ABOUT, what, "set RESPONDER_KUBECONFIG, or give the pod a service account"),)
    server = ApiServer(found, context.clock)
    try:
        missing = [right for right in needed() if not _allowed(server, context, right)]
        excess = [right for right in EXCESS if _allowed(server, context, right)]
    except (UnreachableError, AccessError) as error:
        return (bad(_ABOUT, f"{found.server} ({found.source}): {error}", "check the address, token and network"),)
    except _NoAnswer as error:
        return (bad(_ABOUT, f"{found.server}: {error}", "check the token and the rights of this account"),)
    finally:
        server.close()
    return tuple(_results(f"{found.server} by {found.source}", missing, excess))


def _results(where: str, missing: list[Right], excess: list[Right]) -> Iterator[Result]:
    if not missing:
        yield ok(_ABOUT, f"{where}: all {len(needed())} rights of an investigation are there")
    else:
        names = ", ".join(map(str, missing[:6]))
        more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
        by_group: dict[str, list[str]] = {}
        for right in missing:
            name = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
            by_group.setdefault(right.group, []).append(name)
        lines = "; ".join(
            f'{{apiGroups: ["{group}"], resources: {json.dumps(names_)}, verbs: ["get", "list"]}}'
            for group, names_ in by_group.items()
        )
        yield warn(_ABOUT, f"{where}: no right to {names}{more}", f"add to the role: {lines}")
    if excess:
        names = ", ".join(map(str, excess))
        what = f"{where}: {number_of(len(excess), 'right')} that reading never needs: {names}"
        yield warn(_ABOUT, what, "remove them: use the roles of deploy/kubernetes/rbac.yaml")


class _NoAnswer(Exception):
    """The API server did not answer a review."""


def _allowed(server: ApiServer, context: DoctorContext, right: Right) -> bool:
    """Return True if this account has a right. Raises UnreachableError and _NoAnswer."""
    attributes: Mapping[str, str] = {
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    response = server.post(_REVIEWS, json.dumps(review).encode(), context.deadline)
    try:
        status = json.loads(response.body)["status"]
        return status["allowed"] is True
    except (ValueError, KeyError, TypeError):
        raise _NoAnswer(f"HTTP {response.status} to a review of its own rights") from None
