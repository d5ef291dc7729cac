"""gunicorn application: builds each worker after the fork, drains it before exit, and keeps the console running."""

import encodings.idna  # noqa: F401 - each worker needs it for its first request
import gc
import itertools
import os
import resource
import signal
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter as Master
from gunicorn.glogging import Logger

from responder import bootstrap
from responder.bootstrap import SystemClock, workers
from responder.bootstrap.worker_lock import WorkerLock
from responder.engine.workers.loop_failures import LoopFailures
from responder.engine.workers.rule_reloader import LoadedRules
from responder.model.clock import Clock
from responder.outgoing import kubernetes, session  # noqa: F401 - the same
from responder.settings import Settings
from responder.telemetry import LogStream
from responder.web.gunicorn_worker import BalancedThreadWorker
from responder.web.not_found import LogThrottle

_BROKEN = 70  # EX_SOFTWARE of sysexits.h
#: Interpreter switch interval. At Python's default of 5 ms a commit waits that long each time another thread runs.
_SWITCH_SECONDS = 0.0002
#: Allocations before a garbage collection: Python's default of 700 means several collections per webhook.
_COLLECT_AFTER = 20_000

#: Most connections of a worker, and the descriptors that it needs for anything else. Beyond either, the connection that
#: is idle for the longest time is closed.
_CONNECTIONS = 5_000
#: File descriptors of a worker for anything but connections.
_OTHER_DESCRIPTORS = 500
#: How gunicorn begins a warning about a request that it cannot parse; the client's address follows.
_INVALID = "Invalid request from ip="
_log = structlog.get_logger()
#: Seconds before the console is started again: at first, and at most; each failure doubles them.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
#: Seconds of running after which the next pause is the first one again.
STABLE_SECONDS = 60.0


