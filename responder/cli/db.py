"""``responder db``: statistics, pruning and backup of the database."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from responder import bootstrap
from responder.cli.durations import SPAN
from responder.cli.errors import named_failures
from responder.cli.options import OUTPUT, TIMEOUT
from responder.cli.table import Column, format_time, print_json, table

if TYPE_CHECKING:
    from responder.store.maintenance.overview import TableStats
    from responder.store.maintenance.retention import PruneResult

_HOURS = 3600.0


@click.group()
def db() -> None:
    """Show database statistics, prune it, back it up. Safe while `serve` runs."""


@db.command()
@OUTPUT
def stats(*, output: str) -> None:
    """Show rows, bytes, ages and states of each table, and the space used."""
    with named_failures():
        settings = bootstrap.settings_from_environment()
        with bootstrap.database(settings) as database, database.read() as connection:
            from responder.store.maintenance.overview import table_stats

            counts = table_stats(connection)
            files = database.files()
    if output == "json":
        tables = [asdict(each) for each in counts]
        print_json({"files": files, "limit": settings.max_database_bytes, "tables": tables})
        return
    for line in _table(counts):
        click.echo(line)
    share = files / settings.max_database_bytes
    click.echo(
        f"{_size(files)} on disk, {share:.0%} of RESPONDER_MAX_DATABASE_BYTES "
        f"({_size(settings.max_database_bytes)}); retention {settings.retention_days} days"
    )


def _table(counts: "Iterable[TableStats]") -> Iterator[str]:
    columns = (
        *(Column("TABLE"), Column("ROWS", right=True), Column("BYTES", right=True)),
        *(Column("OLDEST"), Column("NEWEST"), Column("STATES")),
    )
    return table(columns, map(_cells, counts))


def _cells(count: "TableStats") -> tuple[str, ...]:
    states = ", ".join(f"{rows:,} {name}" for name, rows in count.states.items())
    return (
        count.table,
        f"{count.rows:,}",
        _size(count.bytes),
        format_time(count.oldest),
        format_time(count.newest),
        states,
    )


@db.command()
@click.option("--older-than", type=SPAN, help="Age limit, at least 1d: 30d, 12w. [default: RESPONDER_RETENTION_DAYS]")
@click.option("--dry-run", is_flag=True, help="Print what would be deleted; delete nothing.")
@OUTPUT
def prune(*, older_than: timedelta | None, dry_run: bool, output: str) -> None:
    """Delete rows older than the retention period now.

    Deletes newer rows as well if the database is above its size limit. Open incidents, unsent messages and undecided
    notifications are never deleted.
    """
    if older_than is not None and older_than < timedelta(days=1):
        raise click.BadParameter(
            "must be at least 1d: new notifications are compared with the last day", param_hint="--older-than"
        )
    with named_failures():
        settings = bootstrap.settings_from_environment()
        clock = bootstrap.SystemClock()
        with bootstrap.database(settings) as database:
            from responder.model.clock import Deadline

            retention = bootstrap.retention(settings, database, clock)
            before = clock.now() - (older_than or timedelta(days=settings.retention_days))
            until = Deadline(clock.monotonic() + _HOURS)
            gone = retention.would(before) if dry_run else retention.prune(before, until)
            pruned_tables = _printed(gone, quiet=output == "json")
    if output == "json":
        print_json(list(map(asdict, pruned_tables)))
        return
    total = sum(pruned.bytes for pruned in pruned_tables)
    done = "would be deleted" if dry_run else "deleted; the file keeps its size, new rows reuse the space"
    click.echo(f"{sum(pruned.rows for pruned in pruned_tables)} rows, {_size(total)}, {done}")


def _printed(gone: "Iterable[PruneResult]", *, quiet: bool) -> "list[PruneResult]":
    pruned_tables = []
    for pruned in gone:
        pruned_tables.append(pruned)
        if pruned.rows and not quiet:
            click.echo(f"{pruned.table:<12} {pruned.rows:>9} rows {_size(pruned.bytes):>9}")
    return pruned_tables


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--timeout", metavar="SECONDS", type=TIMEOUT, default=3600.0, show_default=True, help="Timeout for pg_dump."
)
def backup(*, file: Path, timeout: float) -> None:
    """Write a complete backup to FILE while `serve` runs.

    The backup is an SQLite file, or a pg_dump archive for pg_restore.
    """
    with named_failures():
        settings = bootstrap.settings_from_environment()
        click.echo(f"copying to {file} ...", err=True)
        bootstrap.back_up(settings, file, timeout)
    click.echo(f"{file}: {_size(file.stat().st_size)}, backup complete")


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
