"""``responder redact``: show what is removed from a text before a message, a finding or a log shows it."""

import sys

import click

from responder.cli.errors import FatalError, named_failures
from responder.model.redaction import redact as redacted

#: Bytes that are read of a file.
_MOST_BYTES = 16 * 1024 * 1024


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True))
def redact(*, file: str) -> None:
    """Print FILE (`-` is standard input) without secrets, as messages, findings and logs show it.

    Payloads are stored as they came: `responder replay` decides them again.

    Exit status: 0, 1 for a file that cannot be read, 2 for a wrong command line.
    """
    with named_failures():
        try:
            with click.open_file(file, "rb") as opened:
                data = opened.read(_MOST_BYTES + 1)
        except OSError as error:
            raise FatalError(f"{file} cannot be read: {error.strerror}") from None
        if len(data) > _MOST_BYTES:
            raise FatalError(f"{file} is larger than {_MOST_BYTES >> 20} MiB: split it")
    sys.stdout.write(redacted(data.decode("utf-8", "replace")))