class ConsoleProcess:
    """Starts ``responder console`` and restarts it. It ends by itself when this process does, however that ends."""

    def __init__(self, clock: Clock, environment: Mapping[str, str]) -> None:
        self._clock = clock
        self._environment = dict(environment)
        self._running: subprocess.Popen[bytes] | None = None
        self._due = self._began = float("-inf")
        self._pause = FIRST_PAUSE

    def tend(self) -> None:
        """Start the console unless it runs or pauses. Does not wait: gunicorn's master calls it each second."""
        now = self._clock.monotonic()
        if self._running is not None and self._running.poll() is not None:
            self._running = None
            if now - self._began > STABLE_SECONDS:
                self._pause = FIRST_PAUSE
            self._due, self._pause = now + self._pause, min(2 * self._pause, LONGEST_PAUSE)
            _log.error("console.ended", reason=f"the console ended; it is started again in {self._due - now:g} s")
        if self._running is None and now >= self._due:
            self._began = now
            try:
                self._running = subprocess.Popen(  # noqa: S603 - this Python, and fixed arguments
                    [sys.executable, "-P", "-m", "responder", "console", "--parent", str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    env=self._environment,
                )
            except OSError as error:
                self._due, self._pause = now + self._pause, min(2 * self._pause, LONGEST_PAUSE)
                _log.error("console.not_started", reason=f"the console could not be started: {error}")

    def stop(self) -> None:
        """Ask it to stop; it ends within its own time."""
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()


class QuietServer(BaseApplication):
    """A gunicorn server whose log becomes events. Subclasses add ``options``."""

    def options(self) -> Mapping[str, Any]:
        """Return the options of this server."""
        raise NotImplementedError

    def load_config(self) -> None:
        """Set gunicorn's options; docs/decisions has the reason for each that differs from the default."""
        shared: dict[str, Any] = {
            "worker_class": BalancedThreadWorker,
            "timeout": 30,
            "loglevel": "warning",
            "logger_class": ThrottledLogger,
            "errorlog": None,
            "control_socket_disable": True,
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108 - a heartbeat file of gunicorn's
        }
        for name, value in {**shared, **self.options()}.items():
            self.cfg.set(name, value)


class GunicornApp(QuietServer):
    """Master process: loads the rules before the fork, so that workers share their memory, and restarts workers.

    ``away`` is the reason why the database is not reachable yet, empty if it is.
    """

    def __init__(self, settings: Settings, first: LoadedRules, away: str, log: LogStream) -> None:
        self._settings = settings
        self._first = first
        self._away = away
        self._log = log
        self._worker: workers.Worker | None = None
        self._counters: Path | None = None
        self._failures = LoopFailures(SystemClock())
        self._listener = WorkerLock("responder-slack")
        self._slot = 0
        super().__init__()

    def options(self) -> Mapping[str, Any]:
        """Return the options of ``serve``."""
        return {
            "bind": self._settings.listen,
            "certfile": self._settings.tls_cert or None,
            "keyfile": self._settings.tls_key or None,
            "workers": self._settings.workers,
            "threads": self._settings.threads,
            "worker_connections": _connections(),
            "keepalive": 75,
            "graceful_timeout": 15,
            "proc_name": "responder",
            "pre_fork": self._give_slot,
            "worker_exit": lambda _server, _worker: self._drain(),
        }

    def run(self) -> None:
        """Serve until a stop signal. Objects from before the fork are shared, so they are frozen for the collector.

        OpenSSL starts with its first context: in each worker that would take 2.4 MB.
        """
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        gc.freeze()
        gc.enable()
        with workers.counters_directory() as self._counters:
            _Arbiter(self, self._console()).run()

    def _console(self) -> ConsoleProcess | None:
        """Return the console, if it has an address. It gets the folders that an option of this command may name."""
        if not self._settings.console_listen:
            return None
        rules = {"RESPONDER_RULES": self._settings.rules}
        return ConsoleProcess(SystemClock(), {**bootstrap.environment(), **rules})

    def _give_slot(self, server: Any, worker: Any) -> None:
        """Give a new worker the lowest free slot number; it continues the counters of that slot."""
        taken = {each.slot for each in server.WORKERS.values()}
        self._slot = worker.slot = next(slot for slot in itertools.count() if slot not in taken)

    def load(self) -> Any:
        """Build the WSGI application; runs in each worker after the fork."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        gc.set_threshold(_COLLECT_AFTER)
        self._worker = workers.worker(
            self._settings,
            self._first,
            self._counters,
            self._slot,
            away=self._away,
            on_fatal=self._end,
            failures=self._failures,
            first_of_all=self._listener.hold,
        )
        signal.signal(signal.SIGHUP, lambda _number, _frame: self._reload())
        return self._worker.app

    def _reload(self) -> None:
        if self._worker is not None:
            self._worker.reload()

    def _drain(self) -> None:
        """Stop the worker, then exit at once: a probe hung in a library must not block the exit."""
        if self._worker is not None:
            self._worker.stop()
            self._log.drain()
            os._exit(0)

    def _end(self) -> None:
        """Exit at once even if the log blocks; the master starts another worker."""
        try:
            self._log.drain()
        finally:
            os._exit(_BROKEN)


def _connections() -> int:
    """Connections for which this process may open descriptors. Raises its own limit as far as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = wanted if soft == resource.RLIM_INFINITY else soft
    return min(_CONNECTIONS, max(room - _OTHER_DESCRIPTORS, room // 2))


class ThrottledLogger(Logger):
    """gunicorn's logger without handlers of its own: what it logs becomes an event."""

    def setup(self, cfg: Any) -> None:
        """Pass everything on to the root logger."""
        super().setup(cfg)
        self.error_log.propagate = True
        self._throttle = LogThrottle(bootstrap.SystemClock())

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a warning about an invalid request once a minute and address: anybody can send many."""
        text = str(msg)
        if not text.startswith(_INVALID):
            super().warning(msg, *args, **kwargs)
        elif count := self._throttle.count(text.partition(": ")[0]):
            super().warning("%s (requests: %d)", text, count)


class _Arbiter(Master):
    """gunicorn's master, except that SIGHUP reloads the rules in each worker instead of restarting it.

    It also keeps the console running.
    """

    def __init__(self, app: BaseApplication, console: ConsoleProcess | None) -> None:
        self._console = console
        # nohup ignores SIGHUP.
        self._in_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and has_terminal()
        super().__init__(app)

    def manage_workers(self) -> None:
        """Keep the workers running, and the console."""
        super().manage_workers()
        if self._console is not None:
            self._console.tend()

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """Stop all of it."""
        if self._console is not None:
            self._console.stop()
        super().halt(reason, exit_status)

    def handle_hup(self) -> None:
        """Send SIGHUP to each worker, which reads the rule files; stop if the terminal was closed."""
        if self._in_terminal and not has_terminal():
            self.handle_term()
        self.kill_workers(signal.SIGHUP)


def has_terminal() -> bool:
    """Return True if this process has a controlling terminal. The kernel takes it away when it is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
