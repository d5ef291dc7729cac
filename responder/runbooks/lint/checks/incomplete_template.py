"""A communication template lacks a field that readers of a message need.

Bad:

    # Templates

    ### Incident Resolution

    ```text
    Duration: [X] minutes
    ```

Good:

    # Templates

    ### Incident Resolution

    ```text
    Duration: [X] minutes
    Root Cause: [brief description]
    Resolution: [what fixed it]
    Post-mortem: [link] (within 48 hours)
    ```
"""

from collections.abc import Iterator

from responder.runbooks.lint.contract import Finding, Runbook

#: Fields of each template, by the title of its section.
FIELDS = {
    "incident start": ("Severity", "Service", "Impact", "Status", "Lead", "Channel"),
    "status update": ("Status", "Duration", "Update", "Next update"),
    "incident resolution": ("Duration", "Root Cause", "Resolution", "Post-mortem"),
}


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each template that lacks fields."""
    document = runbook.document
    for section in document.sections:
        fields = FIELDS.get(section.title.lower())
        if fields is None:
            continue
        fence = next((f for f in document.fences if section.line < f.line <= section.end_line), None)
        if fence is None:
            continue
        begins = {line.strip().lower() for line in fence.content.splitlines()}
        missing = [
            each
            for each in fields
            if not any(line.startswith((f"{each.lower()}:", f"{each.lower()} in:")) for line in begins)
        ]
        if missing:
            said = f"the template '{section.title}' lacks {', '.join(missing)}"
            yield Finding(fence.line, 1, said, "add a line for each")
