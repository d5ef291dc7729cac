"""A lock that one worker process of an instance holds until it ends."""

import fcntl
import os


class WorkerLock:
    """Make it in the master, before the fork.

    A record lock belongs to a process and ends with it, although all workers inherit one descriptor. The file is
    anonymous: no path to choose, to clean up, or to share with another instance.
    """

    def __init__(self, name: str) -> None:
        self._file = os.memfd_create(name)

    def hold(self) -> bool:
        """Return True if this process holds the lock, from now on if no other one does."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
