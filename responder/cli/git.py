"""Git, run on a folder: a list of arguments, no shell, and no program that the repository names."""

import subprocess
from pathlib import Path
from typing import Final

from responder.cli.errors import FatalError
from responder.model.text import one_line

#: Seconds that one git command may take.
TIMEOUT_SECONDS: Final = 60.0


def git(folder: Path, *arguments: str) -> bytes:
    """Run git and return its output. Raises FatalError if it fails, is not installed or times out."""
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            ["git", "-C", str(folder), "-c", "log.showSignature=false", *arguments],  # noqa: S607 - the git in PATH
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except OSError as error:
        raise FatalError(f"cannot run git: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise FatalError(f"git {arguments[0]} timed out after {TIMEOUT_SECONDS:.0f} s") from error
    if done.returncode:
        said = one_line(done.stderr.decode("utf-8", "replace"))
        raise FatalError(f"git {arguments[0]} in {folder}: {said or 'failed'}")
    return done.stdout
