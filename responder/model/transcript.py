"""Record of a step of a runbook, kept with the incident."""

from dataclasses import dataclass
from datetime import datetime

#: Characters of an output that are kept.
OUTPUT_LIMIT = 1000
#: What each result is called.
RESULTS = {
    "match": "as expected",
    "mismatch": "differs",
    "unknown": "unknown",
    "done": "done",
    "skipped": "skipped",
}


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

    @property
    def said(self) -> str:
        """The result in words, with the difference or the reason: ``differs: line 2 is missing``."""
        return ": ".join(filter(None, (RESULTS.get(self.result, self.result), self.difference)))
