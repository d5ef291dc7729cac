"""Deliveries that break triage, on PostgreSQL."""

import pytest

from tests.unit.engine.test_mishap import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
