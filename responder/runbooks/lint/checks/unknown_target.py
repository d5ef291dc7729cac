"""A command names a namespace that the rules do not know, a misspelled service, or no namespace at all.

Bad:

    # Service down

    ## Procedure

    ```sh
    kubectl get pods
    ```

Good:

    # Service down

    ## Procedure

    ```sh
    kubectl -n shop get pods
    ```
"""

import re
from collections.abc import Iterator

from responder.model.problem import Level
from responder.model.suggestions import nearest
from responder.runbooks.lint.contract import Catalog, Finding, Runbook
from responder.runbooks.lint.shell import SimpleCommand, simple_commands

#: Subcommands and kinds of kubectl that have a namespace; kinds that are not known, and manifests, may have none.
_NAMESPACED = re.compile(
    r"kubectl (?!explain\b)(?!(?:apply|create|replace|delete) .*(?:-f|--filename|-k)\b).*?(?<=[ ,/])"
    r"(?:logs|exec|rollout|scale|set|port-forward|cp|attach|debug|autoscale|expose|all|pods?|po|deployments?|deploy"
    r"|services?|svc|statefulsets?|sts|daemonsets?|ds|replicasets?|rs|jobs?|cronjobs?|cj|configmaps?|cm|secrets?"
    r"|events?|ev|pvc|persistentvolumeclaims?|hpa|horizontalpodautoscalers?|ing|ingress(?:es)?|ep|endpoints"
    r"|endpointslices?|pdb|poddisruptionbudgets?|netpol|networkpolic(?:y|ies)|quota|resourcequotas?)(?=[ ,/]|$)"
)
_NAMESPACE = re.compile(r"(?:^|\s)(?:-n|--namespace)(?:=|\s+)?(\S+)")
_ALL = re.compile(r"(?:^|\s)(?:-A|--all-namespaces|--raw)\b")
#: Namespaces of the cluster itself, which rules do not name.
_SHARED = re.compile(r"(?:kube-|openshift-|monitoring\b|cert-manager\b|ingress-nginx\b)")
_SERVICE = re.compile(
    r"(?:-l|--selector)[= ]app=([a-z0-9-]+)|\b(?:deployments?|deploy|statefulsets?|sts)[/ ]([a-z0-9-]+)"
)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each kubectl command without a namespace or with an unknown one, and each misspelled service."""
    for command in runbook.document.commands:
        for each in simple_commands(command.fence):
            if each.words[0] == "kubectl":
                for said, hint in _problems(each, runbook.catalog):
                    yield Finding(each.line, each.column, said, hint, Level.WARNING)


def _problems(command: SimpleCommand, catalog: Catalog | None) -> Iterator[tuple[str, str]]:
    found = _NAMESPACE.search(command.text)
    if found is None:
        if not _ALL.search(command.text) and _NAMESPACED.match(command.text):
            yield "kubectl without a namespace acts on that of the reader's context", "add -n NAMESPACE"
        return
    namespaces = catalog.scope.namespaces if catalog else frozenset[str]()
    if not namespaces or _is_placeholder(found[1]):
        return
    if found[1] not in namespaces and not _SHARED.match(found[1]):
        yield f"the rules know no namespace '{found[1]}'", nearest(found[1], namespaces)
    elif (service := _SERVICE.search(command.text)) and catalog:
        name = service[1] or service[2]
        hint = nearest(name, catalog.services)
        if name not in catalog.services and hint.startswith("did you mean"):
            yield f"the catalog has no service '{name}'", hint


def _is_placeholder(text: str) -> bool:
    """Return True for placeholders, which were replaced by the letter x, and for variables."""
    return not text.strip("x") or text.startswith("$")
