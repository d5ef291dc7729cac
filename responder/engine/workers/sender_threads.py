"""The threads that send messages, shared by all channels of a process."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class SenderThreads:
    """Threads that channels share, ``count`` of them. One kind of channel takes half of them at most.

    So a vendor that hangs leaves threads for the others.
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="sender")
        self._most = max(1, count // 2)
        self._busy = Counter[str]()
        self._guard = threading.Lock()
        self._closed = False

    def free(self, vendor: str) -> int:
        """Return how many more messages of a kind may be sent at once."""
        with self._guard:
            return max(0, self._most - self._busy[vendor])

    def submit(self, vendor: str, send: Callable[[], None]) -> None:
        """Call ``send`` in one of the threads."""
        with self._guard:
            self._busy[vendor] += 1
        self._pool.submit(self._run, vendor, send)

    def close(self, seconds: float) -> None:
        """Let running calls end within ``seconds``, once."""
        if self._closed:
            return
        self._closed = True
        waiter = threading.Thread(target=self._pool.shutdown, daemon=True)
        waiter.start()
        waiter.join(seconds)

    def _run(self, vendor: str, send: Callable[[], None]) -> None:
        try:
            send()
        finally:
            with self._guard:
                self._busy[vendor] -= 1
