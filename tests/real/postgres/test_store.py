"""What every store must guarantee, on PostgreSQL."""

import pytest

from tests.contracts.test_store import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
