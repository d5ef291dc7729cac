"""A link to a dashboard has a fixed time range: it shows an earlier incident for ever.

Bad:

    # Service down

    ## Symptoms

    The [dashboard](https://grafana.example.org/d/shop?from=1700000000000&to=1700003600000) shows errors.

Good:

    # Service down

    ## Symptoms

    The [dashboard](https://grafana.example.org/d/shop?from=now-1h&to=now) shows errors.
"""

import re
from collections.abc import Iterator

from responder.model.problem import Level
from responder.runbooks.lint.contract import Finding, Runbook

#: ``from`` and ``to`` of Grafana and Kibana, the end of a graph of Prometheus: epoch milliseconds, or a date.
_FIXED = re.compile(r"[?&(;,](?:from|to|start|end|g\d+\.(?:end|moment)_input)[=:]'?(\d{10,13}|\d{4}-\d\d-\d\d[^&)]*)")
#: Words by which a link says that it shows an earlier moment.
_EARLIER = re.compile(r"\b(?:examples?|past|previous|earlier|incident|outage|screenshot|sample)\b", re.IGNORECASE)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each link whose query has a fixed begin or end."""
    for link in runbook.document.links:
        text = runbook.document.lines[link.line - 1][: link.column - 1]
        if _EARLIER.search(text.rpartition("[")[2]):
            continue
        if link.target.startswith(("http://", "https://")) and (found := _FIXED.search(link.target)):
            said = f"the time range of the link is fixed ({found[1]})"
            yield Finding(link.line, link.column, said, "use a relative one: from=now-1h&to=now", Level.WARNING)
