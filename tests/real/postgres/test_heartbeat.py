"""The Watchdog, the outbound heartbeat and the scrape, on PostgreSQL."""

import pytest

# The same tests; only the database is another.
from tests.contracts.test_scrape import *  # noqa: F403
from tests.unit.engine.jobs.test_heartbeat import *  # noqa: F403
from tests.unit.engine.jobs.test_outbound_heartbeat import *  # noqa: F403

pytestmark = pytest.mark.real
