"""A thread that repeats one step until it is stopped, and that reports its own failure; pauses of steps under load."""

import threading
from collections import Counter
from collections.abc import Callable

import structlog

from responder.engine.workers.loop_failures import LoopFailures
from responder.model.clock import Clock
from responder.store.database import StoreError

_log = structlog.get_logger()
#: Seconds to wait after an error of the database.
_PAUSE = 0.25
#: Errors per log line and reason, about a minute of them: the log may be on the disk that is full.
_TRIES_A_LINE = 240
#: Seconds between steps from which on they no longer count as consecutive.
LULL = 0.1
#: Consecutive steps that run without a pause, so that single notifications are not delayed.
SUDDEN = 5
#: Seconds of pause between steps after that: the added latency of a page in a storm.
PAUSE = 0.03


class Loop:
    """Calls ``step`` repeatedly. ``step`` returns the seconds to rest; ``wake`` ends the rest early.

    An exception other than StoreError is unexpected, and continuing could mean running without paging: ``on_fatal``
    ends the process, gunicorn starts a new one, and no committed data is lost. In the new process the loop starts
    after a rest if it fails again and again, so that the other loops can work; ``failures`` remembers that.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], float],
        on_fatal: Callable[[], None],
        failures: LoopFailures,
    ) -> None:
        self._name = name
        self._step = step
        self._on_fatal = on_fatal
        self._failures = failures
        self._refusals: Counter[str] = Counter()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """End the rest: there is work now."""
        self._woken.set()

    def stop(self, timeout: float) -> None:
        """Finish the current step, within ``timeout`` seconds."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """True if the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._stopping.wait(self._failures.rest(self._name))
            while not self._stopping.is_set():
                self._woken.clear()
                self._woken.wait(self._once())
        except BaseException:
            try:
                self._failures.add(self._name)
                _log.critical("engine.failed", loop=self._name, exc_info=True)
            finally:
                self._on_fatal()
            raise

    def _once(self) -> float:
        try:
            rest = self._step()
        except StoreError as error:
            self._refusals[str(error)] += 1
            if self._refusals[str(error)] % _TRIES_A_LINE == 1:
                _log.error("engine.store_failed", loop=self._name, reason=str(error))
            return _PAUSE
        if self._refusals:
            _log.info("engine.store_recovered", loop=self._name, refusals=self._refusals.total())
            self._refusals.clear()
        return rest


class BatchedStep:
    """A loop's step that pauses after each run once many have followed each other closely."""

    def __init__(
        self,
        step: Callable[[], float],
        clock: Clock,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """``step`` returns the seconds to rest, 0 if more work is waiting."""
        self._step = step
        self._clock = clock
        self._pause = pause or threading.Event().wait
        self._ended = float("-inf")
        self._streak = 0

    def step(self) -> float:
        """Run one step, and pause after it under load. Returns the seconds to rest."""
        near = self._clock.monotonic() - self._ended < LULL
        self._streak = self._streak + 1 if near else 0
        rest = self._step()
        if rest > 0 and self._streak >= SUDDEN:
            self._pause(PAUSE)
        self._ended = self._clock.monotonic()
        return rest
