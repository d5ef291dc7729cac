"""A thread that repeats one step until it is told to stop, and that never dies quietly."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import structlog

from responder.store.database import StoreError

_log = structlog.get_logger()
_PAUSE = 0.25
"""Seconds to wait after the database refused something."""
_TRIES_A_LINE = 240
"""A line of the log for so many refusals of one reason, a minute of them: the log may be on the disk that is full."""


class Loop:
    """Calls ``step`` again and again. ``step`` returns how many seconds it may rest; ``wake`` cuts the rest short.

    A step that raises anything but StoreError has met a case nobody thought of. Going on could mean going on without
    paging, so ``on_fatal`` ends the process: the arbiter starts a fresh one, and nothing durable is lost by it.
    """

    def __init__(self, name: str, step: Callable[[], float], on_fatal: Callable[[], None]) -> None:
        self._name = name
        self._step = step
        self._on_fatal = on_fatal
        self._refusals: Counter[str] = Counter()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do now."""
        self._woken.set()

    def stop(self, patience: float) -> None:
        """Finish the step at hand, for at most ``patience`` seconds."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._woken.clear()
                self._woken.wait(self._once())
        except BaseException:
            try:
                _log.critical("engine.broken", loop=self._name, exc_info=True)
            finally:
                self._on_fatal()
            raise

    def _once(self) -> float:
        try:
            rest = self._step()
        except StoreError as error:
            self._refusals[str(error)] += 1
            if self._refusals[str(error)] % _TRIES_A_LINE == 1:
                _log.error("engine.cannot_store", loop=self._name, reason=str(error))
            return _PAUSE
        if self._refusals:
            _log.info("engine.stores_again", loop=self._name, refusals=self._refusals.total())
            self._refusals.clear()
        return rest
