"""The files of an SQLite database while it is open: created private, and refused once they are not the ones opened.

SQLite goes on writing to a file that was deleted or replaced, so that a commit would be lost with the process. If
``-wal`` or ``-shm`` alone is gone, another process would open a new one beside the old and damage the database. So
every process keeps a shared lock on ``FILE-open``, which holds the identity of the three files. A process that finds
other files writes the log back, closes the database, and opens it again once every process has closed it.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from responder.store.backends.errors import StoreError

#: The database, its write-ahead log, and the log's index.
SUFFIXES = ("", "-wal", "-shm")
#: Pause between attempts to get the lock while another process opens the database.
_PAUSE_SECONDS = 0.01

_Identity = list[list[int] | None]
_IDENTITY = msgspec.json.Decoder(_Identity)


class SqliteFiles:
    """Opens the files at the first use. ``close_all`` closes every connection of the process except the one kept here.

    That one keeps SQLite from removing ``-wal`` and ``-shm``, as the last connection to be closed does.
    """

    def __init__(
        self, file: str, driver: ModuleType, timeout: float, close_all: Callable[[], None], *, create: bool
    ) -> None:
        self._file = file
        self._driver = driver
        self._patience = timeout
        self._close_all = close_all
        self._may_create = create
        self._guard = threading.Lock()
        self._users = 0
        self._lock = -1
        self._kept: Any = None
        self._seen: _Identity | None = None

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Let the block use the files. Raises StoreError if they are not, or no longer, the ones opened."""
        with self._guard:
            if self._seen is not None and (reason := self._difference(self._seen)):
                if not self._users:
                    self._write_back(reason)
                    self._close()
                raise StoreError(reason)
            if self._seen is None:
                self._open()
            self._users += 1
        try:
            yield
        finally:
            with self._guard:
                self._users -= 1

    def verify(self) -> None:
        """Raise StoreError if a file was deleted or replaced: call it between a commit and its acknowledgement."""
        if self._seen is not None and (reason := self._difference(self._seen)):
            raise StoreError(reason)

    def close(self) -> None:
        """Close every connection of this process."""
        with self._guard:
            self._close()

    def _open(self) -> None:
        path = Path(self._file)
        if not path.exists() and not self._may_create:
            raise StoreError(f"database {path.absolute()}: the file does not exist; put it back or restart responder")
        try:
            with contextlib.suppress(FileExistsError):
                # -wal and -shm get the mode of the database. Closing a file that exists would drop SQLite's locks.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self._lock = os.open(f"{self._file}-open", os.O_RDWR | os.O_CREAT, 0o600)
            if os.geteuid() == 0:  # a command of root's must not lock the service out; SQLite does so with its files
                os.fchown(self._lock, path.stat().st_uid, path.stat().st_gid)
        except OSError as error:
            raise StoreError(f"database {path.absolute()}: unable to open database file: {error.strerror}") from None
        try:
            self._seen = self._opened()
        except BaseException:
            self._close()
            raise
        self._may_create = False

    def _opened(self) -> _Identity:
        """Open the kept connection. Only if no other process has the database open may its files be new ones."""
        alone, recorded = self._locked(), self._recorded()
        if alone:
            self._set_aside(recorded)
        elif reason := self._difference(recorded):
            raise StoreError(reason)
        self._kept = self._driver.connect(
            self._file, timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        self._kept.execute("PRAGMA journal_mode = WAL")
        self._kept.execute("SELECT count(*) FROM sqlite_master").fetchone()  # a first read creates -wal and -shm
        seen = self._identity()
        if alone:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, msgspec.json.encode(seen), 0)
            fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        elif reason := self._difference(recorded):
            raise StoreError(reason)
        return seen

    def _recorded(self) -> _Identity:
        """The identity that the process that opened the files first has written."""
        try:
            return _IDENTITY.decode(os.pread(self._lock, 4096, 0))
        except msgspec.DecodeError:
            return [None] * len(SUFFIXES)

    def _set_aside(self, recorded: _Identity) -> None:
        """Rename the log of another database that was at this path: SQLite would apply it to this one."""
        now = self._identity()
        if None in (recorded[0], now[0]) or recorded[0] == now[0]:
            return
        for suffix, before, current in zip(SUFFIXES[1:], recorded[1:], now[1:], strict=True):
            if current is not None and current == before:
                Path(f"{self._file}{suffix}").replace(f"{self._file}{suffix}.stale")

    def _locked(self) -> bool:
        """Take the lock, exclusively if no other process has it. True if so."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            shared = Retrying(
                retry=retry_if_exception_type(BlockingIOError),
                stop=stop_after_delay(self._patience),
                wait=wait_fixed(_PAUSE_SECONDS),
                reraise=True,
            )
            try:
                shared(fcntl.flock, self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"database {self._file}: another process has been opening it for too long") from None
            return False
        return True

    def _write_back(self, reason: str) -> None:
        """Write the log into the database: what is in a deleted log must not be lost. Raises StoreError until it is."""
        try:
            _, frames, written = self._kept.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except self._driver.Error as error:
            raise StoreError(f"{reason}; its log cannot be written back: {error}") from error
        if frames != written:
            raise StoreError(reason)

    def _close(self) -> None:
        self._close_all()
        if self._kept is not None:
            self._kept.close()
        if self._lock >= 0:
            os.close(self._lock)
        self._kept, self._lock, self._seen = None, -1, None

    def _identity(self) -> _Identity:
        return [_identity(f"{self._file}{suffix}") for suffix in SUFFIXES]

    def _difference(self, seen: _Identity) -> str:
        """A sentence about files that are not those of ``seen``, empty if all are."""
        now = self._identity()
        if now == seen:
            return ""
        named = Path(self._file).name
        what = ", ".join(
            f"{named}{suffix} was {'replaced' if current else 'deleted'}"
            for suffix, before, current in zip(SUFFIXES, seen, now, strict=True)
            if before is not None and before != current
        )
        return (
            (
                f"database {Path(self._file).absolute()}: {what} while it was in use; "
                "nothing is accepted until every process has closed the database"
            )
            if what
            else ""
        )


def _identity(path: str) -> list[int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - several times for each commit, and Path costs as much again
    except OSError:
        return None
    return [found.st_dev, found.st_ino]
