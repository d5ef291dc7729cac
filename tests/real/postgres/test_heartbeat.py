"""The dead man's switch, the outbound heartbeat and the counts, on PostgreSQL."""

import pytest

# The same tests; only the database is another.
from tests.contracts.test_scrape import *  # noqa: F403
from tests.unit.engine.test_heartbeat import *  # noqa: F403
from tests.unit.engine.test_lifeline import *  # noqa: F403
from tests.unit.test_tally import *  # noqa: F403

pytestmark = pytest.mark.real
