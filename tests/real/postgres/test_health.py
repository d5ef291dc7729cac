"""`/readyz` and its checks of tables, backlog and database errors, on PostgreSQL."""

import pytest

from tests.unit.web.test_health import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
