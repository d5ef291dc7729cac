"""Backup of a PostgreSQL database with pg_dump."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from responder.store.backends.atomic_file import atomic_write
from responder.store.backends.errors import StoreError


def dump(parameters: Mapping[str, Any], target: Path, env: Mapping[str, str], seconds: float) -> None:
    """Write a dump in pg_dump's custom format to a new file. Raises StoreError.

    The password is passed in the environment, since every user of the machine can read command lines.
    """
    from psycopg.conninfo import make_conninfo

    given = {name: value for name, value in parameters.items() if name not in {"password", "options"}}
    address = make_conninfo(**given)
    command = ["pg_dump", "--format=custom", "--no-owner", f"--dbname={address}"]
    program = _pg_dump()
    if program is None:
        raise StoreError(
            "pg_dump is not installed (Debian: apt install postgresql-client); or run elsewhere, with the password in "
            f"PGPASSWORD: {' '.join(command[:3])} --file={target} --dbname='{address}'"
        )
    secret = {"PGPASSWORD": str(parameters["password"])} if parameters.get("password") else {}
    with atomic_write(target) as part:
        try:
            done = subprocess.run(  # noqa: S603 - an argument vector, no shell
                [program, *command[1:], f"--file={part}"],
                env={**env, **secret},
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise StoreError(f"pg_dump did not finish within {seconds:g} s: raise --timeout") from None
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise StoreError(f"pg_dump: {said[-1].removeprefix('pg_dump: ')}")


def _pg_dump() -> str | None:
    """Return the newest pg_dump of Debian, which reads every older server, else the one on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), key=lambda path: int(path.parts[-3]))
    return str(debian[-1]) if debian else shutil.which("pg_dump")
