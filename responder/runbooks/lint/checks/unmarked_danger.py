"""A command that deletes or stops something is not marked: the reader runs it like any other.

In a runbook of the template it needs the tag `mutating`; in any other a word of warning in its section.

Bad:

    # Service down

    ## Procedure

    ```sh
    kubectl -n shop delete pvc data-shop-0
    ```

Good:

    # Service down

    ## Procedure

    **Warning:** the data of the volume is lost. **Impact:** the shop is down. **Undo:** restore the backup.

    ```sh {"name":"wipe","tag":"mutating"}
    kubectl -n shop delete pvc data-shop-0
    ```
"""

import re
from collections.abc import Iterator

from responder.runbooks.document import Command
from responder.runbooks.lint.contract import Finding, Profile, Runbook
from responder.runbooks.lint.shell import SimpleCommand, simple_commands

_KUBE = r"(?:kubectl|oc(?:\s+adm)?)(?:\s+-{1,2}\S+(?:\s+[^\s-]\S*)?)*?\s+"
#: Commands that change a cluster.
_CHANGES = re.compile(
    _KUBE + r"(?:rollout (?:undo|restart|pause|resume)|delete|scale|patch|set|cordon|uncordon|drain|taint|apply|edit"
    r"|replace|create|annotate|label|autoscale)\b"
)
#: Commands that change nothing.
_DRY_RUN = re.compile(r"--dry-run(?:=(?!none)|\s|$)")
#: Commands that delete or stop something.
_DESTROYS = re.compile(
    "|".join(
        (
            _KUBE
            + r"delete\s+(?:.*\s)?(?:pvc|pv|persistentvolumeclaims?|persistentvolumes?|ns|namespaces?|nodes?|crds?"
            r"|customresourcedefinitions?|secrets?)\b",
            _KUBE + r"delete\s.*--all\b",
            _KUBE + r"(?:delete|drain|replace)\s.*--force\b",
            _KUBE + r"drain\b",
            _KUBE + r"scale\s.*--replicas[= ]0\b",
            r"\brm\s+(?:-\w+\s+)*-\w*[rf]\w*\b",
            r"\b(?:mkfs\S*|wipefs|shred)\s",
            r"\bdd\s.*\bof=/dev/",
            r"\bmdadm\b.*--(?:fail|remove|zero-superblock)\b",
            r"\bDROP\s+(?:TABLE|DATABASE|SCHEMA|USER)\b",
            r"\bTRUNCATE\s+TABLE\b",
            r"\betcdctl\b.*\b(?:member remove|snapshot restore|del)\b",
            r"\bterraform\s+destroy\b",
            r"\bhelm\s+(?:uninstall|delete)\b",
            r"\bgit\s+push\s.*--force\b",
            r"\baws\b.*\b(?:terminate-instances|delete-\S+)",
        )
    ),
    re.IGNORECASE,
)
_WARNING = re.compile(
    r"\b(?:warning|caution|danger\w*|careful\w*|attention|important|beware|destructive|data loss|los[et]s?|lost"
    r"|cannot be undone|irreversibl[ey]|last resort|note that|make sure|ensure|only (?:if|when)|be aware|safe(?:ly)?"
    r"|disrupt\w*|downtime|backup|back up)\b|⚠",
    re.IGNORECASE,
)

#: Words of a title that say that something goes.
_NAMED = re.compile(r"\b(?:destroy|delete|deleting|wip|purg|drop|tear|remov|uninstall)\w*\b", re.IGNORECASE)
#: Words that say what scaling to zero does.
_STOPS = re.compile(r"\b(?:stop|pause|shut down|take down|to (?:0|zero))\b", re.IGNORECASE)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each command that destroys something, and in runbooks of the template each that changes something."""
    template = runbook.profile is Profile.TEMPLATE
    for command in runbook.document.commands:
        for each in simple_commands(command.fence):
            if _DRY_RUN.search(each.text):
                continue
            if (
                template
                and command.fence.tag != "mutating"
                and (_CHANGES.match(each.text) or _DESTROYS.search(each.text))
            ):
                yield _finding(each, "it changes something and is not tagged", 'add {"name":"...","tag":"mutating"}')
                break
            if _DESTROYS.search(each.text) and not _warned(runbook, command, each):
                yield _finding(
                    each, "it deletes or stops something, and nothing warns of it", "say what is lost, before it"
                )
                break


def _finding(command: SimpleCommand, reason: str, hint: str) -> Finding:
    shown = " ".join(command.words[:4])
    return Finding(command.line, command.column, f"'{shown}': {reason}", hint)


def _warned(runbook: Runbook, command: Command, each: SimpleCommand) -> bool:
    section = command.section
    title = section.title
    lines = (line for number, line in runbook.prose_of(section))
    comments = command.fence.content if "#" in command.fence.content else ""
    if _NAMED.search(title):
        return True
    texts = (title, comments, *lines)
    stops = each.text.find(" scale ") > 0 and any(_STOPS.search(text) for text in texts)
    return stops or any(_WARNING.search(text) for text in texts)
