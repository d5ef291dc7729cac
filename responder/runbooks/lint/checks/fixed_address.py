"""A command has an IP address, which changes.

Bad:

    # Service down

    ## Procedure

    ```sh
    curl http://10.42.7.13:8080/health
    ```

Good:

    # Service down

    ## Procedure

    ```sh
    curl http://shop:8080/health
    ```
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from responder.model.problem import Level
from responder.runbooks.lint.contract import Finding, Runbook

_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
#: Addresses that have a fixed meaning: cloud metadata, public resolvers.
_KNOWN = frozenset({"169.254.169.254", "1.1.1.1", "8.8.8.8", "8.8.4.4"})


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each IP address in a command, without loopback and addresses of a fixed meaning."""
    for command in runbook.document.commands:
        for number, line in enumerate(command.fence.content.splitlines()):
            for each in () if line.lstrip().startswith("#") else _ADDRESS.finditer(line):
                if _is_host(each[0]):
                    column = command.fence.column + each.start()
                    said = f"the address {each[0]} changes"
                    hint = "write a name, or how to find the address"
                    yield Finding(command.fence.line + number, column, said, hint, Level.WARNING)


def _is_host(text: str) -> bool:
    try:
        address = IPv4Address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or text in _KNOWN)
