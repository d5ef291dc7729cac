"""Notifications that break triage, on PostgreSQL."""

import pytest

from tests.unit.engine.effects.test_triage_failure import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
