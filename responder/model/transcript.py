"""Record of a step of a runbook, kept with the incident."""

from dataclasses import dataclass
from datetime import datetime

#: Characters of an output that are kept.
OUTPUT_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step that was run, or ticked by a person.

    ``runbook`` is the file with the section, ``command`` the argument vector as one line, ``sha256`` the hash of the
    fence. ``result`` is match, mismatch, unknown, done or skipped; ``difference`` says why. ``output`` is redacted.
    """

    at: datetime
    runbook: str
    step: str
    result: str
    difference: str = ""
    command: str = ""
    sha256: str = ""
    output: str = ""
