"""Check the subject of a commit message: at most 72 characters, in the imperative."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_CHARACTERS = 72
SCOPE = re.compile(r"[a-z0-9_./*-]+(?:, [a-z0-9_./*-]+)*: ")
#: Written by git, not by a person.
GENERATED = re.compile(r"(Merge |Revert |fixup! |squash! |amend! )")
#: Words that begin a description of a state ("The outbox is split").
NOT_VERBS = {
    "a",
    "all",
    "an",
    "and",
    "each",
    "every",
    "how",
    "in",
    "no",
    "of",
    "the",
    "that",
    "what",
    "when",
    "where",
    "who",
}
#: Endings of other forms of a verb: "fixed", "fixing", "fixes".
NOT_IMPERATIVE = re.compile(r"(?<!e)ed$|ing$|(?<!s)s$")
#: "Recovery was measured" has no word that is a wrong form.
STATE = re.compile(r"[\w-]+ (is|are|was|were|has|have)\b")
IMPERATIVES = {"bias", "bring", "embed", "focus", "ping", "shed"}


def problems(message: str) -> Iterator[str]:
    """Yield the problems of a message, one sentence each."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if GENERATED.match(subject):
        return
    if not subject.strip():
        yield "the subject is empty"
        return
    if len(subject) > MAX_CHARACTERS:
        yield f"the subject has {len(subject)} characters: write at most {MAX_CHARACTERS}, and the reason in the body"
    if subject.endswith("."):
        yield "the subject ends with a period: leave it out"
    if len(lines) > 1 and lines[1].strip():
        yield "the second line is not empty: put a blank line between subject and body"
    sentence = SCOPE.sub("", subject, count=1)
    word = re.split(r"[^A-Za-z-]", sentence, maxsplit=1)[0].lower()
    if not _is_imperative(word) or STATE.match(sentence):
        yield f"{word!r} is not an imperative: begin with what the commit does, as in 'notify: retry 425'"


def _is_imperative(word: str) -> bool:
    if not word or word in NOT_VERBS:
        return False
    return word in IMPERATIVES or not NOT_IMPERATIVE.search(word)


def main(path: str) -> int:
    """Check the file that git passes to a `commit-msg` hook."""
    found = list(problems(Path(path).read_text()))
    for sentence in found:
        print(f"commit message: {sentence}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
