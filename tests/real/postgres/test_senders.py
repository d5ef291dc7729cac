"""The senders of a process, on PostgreSQL."""

import pytest

from tests.unit.engine.workers.test_senders import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
