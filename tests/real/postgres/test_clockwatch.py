"""Clocks that are put back, on PostgreSQL."""

import pytest

from tests.unit.engine.test_clockwatch import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
