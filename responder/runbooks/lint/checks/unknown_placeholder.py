"""A placeholder has no value: no label of an alert and no key of the catalog has its name.

Bad:

    # Service down

    ## Procedure

    ```sh
    kubectl -n shop logs {{ podname }}
    ```

Good:

    # Service down

    ## Procedure

    ```sh
    kubectl -n shop logs {{ pod }}
    ```
"""

import re
from collections.abc import Iterator
from typing import Final

from responder.model.suggestions import nearest
from responder.runbooks.lint.contract import Finding, Runbook
from responder.runbooks.words import SLOT

#: Placeholders that the subject of an alert, its labels or the catalog can fill.
KNOWN: Final = frozenset(
    {
        *("certificate", "cluster", "configmap", "consumergroup", "container", "cronjob", "daemonset", "deployment"),
        *("environment", "horizontalpodautoscaler", "host", "incident", "ingress", "instance", "job", "job_name"),
        *("name", "namespace", "node", "persistentvolume", "persistentvolumeclaim", "pod", "queue", "replicaset"),
        *("resourcequota", "secret", "service", "statefulset", "topic", "volume", "workload"),
    }
)
_TEMPLATE = re.compile(r"(?:go-template|jsonpath|--template|-f|--format)")
_ANY = re.compile(r"\{\{.*?\}\}")


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each placeholder in a command that nothing fills; templates of Go are left out."""
    for command in runbook.document.commands:
        for number, line in enumerate(command.fence.content.splitlines()):
            for each in _ANY.finditer(line):
                slot = SLOT.fullmatch(each[0])
                if _TEMPLATE.search(line[: each.start()]) or (slot and slot[1] in KNOWN):
                    continue
                column = command.fence.column + each.start()
                hint = nearest(slot[1], KNOWN) if slot else "write {{ service }}"
                yield Finding(command.fence.line + number, column, f"there is no value for '{each[0]}'", hint)
