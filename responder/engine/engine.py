"""The engine of one worker process: three loops over the database, woken by each other."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from responder.diagnose.run import Prober
from responder.engine.courier import Courier
from responder.engine.desk import Desk
from responder.engine.loop import Loop
from responder.engine.worker import Diagnosis, Triage
from responder.model.clock import Clock
from responder.model.delivery import Study
from responder.notify.deliver import Deliverer
from responder.store.database import CannotStore, Database

_log = structlog.get_logger()


class Engine:
    """Triage, diagnosis and courier. Several may work on one database, in one process each."""

    def __init__(
        self,
        *,
        database: Database,
        desk: Callable[[], Desk],
        prober: Prober,
        deliverer: Deliverer,
        clock: Clock,
        chance: Callable[[], float],
        on_fatal: Callable[[], None],
    ) -> None:
        self._prober = prober
        self._diagnosis = Diagnosis(database, desk, prober, clock)
        self._courier = Courier(database, desk, deliverer, clock, chance)
        self._triage = Triage(database, desk, clock, on_effects=self._follow)
        steps = {"triage": self._triage.step, "diagnosis": self._diagnosis.step, "courier": self._courier.step}
        self._loops = {name: Loop(name, step, on_fatal) for name, step in steps.items()}
        self._courier.on_free = self._diagnosis.on_page = self._loops["courier"].wake

    def start(self) -> None:
        """Begin all three."""
        for loop in self._loops.values():
            loop.start()

    def wake(self) -> None:
        """A delivery was kept."""
        self._loops["triage"].wake()

    @property
    def alive(self) -> bool:
        """Whether every loop runs."""
        return all(loop.alive for loop in self._loops.values())

    def stop(self, patience: float) -> None:
        """Drain within ``patience`` seconds: end the steps at hand, finish the sends, let go of the diagnoses."""
        for loop in self._loops.values():
            loop.stop(patience / 4)
        try:
            self._diagnosis.close()
        except CannotStore as error:
            _log.warning("engine.cannot_release", reason=str(error))
        self._courier.close(patience / 2)
        self._prober.close()

    def _follow(self, started: list[Study]) -> None:
        self._diagnosis.begin(started)
        self._loops["courier"].wake()
