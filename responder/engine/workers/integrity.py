"""Looks for damage in the file of SQLite after the start, and logs damage however it was found."""

import structlog

from responder.model.clock import Clock
from responder.store.database import Database
from responder.store.schema.tables import metadata

_log = structlog.get_logger()

#: The first table is checked so long after the start: what waited to be received, decided and sent comes first.
_SETTLE_SECONDS = 3.0
#: Interval of looks at errors that report damage, once every table was checked.
_LOOK_SECONDS = 2.0


class IntegrityCheck:
    """Reads every table once, one at a time, and rests after each for as long as it took."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._left = sorted(metadata.tables) if database.is_sqlite else []
        self._settled = self._logged = False

    def step(self) -> float:
        """Check the next table. Returns the seconds to rest. Raises StoreError if the database refuses."""
        if not self._settled:
            self._settled = True
            return _SETTLE_SECONDS
        began = self._clock.monotonic()
        if self._left and not self._database.damage:
            self._database.quick_check(self._left[-1])
            self._left.pop()
        if self._database.damage and not self._logged:
            self._logged = True
            _log.critical("database.damaged", reason=self._database.damage)
        return self._clock.monotonic() - began if self._left and not self._database.damage else _LOOK_SECONDS
