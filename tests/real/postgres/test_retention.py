"""What every store must guarantee when it forgets, on PostgreSQL."""

import pytest

from tests.contracts.test_retention import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
