"""Checks of settings, secrets, rules and runbooks, and database."""

import stat
from pathlib import Path

from sqlalchemy import text

from responder import bootstrap
from responder.cli.doctor.context import DoctorContext
from responder.model.check import Result, bad, ok, skipped, warn
from responder.model.problem import Level as ProblemLevel
from responder.settings import MONITORING, env_name, unknown_variables
from responder.store.backends.sqlite_files import SUFFIXES
from responder.store.database import Database, StoreError
from responder.store.maintenance import retention
from responder.store.schema.migrate import refuse_foreign_tables, refuse_unusable, revision
from responder.store.schema.tables import HEAD

#: Problems of rule files that are shown.
_SHOWN = 5
#: Free bytes of the disk below which there is a warning.
_LEAST_FREE_BYTES = 500_000_000
_FIRST_BUG, _LAST_BUG = (3, 7, 0), (3, 51, 2)  # https://sqlite.org/wal.html#walresetbug
_OLDEST_POSTGRES = 15  # oldest version in the tests


def settings(context: DoctorContext) -> tuple[Result, ...]:
    """Check for unknown variables, missing settings and secrets readable by other users."""
    found = [
        warn("settings", sentence, "remove or rename the variable; `responder serve --settings` lists the names")
        for sentence in unknown_variables(context.environment)
    ]
    given = context.settings
    if not given.webhook_token.reveal() and not given.webhook_basic_auth.reveal():
        found.append(bad("settings", "the webhook has no authentication", "set RESPONDER_WEBHOOK_TOKEN"))
    found += [warn("settings", *sentence.split(": ", 1)) for sentence in given.short_credentials()]
    if not given.runbook_base_url:
        found.append(warn("settings", "pages have no links to runbooks", "set RESPONDER_RUNBOOK_BASE_URL"))
    if not given.heartbeat_url.reveal():
        text = "no heartbeat: an outage of responder itself goes unnoticed"
        found.append(warn("settings", text, "set RESPONDER_HEARTBEAT_URL to a dead man's switch URL"))
    found += [result for name in sorted(context.environment) if (result := _readable(name, context.environment[name]))]
    keys = {env_name(name): given.value(name) for name in (f"{server}_client_key" for server in MONITORING)}
    found += filter(None, [_world_readable(f"the file of {name}", path) for name, path in keys.items() if path])
    if in_file := given.secrets_in_file():
        found += filter(None, [_world_readable(f"{given.config}, which has {', '.join(in_file)},", given.config)])
    return tuple(found) or (ok("settings", "valid"),)


def _readable(name: str, path: str) -> Result | None:
    if not name.startswith("RESPONDER_") or not name.endswith("_FILE"):
        return None
    try:
        return _world_readable(f"the file of {name}", path)
    except OSError as error:
        return bad("settings", f"{name} cannot be read: {error.strerror}", "name a file that this user can read")


def _world_readable(file: str, path: str) -> Result | None:
    """Return a warning if every user can read a file. Raises OSError."""
    if Path(path).stat().st_mode & stat.S_IROTH:
        return warn("settings", f"{file} is world-readable", f"chmod o-r {path}")
    return None


def rules(context: DoctorContext) -> tuple[Result, ...]:
    """Report the first problems of `rules check`."""
    where = context.settings.rules
    examined = bootstrap.examine_rules(where, context.settings.runbooks)
    if not examined.problems and examined.rule_files is not None:
        number = len(examined.rule_files.rules)
        return (ok("rules", f"{number} rules, revision {examined.rule_files.revision[:12]}"),)
    results = [
        (bad if problem.level is ProblemLevel.ERROR else warn)(
            "rules",
            f"{problem.position}: {problem.message}",
            problem.hint or f"responder rules check --explain {problem.code}",
        )
        for problem in examined.problems[:_SHOWN]
    ]
    if (more := len(examined.problems) - _SHOWN) > 0:
        results.append(warn("rules", f"{more} more problems", f"responder rules check {where}"))
    return tuple(results)


def database(context: DoctorContext) -> tuple[Result, ...]:
    """Check that the database is reachable and writable, its schema, its version and free disk space."""
    try:
        opened = Database(context.settings.database_url.reveal())
    except StoreError as error:
        return (bad("database", str(error), "check RESPONDER_DATABASE_URL"),)
    try:
        if not opened.exists():
            what = f"{opened.name} does not exist yet"
            return (skipped("database", what, "`responder serve` creates it at its first start"),)
        return (*_examined(opened), *_pooler(opened.pooler_room(context.settings.workers), context.settings.workers))
    except StoreError as error:
        return (
            bad(
                "database", str(error), "check RESPONDER_DATABASE_URL; without the database no notification is accepted"
            ),
        )
    finally:
        opened.close()


def _examined(opened: Database) -> list[Result]:
    refuse_unusable(opened)
    opened.check()
    with opened.read() as connection:
        schema = revision(connection)
        if schema is None:
            refuse_foreign_tables(connection, opened.name)
        left = retention.free(connection)
        version = str(
            connection.execute(text("SELECT sqlite_version()" if opened.is_sqlite else "SHOW server_version")).scalar()
        )
    results = [version_of(version, sqlite=opened.is_sqlite)]
    if opened.is_sqlite:
        results += _readable_files(Path(opened.name))
    if schema is None:
        results.append(
            skipped("database", "has no responder tables yet", "`responder serve` creates them at its first start")
        )
    elif schema < HEAD:
        results.append(warn("database", f"schema {schema}, this version needs {HEAD}", "the next start migrates it"))
    elif schema > HEAD:
        results.append(bad("database", f"schema {schema} is newer than this version's {HEAD}", "install that version"))
    if left is not None and left < _LEAST_FREE_BYTES:
        results.append(
            bad(
                "database",
                f"{left / 1e6:.0f} MB free on its disk",
                "free disk space: if it is full, no notification is accepted",
            )
        )
    return results


def _pooler(room: tuple[int, int] | None, workers: int) -> tuple[Result, ...]:
    """A warning if a pooler in session mode has fewer connections than the workers keep."""
    if room is None or room[0] >= room[1]:
        return ()
    what = f"the pooler gives {room[0]} connections now, and {workers} workers keep up to {room[1]}"
    change = "raise its default_pool_size and max_db_connections (connections of a running responder count, too)"
    return (warn("database", what, change),)


def _readable_files(file: Path) -> list[Result]:
    """A warning if other users can read the payloads: version 0.1 created the files by the umask."""
    paths = [path for suffix in SUFFIXES if (path := file.with_name(f"{file.name}{suffix}")).exists()]
    wide = [str(path) for path in paths if path.stat().st_mode & 0o077]
    what = f"other users can read the stored payloads in {', '.join(wide)}"
    return [warn("database", what, f"chmod 600 {' '.join(wide)}")] if wide else []


def version_of(version: str, *, sqlite: bool) -> Result:
    """Check a database version."""
    numbers = tuple(int(part) for part in version.split(maxsplit=1)[0].split(".") if part.isdigit())
    if not sqlite:
        if numbers and numbers[0] < _OLDEST_POSTGRES:
            return bad("database", f"PostgreSQL {version} is too old", f"use {_OLDEST_POSTGRES} or newer")
        return ok("database", f"PostgreSQL {version}, writable")
    if _FIRST_BUG <= numbers <= _LAST_BUG:
        what = f"SQLite {version} can lose writes after a crash (the WAL-reset bug)"
        return warn("database", what, "install pysqlite3, which includes a newer version")
    return ok("database", f"SQLite {version}, writable")
